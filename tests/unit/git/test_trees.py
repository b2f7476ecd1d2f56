"""New trees from old ones; the user's index and work tree stay as they are."""

from __future__ import annotations

from tests.conftest import Repo

from axil.git.trees import changed_tree


def test_files_come_change_and_go(repo: Repo):
    base = repo.commit({"a": "1", "b/c": "2", "b/d": "3"})
    repo.write({"a": "edited"})
    tree = changed_tree(repo.git, base, {"a": b"new", "e/tab\tname": b"4"}, ["b/c", "gone"])
    names = repo.git.run("ls-tree", "-r", "-z", "--name-only", tree).split(b"\0")[:-1]
    assert names == [b"a", b"b/d", b"e/tab\tname"]
    assert repo.run("show", f"{tree}:a") == "new"
    assert repo.run("status", "--porcelain").strip() == "M a"

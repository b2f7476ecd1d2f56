"""Tests of finding a repository from a folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Repo

from axil.errors import BadInput, NotFound
from axil.git.refs import Head, LostRace, head, list_refs, update_refs
from axil.git.repository import Repository, begin_discover, discover, discover_with_head, git_dirs


def expected(path: Path) -> Repository:
    return Repository(str(path), str(path / ".git"), str(path / ".git"), False, False, "sha1")


@pytest.mark.parametrize(
    "name", ["plain", "with space", "ünï-日本", "new\nline", "two\n\nlines\n", "-dash", "quo\"te'"]
)
def test_names_of_all_kinds(make_repo: Callable[..., Repo], name: str) -> None:
    repo = make_repo(name)
    commit = repo.commit({"sub/deep/x": "1"})
    assert discover(str(repo.path)) == expected(repo.path)
    found = discover_with_head(str(repo.path / "sub" / "deep"))
    assert found == (expected(repo.path), Head("main", commit))


def test_unborn(repo: Repo) -> None:
    assert discover_with_head(str(repo.path)) == (expected(repo.path), Head("main", None))


def test_detached(repo: Repo) -> None:
    commit = repo.commit()
    repo.run("switch", "-q", "--detach")
    assert discover_with_head(str(repo.path))[1] == head(repo.git) == Head(None, commit)


def test_linked_work_tree(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"sub/x": "1"})
    linked = tmp_path / "linked tree"
    repo.run("worktree", "add", "-q", "-b", "other", str(linked))
    found = discover(str(linked / "sub"))
    assert found.top == str(linked)
    assert found.common_dir == str(repo.path / ".git")
    assert found.git_dir == str(repo.path / ".git" / "worktrees" / "linked-tree")
    assert found.worktree_id == "worktrees/linked-tree"
    assert discover(str(repo.path)).worktree_id == "."
    assert git_dirs(found) == [found.common_dir, found.git_dir]
    assert found.git().git_dir == found.git_dir


def test_git_dirs_without_linked_work_trees(repo: Repo) -> None:
    assert git_dirs(discover(str(repo.path))) == [str(repo.path / ".git")]


def test_separate_git_folder(make_repo: Callable[..., Repo], tmp_path: Path) -> None:
    repo = make_repo("apart", "--separate-git-dir", str(tmp_path / "gitdir"))
    found = discover(str(repo.path))
    assert (found.top, found.git_dir) == (str(repo.path), str(tmp_path / "gitdir"))


def test_submodule(repo: Repo, make_repo: Callable[..., Repo]) -> None:
    library = make_repo("library")
    library.commit({"x": "1"})
    repo.run("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), "lib")
    found = discover(str(repo.path / "lib"))
    assert found.top == str(repo.path / "lib")
    assert found.common_dir == str(repo.path / ".git" / "modules" / "lib")


def test_sha256(make_repo: Callable[..., Repo]) -> None:
    repo = make_repo("long", "--object-format=sha256")
    commit = repo.commit({"a": "1"})
    found, at = discover_with_head(str(repo.path))
    assert found.object_format == "sha256"
    assert at == Head("main", commit)
    assert len(commit) == 64


def test_shallow(repo: Repo, tmp_path: Path) -> None:
    repo.commit()
    repo.commit()
    repo.run("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    assert discover(str(tmp_path / "shallow")).shallow


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        discover(str(tmp_path))
    assert "is not in a git repository" in caught.value.what
    assert "git init" in caught.value.hint


def test_bare(make_repo: Callable[..., Repo]) -> None:
    bare = make_repo("bare.git", "--bare")
    with pytest.raises(BadInput, match="is a bare repository"):
        discover(str(bare.path))


@pytest.mark.parametrize("where", [".git", ".git/objects"])
def test_inside_git_folder(repo: Repo, where: str) -> None:
    with pytest.raises(BadInput, match=r"inside a \.git folder"):
        discover(str(repo.path / where))


def test_through_a_link(repo: Repo, tmp_path: Path) -> None:
    os.symlink(repo.path, tmp_path / "link")
    assert discover(str(tmp_path / "link")).top == str(repo.path)


def test_broken_head_is_not_taken_for_unborn(repo: Repo) -> None:
    """A branch whose commit is gone must not look like a project without history."""
    repo.commit()
    (repo.path / ".git" / "refs" / "heads" / "main").write_text("1" * 40 + "\n")
    assert head(repo.git) == Head("main", "1" * 40)


def test_one_process_is_enough(repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    repo.commit()
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    discover_with_head(str(repo.path))
    assert trace.read_text().count('"event":"start"') == 1


def test_reftable(make_repo: Callable[..., Repo], tmp_path: Path) -> None:
    """Refs are only ever reached through git, so how it keeps them does not matter."""
    probe = Repo(tmp_path)
    if "ref-format" not in probe.run("init", "-h", check=False):
        pytest.skip("this git has no reftable")
    repo = make_repo("tables", "--ref-format=reftable")
    assert discover_with_head(str(repo.path))[1] == Head("main", None)
    commit = repo.commit()
    update_refs(repo.git, [("refs/heads/a", commit, None)])
    with pytest.raises(LostRace):
        update_refs(repo.git, [("refs/heads/a", commit, None)])
    assert discover_with_head(str(repo.path))[1] == Head("main", commit)
    assert list_refs(repo.git) == {"refs/heads/a": commit, "refs/heads/main": commit}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_repository_of_another_user(repo: Repo) -> None:
    for path in (repo.path, repo.path / ".git"):
        os.chown(path, 65534, 65534)
    with pytest.raises(BadInput) as caught:
        discover(str(repo.path))
    assert "belongs to another user" in caught.value.what
    assert caught.value.hint == f"if you trust it: git config --global --add safe.directory {repo.path}"


def test_a_ref_is_found_on_the_way(repo: Repo) -> None:
    """The commit of one more ref comes from the same process; None where there is no such commit."""
    first = repo.commit({"a": "1"})
    second = repo.commit({"a": "2"})
    repo.run("update-ref", "refs/axil/some", first)
    assert begin_discover(str(repo.path), "refs/axil/some")() == (expected(repo.path), Head("main", second), first)
    assert begin_discover(str(repo.path), "refs/axil/none")() == (expected(repo.path), Head("main", second), None)
    repo.run("update-ref", "refs/axil/some", repo.run("rev-parse", "HEAD:a"))
    assert begin_discover(str(repo.path), "refs/axil/some")()[2] is None
    repo.run("switch", "-q", "--orphan", "empty")
    assert begin_discover(str(repo.path), "refs/axil/some")() == (expected(repo.path), Head("empty", None), None)

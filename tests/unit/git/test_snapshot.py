"""Tests of snapshots: exactly what is on disk, and nothing of the user's moves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Repo

from axil.errors import Blocked
from axil.git.objects import CatFile, ls_tree
from axil.git.refs import head
from axil.git.snapshot import MAX_UNTRACKED, Snapshot, _copied_index, snapshot_tree
from axil.git.status import status


def take(repo: Repo, max_untracked: int = MAX_UNTRACKED) -> Snapshot:
    """A snapshot, checked to leave index, HEAD, refs and work tree as they were, and no file of its own."""
    before = state(repo)
    made = snapshot_tree(repo.git, head(repo.git), max_untracked=max_untracked)
    assert state(repo) == before
    own = Path(repo.git.git_dir) / "axil"
    assert not own.exists() or not os.listdir(own)
    return made


def state(repo: Repo) -> tuple[object, ...]:
    index = Path(repo.git.git_dir) / "index"
    kept = (index.read_bytes(), index.stat().st_mtime_ns, index.stat().st_ino) if index.exists() else None
    return (
        kept,
        repo.run("--no-optional-locks", "status", "--porcelain=v2"),
        repo.run("for-each-ref"),
        repo.run("stash", "list"),
    )


def content(repo: Repo, tree: str) -> dict[str, tuple[str, bytes]]:
    """Path -> (mode, bytes) of a tree."""
    with CatFile(repo.git) as reader:
        return {entry.name: (entry.mode, reader.blob(entry.oid) or b"") for entry in ls_tree(repo.git, tree)}


def test_clean_is_the_tree_of_head(repo: Repo) -> None:
    repo.commit({"a": "1", "d/b": "2"})
    assert take(repo) == Snapshot(repo.run("rev-parse", "HEAD^{tree}"), clean=True)


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
def test_unborn(make_repo: Callable[..., Repo], hash_name: str) -> None:
    repo = make_repo("unborn", f"--object-format={hash_name}")
    empty = take(repo)
    assert content(repo, empty.tree) == {}
    assert repo.run("cat-file", "-t", empty.tree) == "tree"
    repo.write({"a": "1"})
    assert content(repo, take(repo).tree) == {"a": ("100644", b"1")}


def test_everything_on_disk_is_in_it(repo: Repo) -> None:
    repo.commit({".gitignore": "*.tmp\n", "edit": "1", "gone": "1", "staged": "1", "exec": "1", "same": "1", "mv": "x"})
    names = ["new\nline", "with space", 'quo"te', "ü/日本", "-dash", ":(top)x", "*", os.fsdecode(b"\xff")]
    repo.write({"staged": "2"})
    repo.run("add", "staged")
    repo.write({name: name.encode("utf-8", "surrogateescape") for name in names})
    repo.write({"edit": "2", "staged": "3", "x.tmp": "no", "intended": "yes"})
    repo.run("add", "-N", "intended")
    repo.run("rm", "-q", "--cached", "same")
    repo.run("mv", "mv", "moved")
    (repo.path / "gone").unlink()
    (repo.path / "exec").chmod(0o755)
    os.symlink("../outside", repo.path / "link")
    made = take(repo)
    assert content(repo, made.tree) == {
        ".gitignore": ("100644", b"*.tmp\n"),
        "edit": ("100644", b"2"),
        "staged": ("100644", b"3"),
        "exec": ("100755", b"1"),
        "same": ("100644", b"1"),
        "moved": ("100644", b"x"),
        "intended": ("100644", b"yes"),
        "link": ("120000", b"../outside"),
        **{name: ("100644", name.encode("utf-8", "surrogateescape")) for name in names},
    }
    assert (made.skipped, made.nested, made.clean) == ((), (), False)


def test_files_and_folders_that_changed_places(repo: Repo) -> None:
    repo.commit({"file": "1", "folder/x": "1", "folder/y": "1", "linked/x": "1"})
    (repo.path / "file").unlink()
    for name in ("folder", "linked"):
        (repo.path / name).rename(repo.path.parent / name)
    repo.write({"file/inside": "2", "folder": "3"})
    os.symlink(repo.path.parent / "linked", repo.path / "linked")
    assert {path: mode for path, (mode, _) in content(repo, take(repo).tree).items()} == {
        "file/inside": "100644",
        "folder": "100644",
        "linked": "120000",
    }


def test_large_untracked_files_are_named_not_taken(repo: Repo) -> None:
    repo.commit({"tracked": "x" * 300})
    repo.write({"tracked": "y" * 300, "small": "x" * 100, "large [1]*": "x" * 101, "d/large": "x" * 500})
    made = take(repo, max_untracked=100)
    assert set(made.skipped) == {("large [1]*", 101), ("d/large", 500)}
    assert set(content(repo, made.tree)) == {"tracked", "small"}


def test_only_large_files_is_clean(repo: Repo) -> None:
    repo.commit({"a": "1"})
    repo.write({"large": "x" * 101})
    made = take(repo, max_untracked=100)
    assert made == Snapshot(repo.run("rev-parse", "HEAD^{tree}"), (("large", 101),), clean=True)


def test_submodules_stay_links_and_nested_repositories_are_named(repo: Repo, make_repo: Callable[..., Repo]) -> None:
    library = make_repo("library")
    library.commit({"x": "1"})
    repo.run("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), "lib")
    repo.commit()
    nested = make_repo("project/nested ü")
    nested.write({"inside": "1"})
    inner = Repo(repo.path / "lib")
    inner.run("-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "--allow-empty", "-m", "more")
    repo.write({"lib/dirty": "1", "new": "1"})
    made = take(repo)
    entries = {entry.name: entry for entry in ls_tree(repo.git, made.tree)}
    assert set(entries) == {".gitmodules", "lib", "new"}
    assert (entries["lib"].mode, entries["lib"].oid) == ("160000", inner.run("rev-parse", "HEAD"))
    assert made.nested == ("nested ü",)


def test_unresolved_merge_is_refused(repo: Repo) -> None:
    repo.commit({"a b": "1"})
    repo.run("switch", "-q", "-c", "side")
    repo.commit({"a b": "2"})
    repo.run("switch", "-q", "main")
    repo.commit({"a b": "3"})
    repo.run("merge", "side", check=False)
    with pytest.raises(Blocked) as caught:
        take(repo)
    assert caught.value.paths == ("a b",)


def test_works_while_another_git_holds_the_index(repo: Repo) -> None:
    repo.commit({"a": "1"})
    repo.write({"a": "2"})
    (repo.path / ".git" / "index.lock").write_text("")
    assert content(repo, take(repo).tree) == {"a": ("100644", b"2")}


def test_an_edit_of_the_same_size_and_time_is_seen(repo: Repo) -> None:
    """git's racy-entry rule must hold for the copied index too."""
    repo.write({"a": "1"})
    repo.run("add", "a")
    seen = (repo.path / ".git" / "index").stat().st_mtime_ns
    os.utime(repo.path / "a", ns=(seen, seen))
    repo.run("add", "a")
    repo.run("commit", "-q", "-m", "x")
    index = repo.path / ".git" / "index"
    os.utime(index, ns=(seen, seen))
    (repo.path / "a").write_text("2")
    os.utime(repo.path / "a", ns=(seen, seen))
    repo.write({"other": "dirty"})
    assert content(repo, take(repo).tree)["a"] == ("100644", b"2")


def test_line_end_warnings_do_not_stop_it(repo: Repo) -> None:
    repo.run("config", "core.autocrlf", "input")
    repo.run("config", "core.safecrlf", "true")
    repo.write({"dos.txt": "a\r\nb\r\n"})
    assert content(repo, take(repo).tree) == {"dos.txt": ("100644", b"a\nb\n")}


@pytest.mark.parametrize("setting", ["core.splitIndex", "core.untrackedCache", "index.sparse"])
def test_special_indexes(repo: Repo, setting: str) -> None:
    repo.run("config", setting, "true")
    repo.commit({"a": "1", "b": "1"})
    repo.run("update-index", "--refresh")
    repo.write({"b": "2", "c": "3"})
    assert {path: data for path, (_, data) in content(repo, take(repo).tree).items()} == {
        "a": b"1",
        "b": b"2",
        "c": b"3",
    }


def test_linked_work_tree(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a": "1"})
    repo.run("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked")
    linked.write({"a": "2"})
    repo.write({"b": "1"})
    assert content(linked, take(linked).tree) == {"a": ("100644", b"2")}


def test_given_status_is_used(repo: Repo) -> None:
    repo.commit({"a": "1"})
    repo.write({"a": "2"})
    known = status(repo.git)
    made = snapshot_tree(repo.git, known.head, status=known)
    assert content(repo, made.tree) == {"a": ("100644", b"2")}


def test_leftovers_of_killed_processes_go(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older than a day goes, by the clock of the file system; here a day is less than nothing."""
    monkeypatch.setattr("axil.git.snapshot._LEFTOVER_AFTER", -(10**15))
    repo.commit({"a": "1"})
    repo.write({".git/axil/snapshot.1.abcd.index": "old", ".git/axil/worktree.db": "kept"})
    with _copied_index(str(repo.path / ".git")):
        assert os.listdir(repo.path / ".git" / "axil") == ["worktree.db"]


def test_young_leftovers_stay(repo: Repo) -> None:
    """They may be the index of a snapshot that is being made."""
    repo.commit({"a": "1"})
    repo.write({".git/axil/snapshot.1.abcd.index": "in use", "a": "2"})
    snapshot_tree(repo.git, head(repo.git))
    assert os.listdir(repo.path / ".git" / "axil") == ["snapshot.1.abcd.index"]


def test_objects_survive_without_the_users_index(repo: Repo) -> None:
    repo.commit({"a": "1"})
    repo.write({"a": "2", "d/b": "3"})
    tree = take(repo).tree
    repo.run("fsck", "--strict", "--connectivity-only", tree)


def test_clutter_stays_out_of_a_snapshot(repo: Repo) -> None:
    repo.commit({"a.py": "1"})
    repo.write({"a.py": "2", "src/__pycache__/a.cpython-311.pyc": "x", "src/new.py": "3"})
    tree = snapshot_tree(repo.git, head(repo.git)).tree
    assert repo.run("ls-tree", "-r", "--name-only", tree).split() == ["a.py", "src/new.py"]


def test_personal_settings_stay_out_of_a_snapshot_even_if_git_does_not_ignore_them(repo: Repo) -> None:
    repo.commit({"a": "1"})
    repo.write({"axil.local.toml": "secret", "new": "2"})
    tree = snapshot_tree(repo.git, head(repo.git)).tree
    assert repo.run("ls-tree", "--name-only", tree).split() == ["a", "new"]

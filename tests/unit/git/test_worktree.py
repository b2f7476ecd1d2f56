"""Tests of switching, branches, staging and committing, with git's refusals turned into errors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Repo

from axil.errors import BadInput, Blocked, GitFailed, NotFound
from axil.git import worktree
from axil.git.refs import Head, LostRace, head, list_refs


def hook(repo: Repo, name: str, script: str) -> None:
    path = repo.path / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def forked(repo: Repo) -> Repo:
    """`main` and `other`, which differ in `a` and in the existence of `only here`."""
    repo.commit({"a": "1", "b": "1"})
    repo.run("switch", "-q", "-c", "other")
    repo.commit({"a": "2", "only here": "1"})
    repo.run("switch", "-q", "main")
    return repo


# Switching


def test_switch_carries_changes(forked: Repo) -> None:
    forked.write({"b": "edited", "untracked": "1"})
    assert worktree.switch(forked.git, "other") == ""
    assert head(forked.git).branch == "other"
    assert (forked.read("a"), forked.read("b"), forked.read("untracked")) == ("2", "edited", "1")


def test_switch_create(forked: Repo) -> None:
    forked.write({"a": "edited"})
    worktree.switch(forked.git, "new/ü", create=True)
    assert (head(forked.git).branch, forked.read("a")) == ("new/ü", "edited")
    worktree.switch(forked.git, "x", create=True)
    forked.run("checkout", "-q", "--", "a")
    worktree.switch(forked.git, "y", create=True, start="other")
    assert head(forked.git).commit == forked.run("rev-parse", "other")


def test_switch_create_on_an_unborn_branch(repo: Repo) -> None:
    worktree.switch(repo.git, "first", create=True)
    assert head(repo.git) == Head("first", None)


def test_switch_detach(forked: Repo) -> None:
    commit = forked.run("rev-parse", "other")
    worktree.switch(forked.git, commit, detach=True)
    assert head(forked.git) == Head(None, commit)


def test_switch_names_every_path_it_would_overwrite(forked: Repo) -> None:
    forked.write({"a": "edited", "only here": "mine"})
    with pytest.raises(Blocked) as caught:
        worktree.switch(forked.git, "other")
    assert set(caught.value.paths) == {"a", "only here"}
    assert (forked.read("a"), forked.read("only here"), head(forked.git).branch) == ("edited", "mine", "main")


def test_switch_in_a_merge(forked: Repo) -> None:
    forked.commit({"a": "3"})
    forked.run("merge", "other", check=False)
    with pytest.raises(Blocked, match="“merging” is not finished"):
        worktree.switch(forked.git, "other")
    (forked.path / ".git" / "MERGE_HEAD").unlink()
    with pytest.raises(Blocked) as caught:
        worktree.switch(forked.git, "other")
    assert caught.value.paths == ("a",)


def test_switch_to_a_branch_of_another_work_tree(forked: Repo, tmp_path: Path) -> None:
    forked.run("worktree", "add", "-q", str(tmp_path / "linked"), "other")
    with pytest.raises(Blocked) as caught:
        worktree.switch(forked.git, "other")
    assert str(tmp_path / "linked") in caught.value.why


def test_switch_to_nothing(forked: Repo) -> None:
    with pytest.raises(NotFound, match="no branch or commit “nothing”"):
        worktree.switch(forked.git, "nothing")
    with pytest.raises(NotFound, match="no branch or commit “nothing”"):
        worktree.switch(forked.git, "new", create=True, start="nothing")


@pytest.mark.parametrize("name", ["--orphan", "-c", "a b", "a..b", ""])
def test_switch_refuses_names(forked: Repo, name: str) -> None:
    for create in (True, False):
        with pytest.raises((BadInput, NotFound)):
            worktree.switch(forked.git, name, create=create)
    assert head(forked.git).branch == "main"


def test_switch_create_of_a_name_that_is_taken(forked: Repo) -> None:
    with pytest.raises(BadInput, match="there is a branch “other” already"):
        worktree.switch(forked.git, "other", create=True)
    with pytest.raises(BadInput, match="beside “other”"):
        worktree.switch(forked.git, "other/more", create=True)


def test_switch_tells_of_a_failing_hook(forked: Repo) -> None:
    hook(forked, "post-checkout", "echo hook says no >&2; exit 3")
    assert worktree.switch(forked.git, "other") == "hook says no"
    assert head(forked.git).branch == "other"


# Branches


def test_create_branch(forked: Repo) -> None:
    worktree.create_branch(forked.git, "new", "other")
    assert list_refs(forked.git)["refs/heads/new"] == forked.run("rev-parse", "other")
    with pytest.raises(BadInput, match="already"):
        worktree.create_branch(forked.git, "new", "other")
    with pytest.raises(BadInput, match="beside"):
        worktree.create_branch(forked.git, "new/x", "other")
    with pytest.raises(NotFound, match="“nothing”"):
        worktree.create_branch(forked.git, "x", "nothing")
    with pytest.raises(BadInput):
        worktree.create_branch(forked.git, "x", "--force")


def test_rename_branch_moves_every_work_tree(forked: Repo, tmp_path: Path) -> None:
    forked.run("worktree", "add", "-q", str(tmp_path / "linked"), "other")
    forked.run("config", "branch.other.description", "kept")
    worktree.rename_branch(forked.git, "other", "renamed")
    assert head(Repo(tmp_path / "linked").git).branch == "renamed"
    assert forked.run("config", "branch.renamed.description") == "kept"
    worktree.rename_branch(forked.git, "main", "trunk")
    assert head(forked.git).branch == "trunk"
    with pytest.raises(BadInput, match="already"):
        worktree.rename_branch(forked.git, "renamed", "trunk")
    with pytest.raises(NotFound, match="“nothing”"):
        worktree.rename_branch(forked.git, "nothing", "x")


def test_delete_branch(forked: Repo, tmp_path: Path) -> None:
    main, other = forked.run("rev-parse", "main"), forked.run("rev-parse", "other")
    with pytest.raises(Blocked, match="is checked out"):
        worktree.delete_branch(forked.git, "main", main)
    forked.run("worktree", "add", "-q", str(tmp_path / "linked"), "other")
    with pytest.raises(Blocked) as caught:
        worktree.delete_branch(forked.git, "other", other)
    assert str(tmp_path / "linked") in caught.value.why
    forked.run("worktree", "remove", str(tmp_path / "linked"))
    with pytest.raises(LostRace):
        worktree.delete_branch(forked.git, "other", main)
    worktree.delete_branch(forked.git, "other", other)
    assert set(list_refs(forked.git)) == {"refs/heads/main"}


@pytest.mark.parametrize("old_git", [False, True])
def test_list_worktrees(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old_git: bool) -> None:
    if old_git:  # `worktree list -z` came with git 2.36
        real = next(f"{folder}/git" for folder in os.environ["PATH"].split(":") if os.access(f"{folder}/git", os.X_OK))
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "git").write_text(
            f'#!/bin/sh\ncase "$*" in *"list --porcelain -z") exit 129;; esac\nexec {real} "$@"'
        )
        (tmp_path / "bin" / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert worktree.list_worktrees(repo.git) == [worktree.WorkTree(str(repo.path), None, "main")]
    commit = repo.commit()
    for name in ("ü b", "gone", "locked"):
        repo.run("worktree", "add", "-q", "--detach", str(tmp_path / name))
    (tmp_path / "gone").rename(tmp_path / "elsewhere")
    repo.run("worktree", "lock", "--reason", "why not", str(tmp_path / "locked"))
    assert set(worktree.list_worktrees(repo.git)) == {
        worktree.WorkTree(str(repo.path), commit, "main"),
        worktree.WorkTree(str(tmp_path / "ü b"), commit, None),
        worktree.WorkTree(str(tmp_path / "gone"), commit, None, prunable=True),
        worktree.WorkTree(str(tmp_path / "locked"), commit, None, locked=True),
    }


def test_bare_repository_is_no_work_tree(repo: Repo, make_repo: Callable[..., Repo], tmp_path: Path) -> None:
    repo.commit()
    bare = make_repo("bare.git", "--bare")
    repo.run("push", "-q", str(bare.path), "main")
    bare.run("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    linked = Repo(tmp_path / "linked")
    assert [tree.path for tree in worktree.list_worktrees(linked.git)] == [str(tmp_path / "linked")]


# Staging and committing


def test_stage_and_unstage(repo: Repo) -> None:
    repo.write({"a": "1", "-b": "1", "new\nline": "1", "c": "1"})
    worktree.stage(repo.git, ["a", "-b", "new\nline"])
    worktree.unstage(repo.git, ["a"])
    assert set(worktree.ls_files(repo.git)) == {"-b", "new\nline"}
    repo.run("commit", "-q", "-m", "x")
    (repo.path / "-b").unlink()
    worktree.stage(repo.git, ["-b"])
    assert worktree.ls_files(repo.git) == ["new\nline"]
    worktree.unstage(repo.git, ["-b"])
    assert not (repo.path / "-b").exists()
    worktree.stage(repo.git, [])


def test_stage_of_an_ignored_file_is_explained_or_forced(repo: Repo) -> None:
    repo.write({".gitignore": "data\n", "data/x.axil": "1"})
    with pytest.raises(GitFailed) as caught:
        worktree.stage(repo.git, ["data/x.axil"])
    assert "ignored by one of your .gitignore files" in caught.value.why
    worktree.stage(repo.git, ["data/x.axil"], force=True)
    assert worktree.ls_files(repo.git, "*.axil") == ["data/x.axil"]


def test_commit(repo: Repo) -> None:
    assert worktree.commit(repo.git, "nothing") is None
    repo.write({"a": "1", "b": "1"})
    assert worktree.commit(repo.git, "nothing staged") is None
    first = worktree.commit(repo.git, "first", paths=["a"])
    assert first == repo.run("rev-parse", "HEAD")
    assert repo.run("log", "-1", "--format=%B", "--name-only").split() == ["first", "a"]
    repo.write({"a": "2"})
    assert worktree.commit(repo.git, "-m looks like an option\n\n# kept", all=True)
    assert repo.run("log", "-1", "--format=%B").strip() == "-m looks like an option\n\n# kept"
    worktree.stage(repo.git, ["b"])
    assert worktree.commit(repo.git, "staged")
    assert repo.run("status", "--porcelain") == ""


def test_commit_of_paths_leaves_the_rest_staged(repo: Repo) -> None:
    repo.commit({"a": "1"})
    repo.write({"a": "2", "staged": "1", "new": "1"})
    worktree.stage(repo.git, ["staged"])
    worktree.commit(repo.git, "only these", paths=["a", "new"])
    assert repo.run("status", "--porcelain") == "A  staged"


def test_hooks_are_honoured(repo: Repo) -> None:
    hook(repo, "pre-commit", "echo tests fail; exit 1")
    repo.write({"a": "1"})
    worktree.stage(repo.git, ["a"])
    with pytest.raises(GitFailed) as caught:
        worktree.commit(repo.git, "x")
    assert "tests fail" in caught.value.why
    assert head(repo.git).commit is None
    hook(repo, "pre-commit", "exit 0")
    hook(repo, "commit-msg", 'echo "signed" >> "$1"')
    worktree.commit(repo.git, "x")
    assert repo.run("log", "-1", "--format=%B").split() == ["x", "signed"]


def test_no_identity_names_the_lines_to_type(repo: Repo) -> None:
    assert worktree.identity(repo.git) == "Ada Test <ada@example.com>"
    repo.run("config", "--unset", "user.name")
    repo.run("config", "--unset", "user.email")
    repo.write({"a": "1"})
    worktree.stage(repo.git, ["a"])
    calls: list[Callable[[], object]] = [
        lambda: worktree.identity(repo.git),
        lambda: worktree.commit(repo.git, "x"),
        lambda: worktree.commit_tree(repo.git, repo.run("write-tree"), [], "x"),
    ]
    for call in calls:
        with pytest.raises(BadInput) as caught:
            call()
        assert 'git config --global user.name "Your Name"' in caught.value.hint
        assert "git config --global user.email you@example.com" in caught.value.hint


# What git knows of paths


def test_tracked(repo: Repo) -> None:
    repo.commit({"a": "1", "d/b": "1", "d/c": "1", "*": "1", "e": "1"})
    assert worktree.tracked(repo.git, ["a", "d", "no", "*"]) == {"a", "d/b", "d/c", "*"}
    assert worktree.tracked(repo.git, []) == set()
    many = [f"{'x' * 100}{number}" for number in range(3000)]
    assert worktree.tracked(repo.git, [*many, "e"]) == {"e"}


def test_ignored(repo: Repo) -> None:
    repo.commit({".gitignore": "*.tmp\nbuild/\n"})
    repo.write({"kept.tmp": "1", "x.tmp": "1", "build/new\nline": "1"})
    repo.run("add", "-f", "kept.tmp")
    paths = ["kept.tmp", "x.tmp", ":(top)y.tmp", "build/new\nline", "*", "other"]
    assert worktree.ignored(repo.git, paths) == {"x.tmp", ":(top)y.tmp", "build/new\nline"}
    assert worktree.ignored(repo.git, ["other"]) == set()
    assert worktree.ignored(repo.git, []) == set()


def test_ls_files(repo: Repo) -> None:
    repo.commit({"a.axil": "1", "d/e/ü.axil": "1", "d/x": "1", "new\nline.axil": "1"})
    assert set(worktree.ls_files(repo.git, "*.axil")) == {"a.axil", "d/e/ü.axil", "new\nline.axil"}
    assert len(worktree.ls_files(repo.git)) == 4


def test_restore_files(repo: Repo) -> None:
    old = repo.commit({"a": "1", "b": "1", "*": "1"})
    repo.commit({"a": "2", "b": "2", "*": "2", "new": "1"})
    worktree.restore_files_from_tree(repo.git, old, ["a", "*", "new"])
    assert (repo.read("a"), repo.read("b"), repo.read("*")) == ("1", "2", "1")
    assert not (repo.path / "new").exists()
    assert repo.run("diff", "--cached") == ""
    worktree.restore_files_from_tree(repo.git, old, ["a"], staged=True)
    assert repo.run("diff", "--cached", "--name-only") == "a"
    worktree.restore_files_from_tree(repo.git, old, [])
    with pytest.raises(GitFailed, match="could not be restored"):
        worktree.restore_files_from_tree(repo.git, old, ["nothing"])

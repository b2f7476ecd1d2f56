"""Tests of how git is started and how its failures are told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from tests.conftest import Repo

from axil.errors import BadInput, Busy, GitFailed, NotFound
from axil.git.process import Git, join_nul, no_option, split_nul
from axil.git.worktree import stage, status


def fake_git(folder: Path, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_failure_carries_gits_own_words(repo: Repo) -> None:
    with pytest.raises(GitFailed) as caught:
        repo.git.run("rev-parse", "--verify", "nothing")
    assert caught.value.what == "git rev-parse failed"
    assert caught.value.why == "Needed a single revision"


def test_words_are_english_whatever_the_users_language(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert repo.git.call("var", "LC_ALL").code != 0
    hook = repo.git.call("-c", "alias.env=!printenv LC_ALL LANGUAGE", "env")
    assert hook.out.split() == [b"C", b"C"]


def test_the_folder_decides_which_repository(repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables a git hook inherits must not send axil to another repository or index."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert repo.git.run("rev-parse", "--show-toplevel").decode().strip() == str(repo.path)


def test_paths_are_never_patterns(repo: Repo) -> None:
    repo.write({"*": "star", "a": "a", ":(top)b": "colon"})
    stage(repo.git, ["*", ":(top)b"])
    assert repo.git.fields("ls-files", "-z") == ["*", ":(top)b"]


def test_users_configuration_stays_in_force(repo: Repo) -> None:
    repo.run("config", "core.quotePath", "true")
    repo.commit({"ä": "1"})
    assert repo.git.lines("ls-files") == ["ä"]
    assert repo.git.lines("config", "user.name") == ["Ada Test"]


def test_git_missing(repo: Repo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFound, match="git is not installed"):
        repo.git.run("version")


def test_folder_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        Git(str(tmp_path / "gone")).run("version")


def test_file_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotFound, match="is not a folder"):
        Git(str(tmp_path / "file")).run("version")


def test_git_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_git(tmp_path / "bin", 'case "$*" in *version*) echo "git version 2.20.1";; *) echo usage >&2; exit 129;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(BadInput, match=r"git 2\.20\.1 is too old"):
        Git(str(tmp_path)).run("switch", "x")


def test_killed_git_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_git(tmp_path / "bin", "kill -9 $$")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(GitFailed, match="killed by signal 9"):
        Git(str(tmp_path)).run("status")


def test_dubious_ownership_names_the_line_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_git(
        tmp_path / "bin",
        "echo \"fatal: detected dubious ownership in repository at '/x'\" >&2\n"
        "printf '\\tgit config --global --add safe.directory /x\\n' >&2; exit 128",
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(BadInput) as caught:
        Git(str(tmp_path)).run("status")
    assert caught.value.hint == "if you trust it: git config --global --add safe.directory /x"


def test_nul_in_an_argument(repo: Repo) -> None:
    with pytest.raises(BadInput):
        repo.git.run("rev-parse", "a\0b")


@pytest.mark.parametrize("name", ["-x", "--exec=sh", "", "a\0b"])
def test_names_cannot_be_options(name: str) -> None:
    with pytest.raises(BadInput):
        no_option(name)


def test_nul_lists_keep_names_that_are_not_utf8() -> None:
    names = ["a b", "new\nline", os.fsdecode(b"\xff\xfe"), "ü"]
    assert split_nul(join_nul(names)) == names
    assert split_nul(b"") == []


def test_begin_overlaps_and_raises_like_run(repo: Repo) -> None:
    first = repo.git.begin("rev-parse", "--show-toplevel")
    second = repo.git.begin("rev-parse", "--verify", "nothing")
    assert first().decode().strip() == str(repo.path)
    with pytest.raises(GitFailed, match="Needed a single revision"):
        second()


def test_index_lock_is_waited_for(repo: Repo) -> None:
    lock = repo.path / ".git" / "index.lock"
    lock.write_text("")
    repo.write({"a": "1"})
    timer = threading.Timer(0.2, lock.unlink)
    timer.start()
    stage(repo.git, ["a"])
    timer.join()
    assert status(repo.git).entries[0].code == "A."


def test_index_lock_that_stays_is_told(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axil.git.process._LOCK_PATIENCE", 0.05)
    (repo.path / ".git" / "index.lock").write_text("")
    repo.write({"a": "1"})
    with pytest.raises(Busy) as caught:
        stage(repo.git, ["a"])
    assert str(repo.path / ".git" / "index.lock") in caught.value.why


def test_missing_history_is_explained(repo: Repo) -> None:
    repo.commit({"a": "1"})
    with pytest.raises(GitFailed) as caught:
        repo.git.run("log", "-1", "1" * 40)
    assert "git fetch --unshallow" in caught.value.hint

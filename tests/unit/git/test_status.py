"""Tests of reading `git status`, by examples, by a model of its format, and against real git."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Repo

from axil.errors import GitFailed
from axil.git.refs import Head
from axil.git.status import Status, StatusEntry, begin_status, parse_status, status

NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=12)
OIDS = st.sampled_from(["a" * 40, "b" * 64, "0" * 40])
MODES = st.sampled_from(["000000", "100644", "100755", "120000", "160000"])
CODES = st.sampled_from([".M", "M.", "MM", "A.", ".A", "D.", ".D", "AD", "T."])
ORDINARY = st.builds(
    StatusEntry,
    path=NAMES,
    code=CODES,
    original=st.just("") | NAMES,
    submodule=st.sampled_from(["N...", "SC..", "S.MU"]),
    head_mode=MODES,
    index_mode=MODES,
    worktree_mode=MODES,
    head_oid=OIDS,
    index_oid=OIDS,
    conflict=st.just(False),
)
CONFLICT = st.tuples(NAMES, st.sampled_from(["UU", "AA", "DU"])).map(lambda two: StatusEntry(*two, conflict=True))


def render(state: Status) -> bytes:
    """What git would write for `state`, by its documentation of porcelain format 2."""
    items = [f"# branch.oid {state.head.commit or '(initial)'}", f"# branch.head {state.head.branch or '(detached)'}"]
    if state.upstream:
        items += [f"# branch.upstream {state.upstream}", f"# branch.ab +{state.ahead} -{state.behind}"]
    for entry in state.entries:
        modes = f"{entry.head_mode} {entry.index_mode} {entry.worktree_mode}"
        fields = f"{entry.code} {entry.submodule} {modes} {entry.head_oid} {entry.index_oid}"
        if entry.conflict:
            three = " ".join(["100644"] * 4 + ["a" * 40] * 3)
            items.append(f"u {entry.code} {entry.submodule} {three} {entry.path}")
        elif entry.original:
            items += [f"2 {fields} R100 {entry.path}", entry.original]
        else:
            items.append(f"1 {fields} {entry.path}")
    items += [f"? {path}" for path in state.untracked] + [f"! {path}" for path in state.ignored]
    return b"".join(os.fsencode(item) + b"\0" for item in items)


STATES = st.builds(
    Status,
    head=st.builds(Head, st.none() | st.just("ü/b"), st.none() | OIDS),
    upstream=st.just("origin/main"),
    ahead=st.integers(0, 9999),
    behind=st.integers(0, 9999),
    entries=st.lists(ORDINARY | CONFLICT, max_size=5).map(tuple),
    untracked=st.lists(NAMES, max_size=3).map(tuple),
    ignored=st.lists(NAMES, max_size=3).map(tuple),
)


@given(STATES)
def test_parse_reads_back_what_git_writes(state: Status) -> None:
    assert parse_status(render(state)) == state


@given(st.binary(max_size=60))
def test_parse_of_anything_else_is_an_error_of_ours(data: bytes) -> None:
    with contextlib.suppress(GitFailed):
        parse_status(data)


@pytest.mark.parametrize("data", [b"1 .M N... 1\0", b"2 R. N... 1 1 1 a a R1 x\0", b"x y\0", b"# branch.ab +x -1\0"])
def test_cut_answers_are_refused(data: bytes) -> None:
    with pytest.raises(GitFailed, match="unexpected"):
        parse_status(data)


def test_clean_and_unborn(repo: Repo) -> None:
    assert status(repo.git) == Status(Head("main", None), "", 0, 0, (), (), ())
    assert status(repo.git).clean
    commit = repo.commit({"a": "1"})
    assert begin_status(repo.git)().head == Head("main", commit)
    repo.run("switch", "-q", "--detach")
    assert status(repo.git).head == Head(None, commit)


def test_every_kind_of_change(repo: Repo) -> None:
    repo.run("config", "status.showUntrackedFiles", "no")
    repo.run("config", "status.renames", "copies")
    repo.run("config", "status.relativePaths", "true")
    repo.commit({".gitignore": "*.tmp\n", "both": "1", "gone": "1", "moved": "some\nlines\nhere\n", "sub/x": "1"})
    repo.write({"both": "2", "staged": "1", "intended": "other words", "new\nline": "1", "dir/ü": "1", "x.tmp": "1"})
    repo.run("add", "both", "staged")
    repo.run("add", "-N", "intended")
    repo.run("mv", "moved", "to here")
    (repo.path / "gone").unlink()
    repo.write({"both": "3"})
    state = status(repo.git, ignored=True)
    assert {entry.path: entry.code for entry in state.entries} == {
        "both": "MM",
        "gone": ".D",
        "intended": ".A",
        "moved": "D.",
        "staged": "A.",
        "to here": "A.",
    }
    assert set(state.untracked) == {"dir/ü", "new\nline"}
    assert state.ignored == ("x.tmp",)
    renamed = next(entry for entry in status(repo.git, renames=True).entries if entry.original)
    assert (renamed.path, renamed.original, renamed.code) == ("to here", "moved", "R.")
    assert "dir/" in status(repo.git, untracked="normal").untracked
    assert status(repo.git, untracked="no").untracked == ()


def test_conflicts_are_named(repo: Repo) -> None:
    conflict(repo)
    state = status(repo.git)
    assert state.conflicts == ("a b",)
    assert not state.entries[0].staged
    assert not state.clean


def test_upstream(repo: Repo, tmp_path: Path) -> None:
    repo.commit()
    repo.run("clone", "-q", str(repo.path), str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone")
    clone.run("-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "--allow-empty", "-m", "x")
    state = status(clone.git)
    assert (state.upstream, state.ahead, state.behind) == ("origin/main", 1, 0)


def test_index_is_not_written(repo: Repo) -> None:
    """A stale stat entry is looked at again, not refreshed: another git may hold the lock."""
    repo.commit({"a": "1"})
    os.utime(repo.path / "a", (1, 1))
    index = repo.path / ".git" / "index"
    before = index.read_bytes(), index.stat().st_mtime_ns
    assert status(repo.git).clean
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before


def conflict(repo: Repo) -> None:
    repo.commit({"a b": "1"})
    repo.run("switch", "-q", "-c", "side")
    repo.commit({"a b": "2"})
    repo.run("switch", "-q", "main")
    repo.commit({"a b": "3"})
    repo.run("merge", "side", check=False)

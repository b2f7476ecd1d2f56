"""Tests of HEAD, refs and names, against real git."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.conftest import Repo

from axil.errors import BadInput, Busy
from axil.git.refs import LostRace, begin_list_refs, check_name, list_refs, name_problem, update_refs


def test_list_refs_by_prefix(repo: Repo) -> None:
    commit = repo.commit()
    repo.run("branch", "a/ü")
    repo.run("update-ref", "refs/axil/journal", commit)
    repo.run("tag", "v1")
    assert list_refs(repo.git, "refs/heads") == {"refs/heads/a/ü": commit, "refs/heads/main": commit}
    assert set(list_refs(repo.git)) == {"refs/heads/a/ü", "refs/heads/main", "refs/axil/journal", "refs/tags/v1"}
    assert begin_list_refs(repo.git, "refs/axil")() == {"refs/axil/journal": commit}
    assert list_refs(repo.git, "refs/none") == {}


def test_update_refs_all_or_none(repo: Repo) -> None:
    one, two = repo.commit(), repo.commit()
    update_refs(repo.git, [("refs/heads/a", one, None), ("refs/axil/archive/b", two, None)])
    before = list_refs(repo.git)
    with pytest.raises(LostRace):
        update_refs(repo.git, [("refs/heads/a", two, one), ("refs/axil/archive/b", None, one)])
    assert list_refs(repo.git) == before
    update_refs(repo.git, [("refs/heads/a", two, one), ("refs/axil/archive/b", None, two)])
    assert list_refs(repo.git, "refs/heads/a", "refs/axil") == {"refs/heads/a": two}


@pytest.mark.parametrize("old", ["absent", "other"])
def test_update_refs_compare_and_swap(repo: Repo, old: str) -> None:
    one, two, three = repo.commit(), repo.commit(), repo.commit()
    update_refs(repo.git, [("refs/heads/a", one, None)])
    with pytest.raises(LostRace):
        update_refs(repo.git, [("refs/heads/a", two, None if old == "absent" else three)])
    with pytest.raises(LostRace):
        update_refs(repo.git, [("refs/heads/gone", two, one)])
    with pytest.raises(LostRace):
        update_refs(repo.git, [("refs/heads/a", None, None)])
    update_refs(repo.git, [("refs/heads/gone", None, None), ("refs/heads/a", one, one)])
    assert list_refs(repo.git, "refs/heads/a", "refs/heads/gone") == {"refs/heads/a": one}


@pytest.mark.parametrize(("have", "want"), [("a", "a/b"), ("a/b", "a"), ("x/y/z", "x/y")])
def test_names_that_cannot_stand_together(repo: Repo, have: str, want: str) -> None:
    commit = repo.commit()
    update_refs(repo.git, [(f"refs/heads/{have}", commit, None)])
    with pytest.raises(BadInput, match=f"there cannot be a branch “{want}” beside “{have}”"):
        update_refs(repo.git, [(f"refs/heads/{want}", commit, None)])


def test_names_that_cannot_stand_together_in_one_transaction(repo: Repo) -> None:
    commit = repo.commit()
    with pytest.raises(BadInput):
        update_refs(repo.git, [("refs/heads/a", commit, None), ("refs/heads/a/b", commit, None)])
    assert set(list_refs(repo.git)) == {"refs/heads/main"}


def test_locked_ref_is_busy(repo: Repo) -> None:
    commit = repo.commit()
    (repo.path / ".git" / "refs" / "heads" / "main.lock").write_text("")
    with pytest.raises(Busy):
        update_refs(repo.git, [("refs/heads/main", commit, commit)])


def test_reflog_says_why(repo: Repo) -> None:
    one, two = repo.commit(), repo.commit()
    repo.run("switch", "-q", "--detach")
    update_refs(repo.git, [("refs/heads/main", one, two)], message="axil undo")
    assert "axil undo" in repo.run("reflog", "show", "main")


def test_concurrent_swaps_have_one_winner(repo: Repo) -> None:
    base = repo.commit()
    commits = [repo.commit() for _ in range(4)]
    update_refs(repo.git, [("refs/heads/race", base, None)])
    won: list[str] = []

    def attempt(commit: str) -> None:
        try:
            update_refs(repo.git, [("refs/heads/race", commit, base)])
        except (LostRace, Busy):
            return
        won.append(commit)

    threads = [threading.Thread(target=attempt, args=(commit,)) for commit in commits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert list_refs(repo.git, "refs/heads/race") == {"refs/heads/race": won[0]}


GOOD = ["main", "a/b", "lr_1e-4", "日本", "a.b", "x@y", "feature/ü_1", "{", "a@", "+x", "é" * 122]
BAD = [
    "",
    "-x",
    "a b",
    "a..b",
    "a/",
    "/a",
    "a//b",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "a.",
    "HEAD",
    "@",
    "a@{b",
    "a~1",
]
BAD += ["a^", "a:b", "a?", "a*", "a[b", "a\\b", "a\tb", "a\nb", "a\x7fb", "é" * 123]


@pytest.mark.parametrize("name", GOOD)
def test_good_names(repo: Repo, name: str) -> None:
    check_name(name)
    commit = repo.commit()
    repo.run("switch", "-q", "--detach")
    repo.run("branch", "-q", "-D", "main")
    update_refs(repo.git, [(f"refs/heads/{name}", commit, None)])


@pytest.mark.parametrize("name", BAD)
def test_bad_names_are_explained(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_name(name)
    assert caught.value.why.startswith(("it ", "“", "a part"))


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab-./@{}~^:?*[\\ \t+_é\x7fHEADlock\udcff\x85"), min_size=1, max_size=8))
@example("@{-1}")
@example("a.lock/b")
@example("-")
def test_names_as_git_judges_them(name: str) -> None:
    """`check-ref-format --branch` outside a repository expands nothing, so it judges exactly the name.

    Only "@" is refused beyond it: wherever a commit is meant, git reads it as HEAD.
    """
    judged = subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True, cwd="/", check=False)
    accepted = judged.returncode == 0 and judged.stdout == os.fsencode(name) + b"\n"
    assert (name_problem(name) == "") == (accepted and name != "@")

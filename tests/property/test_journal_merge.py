"""Merging journals, with real git: both orders give the same commit and the same state, and nothing is lost."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axil.base.ids import encode as ulid_of
from axil.formats.record import AnyRecord, Delete, Fork, Note, Rename, Retract, Run, encode, kind_of
from axil.git.fastimport import fast_import
from axil.git.process import Git
from axil.journal.journal import Journal

AUTHOR = "Ada <a@example.com>"
COMMIT = "1" * 40
NAMES = ("a", "b", "c")


def ulid(number: int) -> str:
    return ulid_of((1 << 100) + number)


def record(number: int) -> AnyRecord:
    """The record with that number: the same in every journal that has it."""
    at, name, other = float(number), NAMES[number % 3], NAMES[number // 3 % 3]
    common: dict[str, Any] = {"id": ulid(number), "time": at, "author": AUTHOR}
    kinds: list[AnyRecord] = [
        Run(**common, experiment=name, state="succeeded", metrics={"f1": at}, params={"lr": other}),
        Fork(**common, name=name, parent=other, commit=COMMIT),
        Rename(**common, old=name, new=other),
        Delete(**common, name=name, commit=COMMIT),
        Note(**common, target=name, text="é\n"),
        Retract(**common, target=ulid(number // 2)),
    ]
    return kinds[number * 7 % 11 % 6]


NUMBERS = st.sets(st.integers(0, 200), max_size=12)


class Place:
    """One repository with several journals, each a ref of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git = Git(str(folder))
        self.count = 0

    def make(self, *batches: set[int], start: str = "") -> str:
        """A journal commit with these records, one commit a batch."""
        self.git.run("update-ref", Journal.REF, start) if start else self.git.run("update-ref", "-d", Journal.REF)
        journal = self.open()
        for batch in batches:
            if batch:
                journal.append([record(number) for number in sorted(batch)])
        journal.close()
        return journal.tip

    def open(self) -> Journal:
        self.count += 1
        return Journal(self.git, str(self.folder / f"{self.count}.db"), clock=lambda: 1_700_000_000.0 + self.count)

    def merged(self, one: str, two: str) -> tuple[str, str, object]:
        """Journal `one` merged with `two`: the commit, its tree, and all that can be listed."""
        self.git.run("update-ref", Journal.REF, one)
        journal = self.open()
        journal.runs()
        journal.merge(two)
        fresh = self.open()
        assert self.shown(journal) == self.shown(fresh), "an index brought forward differs from one made anew"
        tree = self.git.run("rev-parse", f"{Journal.REF}^{{tree}}").decode().strip()
        return journal.tip, tree, self.shown(journal)

    @staticmethod
    def shown(journal: Journal) -> object:
        notes = {name: journal.notes(name) for name in NAMES}
        return journal.runs(retracted=True), journal.all_experiments(), notes, journal.problems()


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        yield Place(Path(folder))


REAL_GIT = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@REAL_GIT
@given(NUMBERS, NUMBERS, NUMBERS)
def test_either_order_gives_the_same_and_loses_nothing(
    place: Place, shared: set[int], ours: set[int], theirs: set[int]
) -> None:
    base = place.make(shared) if shared else ""
    one = place.make(ours | {201}, start=base)
    two = place.make(theirs | {202}, start=base)
    here, there = place.merged(one, two), place.merged(two, one)
    assert here == there
    paths = place.git.run("ls-tree", "-r", "--name-only", here[0]).decode().split()
    union = shared | ours | theirs | {201, 202}
    wanted = [record(number) for number in union]
    assert set(paths) == {f"{kind_of(r)}/{r.id[-2:]}/{r.id}/record.json" for r in wanted}
    at_once = place.git.run("rev-parse", f"{place.make(union)}^{{tree}}").decode().strip()
    assert here[1] == at_once
    again = place.merged(here[0], one)
    assert again[0] == here[0], "merging what is there already changes nothing"


@REAL_GIT
@given(st.permutations([0, 1, 2]), st.lists(NUMBERS, min_size=3, max_size=3))
def test_three_journals_give_one_tree_in_any_order(place: Place, order: list[int], sets: list[set[int]]) -> None:
    commits = [place.make(numbers | {300 + n}) for n, numbers in enumerate(sets)]
    reference = place.merged(place.merged(commits[0], commits[1])[0], commits[2])
    a, b, c = (commits[n] for n in order)
    other = place.merged(a, place.merged(b, c)[0])
    assert other[1:] == reference[1:]


@REAL_GIT
@given(st.lists(st.sampled_from(["x", "y", "z"]), min_size=3, max_size=3))
def test_records_that_differ_under_one_id_are_all_kept(place: Place, texts: list[str]) -> None:
    commits = []
    for text in texts:
        note = Note(id=ulid(1), time=1.0, author=AUTHOR, target="a", text=text)
        place.git.run("update-ref", "-d", Journal.REF)
        path = f"note/{note.id[-2:]}/{note.id}/record.json"
        commits.append(
            fast_import(place.git, Journal.REF, None, {path: encode(note)}, message="m", author=AUTHOR, time=1.0)
        )
    a, b, c = commits
    left, right = place.merged(place.merged(a, b)[0], c), place.merged(c, place.merged(b, a)[0])
    assert left[1:] == right[1:]
    kept = place.git.run("ls-tree", "-r", left[0]).decode().splitlines()
    assert len({line.split()[2] for line in kept}) == len(kept) == len(set(texts))
    journal = place.open()
    assert len(journal.problems()) == len(kept) - 1


def test_a_journal_that_is_behind_is_moved_forward_without_a_merge(place: Place) -> None:
    one = place.make({1})
    two = place.make({2}, start=one)
    assert place.merged(one, two)[0] == two and place.merged(two, one)[0] == two


def test_an_empty_journal_takes_the_other(place: Place) -> None:
    one = place.make({1})
    place.git.run("update-ref", "-d", Journal.REF)
    journal = place.open()
    journal.merge(one)
    assert journal.tip == one


def test_snapshots_survive_a_merge(place: Place) -> None:
    place.git.run("update-ref", "-d", Journal.REF)
    blob = place.git.run("hash-object", "-w", "--stdin", input=b"code").decode().strip()
    tree = place.git.run("mktree", input=f"100644 blob {blob}\tmain.py\n".encode()).decode().strip()
    run = Run(id=ulid(5), time=1.0, author=AUTHOR, experiment="a", state="succeeded", snapshot=tree)
    journal = place.open()
    journal.append([run], snapshots={run.id: tree})
    one, two = journal.tip, place.make({2})
    tip = place.merged(two, one)[0]
    assert place.git.run("show", f"{tip}:run/{run.id[-2:]}/{run.id}/snapshot/main.py") == b"code"

"""The code itself under a scheduler: real pushes and prunes over one remote, their requests in any order.

Clocks of clients stand still, so that nobody notices how long it stalled: what is safe here does not rest on leases.
AXIL_MODEL=long tries every schedule with few switches instead of a sample of them.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.model.baton import Actor, Killed
from tests.unit.transfer.far import GRACE, Far, Turned, blob, folder

from axil.errors import AxilError
from axil.formats.tree import FILE, Entry
from axil.remotes.base import Remote
from axil.store import Store
from axil.transfer import keys
from axil.transfer.prune import prune
from axil.transfer.push import _Push, push
from axil.transfer.survey import GitRoots

FILES = {"a": blob(b"a" * 300), "b": blob(b"b" * 200)}
TOP = folder(FILES)
NEEDED = (TOP, *FILES.values())
LONG = os.environ.get("AXIL_MODEL") == "long"


class World:
    """A remote with old packs that hold the directory, which nothing names, and a clone that pushes it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.far = Far()
        self.far.put(TOP, FILES["a"])
        self.far.put(FILES["b"])
        self.far.put(blob(b"waste"))
        self.far.later()
        self.store = Store(os.path.join(self._folder.name, "store"))
        with self.store.batch() as batch:
            rows = [
                Entry(name.encode(), FILE[0], len(item.data), batch.put_bytes(item.data))
                for name, item in FILES.items()
            ]
            assert batch.put_tree(rows) == TOP.oid
            batch.commit()
        self.actors: dict[str, Actor] = {}
        self.pushes: list[Actor] = []

    def push(self, name: str) -> None:
        clock = Turned(1.0)

        def work(remote: Remote) -> object:
            return push(
                self.store,
                self.far.catalog(remote),
                [TOP.oid],
                author="ann",
                host="here",
                pid=1,
                clock=clock,
                new_id=self.far.new_id,
            )

        self.actors[name] = Actor(self.far.memory, work)
        self.pushes.append(self.actors[name])

    def prune(self, name: str, drop_roots: bool = False) -> None:
        clock = Turned(2e9)

        def work(remote: Remote) -> object:
            return prune(
                self.far.catalog(remote),
                git=GitRoots,
                drop_roots=drop_roots,
                grace=GRACE,
                author="ben",
                host="there",
                pid=2,
                new_id=self.far.new_id,
                clock=clock,
            )

        self.actors[name] = Actor(self.far.memory, work)

    def run(self, name: str, steps: int) -> None:
        """Up to `steps` steps of one actor; "-" lets a grace pass."""
        if name == "-":
            self.far.later()
            return
        for _ in range(steps):
            before = len(self.far.packs())
            if not self.actors[name].step():
                return
            # Between steps that delete nothing, nothing can be lost.
            if self.actors[name].done or len(self.far.packs()) < before:
                self.check()

    def check(self) -> None:
        if any(one.succeeded for one in self.pushes):
            assert self.far.finds(*NEEDED)

    def finish(self, kill: Iterable[str] = ()) -> None:
        """Let all come to an end, and prune until nothing is left to do."""
        for name in kill:
            self.actors[name].kill()
        for name in self.actors:
            self.run(name, 10**6)
        for actor in self.actors.values():
            assert isinstance(actor.error, (AxilError, Killed, type(None))), actor.error
        for key in self.far.keys(keys.LEASES):
            self.far.memory.delete(key)
        for _ in range(3):
            self.far.later()
            try:
                self.far.prune()
            except AxilError:
                # A push that ended after its root may have left it incomplete; the same push again mends that.
                assert not any(one.succeeded for one in self.pushes)
            self.check()


def play(schedule: Iterable[tuple[str, int]], kill: Iterable[str] = ()) -> None:
    world = World()
    world.push("P")
    world.push("Q")
    for name in "MST":
        world.prune(name)
    for name, steps in schedule:
        world.run(name, steps)
    world.finish(kill)


def every_schedule() -> Iterable[list[tuple[str, int]]]:
    """A push and two prunes: each is interrupted at most twice, a grace passes between the prunes or inside them."""
    whole = 10**6
    for i, j, k in itertools.product(range(26), range(0, 30, 1), range(0, 30, 2)):
        yield [("P", i), ("M", j), ("-", 0), ("S", k), ("P", whole), ("S", whole), ("M", whole)]
        yield [("P", i), ("M", whole), ("-", 0), ("S", k), ("P", j), ("S", whole), ("P", whole)]
        yield [("M", j), ("P", i), ("M", whole), ("-", 0), ("S", k), ("P", whole), ("S", whole)]


@pytest.mark.skipif(not LONG, reason="takes hours; AXIL_MODEL=long")
def test_every_schedule_with_few_switches() -> None:
    for schedule in every_schedule():
        play(schedule)


@pytest.mark.parametrize("stop", range(0, 24, 3))
def test_a_push_that_stalls_while_a_mark_and_a_sweep_go_by(stop: int) -> None:
    play([("P", stop), ("M", 10**6), ("-", 0), ("S", 10**6), ("-", 0), ("P", 10**6)])


@pytest.mark.parametrize("stop", range(9, 24, 3))
def test_a_push_while_a_sweep_is_under_way(stop: int) -> None:
    play([("M", 10**6), ("-", 0), ("S", stop), ("P", 10**6), ("S", 10**6)])


names = st.sampled_from("PQMST-")


@settings(max_examples=2000 if LONG else 25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(names, st.integers(1, 25)), max_size=14), st.sets(st.sampled_from("PQMST")))
def test_any_schedule(schedule: list[tuple[str, int]], kill: set[str]) -> None:
    play(schedule, sorted(kill))


def test_a_push_that_does_not_look_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedules find what they look for."""
    monkeypatch.setattr(_Push, "lost", lambda self: set())
    for stop in range(7, 13):
        try:
            play([("P", stop), ("M", 10**6), ("-", 0), ("S", 15), ("P", 10**6), ("S", 10**6)])
        except AssertionError:
            return
    raise AssertionError("nothing was lost")

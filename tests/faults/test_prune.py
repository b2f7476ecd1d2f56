"""Prunes that are killed, or fail, at every request; listings that lag; stores that ignore conditions."""

from __future__ import annotations

import contextlib

import pytest
from tests.unit.transfer.far import GRACE, Far, blob, folder

from axil.errors import AxilError
from axil.remotes.base import Remote
from axil.remotes.wrap.faulty import Fault, Faulty
from axil.transfer.prune import restore_condemned

PIECES = [blob(bytes([number]) * 5000) for number in range(6)]
AGAIN, DEAD, DROPPED = blob(b"again" * 999), blob(b"dead" * 999), blob(b"dropped" * 999)
TOP = folder({str(number): item for number, item in enumerate(PIECES[:4])})
NEEDED = (TOP, *PIECES[:4], AGAIN)


class Crash(BaseException):
    """The process is killed."""


def prepared() -> Far:
    """A remote whose next prune recovers, deletes, rewrites, condemns and drops."""
    far = Far()
    for item in (DEAD, AGAIN):
        far.put(item)
        far.later(60)
    for wait in (GRACE - 90, 60):
        far.later(wait)
        assert len(far.prune().plan.mark.packs) == 1
    far.put(TOP, *PIECES)
    far.put(DROPPED)
    far.root(TOP)
    far.root(DROPPED)
    far.git = {TOP.oid}
    far.later()
    far.root(AGAIN)
    return far


def settled(far: Far) -> None:
    """Prune until nothing is left to do; all that is needed is there, and nothing else."""
    for _ in range(4):
        far.later()
        far.git = {TOP.oid, AGAIN.oid}
        far.prune(drop_roots=True)
        assert far.finds(*NEEDED)
    assert not far.finds(DEAD)
    assert not far.finds(DROPPED)
    assert len(far.packs()) == 3
    assert far.keys("condemned/") == far.keys("leases/") == set()


def count() -> int:
    far = prepared()
    watched = Faulty(far.memory)
    done = far.prune(remote=watched, drop_roots=True)
    assert (done.swept.recovered, done.swept.packs, len(done.plan.mark.packs)) == (1, 1, 2)
    assert len(done.plan.mark.drops) == 1
    assert not [one for one in watched.operations if one.verb == "create"]
    settled(far)
    return len(watched.operations)


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("error", [Crash(), None], ids=["killed", "failed"])
def test_killed_or_failed_at_every_request(how: str, error: BaseException | None) -> None:
    for number in range(count()):
        far = prepared()
        fault = Fault("before" if how == "before" else "after", error)
        try:
            far.prune(remote=Faulty(far.memory, {number: fault}), drop_roots=True)
        except (Crash, AxilError):
            assert far.finds(*NEEDED)
        far.later(1801)
        far.prune(drop_roots=True)
        assert far.finds(*NEEDED)
        settled(far)


def test_an_undo_killed_at_every_request() -> None:
    number = 0
    while True:
        far = prepared()
        name = far.prune(drop_roots=True).condemned
        faulty = Faulty(far.memory, {number: Fault("before", Crash())})
        try:
            restore_condemned(far.catalog(faulty), name, clock=far.clock)
        except Crash:
            far.later(1801)
            restore_condemned(far.catalog(), name, clock=far.clock)
        for _ in range(3):
            far.later()
            far.prune()
            assert far.finds(*NEEDED, DROPPED)
        if len(faulty.operations) <= number:
            return
        number += 1


@pytest.mark.parametrize("lag", [1, 3, 8, 20])
def test_listings_that_lag(lag: int) -> None:
    far = prepared()
    behind: Remote = Faulty(far.memory, lag=lag)
    for _ in range(8):
        far.later(GRACE / 2 + 1)
        far.git = {TOP.oid, AGAIN.oid}
        far.prune(remote=behind, drop_roots=True)
        assert far.finds(*NEEDED)
    assert not far.finds(DEAD)


@pytest.mark.parametrize("how", ["truncate", "flip"])
def test_wrong_bytes_never_cost_anything(how: str) -> None:
    for number in range(count()):
        far = prepared()
        fault = Fault("flip" if how == "flip" else "truncate")
        faulty = Faulty(far.memory, {number: fault})
        with contextlib.suppress(AxilError):
            far.prune(remote=faulty, drop_roots=True)
        operation = faulty.operations[number]
        if operation.verb == "get":
            assert far.finds(*NEEDED)

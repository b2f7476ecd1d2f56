"""Trying again: what is tried, how long, and what a second try may find."""

from __future__ import annotations

import pytest

from axil.remotes.base import Absent, Denied, Unreachable
from axil.remotes.memory import Memory
from axil.remotes.wrap.faulty import Fault, Faulty
from axil.remotes.wrap.retry import Patience, Retry


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def retry(time: Time, plan: dict[int, Fault], **patience: float) -> tuple[Retry, Faulty]:
    faulty = Faulty(Memory(time.clock), plan)
    return Retry(faulty, time.clock, time.sleep, lambda: 1.0, Patience(**patience)), faulty


def test_what_was_unreachable_is_tried_again_with_growing_waits(time):
    remote, faulty = retry(time, {number: Fault("before") for number in range(4)}, first=1, longest=3)
    remote.put("a", b"1")
    assert remote.get("a") == b"1"
    assert time.waits == [1, 2, 3, 3]
    assert [operation.verb for operation in faulty.operations] == ["put"] * 5 + ["get"]


def test_waits_are_between_half_and_all(time):
    faulty = Faulty(Memory(time.clock), {0: Fault("before"), 1: Fault("before")})
    Retry(faulty, time.clock, time.sleep, iter((0.0, 0.5)).__next__, Patience(first=1)).put("a", b"")
    assert time.waits == [0.5, 1.5]


def test_there_is_an_end(time):
    remote, faulty = retry(time, {number: Fault("before") for number in range(100)}, first=1, longest=8, total=30)
    with pytest.raises(Unreachable):
        remote.put("a", b"1")
    assert sum(time.waits) <= 30
    assert len(faulty.operations) == len(time.waits) + 1 == 6


def test_nobody_waits_long_for_usable(time):
    remote, _ = retry(time, {number: Fault("before") for number in range(100)}, first=1, total=1000, usable=5)
    with pytest.raises(Unreachable):
        remote.usable()
    assert sum(time.waits) <= 5


@pytest.mark.parametrize("error", [Denied("no"), Absent("none"), ValueError("bug"), KeyboardInterrupt()])
def test_other_errors_come_through_at_once(time, error):
    remote, faulty = retry(time, {0: Fault("before", error)})
    with pytest.raises(type(error)):
        remote.get("a")
    assert not time.waits
    assert len(faulty.operations) == 1


def test_a_create_that_lost_its_answer_is_known_by_its_bytes(time):
    remote, _ = retry(time, {0: Fault("after")})
    assert remote.create("a", bytearray(b"mine"))
    assert not remote.create("a", b"mine")  # a first try that finds the key taken: somebody else's


def test_a_create_that_another_won_meanwhile_is_lost(time):
    remote, faulty = retry(time, {0: Fault("before")})
    faulty.inner.put("a", b"theirs")
    assert not remote.create("a", b"mine")


def test_a_listing_goes_on_where_it_broke_off(time):
    remote, faulty = retry(time, {6: Fault("after"), 7: Fault("before")})
    for number in range(6):
        remote.put(f"a/{number}", b"")
    assert [found.key for found in remote.list("a/")] == [f"a/{number}" for number in range(6)]
    assert len(faulty.operations) == 9


def test_somebody_hears_of_waits(time):
    heard = []
    faulty = Faulty(Memory(time.clock), {0: Fault("before")})
    tell = lambda error, seconds: heard.append((type(error), seconds))  # noqa: E731
    Retry(faulty, time.clock, time.sleep, lambda: 1.0, Patience(first=2), tell).put("a", b"")
    assert heard == [(Unreachable, 2)]

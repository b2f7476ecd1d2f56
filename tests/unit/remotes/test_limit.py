"""At most so many requests at once, and so many bytes a second."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from axil.remotes.base import Absent
from axil.remotes.memory import Memory
from axil.remotes.wrap.limit import Limit, Pace
from axil.remotes.wrap.wrapper import Wrapper


class Watching(Wrapper):
    """Lets a request end only when as many as expected are under way, and counts the most at once."""

    def __init__(self, inner, expected: int) -> None:
        super().__init__(inner)
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.together = threading.Barrier(expected)

    def around(self, verb, key, size, act):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.together.wait(20)
        with self.lock:
            self.now -= 1
        return act()


def test_so_many_at_once_and_no_more():
    watching = Watching(Memory(lambda: 0.0), 3)
    remote = Limit(watching, 3)
    with ThreadPoolExecutor(9) as pool:
        list(pool.map(lambda number: remote.put(f"a/{number}", b""), range(9)))
    assert watching.most == 3


def test_a_failed_request_gives_its_slot_back():
    remote = Limit(Memory(lambda: 0.0), 1)
    for _ in range(3):
        with pytest.raises(Absent):
            remote.get("a")
    assert list(remote.list("")) == []


def test_a_listing_holds_no_slot_while_it_is_worked_on():
    remote = Limit(Memory(lambda: 0.0), 1)
    for number in range(2500):
        remote.put(f"a/{number}", b"")
    seen = 0
    for found in remote.list("a/"):
        remote.delete(found.key)
        seen += 1
    assert seen == 2500


def test_bytes_are_paced():
    now = [0.0]
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    remote = Limit(Memory(lambda: 0.0), 4, Pace(100.0, lambda: now[0], sleep))
    remote.put("a", b"x" * 200)  # starts at once, and the next has to wait for it
    remote.create("b", b"x" * 50)
    remote.get("a", 0, 100)
    remote.get("a")
    remote.stat("a")
    assert waits == [2.0, 0.5, 1.0]

"""Parts of objects from a service that only sends whole ones."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from axil.remotes.base import Absent
from axil.remotes.wholes import Wholes

DATA = bytes(range(100))


class Service:
    """Counts what it sends."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.data = DATA

    def __call__(self, key: str) -> bytes:
        self.sent.append(key)
        if key == "gone":
            raise Absent("gone")
        return self.data


@pytest.fixture
def service() -> Service:
    return Service()


def test_the_parts_of_an_object_come_with_one_request(service: Service) -> None:
    wholes = Wholes(service)
    assert b"".join(wholes.part("a", at, 10) for at in range(0, 100, 10)) == DATA
    assert service.sent == ["a"]


def test_threads_wait_for_the_one_that_asks(service: Service) -> None:
    gate = threading.Barrier(8)
    wholes = Wholes(service)

    def part(at: int) -> bytes:
        gate.wait()
        return wholes.part("a", at, 10)

    with ThreadPoolExecutor(8) as pool:
        assert b"".join(pool.map(part, range(0, 80, 10))) == DATA[:80]
    assert service.sent == ["a"]


def test_who_asks_again_is_not_given_the_same_bytes(service: Service) -> None:
    wholes = Wholes(service)
    wholes.part("a", 0, 10), wholes.part("a", 10, 10)
    service.data = bytes(100)
    assert wholes.part("a", 0, 10) == bytes(10)
    assert wholes.part("a", 10, 10) == bytes(10)
    assert service.sent == ["a", "a"]


def test_what_was_given_whole_is_forgotten(service: Service) -> None:
    wholes = Wholes(service)
    assert (wholes.part("a", 0, 60), wholes.part("a", 60, None)) == (DATA[:60], DATA[60:])
    wholes.part("a", 5, 5)
    assert service.sent == ["a", "a"]


def test_few_are_kept(service: Service) -> None:
    wholes = Wholes(service)
    for key in "abcab":
        wholes.part(key, service.sent.count(key), 1)
    assert service.sent == ["a", "b", "c", "a", "b"]


def test_an_end_behind_the_end_and_an_object_that_is_gone(service: Service) -> None:
    wholes = Wholes(service)
    assert (wholes.part("a", 95, 10), wholes.part("a", 200, 10)) == (DATA[95:], b"")
    for _ in range(2):
        with pytest.raises(Absent):
            wholes.part("gone", 0, 1)

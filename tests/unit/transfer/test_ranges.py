"""Requests: what lies close comes together, what lies far apart does not, and none is too long."""

from __future__ import annotations

import threading

from axil.base.hashing import hash_bytes
from axil.formats.index import Place
from axil.formats.pack import BLOB, RAW
from axil.transfer.ranges import MOST_RAW, in_threads, spans

PACKS = (b"\1" * 32, b"\2" * 32)


def place(offset: int, size: int, pack: int = 0) -> Place:
    return Place(PACKS[pack], offset, size, size, BLOB, RAW)


def requests(*places: Place, gap: int = 10, longest: int = 100) -> list[tuple[int, int, int]]:
    made = spans({hash_bytes(repr(one).encode()): one for one in places}, gap, longest)
    return [(PACKS.index(span.pack), span.start, span.length) for span in made]


def test_close_ones_are_one_request() -> None:
    assert requests(place(0, 5), place(15, 5), place(31, 5)) == [(0, 0, 20), (0, 31, 5)]


def test_packs_are_apart() -> None:
    assert requests(place(0, 5), place(5, 5, 1)) == [(0, 0, 5), (1, 5, 5)]


def test_long_ones_are_cut_between_entries() -> None:
    assert requests(*(place(at, 60) for at in range(0, 240, 60))) == [
        (0, 0, 60),
        (0, 60, 60),
        (0, 120, 60),
        (0, 180, 60),
    ]
    assert requests(place(0, 300), place(300, 1)) == [(0, 0, 300), (0, 300, 1)]


def test_entries_over_each_other() -> None:
    assert requests(place(0, 50), place(10, 5), place(40, 20)) == [(0, 0, 60)]


def test_threads_answer_in_order_and_stop_early() -> None:
    assert list(in_threads(3, lambda n: n * n, range(20))) == [n * n for n in range(20)]
    started: list[int] = []
    answers = in_threads(2, started.append, range(1000))
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(started) <= 5


def test_what_unpacks_to_much_is_asked_for_apart() -> None:
    bombs = {bytes([n]) * 32: place(10 * n, 10)._replace(raw=MOST_RAW // 2 + 1) for n in range(3)}
    assert [len(span.entries) for span in spans(bombs)] == [1, 1, 1]


def test_memory_is_bounded() -> None:
    lock, held = threading.Lock(), [0]

    def work(size: int) -> int:
        with lock:
            held[0] += size
            assert held[0] <= 10
        return size

    for size in in_threads(8, work, [4, 4, 2, 8, 1, 1, 10, 3, 3, 3, 3], lambda size: size, 10):
        with lock:
            held[0] -= size

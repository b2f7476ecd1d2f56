"""What every remote promises (src/axil/remotes/base.py), checked on each kind, on real servers where there are any."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.conformance.conftest import READABLE, WRITABLE, Subject

from axil.errors import BadInput
from axil.remotes.base import MAX_KEY, Absent, Denied, Stat

readable = pytest.mark.parametrize("subject", READABLE, indirect=True)
writable = pytest.mark.parametrize("subject", WRITABLE, indirect=True)

KEY = "packs/ab/ab12"
DATA = bytes(range(256)) * 40


def keys(subject: Subject, prefix: str = "") -> list[str]:
    return sorted(found.key for found in subject.remote.list(prefix))


@readable
def test_an_object_is_read_whole_and_in_ranges(subject: Subject):
    subject.fill({KEY: DATA})
    get = subject.remote.get
    assert get(KEY) == DATA
    assert get(KEY, 100) == DATA[100:]
    assert get(KEY, 0, 7) == DATA[:7]
    assert get(KEY, 300, 41) == DATA[300:341]
    assert get(KEY, len(DATA) - 3, 3) == DATA[-3:]


@readable
def test_a_range_over_the_end_gives_what_there_is(subject: Subject):
    subject.fill({KEY: DATA})
    get = subject.remote.get
    assert get(KEY, len(DATA) - 3, 100) == DATA[-3:]
    assert get(KEY, 0, len(DATA) + 1) == DATA
    assert get(KEY, len(DATA), 10) == b""
    assert get(KEY, len(DATA)) == b""
    assert get(KEY, len(DATA) + 50, 10) == b""
    assert get(KEY, 5, 0) == b""


@readable
def test_an_empty_object_is_an_object(subject: Subject):
    subject.fill({KEY: b""})
    assert subject.remote.get(KEY) == b""
    assert subject.remote.get(KEY, 0, 10) == b""
    found = subject.remote.stat(KEY)
    assert found is not None
    assert found.size == 0
    assert keys(subject) == [KEY]


@readable
def test_what_is_not_there_is_absent(subject: Subject):
    subject.fill({KEY: DATA})
    for key in ("packs/ab/ab13", "packs/ab", "packs", "other/place", f"{KEY}/below"):
        with pytest.raises(Absent) as caught:
            subject.remote.get(key)
        assert key in str(caught.value)
        with pytest.raises(Absent):
            subject.remote.get(key, 5, 0)
        assert subject.remote.stat(key) is None
    assert keys(subject, "other/") == []
    assert keys(subject, "packs/ab/ab12/") == []


@readable
def test_an_empty_remote_lists_nothing(subject: Subject):
    assert keys(subject) == []
    assert keys(subject, "packs/") == []
    assert subject.remote.stat(KEY) is None
    with pytest.raises(Absent):
        subject.remote.get(KEY)


@readable
def test_stat_tells_size_and_time(subject: Subject):
    before = time.time()
    subject.fill({KEY: DATA})
    found = subject.remote.stat(KEY)
    assert found is not None
    assert (found.key, found.size) == (KEY, len(DATA))
    # Whole seconds in many stores, rounded down; servers of the tests share this machine's clock.
    assert before - 2 <= found.written <= time.time() + 2


@readable
def test_listing_has_every_object_below_a_prefix_once(subject: Subject):
    objects = {f"packs/{number % 7:02x}/{number:04x}": b"x" * number for number in range(40)}
    subject.fill({**objects, "packs2/aa": b"1", "format": b"22"})
    found = list(subject.remote.list("packs/"))
    assert sorted(found, key=lambda stat: stat.key) == [
        Stat(key, len(objects[key]), stat.written)
        for key, stat in zip(sorted(objects), sorted(found, key=lambda stat: stat.key), strict=True)
    ]
    assert keys(subject) == sorted([*objects, "packs2/aa", "format"])
    assert keys(subject, "packs/03/") == sorted(key for key in objects if key.startswith("packs/03/"))
    listed = {stat.key: stat for stat in subject.remote.list("")}
    stat = subject.remote.stat("packs/01/0001")
    assert stat is not None
    assert abs(stat.written - listed[stat.key].written) <= 60  # some servers list times in minutes


@readable
def test_names_that_are_no_keys_are_refused(subject: Subject):
    bad = ("", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a/.b", "a b", "ä", "a\n", "a%2fb", "a?b", "a\0b", "a*")
    for key in (*bad, "x" * (MAX_KEY + 1)):
        calls = (
            lambda key=key: subject.remote.get(key),
            lambda key=key: subject.remote.stat(key),
            lambda key=key: subject.remote.delete(key),
            lambda key=key: subject.remote.put(key, b""),
            lambda key=key: subject.remote.create(key, b""),
        )
        for call in calls:
            with pytest.raises((BadInput, Denied)):
                call()
    for prefix in ("a", "/", "../", "a//", ".a/"):
        with pytest.raises(BadInput):
            list(subject.remote.list(prefix))


@readable
def test_many_threads_read_at_once(subject: Subject):
    objects = {f"packs/{number:02d}": os.urandom(2000 + number) for number in range(24)}
    subject.fill(objects)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(subject.remote.get, objects)) == list(objects.values())
        stats = list(pool.map(subject.remote.stat, objects))
    assert [stat and stat.size for stat in stats] == [len(data) for data in objects.values()]


@readable
def test_it_is_usable_and_has_a_name(subject: Subject):
    subject.fill({KEY: DATA})
    subject.remote.usable()
    assert subject.remote.url
    assert subject.remote.jobs >= 1


@writable
def test_an_empty_remote_is_usable(subject: Subject):
    subject.remote.usable()


@writable
def test_put_takes_every_kind_of_bytes(subject: Subject):
    kinds: dict[str, bytes | bytearray | memoryview] = {
        "bytes": DATA,
        "bytearray": bytearray(DATA),
        "view": memoryview(DATA),
        "part": memoryview(bytearray(DATA))[10:500],
    }
    for number, data in kinds.items():
        subject.remote.put(f"a/{number}", data)
        assert subject.remote.get(f"a/{number}") == bytes(data)
        assert subject.remote.create(f"b/{number}", data)
        assert subject.remote.get(f"b/{number}") == bytes(data)


@writable
def test_put_replaces(subject: Subject):
    subject.remote.put(KEY, DATA)
    subject.remote.put(KEY, b"short")
    assert subject.remote.get(KEY) == b"short"
    found = subject.remote.stat(KEY)
    assert found is not None
    assert found.size == 5


@writable
def test_a_large_object_arrives_whole(subject: Subject):
    data = os.urandom(1 << 20) * 17
    subject.remote.put(KEY, data)
    assert subject.remote.get(KEY) == data
    assert subject.remote.get(KEY, 9_999_999, 1_234_567) == data[9_999_999 : 9_999_999 + 1_234_567]


@writable
def test_create_makes_what_is_not_there(subject: Subject):
    assert subject.remote.create(KEY, DATA)
    assert subject.remote.get(KEY) == DATA


@writable
def test_create_keeps_what_is_there(subject: Subject):
    subject.remote.put(KEY, DATA)
    made = subject.remote.create(KEY, b"other")
    assert subject.remote.get(KEY) == (b"other" if made else DATA)
    assert not made or not subject.exact


@writable
def test_of_many_creators_one_wins(subject: Subject):
    def create(number: int) -> bool:
        return subject.remote.create(KEY, b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(8)))
    assert any(made)
    winner = int(subject.remote.get(KEY))
    assert made[winner]
    assert sum(made) == 1 or not subject.exact


@writable
def test_delete_removes_and_may_be_repeated(subject: Subject):
    subject.fill({KEY: DATA, "packs/ab/other": b"x"})
    subject.remote.delete(KEY)
    subject.remote.delete(KEY)
    subject.remote.delete("never/was")
    assert subject.remote.stat(KEY) is None
    with pytest.raises(Absent):
        subject.remote.get(KEY)
    assert keys(subject) == ["packs/ab/other"]
    assert subject.remote.create(KEY, b"again")
    assert subject.remote.get(KEY) == b"again"


@writable
def test_readers_never_see_a_part_of_what_is_replaced(subject: Subject):
    subject.remote.put(KEY, b"0" * 50_000)

    def write(number: int) -> bytes:
        subject.remote.put(KEY, b"%d" % number * 50_000)
        try:
            return subject.remote.get(KEY)
        except Absent:
            assert not subject.gapless
            return b"-" * 50_000

    with ThreadPoolExecutor(8) as pool:
        for seen in pool.map(write, range(10)):
            assert len(seen) == 50_000
            assert len(set(seen)) == 1
    assert len(set(subject.remote.get(KEY))) == 1


@writable
def test_many_threads_write_into_new_folders(subject: Subject):
    names = [f"p/{number % 5}/{number % 3}/{number}" for number in range(30)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: subject.remote.put(key, key.encode()), names))
    assert keys(subject) == sorted(names)

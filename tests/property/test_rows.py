"""Columns of a row: many entries at once come out as they would one by one."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from axil.base.hashing import hash_bytes
from axil.data import rows
from axil.data.rows import Columns, Known, pack_stat, settle_stats

NAMES = st.binary(min_size=1, max_size=2).filter(lambda name: b"\0" not in name)
ENTRIES = st.dictionaries(NAMES, st.integers(0, 1 << 40), max_size=80)


def columns(entries: dict[bytes, int]) -> Columns:
    made = Columns.of(None)
    for name, number in entries.items():
        made.put(name, Known(number % 4, pack_stat(number, number, number, number, 1 << 41), hash_bytes(name)))
    return made


def content(some: Columns) -> tuple[list[bytes], bytes, bytes, bytes]:
    return some.names, bytes(some.kinds), bytes(some.stats), bytes(some.oids)


@given(ENTRIES, ENTRIES)
def test_merged_as_if_put_one_by_one(old: dict[bytes, int], new: dict[bytes, int]) -> None:
    merged = columns(old)
    merged.merge(columns(new))
    assert content(merged) == content(columns({**old, **new}))
    merged.put(b"\1later", Known(1, bytes(32), bytes(32)))  # Still open to changes.
    assert merged.get(b"\1later") == Known(1, bytes(32), bytes(32))


@given(ENTRIES, st.sets(NAMES, max_size=40))
def test_dropped_as_if_one_by_one(old: dict[bytes, int], gone: set[bytes]) -> None:
    left = columns(old)
    left.drop_all({*gone, *list(old)[::2]})
    assert content(left) == content(
        columns({name: number for at, (name, number) in enumerate(old.items()) if at % 2 and name not in gone})
    )


@given(st.lists(st.tuples(*[st.integers(0, 1 << 40)] * 4), max_size=20), st.integers(0, 1 << 40))
def test_stats_are_settled_in_parts_as_one_by_one(some: list[tuple[int, int, int, int]], stamp: int) -> None:
    read = b"".join(pack_stat(*row, 1 << 41) for row in some)
    with patch.object(rows, "_SETTLE", 3 * rows.STAT_SIZE):
        assert settle_stats(read, stamp) == b"".join(pack_stat(*row, stamp) for row in some)

"""Directories from a remote must fit what others say of them."""

from __future__ import annotations

import pytest

from axil.base.hashing import Oid, hash_bytes
from axil.errors import Damaged
from axil.formats import tree
from axil.formats.tree import DIR, FILE, NODE, Entry
from axil.transfer.walk import Walk


def directory(*rows: Entry, level: int = 0) -> tuple[Oid, bytes]:
    data = tree.encode(rows, level)
    return hash_bytes(data), data


FILES = directory(Entry(b"f", FILE[0], 7, b"\1" * 32))


def descended(*levels: tuple[Oid, bytes]) -> Walk:
    walk = Walk()
    walk.begin([levels[0][0]])
    for level in levels:
        walk.descend(*level)
        walk.deeper()
    return walk


def test_blobs_come_with_their_sizes() -> None:
    top = directory(Entry(b"d", DIR[0], 7, FILES[0]), Entry(b"e", FILE[0], 3, b"\2" * 32))
    assert descended(top, FILES).blobs == {b"\1" * 32: 7, b"\2" * 32: 3}


@pytest.mark.parametrize(
    ("top", "below"),
    [
        (directory(Entry(b"d", DIR[0], 8, FILES[0])), FILES),
        (directory(Entry(b"f", NODE[0], 8, FILES[0]), level=1), FILES),
        (directory(Entry(b"g", NODE[0], 7, FILES[0]), level=1), FILES),
        (directory(Entry(b"f", NODE[0], 7, FILES[0]), level=2), FILES),
        (directory(Entry(b"a", DIR[0], 7, FILES[0]), Entry(b"b", DIR[0], 9, FILES[0])), FILES),
        (directory(Entry(b"a", FILE[0], 8, b"\1" * 32), Entry(b"b", DIR[0], 7, FILES[0])), FILES),
        (
            directory(Entry(b"a", DIR[0], 0, hash_bytes(b"no directory"))),
            (hash_bytes(b"no directory"), b"no directory"),
        ),
    ],
)
def test_lies(top: tuple[Oid, bytes], below: tuple[Oid, bytes]) -> None:
    with pytest.raises(Damaged):
        descended(top, below)


def test_depth_is_bounded() -> None:
    levels = [FILES]
    for _ in range(5):
        levels.insert(0, directory(Entry(b"d", DIR[0], 7, levels[0][0])))
    walk = Walk(max_depth=4)
    walk.begin([levels[0][0]])
    with pytest.raises(Damaged, match="too deep"):
        for level in levels:
            walk.descend(*level)
            walk.deeper()

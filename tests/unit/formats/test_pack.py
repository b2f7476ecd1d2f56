"""The bytes of a pack: golden file, lookups, and contradictions that are noticed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from axil.base.hashing import hash_bytes
from axil.errors import Damaged
from axil.formats import pack
from axil.formats.pack import BLOB, RAW, TREE, ZSTD, Location, Table

GOLDEN = Path(__file__).parents[2] / "formats" / "pack-v2.bin"
NONCE = bytes(range(16))


def build(objects: list[bytes], kind: int = BLOB) -> bytes:
    body, rows = pack.HEADER, {}
    for data in objects:
        rows[hash_bytes(data)] = pack.row(len(body), len(data), len(data), pack.flags(kind, RAW))
        body += data
    return body + pack.tail(rows, hash_bytes(body), NONCE)


def by_hand(objects: list[bytes]) -> bytes:
    """A pack as the format page describes it."""
    body = b"AXILPACK" + struct.pack("<HHI", 2, 0, 0)
    places = {}
    for data in objects:
        places[hash_bytes(data)] = struct.pack("<IIIB", len(body), len(data), len(data), 1)
        body += data
    oids = sorted(places)
    fanout = b"".join(struct.pack("<I", sum(oid[0] <= first for oid in oids)) for first in range(256))
    table = fanout + b"".join(oids) + b"".join(places[oid] for oid in oids)
    return body + table + hash_bytes(body) + NONCE + struct.pack("<II", len(oids), len(table)) + b"AXILTAIL"


def opened(data: bytes) -> Table:
    pack.check_header(data, "p")
    start, count = pack.table_span(data[-pack.FOOTER_SIZE :], len(data), "p")
    return Table(data, start, count, start, "p")


def test_bytes_are_those_of_the_format_page() -> None:
    objects = [b"hello", b"", b"x" * 300]
    assert build(objects) == by_hand(objects) == GOLDEN.read_bytes()


def test_the_id_is_that_of_the_table_and_changes_with_the_nonce() -> None:
    data = build([b"hello", b"", b"x" * 300])
    start, _ = pack.table_span(data[-pack.FOOTER_SIZE :], len(data), "p")
    tail = data[start:]
    other = pack.another(tail, bytes(16))
    assert pack.id_of(tail) == hash_bytes(tail) != pack.id_of(other)
    assert pack.another(other, NONCE) == tail
    assert pack.content_of(other) == pack.content_of(tail) == hash_bytes(data[:start])


def test_every_entry_is_found_and_nothing_else() -> None:
    objects = [b"%d" % number for number in range(5000)]
    data = build(objects)
    table = opened(data)
    for item in objects:
        location = table.location(table.find(hash_bytes(item)))
        assert data[location.offset : location.offset + location.stored] == item
    assert table.oids() == sorted(map(hash_bytes, objects))
    assert [table.location(index) for index in range(5000)] == table.locations()
    assert table.find(hash_bytes(b"no")) == -1


def test_a_match_across_two_entries_is_none() -> None:
    first, second = b"\x07" + b"a" * 15 + b"\x07" + b"b" * 15, b"\x07" + b"c" * 31
    astride = first[16:] + second[:16]
    assert astride in first + second
    rows = {oid: pack.row(16, 0, 0, pack.flags(BLOB, RAW)) for oid in (first, second)}
    assert opened(pack.HEADER + pack.tail(rows, pack.UNTOLD, NONCE)).find(astride) == -1
    rows[astride] = pack.row(16, 0, 0, pack.flags(TREE, RAW))
    table = opened(pack.HEADER + pack.tail(rows, pack.UNTOLD, NONCE))
    assert table.oids() == [first, astride, second]
    assert table.location(table.find(astride)).type == TREE


def test_an_empty_pack() -> None:
    table = opened(build([]))
    assert table.count == 0
    assert table.find(hash_bytes(b"")) == -1


def test_cut_anywhere_is_noticed() -> None:
    data = build([b"one", b"two"])
    for length in range(len(data)):
        with pytest.raises(Damaged):
            opened(data[:length])


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (Location(0, 5, 5, BLOB, RAW), "outside"),
        (Location(16, 1000, 1000, BLOB, RAW), "outside"),
        (Location(0xFFFFFFF0, 0xFFFFFFF0, 0xFFFFFFF0, BLOB, RAW), "outside"),
        (Location(16, 0, pack.MAX_RAW + 1, BLOB, ZSTD), "outside"),
        (Location(16, 0, 0, 5, RAW), "unknown kind"),
        (Location(16, 0, 0, 0, RAW), "unknown kind"),
        (Location(16, 0, 0, BLOB, 2), "unknown kind"),
        (Location(16, 0, 1, TREE, RAW), "unknown kind"),
    ],
)
def test_locations_that_cannot_be_are_damaged(location: Location, words: str) -> None:
    row = pack.row(*location[:3], pack.flags(*location[3:]))
    table = opened(pack.HEADER + pack.tail({hash_bytes(b""): row}, pack.UNTOLD, NONCE))
    with pytest.raises(Damaged) as error:
        table.location(0)
    assert words in error.value.why
    with pytest.raises(Damaged):
        table.locations()


def test_a_broken_fan_out_is_damaged() -> None:
    data = bytearray(build([b"one", b"two"]))
    start, _ = pack.table_span(bytes(data[-pack.FOOTER_SIZE :]), len(data), "p")
    data[start : start + 4] = b"\xff\0\0\0"
    with pytest.raises(Damaged, match="damaged"):
        opened(bytes(data))


def test_a_later_version_says_to_update() -> None:
    data = bytearray(build([]))
    data[8] = 3
    with pytest.raises(Damaged) as error:
        opened(bytes(data))
    assert "update axil" in error.value.hint
    data[8], data[10] = 2, 1
    with pytest.raises(Damaged):
        opened(bytes(data))


def test_nothing_hides_in_the_header() -> None:
    data = bytearray(build([]))
    data[15] = 1
    with pytest.raises(Damaged):
        opened(bytes(data))

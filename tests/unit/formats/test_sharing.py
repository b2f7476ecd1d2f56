from __future__ import annotations

import contextlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from axil.errors import AxilError, Damaged
from axil.formats import index, pack, sharing
from axil.formats.index import Index, PackInfo, Place
from axil.formats.sharing import Condemned, Format, Lease, Root

GOLDEN = Path(__file__).parents[2] / "formats"
ID = "01KAZ3T8Q0000000000000000A"
ROOT = Root(ID, "Ada <ada@example.org>", (b"\1" * 32,), ("ab" * 20,), ("größer",))
PLACES = {
    b"\1" * 32: Place(b"\7" * 32, 32, 5, 5, pack.BLOB, pack.RAW),
    b"\2" * 32: Place(b"\x08" * 32, 40, 3, 9, pack.RECIPE, pack.ZSTD),
}
PACKS = [PackInfo(b"\7" * 32, 100), PackInfo(b"\x08" * 32, 200)]
WRITTEN = {
    "format-v1.json": sharing.encode_format(Format(ID)),
    "root-v1.json": sharing.encode_root(ROOT),
    "condemned-v1.json": sharing.encode_condemned(Condemned(ID, (b"\4" * 32,), (b"\5" * 32,), (ROOT,))),
    "lease-v1.json": sharing.encode_lease(Lease(ID, "push", "Ada", "desk", 7)),
    "index-v1.bin": index.encode(PLACES, PACKS, [b"\6" * 32], bytes(range(16))),
}


def test_bytes_are_those_published():
    assert {name: (GOLDEN / name).read_bytes() for name in WRITTEN} == WRITTEN


def test_what_is_written_is_read():
    assert sharing.decode_format(WRITTEN["format-v1.json"], "x") == Format(ID)
    assert sharing.decode_root(WRITTEN["root-v1.json"], "x") == ROOT
    assert sharing.decode_condemned(WRITTEN["condemned-v1.json"], "x").roots == (ROOT,)
    assert sharing.decode_lease(WRITTEN["lease-v1.json"], "x").pid == 7
    data = WRITTEN["index-v1.bin"]
    assert dict(Index(data, len(data), "x").entries()) == PLACES


def test_records_make_the_same_index():
    records = [
        index.record(oid, number, pack.row(*place[1:4], pack.flags(place.type, place.codec)))
        for number, (oid, place) in enumerate(PLACES.items())
    ]
    assert index.encode_records(records, PACKS, [b"\6" * 32], bytes(range(16))) == WRITTEN["index-v1.bin"]


@given(st.data())
def test_hostile_bytes_give_errors_of_axil(data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(WRITTEN)))
    good = WRITTEN[name]
    at = data.draw(st.integers(0, len(good)))
    bad = good[:at] + data.draw(st.binary(max_size=20)) + good[at + data.draw(st.integers(0, 20)) :]
    for decode in (sharing.decode_format, sharing.decode_root, sharing.decode_condemned, sharing.decode_lease):
        with contextlib.suppress(AxilError):
            decode(bad, "x")
    with contextlib.suppress(Damaged):
        list(Index(bad, len(bad), "x").entries())

"""Any directory survives encoding and splitting; the nodes depend on nothing but its entries."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from axil.base.hashing import hash_bytes
from axil.errors import Damaged
from axil.formats import tree
from axil.formats.tree import DIR, EXEC, FILE, LINK, Entry, check_name

names = st.binary(min_size=1, max_size=20).filter(lambda name: not check_name(name))
entries = st.builds(
    Entry,
    names,
    st.sampled_from([kind[0] for kind in (FILE, EXEC, LINK, DIR)]),
    st.integers(0, 2**40),
    st.binary(min_size=32, max_size=32),
)
directories = st.lists(entries, max_size=40, unique_by=lambda entry: entry.name)


def resolve(nodes: dict[bytes, bytes], root: bytes) -> list[Entry]:
    level, rows = tree.decode(nodes[root])
    return [entry for row in rows for entry in resolve(nodes, row.oid)] if level else rows


@given(directories)
def test_round_trip(rows: list[Entry]) -> None:
    assert tree.decode(tree.encode(sorted(rows))) == (0, sorted(rows))


@given(directories, st.randoms())
def test_order_does_not_matter(rows: list[Entry], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert tree.split(rows) == tree.split(shuffled)


@settings(max_examples=30)
@given(st.integers(0, 4000), st.integers(1, 50), directories)
def test_big_directories_come_back_whole(count: int, step: int, extra: list[Entry]) -> None:
    rows = {b"n%07d" % (number * step): 0 for number in range(count)}
    all_rows = {name: Entry(name, FILE[0], 1, hash_bytes(name)) for name in rows} | {row.name: row for row in extra}
    nodes = tree.split(all_rows.values())
    assert resolve(dict(nodes), nodes[-1][0]) == sorted(all_rows.values())
    assert tree.split(reversed(list(all_rows.values()))) == nodes


@given(directories, st.data())
def test_a_changed_byte_is_noticed_or_gives_a_valid_node(rows: list[Entry], data: st.DataObject) -> None:
    encoded = bytearray(tree.encode(sorted(rows)))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        level, found = tree.decode(bytes(encoded))
    except Damaged:
        return
    assert tree.encode(found, level) == bytes(encoded)

"""Directory objects: canonical bytes, refused hostile nodes, splitting that keeps a small change small."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from axil.base.hashing import hash_bytes
from axil.errors import BadInput, Damaged
from axil.formats import tree
from axil.formats.tree import DIR, EXEC, FILE, LINK, NODE, Entry

GOLDEN = Path(__file__).parents[2] / "formats" / "tree-v1.bin"


def entry(name: bytes, kind: bytes = FILE, size: int = 1) -> Entry:
    return Entry(name, kind[0], size, hash_bytes(name))


def by_hand(rows: list[Entry], level: int = 0, count: int | None = None) -> bytes:
    """The encoding as the format page describes it, without any check."""
    number = len(rows) if count is None else count
    return (
        b"AXT1"
        + struct.pack("<B3xI", level, number)
        + bytes(row.kind for row in rows)
        + b"".join(struct.pack("<Q", row.size) for row in rows)
        + b"".join(row.oid for row in rows)
        + b"\0".join(row.name for row in rows)
    )


SAMPLE = [entry(b".hidden", LINK, 7), entry(b"B", EXEC, 0), entry(b"a", DIR, 1 << 40), entry(b"\xff\xfe", FILE, 3)]


def test_bytes_are_those_of_the_format_page() -> None:
    assert tree.encode(SAMPLE) == by_hand(SAMPLE)
    assert tree.encode(SAMPLE) == GOLDEN.read_bytes()
    assert tree.decode(GOLDEN.read_bytes()) == (0, SAMPLE)


def test_hashes_of_known_directories_never_change() -> None:
    assert hash_bytes(tree.encode([])).hex() == "4c81f35d6ec14c95d712c834d3518bab775af4d15c4860c6a4a6e4e94e6d01cd"
    nodes = tree.split([entry(b"%06d" % number) for number in range(10_000)])
    assert len(nodes) == 36
    assert nodes[-1][0].hex() == "c4db10c5cef0f1d29c04bd0968ba88a197bb4a89ac6b6f76ba2661e7d240793a"


def test_empty_directory() -> None:
    assert tree.decode(tree.encode([])) == (0, [])
    assert tree.split([]) == [(hash_bytes(tree.encode([])), tree.encode([]))]


def test_inner_node() -> None:
    rows = [entry(b"a", NODE), entry(b"m", NODE)]
    assert tree.decode(tree.encode(rows, level=3)) == (3, rows)


@pytest.mark.parametrize(
    ("rows", "level", "words"),
    [
        ([entry(b"..")], 0, "relative step"),
        ([entry(b".")], 0, "relative step"),
        ([entry(b"a/b")], 0, "slash"),
        ([entry(b"/a")], 0, "slash"),
        ([entry(b"")], 0, "empty"),
        ([entry(b".git", DIR)], 0, ".git"),
        ([entry(b".GiT")], 0, ".git"),
        ([entry(b"b"), entry(b"a")], 0, "sorted"),
        ([entry(b"a"), entry(b"a", DIR)], 0, "unique"),
        ([entry(b"a", b"z")], 0, "kind"),
        ([entry(b"a", NODE)], 0, "kind"),
        ([entry(b"a", FILE)], 1, "kind"),
        ([entry(b"a", NODE)], 17, "level"),
        ([], 1, "without entries"),
    ],
)
def test_nodes_that_break_the_rules_are_neither_made_nor_read(rows: list[Entry], level: int, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        tree.encode(rows, level)
    assert words in refused.value.why
    data = by_hand(rows, level)
    # Names with a separator inside change the count of names instead.
    with pytest.raises(Damaged) as damaged:
        tree.decode(data)
    assert damaged.value.why


def test_a_name_with_nul_is_not_made() -> None:
    with pytest.raises(BadInput, match="cannot be stored"):
        tree.encode([entry(b"a\0b")])


@pytest.mark.parametrize("size", [-1, 1 << 64])
def test_a_size_out_of_range_is_not_made(size: int) -> None:
    with pytest.raises(BadInput) as error:
        tree.encode([entry(b"a", FILE, size)])
    assert "out of range" in error.value.why


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"AXT1",
        b"AXT2" + by_hand(SAMPLE)[4:],
        by_hand(SAMPLE)[:-4],
        by_hand(SAMPLE) + b"\0extra",
        by_hand(SAMPLE, count=3),
        by_hand(SAMPLE, count=5),
        by_hand(SAMPLE, count=0xFFFFFFFF),
        by_hand([], count=0) + b"x",
        by_hand([], count=1),
        b"AXT1\0\1\0\0" + by_hand(SAMPLE)[8:],
    ],
)
def test_bytes_that_are_no_node_are_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        tree.decode(data)


def test_names_like_git_but_not_git_are_fine() -> None:
    rows = [entry(b".gitignore"), entry(b"x.git"), entry(b"...")]
    assert tree.decode(tree.encode(sorted(rows)))[1] == sorted(rows)


def test_small_directories_are_one_node() -> None:
    assert len(tree.split([entry(b"%d" % number) for number in range(tree.MIN_NODE)])) == 1


def test_nodes_keep_their_bounds() -> None:
    nodes = tree.split([entry(b"file_%07d.jpg" % number) for number in range(50_000)])
    sizes = [len(rows) for level, rows in (tree.decode(data) for _, data in nodes) if level == 0]
    assert sum(sizes) == 50_000
    assert max(sizes) <= tree.MAX_NODE
    assert min(sizes[:-1]) >= tree.MIN_NODE
    assert 256 <= sum(sizes) / len(sizes) <= 512


def test_one_change_among_many_rewrites_few_nodes() -> None:
    rows = [entry(b"img%06d" % number) for number in range(100_000)]
    before = dict(tree.split(rows))
    edits = {
        "changed": [*rows[:50_000], rows[50_000]._replace(oid=hash_bytes(b"new")), *rows[50_001:]],
        "added": [*rows, entry(b"img050000b")],
        "removed": rows[:50_000] + rows[50_001:],
    }
    for what, changed in edits.items():
        fresh = [data for oid, data in tree.split(changed) if oid not in before]
        assert 2 <= len(fresh) <= 8, what
        assert sum(map(len, fresh)) < 300_000, what


def test_double_names_are_refused_even_at_a_cut() -> None:
    rows = [entry(b"%05d" % number) for number in range(1000)]
    for row in rows[::50]:
        with pytest.raises(BadInput):
            tree.split([*rows, row._replace(kind=DIR[0])])


def test_changed_entries_are_found_in_any_column() -> None:
    rows = [entry(b"%06d" % number) for number in range(100)]
    edits = {
        0: rows[0]._replace(oid=bytes(32)),
        17: rows[17]._replace(size=9),
        31: rows[31]._replace(kind=EXEC[0]),
        32: rows[32]._replace(kind=EXEC[0], size=9, oid=bytes(32)),
        99: rows[99]._replace(size=0, oid=bytes(32)),
    }
    for chosen in (edits, {17: edits[17]}, {31: edits[31]}, {}):
        new = [chosen.get(number, row) for number, row in enumerate(rows)]
        found = tree.changed(tree.encode(rows), tree.encode(new))
        assert found == (0, [rows[at] for at in chosen], list(chosen.values()))
    assert tree.changed(tree.encode([]), tree.encode([])) == (0, [], [])

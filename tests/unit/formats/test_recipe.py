from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.base.hashing import hash_bytes
from axil.errors import Damaged
from axil.formats import recipe
from axil.formats.recipe import Part, Recipe

GOLDEN = Path(__file__).parents[2] / "formats"
BLOB = b"\3" * 32
PARTS = (Part(b"\1" * 32, 3), Part(b"\2" * 32, 4))


def test_bytes_are_those_published():
    assert recipe.encode(Recipe(0, 7, PARTS), BLOB) == (GOLDEN / "recipe-v1.bin").read_bytes()
    assert recipe.encode_segment(PARTS)[1] == (GOLDEN / "segment-v1.bin").read_bytes()


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(1, 1 << 40)), max_size=20))
def test_what_is_written_is_read(rows: list[tuple[bytes, int]]):
    made = Recipe(1, sum(size for _, size in rows), tuple(Part(*row) for row in rows))
    assert recipe.decode(recipe.encode(made, BLOB), BLOB) == made
    with pytest.raises(Damaged):
        recipe.decode(recipe.encode(made, BLOB), b"\4" * 32)


@given(st.binary(max_size=200), st.booleans())
def test_hostile_bytes_are_damaged_or_sound(data: bytes, like: bool):
    body = b"AXR1\0\0\0\0" + data if like else data
    for read in (lambda: recipe.decode_segment(body), lambda: recipe.decode(body + hash_bytes(body + BLOB), BLOB)):
        with contextlib.suppress(Damaged):
            assert read().size >= 0


def test_long_recipes_are_split_where_oids_say_so():
    parts = [Part(hash_bytes(b"%d" % number), 1) for number in range(20_000)]
    made, segments = recipe.split(parts)
    assert made.level == 1 and made.size == 20_000
    assert [part for _, data in segments for part in recipe.decode_segment(data).parts] == parts
    edited, others = recipe.split([*parts[:9000], Part(hash_bytes(b"new"), 5), *parts[9000:]])
    assert edited.size == 20_005
    assert len({oid for oid, _ in others} - {oid for oid, _ in segments}) <= 2

"""Pointers: the bytes they have always had, what they say, and how a broken or hostile one is refused."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.base.hashing import hash_bytes
from axil.errors import BadInput
from axil.formats.pointer import MAX_BYTES, Pointer, looks_like, parse, render

GOLDEN = Path(__file__).parents[2] / "formats" / "pointer-v1.axil"
OID = hash_bytes(b"content")
GOOD = Pointer("file", OID, 7, 1, True)

pointers = st.builds(
    Pointer,
    st.just("tree"),
    st.binary(min_size=32, max_size=32),
    st.integers(0, (1 << 63) - 1),
    st.integers(0, (1 << 63) - 1),
    st.just(False),
) | st.builds(
    Pointer,
    st.just("file"),
    st.binary(min_size=32, max_size=32),
    st.integers(0, (1 << 63) - 1),
    st.just(1),
    st.booleans(),
)


def test_the_bytes_stay_as_they_are() -> None:
    assert GOLDEN.read_bytes() == render(GOOD)
    assert parse(GOLDEN.read_bytes(), "x.axil") == GOOD


@given(pointers)
def test_what_is_written_is_read_and_is_valid_toml(pointer: Pointer) -> None:
    data = render(pointer)
    assert parse(data, "x.axil") == pointer
    assert looks_like(data)
    table = tomllib.loads(data.decode())
    assert table["oid"] == pointer.oid.hex()
    assert table["size"] == pointer.size


@given(st.binary(max_size=300))
def test_any_bytes_are_either_a_pointer_or_bad_input(data: bytes) -> None:
    try:
        parse(data, "x.axil")
    except BadInput as error:
        assert error.what.startswith("x.axil")


@given(pointers, st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_damaged_pointer_is_bad_input_or_still_a_pointer(pointer: Pointer, at: int, noise: bytes) -> None:
    data = render(pointer)
    with contextlib.suppress(BadInput):
        parse(data[:at] + noise + data[at + len(noise) :], "x.axil")


def changed(old: str, new: str) -> bytes:
    text = render(GOOD).decode()
    assert old in text
    return text.replace(old, new).encode()


@pytest.mark.parametrize(
    ("data", "where", "why"),
    [
        (b"", "data/x.axil:", "`axil` is missing"),
        (b"x" * (MAX_BYTES + 1), "data/x.axil:", "at most"),
        (changed("size = 7", "size = -7"), "data/x.axil:5:", "`size` must be a whole number"),
        (changed("size = 7", "size = 07"), "data/x.axil:5:", "`size` must be a whole number"),
        (changed("size = 7", "size = ٧"), "data/x.axil:5:", "`size` must be a whole number"),
        (changed("size = 7", "size = 9223372036854775808"), "data/x.axil:5:", "`size`"),
        (changed("size = 7", "size"), "data/x.axil:5:", "expected `key = value`"),
        (changed("size = 7", "size = 7\nsize = 7"), "data/x.axil:6:", "given twice"),
        (changed("size = 7", "path = '/etc/passwd'"), "data/x.axil:5:", "unknown key `path`"),
        (changed(OID.hex(), OID.hex().upper()), "data/x.axil:4:", "64 lower-case hex digits"),
        (changed(OID.hex(), OID.hex()[2:]), "data/x.axil:4:", "64 lower-case hex digits"),
        (changed(OID.hex(), OID.hex()[2:] + "  "), "data/x.axil:4:", "64 lower-case hex digits"),
        (changed(OID.hex(), "../../etc/passwd"), "data/x.axil:4:", "64 lower-case hex digits"),
        (changed('"file"', '"link"'), "data/x.axil:3:", '"file" or "tree"'),
        (changed("files = 1", "files = 2"), "data/x.axil:6:", "must be 1"),
        (changed('"file"', '"tree"'), "data/x.axil:7:", "cannot be `executable`"),
        (changed("= true", "= yes"), "data/x.axil:7:", "true or false"),
        (changed("kind", "\xff").replace(b"\xc3\xbf", b"\xff"), "data/x.axil:3:", "not UTF-8"),
    ],
)
def test_a_bad_pointer_is_refused_by_line(data: bytes, where: str, why: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(data, "data/x.axil")
    assert caught.value.what.startswith(where)
    assert why in caught.value.why
    assert "git checkout -- 'data/x.axil'" in caught.value.hint


def test_a_merge_conflict_gets_its_own_words() -> None:
    data = changed("size = 7", "<<<<<<< HEAD\nsize = 7\n=======\nsize = 8\n>>>>>>> other")
    with pytest.raises(BadInput) as caught:
        parse(data, "x.axil")
    assert caught.value.what == "x.axil:5: unresolved merge conflict in a pointer"
    assert "--ours" in caught.value.hint


def test_a_pointer_of_a_newer_version_says_so() -> None:
    with pytest.raises(BadInput, match="pointer format 2 is not known"):
        parse(changed("axil = 1", "axil = 2"), "x.axil")


def test_editors_may_change_line_ends_and_order() -> None:
    lines = render(GOOD).decode().splitlines()
    text = "\r\n".join([*reversed(lines), "# a note", ""])
    assert parse(text.encode(), "x.axil") == GOOD

"""Names of objects as text."""

from __future__ import annotations

import pytest

from axil.base.hashing import hash_bytes, parse_oid


def test_an_oid_reads_back() -> None:
    oid = hash_bytes(b"data")
    assert parse_oid(oid.hex()) == oid


@pytest.mark.parametrize("text", ["", "ab", "A" * 64, "g" * 64, "a" * 62 + "  ", "a" * 65, "٣" * 64])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an object id"):
        parse_oid(text)

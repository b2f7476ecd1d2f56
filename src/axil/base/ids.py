"""ULIDs: 26 characters, sortable by time, unique without coordination.

Source of the format: the ULID specification (48 bits of milliseconds, 80 random bits, Crockford base 32).
"""

from __future__ import annotations

import os
from collections.abc import Callable

from axil.base.clock import Clock

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
Random = Callable[[int], bytes]

_last = 0


def new_id(clock: Clock, random: Random = os.urandom) -> str:
    """A fresh ULID; within one process later ids always sort after earlier ones."""
    global _last
    value = int(clock() * 1000) << 80 | int.from_bytes(random(10), "big")
    # Two ids of the same millisecond, or a clock set back, must still sort in the order they were made.
    if value <= _last and _last - value < 1 << 92:
        value = _last + 1
    _last = value
    return encode(value)


def encode(value: int) -> str:
    """The 128-bit `value` in 26 base-32 characters."""
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def milliseconds(ulid: str) -> int:
    """The time inside `ulid`, in milliseconds since the epoch. Raises `ValueError` if it is not a ULID."""
    if not is_id(ulid):
        raise ValueError(f"not a ULID: {ulid!r}")
    value = 0
    for char in ulid[:10]:
        value = value << 5 | ALPHABET.index(char)
    return value


def is_id(text: str) -> bool:
    """Whether `text` is a whole ULID in canonical (upper case) form."""
    return len(text) == LENGTH and text[0] <= "7" and all(char in ALPHABET for char in text)


def short(run: str) -> str:
    """The end of a run's id, enough to name it: its beginning is the time, the same for all runs of a week."""
    return run[-7:]

"""BLAKE3, the one hash of axil: `Oid` is 32 raw bytes in memory and 64 hex digits in text."""

from __future__ import annotations

import os

from blake3 import blake3

from axil.base.light import BinaryIO

Oid = bytes
OID_SIZE = 32
_DIGITS = frozenset("0123456789abcdef")
_CHUNK = 1 << 20
_pool_pid = 0


def threads() -> int:
    """What to pass to `blake3(max_threads=…)`: all cores, or 1 in a fork of a process that has used them already.

    BLAKE3's thread pool does not survive a fork: a child that used it would wait for ever.
    """
    global _pool_pid
    _pool_pid = _pool_pid or os.getpid()
    return blake3.AUTO if _pool_pid == os.getpid() else 1


def hash_bytes(data: bytes | bytearray | memoryview) -> Oid:
    """The oid of `data`."""
    return blake3(data).digest()


def hash_stream(stream: BinaryIO) -> tuple[Oid, int]:
    """The oid and length of what is left in `stream`, read in 1 MiB pieces."""
    hasher = blake3(max_threads=threads())
    buffer = memoryview(bytearray(_CHUNK))
    size = 0
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        hasher.update(buffer[:count])
        size += count
    return hasher.digest(), size


def parse_oid(text: str) -> Oid:
    """The oid written as 64 lower-case hex digits. Raises `ValueError` for anything else."""
    # fromhex alone would pass over white space.
    if len(text) != 2 * OID_SIZE or not set(text) <= _DIGITS:
        raise ValueError(f"not an object id: {text!r}")
    return bytes.fromhex(text)

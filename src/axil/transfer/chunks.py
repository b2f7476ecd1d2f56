"""Large blobs cut into chunks by their content, streamed from a file in bounded memory.

The cuts are those of cutting the whole at once; chunks and the blob are hashed in the same pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import cycle

from blake3 import blake3

from axil.base.hashing import Oid, hash_bytes
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError, Damaged
from axil.formats.sharing import Chunking
from axil.store.faults import damaged
from axil.transfer.ranges import in_threads

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

WINDOW = 2 << 20
_AHEAD = 4
"""So many windows are in memory beside the one that is being read."""
_NAME = "fastcdc-2020"


class Chunk(NamedTuple):
    """A piece of a blob; `data` is valid only until the next one is asked for."""

    oid: Oid
    data: memoryview


def cutter(chunking: Chunking) -> FastCDC:
    """What cuts as `chunking` says. Raises `AxilError` if this axil cannot."""
    from pyfastcdc import FastCDC

    if chunking.name == _NAME:
        try:
            return FastCDC(
                avg_size=chunking.avg, min_size=chunking.min, max_size=chunking.max, normalized_chunking=1, seed=0
            )
        except ValueError as error:
            raise AxilError("this remote cuts large files in a way that axil cannot", str(error)) from None
    raise AxilError(
        "this remote cuts large files in a way that this axil does not know",
        f"it is called {chunking.name!r}",
        "update axil and try again",
    )


def stream(fd: int, blob: Oid, path: str, chunking: Chunking, window: int = WINDOW) -> Iterator[Chunk]:
    """The chunks of the file open as `fd`, in order. Raises `Damaged` at the end unless its hash is `blob`.

    What was handed out until then is what it says; only that it makes `blob` is known no earlier than at the end.
    """
    whole = blake3()

    def hashed(pieces: list[memoryview]) -> list[Chunk]:
        chunks = [Chunk(hash_bytes(data), data) for data in pieces]
        for data in pieces:
            whole.update(data)
        return chunks

    # Windows are hashed on another thread while the next ones are read and cut.
    for chunks in in_threads(1, hashed, _windows(fd, chunking, window), ahead=_AHEAD):
        yield from chunks
    if whole.digest() != blob:
        raise damaged(blob, path, "its bytes do not match its name")


def _windows(fd: int, chunking: Chunking, window: int) -> Iterator[list[memoryview]]:
    """The pieces that the file open as `fd` is cut into, some at a time; they are valid for `_AHEAD` times."""
    cut = cutter(chunking).cut_buf
    # A chunk is sure only if bytes follow it, so what may be left over is as long as the longest chunk.
    room = max(window, 2 * chunking.max) + chunking.max
    buffers = cycle([bytearray(room) for _ in range(_AHEAD + 1)])
    rest, ended = memoryview(b""), False
    while not ended:
        left = len(rest)
        buffer = next(buffers)
        buffer[:left] = rest
        count = _fill(fd, memoryview(buffer)[left:])
        ended = count < room - left
        view = memoryview(buffer)[: left + count]
        pieces, start = [], 0
        for piece in cut(view):
            end = start + piece.length
            # The last piece may go on in the next window.
            if end == len(view) and not ended:
                break
            pieces.append(view[start:end])
            start = end
        rest = view[start:]
        yield pieces


def _fill(fd: int, view: memoryview) -> int:
    """Reads until `view` is full or the file ends; how many bytes came."""
    done = 0
    while done < len(view) and (count := os.readv(fd, [view[done:]])):
        done += count
    return done


def open_blob(path: str) -> int:
    """A descriptor of a stored file. Raises `Damaged` if it cannot be read."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise Damaged("an object cannot be read", f"{path}: {error.strerror}", "run `axil verify`") from None

"""Finding content by its md5: in the work tree, in DVC's cache of either layout, in a remote that is a folder."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence

from axil.base.light import NamedTuple
from axil.errors import BadInput
from axil.imports.dvc.files import MAX_MANIFEST, Out, manifest

_PIECE = 1 << 20
"""DVC hashes in pieces of this size, which matters for texts with line ends of Windows."""
_LOOKED_AT = 512
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"


class Found(NamedTuple):
    """A file with the content that was looked for."""

    path: str
    executable: bool
    stamp: tuple[int, int, int]
    """Modification time, change time and inode at which it had this content."""


def places(folder: str, md5: str, *, directory: bool = False) -> Iterator[str]:
    """Where `md5` may be in the cache (or remote) `folder`: as DVC 3 writes it, as older versions did."""
    name = md5[2:] + (".dir" if directory else "")
    yield os.path.join(folder, "files", "md5", md5[:2], name)
    yield os.path.join(folder, md5[:2], name)


def checked(path: str, md5: str, *, old_hash: bool = True) -> Found | None:
    """The file `path` if it is a regular file (and no link) with that content.

    With `old_hash`, the md5 that DVC 2 computed counts too: of a text, with the line ends made those of Unix.
    """
    fd = _open(path)
    if fd < 0:
        return None
    with os.fdopen(fd, "rb", buffering=0):
        state = os.fstat(fd)
        if not stat.S_ISREG(state.st_mode) or md5 not in _md5s(fd, old_hash):
            return None
    return Found(path, bool(state.st_mode & 0o100), (state.st_mtime_ns, state.st_ctime_ns, state.st_ino))


def find(md5: str, caches: Sequence[str], *, beside: str = "", old_hash: bool = True) -> Found | None:
    """A file with that content: the work tree's own `beside` if it is the right one, else in one of `caches`."""
    if beside and (found := checked(beside, md5, old_hash=old_hash)):
        return found
    for folder in caches:
        for path in places(folder, md5):
            if found := checked(path, md5, old_hash=old_hash):
                return found
    return None


def files_of(out: Out, caches: Sequence[str]) -> dict[str, tuple[str, bool]] | None:
    """The files of the folder `out`: path inside -> (md5, executable); None if its manifest is nowhere.

    Raises `BadInput` for a manifest that must not be followed.
    """
    for folder in caches:
        for path in places(folder, out.md5, directory=True):
            if not checked(path, out.md5, old_hash=False):
                continue
            if os.path.getsize(path) > MAX_MANIFEST:
                raise BadInput(f"the list of files of {out.path} is too long", f"{path} has over {MAX_MANIFEST} bytes")
            with open(path, "rb") as file:
                data = file.read(MAX_MANIFEST + 1)
            if hashlib.md5(data, usedforsecurity=False).hexdigest() == out.md5:
                return manifest(data, f"the list of files of {out.path}")
    return None


def listed(folder: str, md5: str, *, old_hash: bool = True) -> dict[str, tuple[str, bool]] | None:
    """The files of the work tree's `folder` as `files_of` gives them, if its manifest would have that md5."""
    import json

    for old in (False, True) if old_hash else (False,):
        found: dict[str, tuple[str, bool]] = {}
        for above, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(above, name)
                fd = _open(path)
                if fd < 0:
                    return None
                with os.fdopen(fd, "rb", buffering=0):
                    state = os.fstat(fd)
                    if not stat.S_ISREG(state.st_mode):
                        return None
                    hashes = _md5s(fd, old)
                found[os.path.relpath(path, folder)] = (hashes[-1], bool(state.st_mode & 0o100))
        items = [{"md5": found[path][0], "relpath": path} for path in sorted(found)]
        written = json.dumps(items, sort_keys=True).encode()
        if found and hashlib.md5(written, usedforsecurity=False).hexdigest() == md5:
            return manifest(written, folder)
    return None


def _open(path: str) -> int:
    """A descriptor for reading `path`, -1 if there is none, it is a link, or it may not be read."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENXIO, errno.ENAMETOOLONG):
            return -1
        raise


def _md5s(fd: int, old_hash: bool) -> tuple[str, ...]:
    """The md5 of the file, and with `old_hash` the one that DVC 2 computed."""
    plain, unix = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    while piece := _read(fd, _PIECE):
        plain.update(piece)
        if old_hash:
            unix.update(piece.replace(b"\r\n", b"\n") if _is_text(piece[:_LOOKED_AT]) else piece)
    return (plain.hexdigest(), unix.hexdigest()) if old_hash else (plain.hexdigest(),)


def _read(fd: int, size: int) -> bytes:
    """`size` bytes, less only at the end of the file: the pieces are part of the old hash."""
    parts = []
    while size and (part := os.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _is_text(block: bytes) -> bool:
    """DVC's own guess: no NUL, and at most 30 % other than printable ASCII."""
    return b"\0" not in block and len(block.translate(None, _TEXT)) <= 0.3 * len(block)

"""Looks at folders on disk: which names they hold and which stat each file has. Reads no content, follows no link."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left
from collections.abc import Callable, Sequence
from struct import pack

from axil.base import clutter
from axil.base.clock import Clock
from axil.base.light import NamedTuple
from axil.base.progress import SILENT
from axil.data.rows import STAT_SIZE
from axil.formats.tree import DIR, FILE, LINK
from axil.store import TEMPORARY_PREFIX

FILE_KIND, LINK_KIND, DIR_KIND = FILE[0], LINK[0], DIR[0]
OTHER_KIND = 0
"""A FIFO, socket or device, which axil does not keep."""

_TEMPORARY = TEMPORARY_PREFIX.encode()
_AFTER_TEMPORARY = _TEMPORARY[:-1] + bytes([_TEMPORARY[-1] + 1])

_IGNORED = frozenset(name.encode() for name in (*clutter.FOLDERS, *clutter.FILES, ".git", ".axil"))
_ENDING = clutter.ENDING.encode()
_JOB = 256
_FORK_FROM = 16384
_MARGIN_NS = 2_000_000_000


class Listing(NamedTuple):
    """The sorted names of a folder and a kind byte for each; regular files all count as FILE here."""

    names: list[bytes]
    kinds: bytes


def walk(top: bytes, path: bytes, everything: Callable[[bytes], bool]) -> dict[bytes, Listing]:
    """The folder `path` (below `top`; `path` itself may be a link) and all folders in it.

    Keys are `path` and longer. Where `everything(folder)` is false, caches of tools (`__pycache__`, `*.pyc` …)
    and special files are left out. Raises `OSError` for a folder that cannot be read.
    """
    found: dict[bytes, Listing] = {}
    todo = [path]
    while todo:
        folder = todo.pop()
        listing = found[folder] = list_folder(os.path.join(top, folder), everything(folder))
        if DIR_KIND in listing.kinds:
            prefix = folder + b"/" if folder else b""
            todo.extend(
                prefix + name for name, kind in zip(listing.names, listing.kinds, strict=True) if kind == DIR_KIND
            )
    return found


def list_folder(path: bytes, everything: bool) -> Listing:
    """The names in the folder at `path`."""
    with os.scandir(path) as entries:
        found = list(entries)
    names = [entry.name for entry in found if entry.is_file(follow_symlinks=False)]
    odd: dict[bytes, int] = {}
    if len(names) < len(found):
        others = [entry for entry in found if not entry.is_file(follow_symlinks=False)]
        odd = {entry.name: _odd_kind(entry) for entry in others if not is_temporary(entry.name)}
    if not everything:
        names = [name for name in names if not (name.endswith(_ENDING) or name in _IGNORED)]
        odd = {name: kind for name, kind in odd.items() if kind != OTHER_KIND and name not in _IGNORED}
    names.sort()
    # Sorted, axil's own stand together.
    low, high = bisect_left(names, _TEMPORARY), bisect_left(names, _AFTER_TEMPORARY)
    del names[low:high]
    if not odd:
        return Listing(names, FILE * len(names))
    names = sorted([*names, *odd])
    return Listing(names, bytes([odd.get(name, FILE_KIND) for name in names]))


def temporary_name() -> bytes:
    """A fresh name for which `is_temporary` holds."""
    return _TEMPORARY + b"%d-%s" % (os.getpid(), os.urandom(8).hex().encode())


def is_temporary(name: bytes) -> bool:
    """Whether axil made this file or folder for a moment, and perhaps was killed before it could remove it: it is no
    data."""
    return name.startswith(_TEMPORARY)


def sweep(folder: bytes) -> None:
    """Remove what killed processes left so in `folder`, not from below it; others may still be writing theirs."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [entry.path for entry in entries if _abandoned(entry.name)]
        for path in left:
            remove(path)


def remove(full: bytes) -> None:
    """Remove a file or link, or a folder with all in it; follows no link."""
    if os.path.islink(full) or not os.path.isdir(full):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(full)
        return
    with os.scandir(full) as entries:
        paths = [entry.path for entry in entries]
    for path in paths:
        remove(path)
    os.rmdir(full)


def _abandoned(name: bytes) -> bool:
    pid = name.removeprefix(_TEMPORARY).partition(b"-")[0]
    if not is_temporary(name) or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


class Stats(NamedTuple):
    """Asks for the stats of the entries `low` to `high` of a folder; `expected` is what they were, or None."""

    folder: bytes
    low: int
    high: int
    expected: bytes | None


def jobs(folder: bytes, count: int, expected: bytes | None) -> list[Stats]:
    """The entries of one folder in portions that workers can share."""
    return [
        Stats(folder, low, min(low + _JOB, count), expected and expected[low * STAT_SIZE : (low + _JOB) * STAT_SIZE])
        for low in range(0, count, _JOB)
    ]


def measure(top: bytes, listings: dict[bytes, Listing], wanted: Sequence[Stats]) -> list[bytes | None]:
    """The packed stats of each portion, or None where they are as expected; forked workers share a big work."""

    def work(portions: Sequence[Stats]) -> list[bytes | None]:
        return [_measure(top, listings[portion.folder], portion) for portion in portions]

    names = sum(portion.high - portion.low for portion in wanted)
    if names < _FORK_FROM:
        return work(wanted)
    from axil.store import parallel

    answers = parallel.run(wanted, work, SILENT, many=1)
    return [answer for part in answers for answer in part]


def pack_stats(results: Sequence[os.stat_result | None]) -> bytes:
    """One stat column: size, mtime, ctime, inode; zeros for None."""
    flat: list[int] = []
    extend = flat.extend
    for result in results:
        if result is None:
            extend((0, 0, 0, 0))
        else:
            extend((result.st_size, result.st_mtime_ns, result.st_ctime_ns, result.st_ino))
    return pack(f"<{len(flat)}q", *flat)


def now_of(folder: bytes, clock: Clock) -> int:
    """The time (ns) that a file changed now in `folder` would get, taken from the file system itself.

    A file system's time may be coarser than the clock's or that of another machine. Leaves nothing behind. In a folder
    that cannot be written the clock must do, with two seconds to be safe.
    """
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        if hasattr(os, "O_TMPFILE"):
            try:
                return _changed(os.open(folder, flags | os.O_TMPFILE, 0o600))
            except OSError:
                pass
        name = os.path.join(folder, temporary_name())
        fd = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink(name)
        return _changed(fd)
    except OSError:
        return int(clock() * 1e9) - _MARGIN_NS


def _changed(fd: int) -> int:
    try:
        return os.fstat(fd).st_ctime_ns
    finally:
        os.close(fd)


def _odd_kind(entry: os.DirEntry[bytes]) -> int:
    if entry.is_symlink():
        return LINK_KIND
    return DIR_KIND if entry.is_dir(follow_symlinks=False) else OTHER_KIND


def _measure(top: bytes, listing: Listing, portion: Stats) -> bytes | None:
    names = listing.names[portion.low : portion.high]
    kinds = listing.kinds[portion.low : portion.high]
    lstat = os.lstat
    results: list[os.stat_result | None] = []
    add = results.append
    fd = os.open(os.path.join(top, portion.folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name, kind in zip(names, kinds, strict=True):
            if kind == DIR_KIND:
                add(None)
                continue
            try:
                add(lstat(name, dir_fd=fd))
            except FileNotFoundError:  # gone since it was listed: whoever reads it will say so
                add(None)
    finally:
        os.close(fd)
    packed = pack_stats(results)
    return None if packed == portion.expected else packed

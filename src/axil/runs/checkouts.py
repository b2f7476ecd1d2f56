"""Read-only copies of stored content for runs to read: each made once, shared by all runs (docs/formats/isolated.md).

Large files are hard links into the store, so they cost no space. What is here may be deleted while no run goes on.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Container, Iterable, Iterator

from axil.base.hashing import Oid
from axil.base.locks import FileLock
from axil.base.processes import boot
from axil.base.progress import SILENT, Progress
from axil.data.diff import DIR_KIND, root_entry
from axil.formats.pointer import Pointer
from axil.formats.tree import EXEC, LINK, Entry
from axil.store import Store

_MAKING, _LOCK = ".new", ".lock"
_PATIENCE = 24 * 3600.0
_POLL = 0.02
"""Seconds between two looks whether another run has made a copy that is wanted here too."""


class Checkouts:
    """The copies below the folder `root`. They are not synced: those of an earlier boot are never used."""

    def __init__(self, root: str, store: Store) -> None:
        self.root = root
        self._folder = os.path.join(root, boot()[:8] or "boot")
        self._store = Store(store.root, link="hardlink", clock=store.clock)
        self._used: dict[str, FileLock] = {}

    def provide(self, pointer: Pointer, progress: Progress = SILENT) -> str:
        """The absolute path of a read-only copy of `pointer`'s content; made if there is none yet.

        Raises `NotFound` or `Damaged` if the store does not have all of it.
        """
        path = os.path.join(self._folder, pointer.oid.hex() + ("x" if pointer.executable else ""))
        os.makedirs(self._folder, exist_ok=True)
        while path not in self._used:
            if os.path.lexists(path):
                self._use(path)
                continue
            maker = _lock(path)
            # Never waited for: whoever makes the copy goes on to use it, which may take days.
            if not maker.try_acquire():
                time.sleep(_POLL)
                continue
            try:
                if not os.path.lexists(path):
                    self._make(pointer, path, progress)
            finally:
                maker.release()
        return path

    def _use(self, path: str) -> None:
        """Lock the copy until the run is over, so that nobody takes it away; it may be gone already."""
        lock = _lock(path, shared=True)
        lock.acquire()
        if os.path.lexists(path):
            self._used[path] = lock
        else:
            lock.release()

    def release(self) -> None:
        """The run is over: its copies may be taken away."""
        while self._used:
            self._used.popitem()[1].release()

    def _make(self, pointer: Pointer, path: str, progress: Progress) -> None:
        temporary = path + _MAKING
        remove(temporary)
        entry = root_entry(os.path.basename(temporary), pointer)
        assert entry is not None
        try:
            files: list[tuple[Oid, int, str, bool]] = []
            folders: list[str] = []
            for full, one in self._walk(entry, temporary):
                if one.kind == DIR_KIND:
                    os.mkdir(full)
                    folders.append(full)
                elif one.kind == LINK[0]:
                    os.symlink(self._store.read(one.oid), os.fsencode(full))
                else:
                    files.append((one.oid, one.size, full, one.kind == EXEC[0]))
            self._store.place_files(files, progress)
            _protect((name for _, _, name, _ in files), reversed(folders))
            os.rename(temporary, path)
        except BaseException:
            remove(temporary)
            raise

    def _walk(self, entry: Entry, full: str) -> Iterator[tuple[str, Entry]]:
        """Everything in `entry` with its absolute path, folders before what is in them."""
        yield full, entry
        if entry.kind == DIR_KIND:
            for inner in self._store.entries(entry.oid):
                yield from self._walk(inner, os.path.join(full, os.fsdecode(inner.name)))

    def unused(self, needed: Container[Oid], *, alone: bool) -> list[str]:
        """The copies, whole or half made, of contents that nobody needs and no run uses now.

        Those of earlier boots too, if this machine is `alone`: another one has another boot.
        """
        found: list[str] = []
        with contextlib.suppress(FileNotFoundError):
            for name in sorted(os.listdir(self.root)):
                folder = os.path.join(self.root, name)
                if folder != self._folder:
                    found += [folder] if alone else []
                    continue
                names = sorted(one for one in os.listdir(folder) if not one.endswith(_LOCK))
                found += [os.path.join(folder, one) for one in names if not _needed(one, needed)]
        return [path for path in found if os.path.dirname(path) == self.root or _free(path)]

    def discard(self, path: str) -> bool:
        """Remove one of the `unused`, unless somebody has begun to use it; says whether it is gone."""
        if os.path.dirname(path) == self.root:
            remove(path)
            return True
        lock = _lock(path.removesuffix(_MAKING))
        if not lock.try_acquire():
            return False
        try:
            remove(path)
        finally:
            lock.release()
        return True


def _lock(path: str, *, shared: bool = False) -> FileLock:
    """What whoever makes the copy at `path` holds alone, and all who use it together. Its file is never removed."""
    return FileLock(path + _LOCK, shared=shared, timeout=_PATIENCE, what="a copy of data for runs")


def _free(path: str) -> bool:
    lock = _lock(path.removesuffix(_MAKING))
    free = lock.try_acquire()
    lock.release()
    return free


def _needed(name: str, needed: Container[Oid]) -> bool:
    """Whether the file called `name` is a copy of something in `needed`."""
    try:
        return not name.endswith(_MAKING) and bytes.fromhex(name[:64]) in needed
    except ValueError:
        return False


def _protect(files: Iterable[str], folders: Iterable[str]) -> None:
    """Take the right to write away, so that a script's mistake is an error and not a change of shared data."""
    for path in files:
        mode = os.stat(path).st_mode
        if mode & 0o222:
            os.chmod(path, mode & 0o555)
    for path in folders:
        os.chmod(path, 0o555)


def remove(path: str) -> None:
    """Remove a copy or a run's work tree with all in it, read-only or not; follows no link, raises nothing."""
    if os.path.islink(path) or not os.path.isdir(path):
        with contextlib.suppress(OSError):
            os.unlink(path)
        return
    import shutil

    for folder, names, _ in os.walk(path):
        for name in names:
            inner = os.path.join(folder, name)
            if not os.path.islink(inner):
                with contextlib.suppress(OSError):
                    os.chmod(inner, 0o700)
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)
    shutil.rmtree(path, ignore_errors=True)

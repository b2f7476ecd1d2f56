"""A process's own folder under `tmp/`, recognised as abandoned when its process is gone; and the store's locks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from axil.base.atomic import sync_folder, write_atomic
from axil.base.locks import FileLock
from axil.errors import AxilError
from axil.store.faults import refusal

FORMAT = b"axil store 1\n"
_LOCK = "lock"
_YOUNG = 60.0


def store_lock(root: str, *, shared: bool) -> FileLock:
    """Batches hold it shared while they live; a collection holds it alone while it moves objects."""
    return FileLock(os.path.join(root, _LOCK), shared=shared, what="the store")


def merge_lock(root: str) -> FileLock:
    """Held by whoever replaces packs by others of the same content."""
    return FileLock(os.path.join(root, "merge.lock"), what="the store's packs")


def check_format(root: str) -> None:
    """Raises `AxilError` if the store was made by a version that this one does not understand."""
    try:
        with open(os.path.join(root, "format"), "rb") as file:
            text = file.read(100)
    except FileNotFoundError:
        return
    if text != FORMAT:
        raise AxilError(
            "the store has an unknown format",
            f"{os.path.join(root, 'format')} says {text.decode(errors='replace').strip()!r}",
            "update axil and try again",
        )


def prepare(root: str) -> None:
    """Makes the folders of a store that are missing. Raises `AxilError` if it cannot be written."""
    if os.path.exists(os.path.join(root, "format")):
        return
    try:
        for name in ("packs", "files", "tmp"):
            os.makedirs(os.path.join(root, name), exist_ok=True)
        write_atomic(os.path.join(root, "format"), FORMAT)
        sync_folder(os.path.dirname(os.path.abspath(root)))
    except OSError as error:
        raise refusal(error, root) from None


class Workspace:
    """A temporary folder whose `lock` file is locked as long as its process (or a worker of it) lives."""

    __slots__ = ("_own", "_shared", "folder")

    def __init__(self, root: str, *, alone: bool = False) -> None:
        """`alone` says that the caller holds the store's lock. Raises `AxilError` if the store cannot be written,
        `Busy` if a collection does not end."""
        prepare(root)
        self._shared = store_lock(root, shared=True)
        try:
            if not alone:
                self._shared.acquire()
            self.folder = os.path.join(root, "tmp", f"{os.getpid()}-{os.urandom(6).hex()}")
            os.makedirs(self.folder)
            self._own = FileLock(os.path.join(self.folder, _LOCK))
            self._own.try_acquire()
        except OSError as error:
            self._shared.release()
            raise refusal(error, root) from None

    def close(self) -> None:
        """Removes the folder and lets go of the locks."""
        remove_folder(self.folder)
        self._own.release()
        self._shared.release()


def remove_folder(folder: str) -> None:
    """Removes a flat folder; what cannot be removed stays for the next collection."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)


def abandoned(root: str, now: float) -> Iterator[str]:
    """The temporary folders whose process is gone; each is locked while the caller looks at it."""
    base = os.path.join(root, "tmp")
    try:
        names = sorted(os.listdir(base))
    except FileNotFoundError:
        return
    for name in names:
        folder = os.path.join(base, name)
        lock = FileLock(os.path.join(folder, _LOCK))
        try:
            # A folder without a lock file may have been made this very moment.
            if not os.path.exists(lock.path):
                if now - os.stat(folder).st_mtime > _YOUNG:
                    yield folder
                continue
            free = lock.try_acquire()
        except OSError:
            continue
        if free:
            try:
                yield folder
            finally:
                lock.release()

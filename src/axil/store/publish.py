"""The commit of a batch: data synced, renamed in, folders synced."""

from __future__ import annotations

import os
from collections.abc import Sequence

from axil.base.atomic import sync_folder
from axil.base.hashing import Oid
from axil.store.faults import refusal
from axil.store.packs import PackWriter
from axil.store.parallel import Task

# From this many files on, one sync of the whole file system is cheaper than one per file.
_SYNC_ALL_FROM = 16


class Staged:
    """What a batch has written so far under temporary names; nothing of it is surely on the disk yet."""

    __slots__ = ("_ahead", "files", "packs")

    def __init__(self) -> None:
        self.packs: list[tuple[str, str]] = []
        """(temporary path, final name), in the order written: children before their trees."""
        self.files: list[tuple[Oid, str]] = []
        self._ahead: dict[str, Task] = {}

    def finish(self, writer: PackWriter) -> None:
        """Takes over a pack that is complete."""
        self.packs.append(writer.finish())

    def sync_ahead(self, packs: Sequence[tuple[str, str]]) -> None:
        """Takes over packs from a worker, and syncs them in the background while the caller goes on."""
        self.packs += packs
        self._ahead.update((path, Task(_sync_file, path)) for path, _ in packs)

    def sync_packs(self) -> None:
        """Makes the contents of all packs durable. Raises `OSError`."""
        for path, _ in self.packs:
            if path in self._ahead:
                self._ahead[path].wait()
            else:
                _sync_file(path)


def publish(root: str, staged: Staged) -> None:
    """Puts staged objects in their places. Raises `AxilError` if the disk refuses."""
    try:
        if staged.files:
            sync_files([path for _, path in staged.files], root)
            _publish_files(os.path.join(root, "files"), staged.files)
        staged.sync_packs()
        packs = os.path.join(root, "packs")
        for path, name in staged.packs:
            os.rename(path, os.path.join(packs, name))
        if staged.packs:
            sync_folder(packs)
    except OSError as error:
        raise refusal(error, root) from None


def _publish_files(base: str, files: list[tuple[Oid, str]]) -> None:
    folders: set[str] = set()
    made = False
    for oid, path in files:
        name = oid.hex()
        folder = os.path.join(base, name[:2])
        if folder not in folders and not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
            made = True
        folders.add(folder)
        os.rename(path, os.path.join(folder, name))
    if len(folders) >= _SYNC_ALL_FROM and sync_file_system(base):
        return
    for folder in sorted(folders):
        sync_folder(folder)
    if made:
        sync_folder(base)


def sync_files(paths: list[str], folder: str) -> None:
    """Makes the contents of files durable; all of them lie on the file system of `folder`."""
    if len(paths) >= _SYNC_ALL_FROM and sync_file_system(folder):
        return
    for path in paths:
        _sync_file(path)


def _sync_file(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file_system(folder: str) -> bool:
    """`syncfs` of the file system of `folder`; False where the platform has none."""
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return False
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if call(fd):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
    finally:
        os.close(fd)
    return True

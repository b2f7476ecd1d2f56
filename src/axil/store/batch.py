"""Writing: objects gathered in a temporary folder and made visible, durably, by one commit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from types import TracebackType

from blake3 import blake3

from axil.base.hashing import Oid
from axil.base.light import TYPE_CHECKING, Any
from axil.base.progress import SILENT, Progress
from axil.formats import pack as fmt
from axil.formats.tree import Columns, Entry, split, split_columns
from axil.store.faults import DiskFull, ReadOnly
from axil.store.files import copy_in, write_in
from axil.store.hashing import FORK_FROM, LARGE, Names, Read, Saved, count, one_by_one, read_all, whole_paths
from axil.store.merge import merge_small
from axil.store.packs import SUFFIX, Pack, PackWriter
from axil.store.publish import Staged, publish
from axil.store.squeeze import Squeezer
from axil.store.temporary import Workspace

if TYPE_CHECKING:
    from axil.store.store import Store

# Below this size compression is tried only in big batches: its library costs 20 ms to load.
_SQUEEZE_ALONE = 16 << 10


class Batch:
    """Objects on their way into the store: nothing is visible before `commit`, leaving without it discards them.

    One exception: with `link = "hardlink"` a large file is in the store at once, since publishing it later would
    change the work tree file's ctime. Not for use by several threads at once.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._space: Workspace | None = None
        self._writer: PackWriter | None = None
        self._squeezer: Squeezer | None = None
        self._staged = Staged()
        self._fresh: set[Oid] = set()
        self._freshened: set[str] = set()
        self._count = 0

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def put_bytes(self, data: bytes) -> Oid:
        """Stores a blob."""
        if len(data) < LARGE:
            return self._smalls([data])[0]
        oid: Oid = blake3(data).digest()
        if not self._has_large(oid):
            path = self._new_path()
            write_in(data, path)
            self._stage_large(oid, path)
        return oid

    def put_tree(self, entries: Iterable[Entry]) -> Oid:
        """Stores a directory and returns its oid; order does not matter. Raises `BadInput` for impossible names."""
        return self._put_nodes(split(entries))

    def put_columns(self, columns: Columns) -> Oid:
        """`put_tree` of a directory in columns, sorted by name."""
        return self._put_nodes(split_columns(columns))

    def put_stored(self, oid: Oid, stored: bytes, raw: int, kind: int, codec: int) -> None:
        """Stores an object below LARGE as it lies in another pack.

        The caller has checked that it decodes to what `oid` names, and that it is not here.
        """
        if oid not in self._fresh:
            self._fresh.add(oid)
            self._current().add(oid, stored, raw, kind, codec)

    def hold(self) -> None:
        """Until `commit` or `discard` no collection moves objects. Does nothing if the store is read-only."""
        with contextlib.suppress(ReadOnly):
            self._open()

    def rely_on(self, oids: set[Oid]) -> None:
        """Makes what holds these objects, which are here, look young: see `_freshen`. Call `hold` before looking."""
        rest = set(oids)
        for pack in self._store.packs.opened() if rest else ():
            if mine := rest.intersection(pack.table.oids()):
                self._freshen(pack)
                rest -= mine
        for oid in rest:
            self._store.files.relied_on(oid)

    def put_pack(self, path: str, pack: Oid) -> None:
        """Stores the whole pack `path`, made at a place from `new_path` and synced; its hash is `pack`.

        The caller has checked each of its entries.
        """
        self._staged.packs.append((path, pack.hex() + SUFFIX))

    def new_path(self) -> str:
        """Where a file can be written that `put_made` is going to be given."""
        return self._new_path()

    def put_made(self, oid: Oid, path: str) -> None:
        """Stores the file `path`, sealed and made at a place from `new_path`, whose hash is `oid`."""
        self._stage_large(oid, path)

    def put_files(self, paths: Sequence[str], progress: Progress = SILENT) -> list[Saved | OSError]:
        """`put_names` for files anywhere; an `OSError` stands for one that cannot be read."""
        return one_by_one(self.put_names(whole_paths(paths), progress))

    def put_names(self, wanted: Sequence[Names], progress: Progress = SILENT) -> list[Read]:
        """Stores regular files, each read once.

        Many files are shared out to forked workers, each with packs of its own in this batch's folder.
        Raises `AxilError` if the store cannot be written.
        """
        self._open()
        if count(wanted) >= FORK_FROM:
            self._close_writer()
            self._squeezer = self._squeezer or Squeezer()
        packs, files = len(self._staged.packs), len(self._staged.files)

        def hand_over() -> object:
            """In a worker: what it wrote itself, for `_adopt`."""
            self._close_writer()
            return self._staged.packs[packs:], self._staged.files[files:]

        try:
            return read_all(wanted, self._smalls, self._large, progress, hand_over, self._adopt)
        except DiskFull as error:
            raise DiskFull(error.what, error.why, f"free {_megabytes(wanted)} MB and try again") from None

    def commit(self) -> None:
        """Makes all objects durable and visible, children before the trees that name them.

        Data is synced, then renamed in, then folders are synced: a crash at any moment leaves a store that verifies.
        """
        if self._space is None:
            return
        self._close_writer()
        publish(self._store.root, self._staged)
        self.discard()
        self._store.packs.refresh()
        merge_small(self._store)

    def discard(self) -> None:
        """Forgets everything since the last commit."""
        if self._writer:
            self._writer.close()
            self._writer = None
        self._staged = Staged()
        self._fresh = set()
        if self._space:
            self._space.close()
            self._space = None

    def _open(self) -> Workspace:
        if self._space is None:
            self._space = Workspace(self._store.root)
            self._store.packs.refresh()
            self._freshened = set()
        return self._space

    def _new_path(self) -> str:
        self._count += 1
        return os.path.join(self._open().folder, f"{os.getpid()}-{self._count}.part")

    def _smalls(self, contents: Sequence[bytes]) -> list[Oid]:
        oids: list[Oid] = [blake3(data).digest() for data in contents]
        fresh = self._fresh
        new = {oid: data for oid, data in zip(oids, contents, strict=True) if oid not in fresh and not self._has(oid)}
        if self._squeezer is not None and self._squeezer.pauses(len(new)):
            self._current().add_raw(new)
            self._fresh.update(new)
            return oids
        for oid, data in new.items():
            self._write(oid, data, fmt.BLOB, squeeze=self._squeezer is not None or len(data) >= _SQUEEZE_ALONE)
        return oids

    def _put_nodes(self, nodes: Iterable[tuple[Oid, bytes]]) -> Oid:
        root: Oid = b""
        for root, data in nodes:
            if not self._has(root):
                self._write(root, data, fmt.TREE, squeeze=False)
        return root

    def _write(self, oid: Oid, data: bytes, kind: int, *, squeeze: bool) -> None:
        self._fresh.add(oid)
        writer = self._current()
        if squeeze:
            if self._squeezer is None:
                self._squeezer = Squeezer()
            if (less := self._squeezer.squeeze(data)) is not None:
                writer.add(oid, less, len(data), kind, fmt.ZSTD)
                return
        writer.add(oid, data, len(data), kind, fmt.RAW)

    def _current(self) -> PackWriter:
        """The pack being written."""
        if self._writer is None or self._writer.full:
            self._close_writer()
            self._writer = PackWriter(self._open().folder)
        return self._writer

    def _close_writer(self) -> None:
        if self._writer:
            self._staged.finish(self._writer)
            self._writer = None

    def _adopt(self, staged: Any) -> None:
        """Takes over what a worker wrote."""
        packs, files = staged
        self._staged.sync_ahead(packs)
        for oid, path in files:
            self._stage_large(oid, path)

    def _has(self, oid: Oid) -> bool:
        if oid in self._fresh:
            return True
        if self._space is None:
            self._open()
        found = self._store.packs.known(oid)
        if found:
            self._freshen(found[0])
        return found is not None

    def _freshen(self, pack: Pack) -> None:
        """A pack that is relied on must look young, or a collection might take it before the caller refers to it."""
        if pack.path not in self._freshened:
            self._freshened.add(pack.path)
            with contextlib.suppress(OSError):
                os.utime(pack.path)

    def _has_large(self, oid: Oid) -> bool:
        self._open()
        return oid in self._fresh or self._store.files.relied_on(oid)

    def _large(self, fd: int, before: os.stat_result, source: str) -> tuple[Oid, os.stat_result]:
        path = self._new_path()
        if self._store.link == "hardlink":
            taken = self._store.files.take(fd, before, source, path)
            if taken:
                return taken
            os.lseek(fd, 0, os.SEEK_SET)
        oid, size = copy_in(fd, path, reflink=self._store.link in ("auto", "reflink"))
        # A file that shrank while it was read may belong into a pack: it is going to be read again.
        if size != before.st_size or self._has_large(oid):
            os.unlink(path)
        else:
            self._stage_large(oid, path)
        return oid, before

    def _stage_large(self, oid: Oid, path: str) -> None:
        self._fresh.add(oid)
        self._staged.files.append((oid, path))


def _megabytes(wanted: Sequence[Names]) -> int:
    total = 0
    for folder, names in wanted:
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(folder, name)).st_size
    return (total >> 20) + 1

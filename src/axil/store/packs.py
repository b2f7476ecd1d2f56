"""Pack files in the store's folder: reading them, finding objects in them, writing new ones."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping

from blake3 import blake3

from axil.base.atomic import write_all
from axil.base.hashing import Oid
from axil.base.light import TYPE_CHECKING
from axil.errors import Damaged
from axil.formats import pack as fmt
from axil.formats.pack import Location, Table
from axil.store.ahead import WriteAhead
from axil.store.faults import refusal

if TYPE_CHECKING:
    from zstandard import ZstdDecompressor

SUFFIX = ".pack"

_MAP_FROM = 64 << 10
_FLUSH = 1 << 20
# Searching the packs for one oid takes as long as making a set of about this many.
_SEARCH = 16
# File systems stamp a folder's change with a clock of a few milliseconds: a listing that young proves nothing.
_STAMP_DOUBT_NS = 100_000_000
_MANY_FILES = 200

# One for each thread: making one takes thrice as long as using it, and it serves one call at a time.
_decoders: dict[int, ZstdDecompressor] = {}


class Pack:
    """One open pack. Stays readable even if the file is removed meanwhile, since it is held open."""

    __slots__ = ("_fd", "mtime_ns", "path", "size", "table", "table_at")

    def __init__(self, path: str) -> None:
        """Raises `FileNotFoundError`, or `Damaged` if header, footer and table do not fit together."""
        self.path = path
        self._fd = -1
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        stat = os.fstat(self._fd)
        self.size, self.mtime_ns = stat.st_size, stat.st_mtime_ns
        fmt.check_header(os.pread(self._fd, fmt.HEADER_SIZE, 0), path)
        footer = os.pread(self._fd, fmt.FOOTER_SIZE, max(self.size - fmt.FOOTER_SIZE, 0))
        self.table_at, count = fmt.table_span(footer, self.size, path)
        self.table = self._open_table(count)

    def _open_table(self, count: int) -> Table:
        start = self.table_at
        if self.size - start < _MAP_FROM:
            return Table(self.tail(), 0, count, start, self.path)
        import mmap

        # Mapped, not loaded: a process that needs one object of a million reads a few pages.
        mapped = mmap.mmap(self._fd, self.size, access=mmap.ACCESS_READ)
        return Table(mapped, start, count, start, self.path)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    def stored(self, location: Location) -> bytes:
        """The bytes of an entry as they lie in the pack. Raises `Damaged`."""
        try:
            data = os.pread(self._fd, location.stored, location.offset)
        except OSError as error:
            raise Damaged("a pack cannot be read", f"{self.path}: {error.strerror}") from None
        if len(data) != location.stored:
            raise Damaged("a pack is damaged", f"{self.path} is cut short at {location.offset + len(data)} bytes")
        return data

    def tail(self) -> bytes:
        """Table and footer."""
        return os.pread(self._fd, self.size - self.table_at, self.table_at)

    def entries(self) -> Iterator[tuple[Oid, Location, memoryview | Damaged]]:
        """Each entry as stored, in the order they lie, many read at one go; an error in place of what cannot be read.

        Raises `Damaged` for a table that cannot be.
        """
        near: list[tuple[Oid, Location]] = []
        start = end = 0
        for row in sorted(zip(self.table.oids(), self.table.locations(), strict=True), key=_offset_of):
            offset, stored = row[1][:2]
            if near and offset + stored - start > _FLUSH:
                yield from self._at_one_go(near, start, end)
                near = []
            if not near:
                start = end = offset
            near.append(row)
            end = max(end, offset + stored)
        yield from self._at_one_go(near, start, end)

    def _at_one_go(
        self, near: Iterable[tuple[Oid, Location]], start: int, end: int
    ) -> Iterator[tuple[Oid, Location, memoryview | Damaged]]:
        """Entries that lie between `start` and `end`; each by itself where not all of it can be read."""
        try:
            data = memoryview(self.stored(Location(start, end - start, 0, fmt.BLOB, fmt.RAW)))
        except Damaged:
            for oid, location in near:
                try:
                    yield oid, location, memoryview(self.stored(location))
                except Damaged as error:
                    yield oid, location, error
        else:
            for oid, location in near:
                at = location[0] - start
                yield oid, location, data[at : at + location[1]]

    def matches(self, name: str, into: memoryview | None = None) -> bool:
        """Whether all bytes are what the id `name` (hex) says; header and entries are read to the start of `into`.

        Raises `Damaged` if they cannot be read.
        """
        hasher, done = blake3(), 0
        room = memoryview(bytearray(_FLUSH)) if into is None else into
        try:
            # Hashed while the bytes are still near the processor.
            while done < self.table_at:
                start = 0 if into is None else done
                piece = room[start : start + min(_FLUSH, self.table_at - done)]
                if not (count := os.preadv(self._fd, [piece], done)):
                    raise Damaged("a pack is damaged", f"{self.path} is cut short at {done} bytes")
                hasher.update(piece[:count])
                done += count
            tail = self.tail()
        except OSError as error:
            raise Damaged("a pack cannot be read", f"{self.path}: {error.strerror}") from None
        return fmt.id_of(tail).hex() == name and fmt.content_of(tail) == hasher.digest()

    def read(self, index: int) -> tuple[Location, bytes]:
        """Entry `index`, decoded but not yet checked against its oid. Raises `Damaged`."""
        location = self.table.location(index)
        data = self.stored(location)
        return location, data if location.codec == fmt.RAW else decompress(data, location.raw, self.path)


def _offset_of(row: tuple[Oid, Location]) -> int:
    return row[1][0]


def decompress(data: bytes, raw: int, path: str) -> bytes:
    """The `raw` bytes inside a zstd frame; the declared length is checked before anything is allocated."""
    from _thread import get_ident

    import zstandard

    try:
        if zstandard.frame_content_size(data) != raw:
            raise Damaged("a pack is damaged", f"{path} has an entry whose length is wrong")
        thread = get_ident()
        if thread not in _decoders:
            _decoders[thread] = zstandard.ZstdDecompressor()
        return _decoders[thread].decompress(data, max_output_size=raw)
    except zstandard.ZstdError as error:
        raise Damaged("a pack is damaged", f"{path} has an entry that cannot be decompressed: {error}") from None


class PackSet:
    """All packs of one folder, opened when first looked into. Other processes may add and merge packs any time."""

    __slots__ = ("_folder", "_packs", "_recent", "_scanned_ns", "_stamp", "broken")

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._packs: dict[str, Pack | None] = {}
        self._stamp = -1
        self._scanned_ns = 0
        self._recent: list[Pack] = []
        self.broken: dict[str, Damaged] = {}

    def refresh(self, *, force: bool = False) -> bool:
        """Looks for packs that came or went; says whether there were any. Costs one stat if nothing changed."""
        try:
            stamp = os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:
            stamp = 0
        if not force and stamp == self._stamp and self._scanned_ns - stamp > _STAMP_DOUBT_NS:
            return False
        self._scanned_ns = time.time_ns()
        names = [name for name in os.listdir(self._folder) if name.endswith(SUFFIX)] if stamp else []
        changed = set(names) != set(self._packs) | set(self.broken)
        if changed:
            old = self._packs
            self._packs = {name: old.get(name) for name in names if name not in self.broken}
            self.broken = {name: why for name, why in self.broken.items() if name in names}
            self._recent = []
            if len(names) > _MANY_FILES:
                _allow_many_files()
        self._stamp = stamp
        return changed

    def find(self, oid: Oid) -> tuple[Pack, int] | None:
        """The pack and index of `oid`; looks again for new packs before it says None."""
        if self._stamp < 0:
            self.refresh()
        found = self.known(oid)
        while found is None and self.refresh():
            found = self.known(oid)
        return found

    def known(self, oid: Oid) -> tuple[Pack, int] | None:
        """Like `find`, among the packs seen by the last `refresh` only."""
        if not self._packs:
            return None
        # The pack of the last hit is asked first: what is asked for together was mostly written together.
        recent = self._recent
        for at, pack in enumerate(recent):
            if (index := pack.table.find(oid)) >= 0:
                if at:
                    recent.insert(0, recent.pop(at))
                return pack, index
        for pack in self.opened() if len(recent) < len(self._packs) else ():
            if pack not in recent and (index := pack.table.find(oid)) >= 0:
                recent.insert(0, pack)
                return pack, index
        return None

    def opened(self) -> Iterator[Pack]:
        """Every readable pack; damaged ones are noted in `broken`, those that vanished are skipped."""
        for name, pack in list(self._packs.items()):
            if pack is None:
                try:
                    pack = self._packs[name] = Pack(os.path.join(self._folder, name))
                except FileNotFoundError:
                    # Merged away by another process: make the next refresh look.
                    self._packs.pop(name, None)
                    self._stamp = 0
                    continue
                except Damaged as error:
                    self._packs.pop(name, None)
                    self.broken[name] = error
                    continue
            yield pack

    def missing(self, oids: Iterable[Oid]) -> set[Oid]:
        """Those of `oids` that are in no pack."""
        self.refresh()
        absent = set(oids)
        for pack in self.opened() if absent else ():
            if len(absent) * _SEARCH < pack.table.count:
                absent -= {oid for oid in absent if pack.table.find(oid) >= 0}
            else:
                absent.difference_update(pack.table.oids())
        return absent


def _allow_many_files() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class PackWriter:
    """A pack being written under a temporary name in `folder`."""

    __slots__ = ("_ahead", "_buffer", "_fd", "_hasher", "_offset", "path", "rows")

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, f"{os.getpid()}-{os.urandom(6).hex()}.part")
        self.rows: dict[Oid, bytes] = {}
        self._hasher = blake3()
        self._buffer = bytearray(fmt.HEADER)
        self._offset = len(self._buffer)
        try:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        except OSError as error:
            raise refusal(error, self.path) from None
        self._ahead = WriteAhead(self._fd)

    @property
    def full(self) -> bool:
        """Whether it is time for the next pack."""
        return self._offset >= fmt.TARGET_SIZE or len(self.rows) >= fmt.MAX_ENTRIES

    def add(self, oid: Oid, stored: bytes, raw: int, kind: int, codec: int) -> None:
        """Appends one entry; `oid` must not be in it yet."""
        size = len(stored)
        self.rows[oid] = fmt.row(self._offset, size, raw, fmt.flags(kind, codec))
        self._buffer += stored
        self._offset += size
        if len(self._buffer) >= _FLUSH:
            self._flush()

    def add_raw(self, blobs: Mapping[Oid, bytes]) -> None:
        """Appends blobs as they are, as many as fit with room to spare; none of them may be in it yet."""
        offset, flags, row, rows = self._offset, fmt.flags(fmt.BLOB, fmt.RAW), fmt.row, self.rows
        for oid, data in blobs.items():
            size = len(data)
            rows[oid] = row(offset, size, size, flags)
            offset += size
        self._offset = offset
        self._buffer += b"".join(blobs.values())
        if len(self._buffer) >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        self._hasher.update(self._buffer)
        self._write(self._buffer)
        self._buffer = bytearray()

    def _write(self, data: bytes | bytearray) -> None:
        try:
            write_all(self._fd, memoryview(data))
        except OSError as error:
            raise refusal(error, self.path) from None
        self._ahead.wrote(len(data))

    def finish(self) -> tuple[str, str]:
        """Completes the file, which is not synced yet; its temporary path and the name it is to get."""
        self._flush()
        tail = fmt.tail(self.rows, self._hasher.digest(), os.urandom(fmt.NONCE_SIZE))
        self._write(tail)
        self.close()
        return self.path, fmt.id_of(tail).hex() + SUFFIX

    def close(self) -> None:
        """Lets go of the file, which stays incomplete unless `finish` was called."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

"""One look at a folder of the work tree: names and stats against the index, reading only what is new, tree oids.

The steps are taken in order: construct (walk and compare), `check`, `trust`, `read`, `finish`, `remember`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from struct import Struct

from axil.base.hashing import OID_SIZE, Oid
from axil.base.light import TYPE_CHECKING
from axil.base.progress import Progress
from axil.data import links, scan
from axil.data.index import Update, WorkTreeIndex
from axil.data.rows import STAT_SIZE, ZERO_STAT, Columns, Folder, Summary, pack_stat, settle_stats
from axil.errors import BadInput
from axil.formats.pointer import MAX_BYTES, SUFFIX, Pointer, looks_like
from axil.formats.tree import DIR, LINK, Entry, split_columns
from axil.formats.tree import Columns as TreeColumns

if TYPE_CHECKING:
    from axil.store import Batch, Store
    from axil.store.hashing import Names, Read

    ReadNames = Callable[[Sequence[Names], Progress], Sequence[Read]]

SHOWN = 20
_SIZES = Struct("<q24x")
_SUFFIX = SUFFIX.encode()


class Unsettled(BadInput):
    """Files came, went or changed while they were read."""


class Seen:
    """A folder as it is on disk.

    `todo` are the positions of files and links whose content is not known, `changed` says that the row must be written
    anew, `safe` that all known content is in the store.
    """

    __slots__ = ("changed", "columns", "listing", "row", "safe", "summary", "todo")

    def __init__(self, listing: scan.Listing, row: Folder | None) -> None:
        self.listing = listing
        self.row = row
        self.columns: Columns | None = None
        self.todo: list[int] = []
        self.changed = True
        self.safe = False
        self.summary: Summary | None = None


class Look:
    """The state of one look at the folder `path` (project path) below `root`."""

    def __init__(
        self, index: WorkTreeIndex, root: str, path: str, *, tracked: bool = False, keep: bool = False
    ) -> None:
        """Walks and compares. With `tracked` every name counts; with `keep` links must stay inside the folder.

        Raises `BadInput` for folders that cannot be read.
        """
        self.index = index
        self.top = os.fsencode(root)
        self.path = b"" if path in ("", ".") else os.fsencode(path)
        self.keep = keep
        # Outputs are noted in the index like tracked data; only those with a pointer are data.
        whole = {
            os.fsencode(name) for name in index.all_tracked() if os.path.lexists(os.path.join(root, name + SUFFIX))
        }
        if tracked:
            whole.add(self.path)
        try:
            self.stamp = scan.now_of(os.path.join(self.top, self.path), index.clock)
            rows = index.load(self.path)
            listings = scan.walk(self.top, self.path, _everything(whole))
            self.folders = {name: Seen(listing, rows.get(name)) for name, listing in listings.items()}
            self.gone = [name for name in rows if name not in listings]
            self._compare(listings)
        except OSError as error:
            raise unreadable([(self._show_path(error.filename), error)]) from None

    def _compare(self, listings: dict[bytes, scan.Listing]) -> None:
        wanted: list[scan.Stats] = []
        for name, seen in self.folders.items():
            if seen.row is None:
                continue
            joined = b"\0".join(seen.listing.names)
            same = joined == b"\0".join(segment.names for segment in seen.row.segments)
            expected = b"".join(segment.stats for segment in seen.row.segments) if same else None
            seen.changed = not same
            wanted += scan.jobs(name, len(seen.listing.names), expected)
        answers: dict[bytes, list[tuple[scan.Stats, bytes]]] = {}
        for portion, stats in zip(wanted, scan.measure(self.top, listings, wanted), strict=True):
            if stats is not None:
                answers.setdefault(portion.folder, []).append((portion, stats))
        for name, seen in self.folders.items():
            if seen.row is None or name in answers or seen.changed:
                _sort_out(seen, answers.get(name, []))

    def check(self) -> None:
        """Refuse what tracked data must not hold. Raises `BadInput` with the list."""
        bad: list[tuple[str, str]] = []
        for name, seen in self.folders.items():
            names, kinds = seen.listing
            joined = b"\0".join(names)
            if b".git" in joined.lower() and any(entry.lower() == b".git" for entry in names):
                bad.append((self._show(name, b".git"), "a git repository inside data"))
            if scan.OTHER_KIND not in kinds and _SUFFIX not in joined:
                continue
            for at, kind in enumerate(kinds):
                if kind == scan.OTHER_KIND:
                    bad.append((self._show(name, names[at]), "a device, socket or pipe"))
                elif kind == scan.FILE_KIND and names[at].endswith(_SUFFIX) and self._is_pointer(name, names[at]):
                    bad.append((self._show(name, names[at]), "a pointer: this data is tracked by itself"))
        if bad:
            raise refuse(bad, "track")

    def trust(self, store: Store, recheck: bool) -> None:
        """Find out which known files are surely in the store; the others are read again.

        A stored tree has all that is below it in the store, because children are stored before parents and collected
        after them. So it is enough to ask for trees, unless `recheck`.
        """
        stored: dict[bytes, Oid] = {}
        if not recheck:
            for name, seen in self.folders.items():
                if seen.row is not None and seen.row.summary is not None and seen.row.summary.stored:
                    stored[name] = seen.row.summary.oid
        absent = store.missing(set(stored.values()))
        doubtful: dict[bytes, set[Oid]] = {}
        for name, seen in self.folders.items():
            seen.safe = name in stored and stored[name] not in absent
            if not seen.safe:
                columns = _columns(seen)
                if len(seen.todo) == len(columns.names):
                    continue
                unknown = set(seen.todo)
                # Links are read again: whoever looked at them before may not have cared where they lead.
                unknown.update(at for at, kind in enumerate(columns.kinds) if kind == LINK[0])
                seen.todo = sorted(unknown)
                doubtful[name] = {
                    _oid(columns, at) for at, kind in enumerate(columns.kinds) if kind != DIR[0] and at not in unknown
                }
        lost = store.missing(set().union(*doubtful.values())) if doubtful else set()
        for name, oids in doubtful.items():
            if oids & lost:
                columns = _columns(self.folders[name])
                again = {at for at, kind in enumerate(columns.kinds) if kind != DIR[0] and _oid(columns, at) in lost}
                self.folders[name].todo = sorted(again.union(self.folders[name].todo))
                self.folders[name].changed = True

    def read(self, files: ReadNames, blob: Callable[[bytes], Oid], progress: Progress) -> None:
        """Learn the content of everything unknown; `files` and `blob` store it, or only hash it."""
        if not any(seen.todo for seen in self.folders.values()):
            return
        from axil.store import hashing

        todo: list[tuple[Seen, list[int]]] = []
        wanted: list[Names] = []
        bad: list[tuple[str, str]] = []
        for folder, seen in self.folders.items():
            if not seen.todo:
                continue
            names, kinds = seen.listing
            for at in seen.todo if scan.LINK_KIND in kinds else ():
                if kinds[at] == scan.LINK_KIND:
                    self._read_link(folder, seen, at, blob, bad)
            files_at = [at for at in seen.todo if kinds[at] != scan.LINK_KIND]
            for start in range(0, len(files_at), hashing.PORTION):
                places = files_at[start : start + hashing.PORTION]
                todo.append((seen, places))
                wanted.append(hashing.Names(os.path.join(self.top, folder), [names[at] for at in places]))
        if bad:
            raise refuse(bad, "keep")
        failed: list[tuple[str, OSError]] = []
        for (seen, places), answer in zip(todo, files(wanted, progress), strict=True):
            failed += [(self._show_path(error.filename), error) for error in answer.failed.values()]
            _fill(_columns(seen), places, answer, self.stamp)
        if failed:
            raise unreadable(failed)

    def finish(self, batch: Batch | None = None) -> Pointer:
        """The whole folder's content; with a `batch`, its trees are stored there."""
        # Children sort after their parents.
        for name in sorted(self.folders, reverse=True):
            self._sum_up(name, self.folders[name], batch)
        return self.content

    @property
    def content(self) -> Pointer:
        """The whole folder; after `finish`."""
        summary = self.folders[self.path].summary
        assert summary is not None
        return Pointer("tree", summary.oid, summary.size, summary.files)

    def remember(self, *, stored: bool) -> None:
        """Write what was learnt to the index; `stored` after the batch of `finish` was committed."""
        updates: dict[bytes, Update] = {}
        for name, seen in self.folders.items():
            row, summary = seen.row, seen.summary
            assert summary is not None
            if stored:
                summary = summary._replace(stored=True)
            if row is None or seen.changed:
                updates[name] = Update(row, _columns(seen).cut(row), summary)
            elif row.summary != summary:
                updates[name] = Update(row, row.segments, summary)
        self.index.write(updates, self.gone)

    def entries(self, folder: bytes) -> list[Entry]:
        """The entries of one folder (project path) as they are on disk; after `finish`."""
        seen = self.folders[folder]
        columns = _columns(seen)
        oids = [bytes(columns.oids[at : at + OID_SIZE]) for at in range(0, len(columns.oids), OID_SIZE)]
        return list(map(Entry, columns.names, columns.kinds, self._sizes(folder, columns), oids))

    def _sizes(self, folder: bytes, columns: Columns) -> list[int]:
        """The size of each entry; of a folder that of all in it."""
        sizes = [size for (size,) in _SIZES.iter_unpack(columns.stats)]
        if DIR[0] in columns.kinds:
            prefix = folder + b"/" if folder else b""
            for at, kind in enumerate(columns.kinds):
                if kind == DIR[0] and (below := self.folders[prefix + columns.names[at]].summary) is not None:
                    sizes[at] = below.size
        return sizes

    def _sum_up(self, name: bytes, seen: Seen, batch: Batch | None) -> None:
        kinds = seen.listing.kinds
        files = len(kinds)
        if scan.DIR_KIND in kinds:
            prefix = name + b"/" if name else b""
            for at, kind in enumerate(kinds):
                if kind != scan.DIR_KIND:
                    continue
                below = self.folders[prefix + seen.listing.names[at]].summary
                assert below is not None
                files += below.files - 1
                old = _columns(seen)
                if old.kinds[at] != kind or old.oids[at * OID_SIZE : (at + 1) * OID_SIZE] != below.oid:
                    seen.changed = True
                    _set(old, at, kind, ZERO_STAT, below.oid)
        if not seen.changed and seen.row is not None and seen.row.summary is not None and (batch is None or seen.safe):
            seen.summary = seen.row.summary
            return
        columns = _columns(seen)
        sizes = self._sizes(name, columns)
        whole = TreeColumns(columns.names, bytes(columns.kinds), sizes, bytes(columns.oids))
        oid = batch.put_columns(whole) if batch is not None else split_columns(whole)[-1][0]
        seen.summary = Summary(oid, sum(sizes), files, False)

    def _read_link(
        self, folder: bytes, seen: Seen, at: int, blob: Callable[[bytes], Oid], bad: list[tuple[str, str]]
    ) -> None:
        name = seen.listing.names[at]
        full = os.path.join(self.top, folder, name)
        try:
            found = os.lstat(full)
            target = os.readlink(full)
        except OSError as error:
            bad.append((self._show(folder, name), error.strerror or "changed while it was read"))
            return
        if self.keep:
            why = links.fault(folder[len(self.path) :].lstrip(b"/"), target)
            if why:
                bad.append((self._show(folder, name), f"a link to {os.fsdecode(target)!r}: {why}"))
                return
        stat = pack_stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, self.stamp)
        _set(_columns(seen), at, LINK[0], stat, blob(target))

    def _is_pointer(self, folder: bytes, name: bytes) -> bool:
        try:
            with open(os.path.join(self.top, folder, name), "rb") as file:
                return looks_like(file.read(MAX_BYTES + 1))
        except OSError:
            return False

    def _show(self, folder: bytes, name: bytes) -> str:
        return os.fsdecode(folder + b"/" + name if folder else name)

    def _show_path(self, path: str | bytes | None) -> str:
        full = os.fsdecode(path or b"")
        top = os.path.join(os.fsdecode(self.top), "")
        return full[len(top) :] if full.startswith(top) else full


def refuse(items: Sequence[tuple[str, str]], verb: str) -> BadInput:
    """The error for paths that cannot be used, with at most 20 of them listed."""
    lines = [f"{path!a}: {why}" if "\n" in path else f"{path}: {why}" for path, why in items[:SHOWN]]
    if len(items) > SHOWN:
        lines.append(f"… and {len(items) - SHOWN} more")
    what = f"cannot {verb} {items[0][0]}" if len(items) == 1 else f"cannot {verb} {len(items)} paths"
    return BadInput(what, "\n".join(lines), "remove or replace them and try again; nothing was changed")


def unreadable(failed: Sequence[tuple[str, OSError]]) -> BadInput:
    """The error for files that could not be read; an `Unsettled` if trying again may help."""
    error = refuse([(path, one.strerror or str(one)) for path, one in failed], "read")
    if any(one.errno == errno.EINVAL for _, one in failed):
        hint = "devices, sockets and pipes cannot be tracked: move them elsewhere; nothing was changed"
        return BadInput(error.what, error.why, hint)
    if all(one.errno in (errno.ENOENT, errno.EBUSY, errno.ENOTDIR, errno.ELOOP) for _, one in failed):
        return Unsettled(error.what, error.why, "something is writing there: let it finish and try again")
    return BadInput(error.what, error.why, "make them readable and try again; nothing was changed")


def _everything(whole: set[bytes]) -> Callable[[bytes], bool]:
    """Whether all names of a folder count, because it is tracked data or inside it."""

    def decide(folder: bytes) -> bool:
        while folder not in whole:
            if not folder:
                return False
            folder = folder.rpartition(b"/")[0]
        return True

    return decide


def _sort_out(seen: Seen, answers: list[tuple[scan.Stats, bytes]]) -> None:
    """Take over from the row what has the same name and stat; the rest is to be read."""
    names, kinds = seen.listing
    seen.changed = True
    count = len(names)
    files: Sequence[int] = range(count)
    if scan.DIR_KIND in kinds:
        files = [at for at, kind in enumerate(kinds) if kind != scan.DIR_KIND]
    if seen.row is None:
        seen.columns = Columns(names, bytearray(kinds), bytearray(count * STAT_SIZE), bytearray(count * OID_SIZE))
        seen.todo = list(files)
        return
    old = Columns.of(seen.row)
    if old.names == names:
        for portion, stats in answers:
            for at in range(portion.low, portion.high):
                low = (at - portion.low) * STAT_SIZE
                if stats[low : low + STAT_SIZE] != old.stats[at * STAT_SIZE : (at + 1) * STAT_SIZE]:
                    seen.todo.append(at)
        seen.columns = old
    else:
        stats = b"".join(stats for _, stats in answers)
        seen.columns = new = Columns(names, bytearray(kinds), bytearray(stats), bytearray(count * OID_SIZE))
        places = {name: at for at, name in enumerate(old.names)}
        for at, name in enumerate(names):
            before = places.get(name, -1)
            low = at * STAT_SIZE
            if before >= 0 and stats[low : low + STAT_SIZE] == old.stats[before * STAT_SIZE : (before + 1) * STAT_SIZE]:
                new.kinds[at] = old.kinds[before]
                new.oids[at * OID_SIZE : (at + 1) * OID_SIZE] = old.oids[before * OID_SIZE : (before + 1) * OID_SIZE]
            else:
                seen.todo.append(at)
    seen.todo = sorted(set(seen.todo).intersection(files))


def _columns(seen: Seen) -> Columns:
    if seen.columns is None:
        seen.columns = Columns.of(seen.row)
    return seen.columns


def _oid(columns: Columns, at: int) -> Oid:
    return bytes(columns.oids[at * OID_SIZE : (at + 1) * OID_SIZE])


def _set(columns: Columns, at: int, kind: int, stat: bytes, oid: Oid) -> None:
    columns.kinds[at] = kind
    columns.stats[at * STAT_SIZE : (at + 1) * STAT_SIZE] = stat
    columns.oids[at * OID_SIZE : (at + 1) * OID_SIZE] = oid


def _fill(columns: Columns, places: list[int], answer: Read, stamp: int) -> None:
    """Put what was read to its places, all at once if these are neighbours."""
    stats = settle_stats(answer.stats, stamp)
    low, high = places[0], places[-1] + 1
    if high - low == len(places):
        columns.kinds[low:high] = answer.kinds
        columns.stats[low * STAT_SIZE : high * STAT_SIZE] = stats
        columns.oids[low * OID_SIZE : high * OID_SIZE] = answer.oids
        return
    for number, at in enumerate(places):
        stat = stats[number * STAT_SIZE : (number + 1) * STAT_SIZE]
        oid = answer.oids[number * OID_SIZE : (number + 1) * OID_SIZE]
        _set(columns, at, answer.kinds[number], stat, oid)

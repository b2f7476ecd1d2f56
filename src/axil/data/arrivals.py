"""What the index is to know of files just written, in columns by folder, so that a million fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, starmap
from struct import Struct

from axil.base.light import TYPE_CHECKING
from axil.data.rows import Columns, Known, settle_stats
from axil.formats.tree import Entry

if TYPE_CHECKING:
    from axil.store import Placed

_STAT = Struct("<qqqq")


class Arrivals:
    """Entries of folders; `count` of them were written."""

    def __init__(self) -> None:
        self.count = 0
        self.folders: dict[bytes, Columns] = {}

    def add(self, files: Sequence[tuple[bytes, Entry]], placed: Iterable[Placed]) -> None:
        """Files and links that were written, with their stats then; before `settle`."""
        self.count += len(files)
        for folder, group in groupby(sorted(zip(files, placed, strict=True)), lambda one: _folder_of(one[0][0])):
            # Taken apart together: there may be a thousand of them.
            written, stats = zip(*group, strict=True)
            entries = [entry for _, entry in written]
            columns = Columns(
                [entry.name for entry in entries],
                bytearray(entry.kind for entry in entries),
                bytearray().join(starmap(_STAT.pack, stats)),
                bytearray().join(entry.oid for entry in entries),
            )
            self._columns(folder).merge(columns)

    def settle(self, stamp: int) -> None:
        """Trust the stats that are older than `stamp`, see `pack_stat`."""
        for columns in self.folders.values():
            columns.stats = bytearray(settle_stats(columns.stats, stamp))

    def note(self, path: bytes, known: Known) -> None:
        """An entry of which this is known; after `settle`."""
        folder, _, name = path.rpartition(b"/")
        self._columns(folder).put(name, known)

    def take(self, folder: bytes) -> Columns:
        """The entries of `folder`, which are forgotten here."""
        return self.folders.pop(folder, None) or Columns.of(None)

    def _columns(self, folder: bytes) -> Columns:
        found = self.folders.get(folder)
        if found is None:
            found = self.folders[folder] = Columns.of(None)
        return found


def _folder_of(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]

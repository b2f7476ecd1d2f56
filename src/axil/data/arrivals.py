"""What the index is to know of files just written, in columns by folder, so that a million fit into memory."""

from __future__ import annotations

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

    def add(self, path: bytes, entry: Entry, placed: Placed) -> None:
        """A file or link that was written, with its stat then; before `settle`."""
        self.count += 1
        self._columns(path).put(entry.name, Known(entry.kind, _STAT.pack(*placed), entry.oid))

    def settle(self, stamp: int) -> None:
        """Trust the stats that are older than `stamp`, see `pack_stat`."""
        for columns in self.folders.values():
            columns.stats = bytearray(settle_stats(columns.stats, stamp))

    def note(self, path: bytes, known: Known) -> None:
        """An entry of which this is known; after `settle`."""
        self._columns(path).put(path.rpartition(b"/")[2], known)

    def take(self, folder: bytes) -> Columns:
        """The entries of `folder`, which are forgotten here."""
        return self.folders.pop(folder, None) or Columns.of(None)

    def _columns(self, path: bytes) -> Columns:
        folder = path.rpartition(b"/")[0]
        found = self.folders.get(folder)
        if found is None:
            found = self.folders[folder] = Columns.of(None)
        return found

"""The store of one repository: reading, looking up and comparing objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from axil.base.clock import Clock, system_clock
from axil.base.hashing import Oid, hash_bytes
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, Damaged, UsageError
from axil.formats import tree
from axil.formats.tree import Entry
from axil.store import faults

# A store is opened by every command and used by few: what it needs is imported then.
if TYPE_CHECKING:
    from axil.store.batch import Batch
    from axil.store.files import LargeFiles
    from axil.store.packs import PackSet
    from axil.store.place import Placed

LINKS = ("auto", "copy", "reflink", "hardlink")


class Usage(NamedTuple):
    """What a store holds; bytes are as they lie on the disk."""

    packs: int
    packed_objects: int
    packed_bytes: int
    files: int
    file_bytes: int


class Store:
    """Immutable objects under the folder `root`. Opening does no I/O; a missing folder is an empty store.

    `link` says how large files get into and out of the store: "auto" shares blocks where the file system can and
    copies elsewhere, "copy" always copies, "reflink" refuses where blocks cannot be shared, "hardlink" makes work tree
    and store one read-only file. Safe for several processes, and for threads that only read.
    """

    def __init__(self, root: str, *, link: str = "auto", clock: Clock = system_clock) -> None:
        if link not in LINKS:
            raise UsageError(f"unknown kind of link {link!r}", f"known are {', '.join(LINKS)}")
        self.root = root
        self.link = link
        self.clock = clock
        self._files: LargeFiles | None = None
        self._packs: PackSet | None = None

    @property
    def packs(self) -> PackSet:
        """The packs. Raises `AxilError` if a newer axil made this store."""
        if self._packs is None:
            from axil.store.packs import PackSet
            from axil.store.temporary import check_format

            check_format(self.root)
            self._packs = PackSet(os.path.join(self.root, "packs"))
        return self._packs

    @property
    def files(self) -> LargeFiles:
        """The large blobs."""
        if self._files is None:
            from axil.store.files import LargeFiles

            self._files = LargeFiles(os.path.join(self.root, "files"), self.clock)
        return self._files

    def has(self, oid: Oid) -> bool:
        """Whether `oid` is in the store."""
        return self.packs.find(oid) is not None or self.files.stat(oid) is not None

    def missing(self, oids: Iterable[Oid]) -> set[Oid]:
        """Those of `oids` that are not in the store."""
        return {oid for oid in self.packs.missing(oids) if self.files.stat(oid) is None}

    def is_tree(self, oid: Oid) -> bool:
        """Whether `oid` is here and was stored as a directory."""
        from axil.formats.pack import TREE

        found = self.packs.find(oid)
        return found is not None and found[0].table.location(found[1]).type == TREE

    def size(self, oid: Oid) -> int:
        """The length of an object in bytes, from the table alone. Raises `NotFound`."""
        if found := self.packs.find(oid):
            return found[0].table.location(found[1]).raw
        if stat := self.files.stat(oid):
            return stat.st_size
        raise self.absent(oid)

    def read(self, oid: Oid) -> bytes:
        """The bytes of a blob or tree, checked against their hash. Raises `NotFound` or `Damaged`."""
        found = self.packs.find(oid)
        if found:
            path = found[0].path
            data = found[0].read(found[1])[1]
        else:
            path = self.files.path(oid)
            try:
                with open(path, "rb") as file:
                    data = file.read()
            except FileNotFoundError:
                raise self.absent(oid) from None
        if hash_bytes(data) != oid:
            raise faults.damaged(oid, path, "its bytes do not match its name")
        return data

    def entries(self, oid: Oid) -> list[Entry]:
        """The entries of one directory, sorted by name. Raises `NotFound` or `Damaged`."""
        level, rows = self._node(oid)
        while level:
            rows = self._below(oid, level, rows)
            level -= 1
        return rows

    def differing(self, a: Oid | None, b: Oid | None) -> tuple[list[Entry], list[Entry]]:
        """The entries of directory `a` that are not the same in `b`, and the reverse; None is an empty directory.

        Sub-nodes that both have are not read, so the cost follows the difference.
        """
        if a == b:
            return [], []
        if a is not None and b is not None and (same := self._changed(a, b)) is not None:
            return same
        level_a, rows_a = self._node(a) if a is not None else (0, [])
        level_b, rows_b = self._node(b) if b is not None else (0, [])
        while level_a or level_b:
            top = max(level_a, level_b)
            if level_a == level_b:
                rows_a, rows_b = _without_common(rows_a, rows_b)
            if level_a == top:
                rows_a = self._below(a or b"", top, rows_a)
                level_a -= 1
            if level_b == top:
                rows_b = self._below(b or b"", top, rows_b)
                level_b -= 1
        return _without_common(rows_a, rows_b)

    def _changed(self, a: Oid, b: Oid) -> tuple[list[Entry], list[Entry]] | None:
        """What differs in two directories of which all nodes on the way have the same names; None if some have not.

        That is what edits of files make, and here it costs little more than reading the nodes.
        """
        pairs = [(a, b)]
        while True:
            old: list[Entry] = []
            new: list[Entry] = []
            levels = set()
            for one, other in pairs:
                try:
                    found = tree.changed(self.read(one), self.read(other))
                except Damaged as error:
                    raise faults.damaged(one, "its content is not a directory", error.why) from None
                if found is None:
                    return None
                level, gone, come = found
                levels.add(level)
                old += gone
                new += come
            names = [entry.name for entry in old]
            if len(levels) > 1 or names != sorted(set(names)):
                return None  # Nodes that do not belong together: reading them all tells which.
            if levels in (set(), {0}):
                return old, new
            pairs = [(x.oid, y.oid) for x, y in zip(old, new, strict=True)]

    def _node(self, oid: Oid) -> tuple[int, list[Entry]]:
        data = self.read(oid)
        try:
            return tree.decode(data)
        except Damaged as error:
            raise faults.damaged(oid, "its content is not a directory", error.why) from None

    def _below(self, parent: Oid, level: int, nodes: Sequence[Entry]) -> list[Entry]:
        """All entries inside sub-nodes that stand at `level`; checks that they are where the parent says."""
        rows: list[Entry] = []
        for node in nodes:
            below, part = self._node(node.oid)
            if below != level - 1 or not part or part[0].name != node.name or (rows and rows[-1].name >= node.name):
                raise faults.damaged(parent, "a directory", f"its part {node.oid.hex()[:12]} does not belong there")
            rows += part
        return rows

    def batch(self) -> Batch:
        """A new batch of objects to write."""
        from axil.store.batch import Batch

        return Batch(self)

    def place_files(
        self,
        items: Sequence[tuple[Oid, int, str, bool]],
        progress: Progress = SILENT,
        instead: Mapping[str, str] | None = None,
    ) -> list[Placed]:
        """Writes blobs into work tree files: (oid, size, absolute path, executable) each; see `place.place_files`."""
        from axil.store.place import place_files

        return place_files(self, items, progress, instead)

    def usage(self) -> Usage:
        """Counts what is stored, from listings and tables."""
        self.packs.refresh()
        packs = list(self.packs.opened())
        sizes = [entry.stat().st_size for entry in self.files.all()]
        counts = sum(pack.table.count for pack in packs)
        return Usage(len(packs), counts, sum(pack.size for pack in packs), len(sizes), sum(sizes))

    def absent(self, oid: Oid) -> AxilError:
        """Why an object cannot be found: perhaps it is in a pack that is damaged."""
        for error in self.packs.broken.values():
            return Damaged(f"object {oid.hex()[:12]} cannot be found", error.why, "run `axil verify` to see all damage")
        return faults.missing(oid)


def _without_common(rows_a: list[Entry], rows_b: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    common = set(rows_a) & set(rows_b)
    return [row for row in rows_a if row not in common], [row for row in rows_b if row not in common]

"""What pushed objects need: their directories descended in the store, down to what a root protects already."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet

from axil.base.hashing import OID_SIZE, Oid
from axil.errors import Damaged
from axil.formats import pack as fmt
from axil.formats import tree
from axil.store import Store, faults
from axil.store.hashing import LARGE
from axil.transfer.catalog import Catalog
from axil.transfer.lookup import trees_at
from axil.transfer.source import Source

_TREES = (tree.DIR[0], tree.NODE[0])


class Closure:
    """Directories and blobs that must be on the remote; large blobs, which may be there as recipes, in `large` too."""

    def __init__(self, store: Store, catalog: Catalog, avoid: frozenset[Oid], whole: int) -> None:
        self.trees: set[Oid] = set()
        self.blobs: set[Oid] = set()
        self.large: set[Oid] = set()
        self.covered: set[Oid] = set()
        """Where descending stopped, since a root protects it."""
        self.elsewhere: set[Oid] = set()
        """Directories that are not here, on the remote or nowhere."""
        self.absent_here: set[Oid] = set()
        """Pushed objects that are not here."""
        self._store, self._catalog = store, catalog
        self._avoid = avoid
        self._cut_from = cut_from(whole)

    def add(self, objects: Iterable[Oid], protected: Collection[Oid]) -> None:
        """Take in `objects` and all they name. Raises `Damaged` for a directory that is not what its name says."""
        level: list[Oid] = []
        for oid in dict.fromkeys(objects):
            if oid in protected:
                self.covered.add(oid)
            elif self._store.is_tree(oid):
                level.append(oid)
            elif self._store.has(oid):
                self._blob(oid, self._store.size(oid))
            else:
                self._not_here(oid)
        self.trees.update(level)
        self._descend(level, protected)

    def _descend(self, level: list[Oid], protected: Collection[Oid]) -> None:
        """Take in all that the directories `level`, which are here, name."""
        while level:
            oid = level.pop()
            try:
                data = self._store.read(oid)
                level += self._children(data, protected)
            except Damaged as error:
                raise faults.damaged(oid, "a directory", error.why) from None

    def _children(self, data: bytes, protected: Collection[Oid]) -> list[Oid]:
        """Take in what the directory with these bytes names; the new directories of it that are here."""
        below: list[Oid] = []
        trees, blobs, cut_from = self.trees, self.blobs, self._cut_from
        kinds, sizes, joined = tree.outline(data)
        oids = [joined[at : at + OID_SIZE] for at in range(0, len(joined), OID_SIZE)]
        if sizes and max(sizes) >= cut_from:
            rows = zip(kinds, sizes, oids, strict=True)
            self.large.update(oid for kind, size, oid in rows if size >= cut_from and kind not in _TREES)
        if not kinds.translate(None, tree.FILE + tree.EXEC + tree.LINK):
            blobs.update(oids)
            return below
        for kind, oid in zip(kinds, oids, strict=True):
            if kind not in _TREES:
                blobs.add(oid)
            elif oid in protected:
                self.covered.add(oid)
            elif oid not in trees and oid not in self.elsewhere:
                if self._store.has(oid):
                    trees.add(oid)
                    below.append(oid)
                else:
                    self.elsewhere.add(oid)
        return below

    def add_elsewhere(self, protected: Collection[Oid], alive: Callable[[], None]) -> None:
        """Take in what directories that are not here name: they are read on the remote, each level in one round.

        Those that cannot be had stay in `elsewhere`. Raises `Damaged` for one that is wrong there; `alive` is called
        again and again.
        """
        source = Source(self._catalog)
        source.give_up_on(self._avoid)
        done: set[Oid] = set()
        while level := self.elsewhere - done:
            done |= level
            found = trees_at(self._catalog, level, self._avoid)
            local: list[Oid] = []
            for entry in source.entries(found, known=found):
                alive()
                local += self._children(entry.data, protected)
            if source.damaged:
                source.complain()
            self._descend(local, protected)

    def _blob(self, oid: Oid, size: int) -> None:
        self.blobs.add(oid)
        if size >= self._cut_from:
            self.large.add(oid)

    def _not_here(self, oid: Oid) -> None:
        self.absent_here.add(oid)
        place = self._catalog.find(oid, self._avoid)
        if place is None or place.type == fmt.TREE:
            self.elsewhere.add(oid)
        else:
            self._blob(oid, self._cut_from if place.type == fmt.RECIPE else place.raw)

    def all(self) -> set[Oid]:
        """Everything that must be on the remote under its own name."""
        return self.trees | self.blobs | self.elsewhere

    def without(self, some: AbstractSet[Oid]) -> set[Oid]:
        """`all()` but for `some`."""
        return (self.trees - some) | (self.blobs - some) | (self.elsewhere - some)


def missing(catalog: Catalog, closure: Closure, avoid: frozenset[Oid]) -> set[Oid]:
    """What must be on the remote and lies nowhere but in packs to `avoid`.

    A directory that is there only as a file of the same bytes is missing: whoever reads a root would take it for one.
    """
    folders = closure.trees | closure.elsewhere
    found = folders.difference(absent := catalog.missing(folders, avoid))
    absent |= found - trees_at(catalog, found, avoid).keys()
    blobs = catalog.missing(closure.blobs, avoid)
    blobs |= absent  # Not the other way round: of these there may be millions.
    return blobs


def cut_from(whole: int) -> int:
    """From how many bytes on a blob is cut. What lies in a local pack never is: cutting gains nothing there."""
    return max(whole + 1, LARGE)

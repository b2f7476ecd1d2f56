"""Objects brought from a remote into the store: directories level by level, then what they name.

Whatever the remote answers, nothing comes into the store that is not what its name says.
"""

from __future__ import annotations

from collections.abc import Iterable

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Damaged, NotFound
from axil.formats import pack as fmt
from axil.formats import tree
from axil.formats.index import Place
from axil.store import Batch, Store
from axil.store.hashing import LARGE
from axil.transfer.assemble import assemble
from axil.transfer.catalog import Catalog
from axil.transfer.lookup import places
from axil.transfer.ranges import Entry
from axil.transfer.source import Source

MAX_DEPTH = 4096
"""Directories nested deeper cannot be placed on a disk; more levels than this come from somebody's ill will."""

_COMMIT_BYTES = 1 << 30
"""So much is made durable at a time: a fetch that breaks off need not begin anew."""


class FetchPlan(NamedTuple):
    """What a fetch would bring, as far as it is known without asking."""

    objects: int
    bytes: int
    """As they lie on the remote."""
    missing: tuple[Oid, ...]
    """What is neither here nor, as far as is known, on the remote."""
    whole: bool
    """False if there are directories that are not here, so that it is not known what they name."""


class Fetched(NamedTuple):
    """What a fetch brought; bytes as they lay on the remote."""

    objects: int
    bytes: int


def plan_fetch(store: Store, catalog: Catalog, oids: Iterable[Oid]) -> FetchPlan:
    """What `fetch` would do, without the network and without writing. Directories that are here are descended."""
    walk = Walk(store)
    absent: set[Oid] = set()
    frontier = walk.begin(oids)
    while frontier:
        away = store.missing(frontier)
        absent |= away
        frontier = walk.descend({oid: store.read(oid) for oid in frontier if oid not in away})
    whole = not absent
    absent |= store.missing(walk.blobs)
    found = places(catalog, absent)
    unknown = {oid for oid in absent - walk.blobs.keys() if oid in found and found[oid].type != fmt.TREE}
    return FetchPlan(
        len(found),
        sum(_weight(place, walk.blobs.get(oid, 0)) for oid, place in found.items()),
        tuple(sorted(absent - found.keys())),
        whole or absent - walk.blobs.keys() <= unknown,
    )


def _weight(place: Place, size: int) -> int:
    """The bytes of an object that travel: of a large blob, that its recipe's chunks are about as long as itself."""
    return max(place.stored, size) if place.type == fmt.RECIPE else place.stored


def fetch(
    store: Store, catalog: Catalog, oids: Iterable[Oid], *, trees_only: bool = False, progress: Progress = SILENT
) -> Fetched:
    """Makes everything reachable from `oids` (blobs or directories) local and durable.

    Raises `NotFound` if something is neither here nor on the remote, after everything else was fetched, and `Damaged`
    for what is wrong on the remote twice; what came before stays.
    """
    job = _Fetch(store, catalog, progress)
    with store.batch() as batch:
        blobs = job.trees(oids, batch)
        if not trees_only:
            job.blobs(blobs)
        # Last, as a directory comes after what it names; what is incomplete is found out again by whoever needs it.
        batch.commit()
    absent = job.source.absent
    if absent:
        first = min(absent).hex()
        raise NotFound(
            f"{len(absent)} objects are neither here nor on {catalog.remote.url}",
            f"the first is {first}",
            "push from the clone that made them, or fetch from another remote",
        )
    return Fetched(job.objects, job.bytes)


class Walk:
    """Directories descended level by level; checks that they fit what their parents say of them."""

    def __init__(self, store: Store) -> None:
        self.blobs: dict[Oid, int] = {}
        """Blobs that were named, with their sizes, -1 if nobody stated it."""
        self._store = store
        self._trees: dict[Oid, tuple[int, int, bytes]] = {}
        """Directories that were named: size (or -1), level (or -1) and first name (or "")."""
        self._depth = 0

    def begin(self, oids: Iterable[Oid]) -> list[Oid]:
        """The first level: those of `oids` that are directories, or are not here."""
        frontier = []
        here = set(wanted := list(dict.fromkeys(oids)))
        here -= self._store.missing(wanted)
        for oid in wanted:
            if oid not in here or self._store.is_tree(oid):
                self._trees[oid] = _UNKNOWN
                frontier.append(oid)
        return frontier

    def is_blob(self, oid: Oid) -> bool:
        """Whether `oid`, which was stored as a blob, is one: no directory says that it is a directory. It is noted."""
        if self._trees[oid] != _UNKNOWN:
            return False
        self.blobs.setdefault(oid, -1)
        return True

    def descend(self, level: dict[Oid, bytes]) -> list[Oid]:
        """The directories named by those of `level` (oid -> bytes) that were not named before; notes the blobs.

        Raises `Damaged`.
        """
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Damaged("directories are nested too deep", f"there are over {MAX_DEPTH} levels")
        frontier: list[Oid] = []
        for oid, data in level.items():
            depth, rows = self._decode(oid, data)
            for name, kind, size, child in rows:
                if kind in _TREES:
                    claim = (size, depth - 1, name) if depth else (size, -1, b"")
                    if self._note(oid, child, claim):
                        frontier.append(child)
                elif self.blobs.setdefault(child, size) != size:
                    raise _disagree(oid, child)
        return frontier

    def _note(self, oid: Oid, child: Oid, claim: tuple[int, int, bytes]) -> bool:
        known = self._trees.get(child)
        if known is None:
            self._trees[child] = claim
            return True
        if known[0] not in (-1, claim[0]):
            raise _disagree(oid, child)
        return False

    def _decode(self, oid: Oid, data: bytes) -> tuple[int, list[tree.Entry]]:
        level, rows = tree.decode(data)
        size, expected, first = self._trees[oid]
        if size >= 0 and size != sum(row.size for row in rows):
            raise Damaged(f"directory {oid.hex()[:12]} is damaged", "it has not the size that its parent says")
        if expected >= 0 and (level != expected or not rows or rows[0].name != first):
            raise Damaged(f"directory {oid.hex()[:12]} is damaged", "it is not the part that its parent says")
        return level, rows


_TREES = (tree.DIR[0], tree.NODE[0])
_UNKNOWN = (-1, -1, b"")


def _disagree(parent: Oid, child: Oid) -> Damaged:
    return Damaged(
        f"directory {parent.hex()[:12]} is damaged", f"it says another size of {child.hex()[:12]} than others do"
    )


class _Fetch:
    """One fetch: what it brought so far."""

    def __init__(self, store: Store, catalog: Catalog, progress: Progress) -> None:
        self.source = Source(catalog)
        self.objects = self.bytes = 0
        self._store = store
        self._progress = progress

    def trees(self, oids: Iterable[Oid], batch: Batch) -> dict[Oid, int]:
        """Brings directories into `batch`, each level with one round of requests; the blobs they name, with sizes."""
        walk = Walk(self._store)
        frontier = walk.begin(oids)
        self._progress.begin("fetching directories")
        while frontier:
            away = self._store.missing(frontier)
            level = {oid: self._store.read(oid) for oid in frontier if oid not in away}
            found = self.source.locate(away)
            self.source.absent |= away - found.keys()
            found = {oid: place for oid, place in found.items() if place.type == fmt.TREE or not walk.is_blob(oid)}
            for entry in self.source.entries(found, known=found):
                level[entry.oid] = entry.data
                self._stored(batch, entry, fmt.TREE)
            frontier = walk.descend(level)
        self._progress.end()
        return walk.blobs

    def blobs(self, sizes: dict[Oid, int]) -> None:
        """Brings blobs; `sizes` are what they must have, or -1."""
        found = self.source.locate(away := self._store.missing(sizes))
        self.source.absent |= away - found.keys()
        recipes = {oid: place for oid, place in found.items() if place.type == fmt.RECIPE}
        plain = {oid: place for oid, place in found.items() if oid not in recipes}
        for oid, place in plain.items():
            if sizes[oid] not in (-1, place.raw):
                raise Damaged(f"object {oid.hex()[:12]} is damaged on the remote", "it has not the size it must have")
        total = sum(place.stored for place in plain.values()) + sum(max(sizes[oid], 0) for oid in recipes)
        self._progress.begin("fetching", total, "B")
        self._plain(plain)
        for count, size in assemble(self._store, self.source, recipes, sizes, self._progress):
            self.objects += count
            self.bytes += size
        self._progress.end()

    def _plain(self, found: dict[Oid, Place]) -> None:
        with self._store.batch() as batch:
            since = 0
            for entry in self.source.entries(found, known=found):
                self._stored(batch, entry, fmt.BLOB)
                self._progress.advance(entry.place.stored)
                since += entry.place.stored
                if since >= _COMMIT_BYTES:
                    batch.commit()
                    since = 0
            batch.commit()

    def _stored(self, batch: Batch, entry: Entry, kind: int) -> None:
        oid, place, stored, data = entry
        self.objects += 1
        self.bytes += place.stored
        if kind == fmt.BLOB and place.raw >= LARGE:
            batch.put_bytes(data)
        else:
            batch.put_stored(oid, stored, place.raw, kind, place.codec)

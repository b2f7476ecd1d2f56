"""Objects brought from a remote into the store: directories level by level, then what they name.

Whatever the remote answers, nothing comes into the store that is not what its name says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Damaged
from axil.formats import pack as fmt
from axil.formats.index import Place
from axil.remotes.base import Denied, Unreachable
from axil.store import Batch, Store
from axil.store.hashing import LARGE
from axil.transfer.adopt import adopt, wanted_whole
from axil.transfer.assemble import assemble
from axil.transfer.catalog import Catalog
from axil.transfer.lookup import places, trees_at
from axil.transfer.ranges import Entry
from axil.transfer.reuse import Neighbours, versions_before
from axil.transfer.source import Source
from axil.transfer.walk import Walk

_COMMIT_BYTES = 256 << 20
"""So much is made durable at a time: a fetch that breaks off need not begin anew."""

Announce = Callable[[int, bool], object]
"""Told how many bytes of blobs are to come, and whether that is surely all."""


class FetchPlan(NamedTuple):
    """What a fetch would bring, as far as it is known without asking."""

    objects: int
    bytes: int
    """As they lie on the remote."""
    missing: tuple[Oid, ...]
    """What is neither here nor, as far as is known, on the remote."""


class Fetched(NamedTuple):
    """What a fetch brought; bytes as they lay on the remote."""

    objects: int
    bytes: int


def plan_fetch(store: Store, catalog: Catalog, oids: Iterable[Oid], sizes: Mapping[Oid, int] = {}) -> FetchPlan:
    """What `fetch` would do, without the network and without writing. Directories that are here are descended.

    `sizes` are those of `oids`, as far as the caller knows. Of large files all counts: what parts of them other ones
    here hold is not known without asking.
    """
    walk = Walk()
    frontier = walk.begin(oids)
    unread: set[Oid] = set()
    while frontier:
        away = store.missing(frontier)
        unread |= away
        frontier = [child for oid in frontier if oid not in away for child in _below(store, walk, oid)]
        walk.deeper()
    absent = unread | _away(store, walk.blobs)
    found = places(catalog, absent)

    def known(oid: Oid) -> int:
        return max(walk.blobs.get(oid, -1), sizes.get(oid, -1))

    bytes_ = sum(_weight(place, known(oid)) for oid, place in found.items())
    return FetchPlan(len(found), bytes_, tuple(sorted(absent - found.keys())))


def _below(store: Store, walk: Walk, oid: Oid) -> list[Oid]:
    """What the directory `oid`, which is here, names anew; nothing if it is a blob."""
    if not store.is_tree(oid) and walk.is_blob(oid):
        return []
    return walk.descend(oid, store.read(oid))


def _away(store: Store, sizes: dict[Oid, int]) -> set[Oid]:
    """The blobs that are not here. Small ones are looked for in packs only: to ask the disk for each takes too long."""
    absent = store.packs.missing(sizes)
    return {oid for oid in absent if 0 <= sizes[oid] < LARGE or store.files.stat(oid) is None}


def _weight(place: Place, size: int) -> int:
    """The bytes of an object that travel: of a large blob, that its recipe's chunks are about as long as itself."""
    return max(place.stored, size) if place.type == fmt.RECIPE else place.stored


def _not_announced(bytes_: int, whole: bool) -> None:
    pass


def fetch(
    store: Store,
    catalog: Catalog,
    oids: Iterable[Oid],
    *,
    trees_only: bool = False,
    sizes: Mapping[Oid, int] = {},
    older: Mapping[Oid, Oid] = {},
    announce: Announce = _not_announced,
    progress: Progress = SILENT,
) -> Fetched:
    """Makes everything reachable from `oids` (blobs or directories) local and durable.

    `sizes` are those of `oids`, as far as the caller knows. `older` says of some of them which ones they take the
    place of: large files are likely to have much in common. `announce` is called when the directories have come.

    Raises `NotFound` if something is neither here nor on the remote, `Damaged` if it is wrong there; after everything
    else was fetched.
    """
    job = _Fetch(store, catalog, older, progress)
    with store.batch() as batch:
        # Before looking what is here, so that it stays until what refers to it is written.
        batch.hold()
        blobs = job.trees(oids, batch)
        if not trees_only:
            job.blobs(blobs, sizes, announce)
        # Last, as a directory comes after what it names; what is incomplete is found out again by whoever needs it.
        batch.rely_on(job.here)
        batch.commit()
    job.source.complain()
    return Fetched(job.objects, job.bytes)


class _Fetch:
    """One fetch: what it brought so far."""

    def __init__(self, store: Store, catalog: Catalog, older: Mapping[Oid, Oid], progress: Progress) -> None:
        self.source = Source(catalog)
        self.here: set[Oid] = set()
        """What was found to be here already."""
        self.objects = self.bytes = 0
        self._store = store
        self._near = Neighbours(store, catalog, lambda: versions_before(store, older))
        self._progress = progress

    def trees(self, oids: Iterable[Oid], batch: Batch) -> dict[Oid, int]:
        """Brings directories into `batch`, each level with one round of requests; the blobs they name, with sizes."""
        walk = Walk()
        frontier = walk.begin(oids)
        self._progress.begin("fetching directories")
        while frontier:
            away = self._store.missing(frontier)
            self.here.update(oid for oid in frontier if oid not in away)
            below = [child for oid in frontier if oid not in away for child in _below(self._store, walk, oid)]
            found = self.source.locate(away)
            self.source.absent |= away - found.keys()
            # What stands there as a file may be there as a directory, too, with the same bytes.
            odd = {oid for oid, place in found.items() if place.type == fmt.BLOB}
            found.update(trees_at(self.source.catalog, odd, self.source.avoid))
            found = {oid: place for oid, place in found.items() if place.type == fmt.TREE or not walk.is_blob(oid)}
            for entry in self.source.entries(found, known=found):
                below += walk.descend(entry.oid, entry.data)
                self._stored(batch, entry, fmt.TREE)
            frontier = below
            walk.deeper()
        self._progress.end()
        odd, self.source.otherwise = self.source.otherwise, set()
        self.source.absent |= odd
        return walk.blobs

    def blobs(self, sizes: dict[Oid, int], known: Mapping[Oid, int], announce: Announce) -> None:
        """Brings blobs; `sizes` are what they must have, or -1, `known` what they are likely to have."""
        away = _away(self._store, sizes)
        plain = self.source.locate(away)
        self.here.update(oid for oid in sizes if oid not in away)
        self.source.absent |= away - plain.keys()
        recipes = {oid: place for oid, place in plain.items() if place.type == fmt.RECIPE}
        for oid in recipes:
            del plain[oid]
        del away  # There may be a million of them, and memory is needed for what comes.
        for oid, place in plain.items():
            if sizes[oid] not in (-1, place.raw):
                raise Damaged(f"object {oid.hex()[:12]} is damaged on the remote", "it has not the size it must have")
        likely = {oid: max(sizes[oid], known.get(oid, -1)) for oid in recipes}
        total = sum(place.stored for place in plain.values())
        total += sum(_weight(place, likely[oid]) for oid, place in recipes.items())
        announce(total, not self.source.absent and -1 not in likely.values())
        self._progress.begin("fetching", total, "B")
        self._plain(plain)
        for count, size in assemble(self._store, self.source, recipes, sizes, self._near, self._progress):
            self.objects += count
            self.bytes += size
        self._progress.end()
        again, self.source.otherwise = self.source.otherwise, set()
        self.source.absent |= again - sizes.keys()
        if again := again & sizes.keys():
            self.blobs({oid: sizes[oid] for oid in again}, known, _not_announced)

    def _plain(self, found: dict[Oid, Place]) -> None:
        with self._store.batch() as batch:
            whole = wanted_whole(self.source.catalog, found)
            for oids in adopt(self.source.remote, batch, whole, found, self._progress):
                self.objects += len(oids)
                self.bytes += sum(found.pop(oid).stored for oid in oids)
            try:
                self._copy(found, batch)
            except (Unreachable, Denied, KeyboardInterrupt):
                # What came need not come again.
                batch.commit()
                raise
            batch.commit()

    def _copy(self, found: dict[Oid, Place], batch: Batch) -> None:
        since = 0
        for entry in self.source.entries(found, known=found):
            self._stored(batch, entry, fmt.BLOB)
            self._progress.advance(entry.place.stored)
            since += entry.place.stored
            if since >= _COMMIT_BYTES:
                batch.commit()
                since = 0

    def _stored(self, batch: Batch, entry: Entry, kind: int) -> None:
        oid, place, stored, data = entry
        if place.type == fmt.RECIPE:
            raise Damaged(f"object {oid.hex()[:12]} is damaged on the remote", "a recipe stands in its place")
        self.objects += 1
        self.bytes += place.stored
        if kind == fmt.BLOB and place.raw >= LARGE:
            batch.put_bytes(data)
        else:
            batch.put_stored(oid, stored, place.raw, kind, place.codec)

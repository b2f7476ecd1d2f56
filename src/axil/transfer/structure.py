"""The structure of a remote: whether everything that its roots need lies in packs that are there."""

from __future__ import annotations

from collections.abc import Iterable

from axil.base.hashing import Oid
from axil.base.progress import Progress
from axil.errors import Damaged
from axil.formats import pack as fmt
from axil.formats import recipe, sharing
from axil.formats.index import PackInfo, Place
from axil.remotes.base import Absent, Stat
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.findings import CheckReport, Fault, Missing
from axil.transfer.identity import identify
from axil.transfer.small import get_small
from axil.transfer.source import Source
from axil.transfer.walk import Walk


class Structure:
    """Reads roots, directories and recipes, and looks the rest up; what is wrong is gathered in `faults`."""

    def __init__(self, catalog: Catalog, progress: Progress) -> None:
        self.catalog, self.remote, self.progress = catalog, catalog.remote, progress
        self.faults: list[Fault] = []
        self.packs: dict[Oid, PackInfo] = {}
        """The packs that an index names and that are there, as long as they must be."""
        self._broken: dict[str, Damaged] = {}
        self.source = Source(catalog, self._broken)
        self._needed: dict[Oid, str] = {}
        """What roots need -> the key of the root."""
        self._made: dict[Oid, Oid] = {}
        """Chunks and segments -> the blob that is made of them."""
        self._walk = Walk()
        self._orphans: list[str] = []
        self._roots = self._objects = 0

    def check(self, extra: Iterable[Oid]) -> None:
        """Roots → directories → recipes → index → packs. `extra` are needed besides what roots name."""
        try:
            identify(self.catalog)
        except Damaged as error:
            self._broken[keys.FORMAT] = error
        self.catalog.refresh(self._broken)
        self._compare_packs()
        self.source.give_up_on(self.catalog.packs().keys() - self.packs.keys())
        self._read_roots()
        for oid in extra:
            self._needed.setdefault(oid, "given")
        self._directories()
        self._recipes(self._walk.blobs)

    def report(self, checked: int, unchecked: int) -> CheckReport:
        """What was found."""
        broken = [Fault(key, "", error.why) for key, error in self._broken.items()]
        for oid, failure in sorted(self.source.damaged.items()):
            self.faults.append(Fault(keys.pack_key(failure.place.pack), oid.hex(), failure.why))
        above = {**self._made, **self._walk.parents(self.source.absent)}
        missing = tuple(
            Missing(oid.hex(), self._needed.get(oid) or above.get(oid, b"").hex()) for oid in sorted(self.source.absent)
        )
        return CheckReport(
            tuple(dict.fromkeys([*broken, *self.faults])),
            missing,
            self._roots,
            self._objects,
            len(self.packs),
            checked,
            unchecked,
            tuple(self._orphans),
        )

    def _compare_packs(self) -> None:
        """What the indexes say of packs against what is there."""
        listed: dict[Oid, Stat] = {}
        for stat in self.remote.list(keys.PACKS):
            if (oid := keys.oid_of(stat.key)) is not None:
                listed[oid] = stat
        named = self.catalog.packs()
        for oid, info in named.items():
            key = keys.pack_key(oid)
            # A listing may lag behind.
            found = listed.get(oid) or self.remote.stat(key)
            if oid in self.catalog.condemned_packs and (found is None or found.size != info.size):
                continue  # It is going to be deleted: only what it alone should hold is missing.
            if found is None:
                self.faults.append(Fault(key, "", "an index names it, but it is not there"))
            elif found.size != info.size:
                self.faults.append(Fault(key, "", f"it has {found.size} bytes, not {info.size}"))
            else:
                self.packs[oid] = info
        known = named.keys() | self.catalog.condemned_packs
        self._orphans = [keys.pack_key(oid) for oid in sorted(listed.keys() - known)]

    def _read_roots(self) -> None:
        for key in sorted(stat.key for stat in self.remote.list(keys.ROOTS)):
            if keys.ulid_of(key, keys.ROOTS) is None:
                continue
            try:
                root = sharing.decode_root(get_small(self.remote, key), f"{self.remote.url}: {key}")
            except Absent:
                continue
            except Damaged as error:
                self.faults.append(Fault(key, "", error.why))
                continue
            self._roots += 1
            for oid in root.objects:
                self._needed.setdefault(oid, key)

    def _directories(self) -> None:
        walk = self._walk
        frontier = walk.begin(self._needed)
        self.progress.begin("checking directories")
        while frontier:
            below: list[Oid] = []
            found = self._locate(frontier)
            found = {oid: place for oid, place in found.items() if place.type == fmt.TREE or not walk.is_blob(oid)}
            self._objects += len(found)
            for entry in self.source.entries(found, known=found):
                try:
                    below += walk.descend(entry.oid, entry.data, note=True)
                except Damaged as error:
                    self.faults.append(Fault(keys.pack_key(entry.place.pack), entry.oid.hex(), error.why))
                self.progress.advance()
            frontier = below
            walk.deeper()
        self.progress.end()

    def _recipes(self, blobs: dict[Oid, int]) -> None:
        """Looks up blobs, and reads the recipes among them."""
        recipes: dict[Oid, Place] = {}
        buckets: list[list[Oid]] = [[] for _ in range(256)]
        for oid in blobs:
            buckets[oid[0]].append(oid)
        # One after the other: places of a million blobs together take much memory, and time to find anything in it.
        for some in filter(None, buckets):
            found = self._locate(some)
            self._objects += len(found)
            for oid, place in found.items():
                if place.type == fmt.RECIPE:
                    recipes[oid] = place
                elif blobs[oid] not in (-1, place.raw):
                    self._misfit(oid, place, f"it has {place.raw} bytes, but {blobs[oid]} are said of it")
        segments: dict[Oid, int] = {}
        chunks: dict[Oid, int] = {}
        for entry in self.source.entries(recipes, known=recipes):
            made = recipe.decode(entry.data, entry.oid)
            if blobs[entry.oid] not in (-1, made.size):
                self._misfit(
                    entry.oid, entry.place, f"it makes {made.size} bytes, but {blobs[entry.oid]} are said of it"
                )
            self._parts(entry.oid, made, segments if made.level else chunks)
        for entry in self.source.entries(segments, known=self._locate(segments)):
            try:
                self._parts(entry.oid, recipe.decode_segment(entry.data), chunks)
            except Damaged as error:
                self._misfit(entry.oid, entry.place, error.why)
        for oid, place in self._locate(chunks).items():
            if place.raw != chunks[oid]:
                self._misfit(oid, place, f"it has {place.raw} bytes, but {chunks[oid]} are said of it")
        self._objects += len(segments) + len(chunks)

    def _parts(self, oid: Oid, made: recipe.Recipe, into: dict[Oid, int]) -> None:
        for part in made.parts:
            into.setdefault(part.oid, part.size)
            self._made.setdefault(part.oid, oid)

    def _locate(self, oids: Iterable[Oid]) -> dict[Oid, Place]:
        wanted = list(oids)
        found = self.source.locate(wanted)
        self.source.absent.update(oid for oid in wanted if oid not in found)
        return found

    def _misfit(self, oid: Oid, place: Place, why: str) -> None:
        self.faults.append(Fault(keys.pack_key(place.pack), oid.hex(), why))

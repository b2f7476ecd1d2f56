"""New indexes of a remote, from the tables at the ends of its packs (docs/formats/remote.md, Repairing)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from axil.base.clock import Clock
from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Damaged
from axil.formats import index as fmt
from axil.formats import pack
from axil.formats.index import PackInfo, Place
from axil.formats.pack import Table
from axil.remotes.base import Absent, Remote
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.findings import Fault
from axil.transfer.identity import identify

_TAIL = 256 << 10
"""The first read of a pack: its footer, and with luck all of its table."""


class Repaired(NamedTuple):
    """What repairing did, or would do."""

    packs: int
    """Packs that the new indexes name."""
    objects: int
    indexes: tuple[str, ...]
    """Keys of the new indexes; none if they were not to be written."""
    superseded: tuple[str, ...]
    """Keys of the indexes whose place they take."""
    added: tuple[str, ...]
    """Keys of packs that no readable index named."""
    lost: tuple[str, ...]
    """Keys of packs that an index names and that are not there."""
    missing: int
    """Objects in those that lie nowhere else."""
    faults: tuple[Fault, ...]
    """Indexes and packs that cannot be read; of such packs, what an index says is kept."""


def repair_index(
    catalog: Catalog,
    *,
    dry_run: bool = False,
    clock: Clock,
    progress: Progress = SILENT,
    most: int = fmt.MAX_ENTRIES,
) -> Repaired:
    """Writes indexes of all packs there are, `most` entries each, which supersede those present, readable or not.

    Safe beside a running push: an index that is put meanwhile stays, and packs without an index yet are named early.
    """
    remote = catalog.remote
    broken: dict[str, Damaged] = {}
    identify(catalog)
    # Indexes first: what they name was there before, so superseding them loses nothing that the listing of packs shows.
    catalog.refresh(broken)
    old = {*catalog.ids(), *(oid for key in broken if key.startswith(keys.INDEX) and (oid := keys.oid_of(key)))}
    faults = [Fault(key, "", error.why) for key, error in broken.items()]
    named = catalog.packs()
    there, lost = _there(remote, named)
    entries = _Entries(catalog)
    progress.begin("reading the tables of packs", len(there), "packs")
    with ThreadPoolExecutor(max(remote.jobs, 1)) as pool:
        for info, found in zip(there, pool.map(partial(read_table, remote), there), strict=True):
            if isinstance(found, Fault):
                faults.append(found)
            entries.add(info, None if isinstance(found, Fault) else found)
            progress.advance()
    progress.end()
    missing = len(
        {
            oid
            for index in catalog.indexes()
            if not lost.isdisjoint(pack.id for pack in index.packs)
            for oid, place in index.entries()
            if place.pack in lost and oid not in entries.places
        }
    )
    made = [] if dry_run else _put(catalog, entries, sorted(old | catalog.superseded), most)
    return Repaired(
        len(there),
        len(entries.places),
        tuple(made),
        tuple(keys.index_key(oid) for oid in sorted(old)),
        tuple(keys.pack_key(info.id) for info in there if info.id not in named),
        tuple(keys.pack_key(oid) for oid in sorted(lost)),
        missing,
        tuple(faults),
    )


def _there(remote: Remote, named: dict[Oid, PackInfo]) -> tuple[list[PackInfo], set[Oid]]:
    """The packs that are there, and those of `named` that are not."""
    there = {oid: stat.size for stat in remote.list(keys.PACKS) if (oid := keys.oid_of(stat.key)) is not None}
    lost: set[Oid] = set()
    for oid in named.keys() - there.keys():
        # A listing may lag behind.
        stat = remote.stat(keys.pack_key(oid))
        if stat is None:
            lost.add(oid)
        else:
            there[oid] = stat.size
    return [PackInfo(oid, there[oid]) for oid in sorted(there)], lost


def read_table(remote: Remote, info: PackInfo) -> dict[Oid, Place] | Fault:
    """Where the table of a pack says that its entries lie: two reads at most, once more if they make no sense."""
    why = ""
    key = keys.pack_key(info.id)
    for _ in range(2):
        try:
            start = max(info.size - _TAIL, 0)
            tail = remote.get(key, start, info.size - start)
            at, count = pack.table_span(tail[-pack.FOOTER_SIZE :], info.size, key)
            if at < start:
                tail = remote.get(key, at, start - at) + tail
                start = at
            if len(tail) != info.size - start:
                raise Damaged("", "it is cut short")
            if pack.id_of(tail[at - start :]) != info.id:
                raise Damaged("", "its table does not match its name")
            table = Table(tail, at - start, count, at, key)
            return {oid: Place(info.id, *row) for oid, row in zip(table.oids(), table.locations(), strict=True)}
        except Absent:
            return Fault(key, "", "it is not there any more")
        except Damaged as error:
            why = error.why
    return Fault(key, "", why)


class _Entries:
    """What the new indexes are going to say."""

    def __init__(self, catalog: Catalog) -> None:
        self.places: dict[Oid, Place] = {}
        self.packs: dict[Oid, PackInfo] = {}
        self._condemned = catalog.condemned_packs
        self._catalog = catalog

    def add(self, info: PackInfo, found: dict[Oid, Place] | None) -> None:
        """One more pack; without `found`, what an index that can be read says of it."""
        self.packs[info.id] = info
        rows = found.items() if found is not None else self._indexed(info.id)
        for oid, place in rows:
            known = self.places.get(oid)
            # What lies in condemned packs is named only if it lies nowhere else.
            if known is None or (known.pack in self._condemned and info.id not in self._condemned):
                self.places[oid] = place

    def _indexed(self, pack_id: Oid) -> Iterator[tuple[Oid, Place]]:
        for index in self._catalog.indexes():
            if any(one.id == pack_id for one in index.packs):
                yield from ((oid, place) for oid, place in index.entries() if place.pack == pack_id)

    def parts(self, most: int) -> Iterator[tuple[dict[Oid, Place], list[PackInfo]]]:
        """Entries and packs of each index; a pack without entries is named, too, unless it is condemned."""
        oids = sorted(self.places)
        idle = self.packs.keys() - {place.pack for place in self.places.values()} - self._condemned
        for at in range(0, max(len(oids), 1), most):
            rows = {oid: self.places[oid] for oid in oids[at : at + most]}
            used = {place.pack for place in rows.values()} | (idle if at == 0 else set())
            yield rows, [self.packs[oid] for oid in sorted(used)]


def _put(catalog: Catalog, entries: _Entries, supersedes: list[Oid], most: int) -> list[str]:
    """Puts the new indexes; the last one supersedes, when all others are there. Their keys."""
    made: list[str] = []
    parts = list(entries.parts(most))
    for number, (rows, packs) in enumerate(parts, 1):
        data = fmt.encode(rows, packs, supersedes if number == len(parts) else (), os.urandom(fmt.NONCE_SIZE))
        made.append(keys.index_key(catalog.put_index(data)))
    return made

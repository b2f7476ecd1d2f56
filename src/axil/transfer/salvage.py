"""Damaged packs of a remote: what is sound in them is copied, then they are condemned like what a prune lets go.

So every clone that pushes later takes what was only there as absent, and sends it if it has it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from axil.base.clock import Clock
from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Damaged
from axil.formats import sharing
from axil.formats.index import PackInfo, Place
from axil.formats.sharing import Condemned
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.copies import Alive, copy
from axil.transfer.inspection import inspect
from axil.transfer.lookup import places
from axil.transfer.presence import there
from axil.transfer.prune import alone, nothing
from axil.transfer.ranges import decoded, in_threads


class Salvaged(NamedTuple):
    """What came of reading all packs."""

    checked: int
    damaged: tuple[str, ...]
    """Keys of damaged packs."""
    copied: int
    """Objects that were, or would be, copied out of them."""
    lost: tuple[str, ...]
    """Objects, in hex, that lay only there and cannot be read."""
    condemned: str
    """The list that names the packs; "" if there is none, or it was not to be written."""


def salvage(
    catalog: Catalog,
    *,
    dry_run: bool = False,
    author: str,
    host: str,
    pid: int,
    new_id: Callable[[], str],
    clock: Clock,
    progress: Progress = SILENT,
) -> Salvaged:
    """Read every pack that an index names; copy the sound objects of damaged ones and condemn these packs.

    A dry run writes nothing, no lease either. Raises `Busy` while a prune is under way. What fails before the list is
    written leaves copies that a prune removes.
    """
    with contextlib.ExitStack() as stack:
        alive: Alive = nothing
        if not dry_run:
            held, _ = stack.enter_context(alone(catalog, author=author, host=host, pid=pid, new_id=new_id, clock=clock))
            alive = held.keep
        catalog.refresh()
        packs = {oid: info for oid, info in catalog.packs().items() if oid not in catalog.condemned_packs}
        sizes = there(catalog.remote, packs.keys())
        sound: dict[Oid, Place] = {}
        hurt: set[Oid] = set()
        damaged: list[Oid] = []
        progress.begin("reading packs", sum(sizes.values()), "B")
        for pack, rows in _damaged(catalog, [PackInfo(oid, sizes[oid]) for oid in sorted(sizes)], progress):
            alive()
            damaged.append(pack)
            good = {oid: place for oid, place in rows.items() if place is not None}
            sound.update(good)
            hurt.update(rows.keys() - good.keys())
        progress.end()
        elsewhere = places(catalog, sound.keys() | hurt, frozenset(damaged)).keys()
        wanted = {oid: place for oid, place in sound.items() if oid not in elsewhere}
        lost = tuple(oid.hex() for oid in sorted(hurt - sound.keys() - elsewhere))
        name = ""
        if damaged and not dry_run:
            copy(catalog, wanted.items(), alive, progress)
            alive()
            name = condemn(catalog, damaged, new_id)
        return Salvaged(len(sizes), tuple(map(keys.pack_key, sorted(damaged))), len(wanted), lost, name)


def condemn(catalog: Catalog, packs: Iterable[Oid], new_id: Callable[[], str]) -> str:
    """Put a list that names `packs`, gone or damaged, without roots; its name."""
    listed = Condemned(new_id(), tuple(sorted(packs)), (), ())
    catalog.remote.put(keys.CONDEMNED + listed.id, sharing.encode_condemned(listed))
    return listed.id


def _damaged(
    catalog: Catalog, packs: list[PackInfo], progress: Progress
) -> Iterator[tuple[Oid, dict[Oid, Place | None]]]:
    """The damaged ones of `packs`, with what each should hold and where that lies if it is sound."""
    named = catalog.packs()

    def read(pack: PackInfo) -> dict[Oid, Place | None]:
        done = inspect(catalog.remote, pack, deep=True)
        if not done.faults and pack.size == named[pack.id].size:
            return {}
        bad = {fault.oid for fault in done.faults}
        found = {oid: None if oid.hex() in bad else Place(pack.id, *row) for oid, row in done.table.items()}
        return found or dict(_by_index(catalog, pack.id))

    found_in = in_threads(catalog.remote.jobs, read, packs, lambda pack: pack.size)
    for pack, rows in zip(packs, found_in, strict=True):
        progress.advance(pack.size)
        if rows:
            yield pack.id, rows


def _by_index(catalog: Catalog, pack: Oid) -> Iterator[tuple[Oid, Place | None]]:
    """What indexes say of a pack whose table cannot be read, each entry read by itself."""
    key = keys.pack_key(pack)
    for index in catalog.indexes():
        if any(one.id == pack for one in index.packs):
            for oid, place in index.entries():
                if place.pack == pack:
                    try:
                        decoded(oid, place, catalog.remote.get(key, place.offset, place.stored), key)
                        yield oid, place
                    except Damaged:
                        yield oid, None

"""Copying objects on a remote into new packs, checked on the way, and naming them in an index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from axil.base.hashing import Oid
from axil.base.progress import SILENT, Progress
from axil.errors import Damaged
from axil.formats import index as index_format
from axil.formats.index import MAX_ENTRIES, PackInfo, Place
from axil.formats.pack import BLOB
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.packer import Builder
from axil.transfer.ranges import read_all, spans

Alive = Callable[[], None]
"""Called before every request that changes something; raises if one may not go on."""


def copy(
    catalog: Catalog, wanted: Iterable[tuple[Oid, Place]], alive: Alive, progress: Progress = SILENT
) -> frozenset[Oid]:
    """Put `wanted` into new packs, then an index of them; the ids of the packs.

    Raises `Damaged` for an object that cannot be read: then nothing names what was put.
    """
    places: dict[Oid, Place] = {}
    packs: list[PackInfo] = []
    builders = {True: Builder(), False: Builder()}
    rows = dict(wanted)
    progress.begin("copying what is needed", len(rows), "objects")
    for answer in read_all(catalog.remote, spans(rows)):
        for failure in answer.failures:
            raise Damaged(f"object {failure.oid.hex()[:12]} cannot be copied", failure.why, "see: axil remote check")
        for oid, place, stored, _ in answer.entries:
            blobs = place.type == BLOB
            builders[blobs].add(oid, stored, place.raw, place.type, place.codec)
            if builders[blobs].full:
                packs.append(_put(catalog, builders[blobs], places, alive))
                builders[blobs] = Builder()
            progress.advance()
        if len(places) > MAX_ENTRIES // 2:
            _name(catalog, places, packs, alive)
            places = {}
    packs += [_put(catalog, builder, places, alive) for builder in builders.values() if builder.rows]
    _name(catalog, places, packs, alive)
    progress.end()
    return frozenset(pack.id for pack in packs)


def _put(catalog: Catalog, builder: Builder, places: dict[Oid, Place], alive: Alive) -> PackInfo:
    """Put a pack on the remote, and note in `places` what lies where."""
    data, done = builder.finish()
    alive()
    catalog.remote.put(keys.pack_key(done.id), data)
    table = done.table()
    places.update((oid, Place(done.id, *row)) for oid, row in zip(table.oids(), table.locations(), strict=True))
    return PackInfo(done.id, done.size)


def _name(catalog: Catalog, places: dict[Oid, Place], packs: list[PackInfo], alive: Alive) -> None:
    if places:
        used = {place.pack for place in places.values()}
        put_index(catalog, places, [pack for pack in packs if pack.id in used], (), alive)


def put_index(
    catalog: Catalog, places: dict[Oid, Place], packs: list[PackInfo], supersedes: Iterable[Oid], alive: Alive
) -> Oid:
    """Put an index of `places` on the remote and into the catalog."""
    nonce = os.urandom(index_format.NONCE_SIZE)
    data = index_format.encode(places, sorted(packs), sorted(supersedes), nonce)
    alive()
    return catalog.put_index(data)

"""Copying objects on a remote into new packs, checked on the way, and naming them in an index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from axil.base.hashing import Oid, hash_bytes
from axil.base.progress import SILENT, Progress
from axil.errors import Damaged
from axil.formats import index as index_format
from axil.formats import pack as pack_format
from axil.formats.index import PackInfo, Place
from axil.formats.pack import BLOB
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.gather import Found, gather

TARGET = 32 << 20
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
    builders = {True: _Builder(catalog), False: _Builder(catalog)}
    rows = list(wanted)
    progress.begin("copying what is needed", len(rows), "objects")
    for found in gather(catalog.remote, rows):
        if found.data is None:
            raise Damaged(f"object {found.oid.hex()[:12]} cannot be copied", found.why, "axil remote check tells more")
        progress.advance()
        builder = builders[found.place.type == BLOB]
        if builder.full(found):
            packs.append(builder.put(places, alive))
        builder.add(found)
        if len(places) > index_format.MAX_ENTRIES // 2:
            _name(catalog, places, packs, alive)
            places = {}
    packs += [builder.put(places, alive) for builder in builders.values() if builder.rows]
    _name(catalog, places, packs, alive)
    progress.end()
    return frozenset(pack.id for pack in packs)


class _Builder:
    """A pack in memory."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._clear()

    def _clear(self) -> None:
        self._data = bytearray(pack_format.header(os.urandom(pack_format.NONCE_SIZE)))
        self.rows: dict[Oid, tuple[int, int, int, int, int]] = {}

    def full(self, found: Found) -> bool:
        """Whether it is time for another pack before `found` goes in."""
        if not self.rows:
            return False
        return len(self._data) + len(found.stored) > TARGET or len(self.rows) >= pack_format.MAX_ENTRIES

    def add(self, found: Found) -> None:
        """Append an object as it is stored."""
        if found.oid not in self.rows:
            place = found.place
            self.rows[found.oid] = (len(self._data), place.stored, place.raw, place.type, place.codec)
            self._data += found.stored

    def put(self, places: dict[Oid, Place], alive: Alive) -> PackInfo:
        """Put the pack on the remote, note in `places` what lies where, and begin another one."""
        self._data += pack_format.tail({oid: pack_format.row(row) for oid, row in self.rows.items()})
        pack = PackInfo(hash_bytes(self._data), len(self._data))
        alive()
        self._catalog.remote.put(keys.pack_key(pack.id), self._data)
        places.update((oid, Place(pack.id, *row)) for oid, row in self.rows.items())
        self._clear()
        return pack


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
    oid = hash_bytes(data)
    alive()
    catalog.remote.put(keys.index_key(oid), data)
    catalog.add(oid, data)
    return oid

"""Where many objects lie at once: the indexes are gone through bucket by bucket, not object by object."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from axil.base.hashing import Oid
from axil.formats.index import Index, Place
from axil.formats.pack import TREE
from axil.transfer.catalog import Catalog

_FEW = 16
"""If a bucket holds more than so many times what is wanted of it, each is looked up by itself."""


def places(catalog: Catalog, oids: Collection[Oid], avoid: frozenset[Oid] = frozenset()) -> dict[Oid, Place]:
    """Where each of `oids` lies, not in one of the packs to `avoid`; what lies nowhere is left out.

    A condemned pack is taken only for what lies nowhere else. Asks nobody. Raises `Damaged` for an impossible place.
    """
    condemned = catalog.condemned_packs
    found = _look(catalog, oids, avoid | condemned)
    if condemned and len(found) < len(oids):
        found.update(_look(catalog, [oid for oid in oids if oid not in found], avoid))
    return found


def trees_at(catalog: Catalog, oids: Collection[Oid], avoid: frozenset[Oid]) -> dict[Oid, Place]:
    """Where each of `oids` lies as a directory, not in a pack to `avoid`."""
    found = {oid: place for oid, place in places(catalog, oids, avoid).items() if place.pack not in avoid}
    for oid, place in list(found.items()):
        if place.type != TREE:
            del found[oid]
            for index in catalog.indexes():
                other = index.find(oid)
                if other is not None and other.type == TREE and other.pack not in avoid:
                    found[oid] = other
    return found


def _look(catalog: Catalog, oids: Iterable[Oid], avoid: frozenset[Oid]) -> dict[Oid, Place]:
    buckets: list[set[Oid]] = [set() for _ in range(256)]
    for oid in oids:
        buckets[oid[0]].add(oid)
    found: dict[Oid, Place] = {}
    for index in catalog.indexes():
        if not avoid or not avoid.issuperset(pack.id for pack in index.packs):
            _look_in(index, buckets, avoid, found)
    return found


def _look_in(index: Index, buckets: list[set[Oid]], avoid: frozenset[Oid], found: dict[Oid, Place]) -> None:
    """Move what `index` knows from `buckets` to `found`."""
    for first, wanted in enumerate(buckets):
        if not wanted:
            continue
        if len(wanted) * _FEW >= index.size(first):
            rows = [row for row in index.entries_of(first) if row[0] in wanted]
        else:
            rows = [(oid, place) for oid in wanted if (place := index.find(oid)) is not None]
        for oid, place in rows:
            if place.pack not in avoid:
                found[oid] = place
                wanted.discard(oid)

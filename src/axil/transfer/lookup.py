"""Where many objects lie at once: the indexes are gone through bucket by bucket, not object by object."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from axil.base.hashing import OID_SIZE, Oid
from axil.formats.index import Index, Place
from axil.transfer.catalog import Catalog

_FEW = 8


def places(catalog: Catalog, oids: Collection[Oid], avoid: frozenset[Oid] = frozenset()) -> dict[Oid, Place]:
    """Where each of `oids` lies, not in one of the packs to `avoid`; what lies nowhere is left out.

    A condemned pack is taken only for what lies nowhere else. Asks nobody. Raises `Damaged` for an impossible place.
    """
    condemned = catalog.condemned_packs
    found = _look(catalog, oids, avoid | condemned)
    if condemned and len(found) < len(oids):
        found.update(_look(catalog, [oid for oid in oids if oid not in found], avoid))
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
    low = 0
    for first, wanted in enumerate(buckets):
        column = index.bucket(first)
        if wanted and column:
            for oid, number in _numbers(column, wanted).items():
                place = index.place(low + number)
                if place.pack not in avoid:
                    found[oid] = place
                    wanted.discard(oid)
        low += len(column) // OID_SIZE


def _numbers(column: bytes, wanted: set[Oid]) -> dict[Oid, int]:
    """Which entry of a bucket each of the `wanted` is, of those that are in it."""
    if len(wanted) >= _FEW:
        numbers = {column[at : at + OID_SIZE]: at // OID_SIZE for at in range(0, len(column), OID_SIZE)}
        return {oid: numbers[oid] for oid in wanted & numbers.keys()}
    numbers = {}
    for oid in wanted:
        at = column.find(oid)
        # A match across two neighbours is not an entry.
        while at > 0 and at % OID_SIZE:
            at = column.find(oid, at + 1)
        if at >= 0:
            numbers[oid] = at // OID_SIZE
    return numbers

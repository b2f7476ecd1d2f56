"""Where in the store wanted objects lie, pack by pack: each pack is compared as a whole, nothing is looked up alone."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.formats import pack as fmt
from axil.store import Store
from axil.store.packs import Pack

_SEARCH = 16
"""Searching a pack for one oid takes as long as going through about this many."""


class Division(NamedTuple):
    """Wanted objects: packs to send as they are, the largest first, parts of packs, and files of their own."""

    whole: list[Pack]
    parts: list[tuple[Pack, set[Oid]]]
    files: list[Oid]
    nowhere: set[Oid]
    length: int
    """Of all of them, from the tables."""


def divide(store: Store, wanted: AbstractSet[Oid], trees: AbstractSet[Oid], verbatim: int) -> Division:
    """Divide `wanted` among what holds it. A pack of at least `verbatim` bytes and one sort that is wanted whole stays.

    `trees` are directories: where one of them lies as a file, the pack cannot travel as it is.
    """
    left = set(wanted)
    length = 0
    whole: list[Pack] = []
    parts: list[tuple[Pack, set[Oid]]] = []
    store.packs.refresh()
    packs = sorted(store.packs.opened(), key=lambda pack: -pack.size)
    for pack in packs:
        table = pack.table
        if pack.size < verbatim or table.count > len(left):
            continue
        oids = table.oids()
        if left.issuperset(oids) and _one_sort(pack, oids, trees):
            left.difference_update(oids)
            length += table.length()
            whole.append(pack)
    for pack in packs:
        if left and (here := _in(pack, left)):
            left -= here
            length += sum(pack.table.location(pack.table.find(oid)).raw for oid in here)
            parts.append((pack, here))
    stats = {oid: store.files.stat(oid) for oid in left}
    length += sum(stat.st_size for stat in stats.values() if stat)
    files = sorted(oid for oid, stat in stats.items() if stat)
    return Division(whole, parts, files, {oid for oid, stat in stats.items() if not stat}, length)


def _one_sort(pack: Pack, oids: list[Oid], trees: AbstractSet[Oid]) -> bool:
    kinds = pack.table.kinds()
    return kinds == {fmt.TREE} or (len(kinds) == 1 and trees.isdisjoint(oids))


def _in(pack: Pack, wanted: set[Oid]) -> set[Oid]:
    if len(wanted) * _SEARCH < pack.table.count:
        return {oid for oid in wanted if pack.table.find(oid) >= 0}
    return wanted.intersection(pack.table.oids())

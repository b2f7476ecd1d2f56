"""Indexes of new packs; small ones that are there are taken into one that supersedes them."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import eq, itemgetter

from axil.base.hashing import OID_SIZE, Oid
from axil.formats import index as fmt
from axil.formats import pack as pack_fmt
from axil.formats.index import Index, PackInfo
from axil.transfer.catalog import Catalog
from axil.transfer.packer import Finished, records_of

_FEWEST = 8
_NEGLIGIBLE = 1024
_oid = itemgetter(slice(OID_SIZE))


def indexes_of(
    catalog: Catalog, packs: Sequence[Finished], avoid: frozenset[Oid], most: int = fmt.MAX_ENTRIES
) -> Iterator[bytes]:
    """Indexes of `packs`, in their order, each made when it is asked for; to be put in this order.

    The last one supersedes small ones, of which it takes all but what lies in packs to `avoid` that are gone: what is
    condemned may be needed by others until it is.
    """
    groups = list(_groups(packs, most))
    for number, group in enumerate(groups):
        draft = _Draft()
        for done in group:
            draft.add(done)
        if number == len(groups) - 1:
            room = most - len(draft.records)
            gone = avoid - catalog.condemned_packs
            for oid, index in _small(catalog.ids(), room):
                draft.take(oid, index, gone)
        yield draft.encode()


class _Draft:
    """An index being made."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self._packs: dict[Oid, PackInfo] = {}
        self._numbers: dict[Oid, int] = {}
        self._supersedes: dict[Oid, None] = {}

    def add(self, done: Finished) -> None:
        self.records += records_of(done, self._number(PackInfo(done.id, done.size)))

    def take(self, oid: Oid, index: Index, gone: frozenset[Oid]) -> None:
        """Take the place of `index`, unless an object is named in another pack by it: no place may be left out.

        The copy that is left may have been condemned meanwhile, because of the other one.
        """
        infos = {pack.id: pack for pack in index.packs}
        rows = [
            fmt.record(name, self._number(infos[pack]), pack_fmt.row(offset, stored, raw, pack_fmt.flags(kind, codec)))
            for name, (pack, offset, stored, raw, kind, codec) in index.entries()
            if pack not in gone
        ]
        self.records.sort()
        if not any(map(self._clashes, rows)):
            self._supersedes.update(dict.fromkeys((oid, *index.supersedes)))
            self.records += rows

    def _clashes(self, record: bytes) -> bool:
        at = bisect_left(self.records, record[:OID_SIZE])
        found = self.records[at : at + 1]
        return bool(found) and found[0][:OID_SIZE] == record[:OID_SIZE] and found[0] != record

    def encode(self) -> bytes:
        self.records.sort()
        unique = self.records
        # Without a list of all oids, which would take more memory than the index.
        if any(map(eq, map(_oid, unique), map(_oid, islice(unique, 1, None)))):
            unique = [one for at, one in enumerate(unique) if not at or _oid(one) != _oid(unique[at - 1])]
        nonce = os.urandom(fmt.NONCE_SIZE)
        return fmt.encode_records(unique, list(self._packs.values()), list(self._supersedes), nonce)

    def _number(self, info: PackInfo) -> int:
        self._packs.setdefault(info.id, info)
        return self._numbers.setdefault(info.id, len(self._numbers))


def _groups(packs: Sequence[Finished], most: int) -> Iterator[list[Finished]]:
    group: list[Finished] = []
    count = 0
    for done in packs:
        entries = done.table().count
        if group and count + entries > most:
            yield group
            group, count = [], 0
        group.append(done)
        count += entries
    if group:
        yield group


def _small(indexes: dict[Oid, Index], room: int) -> list[tuple[Oid, Index]]:
    """The indexes to supersede, or none: the smallest, each at most about twice all smaller ones together.

    The rule of geometric series: an entry is written a logarithmic number of times, and few indexes remain.
    """
    chosen: list[tuple[Oid, Index]] = []
    total = 0
    for oid, index in sorted(indexes.items(), key=lambda item: (item[1].count, item[0])):
        if total + index.count > room or (chosen and index.count > 2 * total + _NEGLIGIBLE):
            break
        chosen.append((oid, index))
        total += index.count
    return chosen if len(chosen) >= _FEWEST else []

"""Indexes of new packs; small ones that are there are taken into one that supersedes them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from axil.base.hashing import OID_SIZE, Oid, hash_bytes
from axil.formats import index as fmt
from axil.formats import pack as pack_fmt
from axil.formats.index import Index, PackInfo
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.packer import Finished, rows_of

_FEWEST = 8
_NEGLIGIBLE = 1024


def put_indexes(
    catalog: Catalog, packs: Sequence[Finished], avoid: frozenset[Oid], most: int = fmt.MAX_ENTRIES
) -> None:
    """Puts indexes of `packs`, in their order, and notes them in `catalog`.

    The last one supersedes small ones, of which it takes all that does not lie in packs to `avoid`.
    """
    groups = list(_groups(packs, most))
    for number, group in enumerate(groups):
        draft = _Draft()
        for done in group:
            draft.add(done)
        if number == len(groups) - 1:
            room = most - len(draft.records)
            for oid, index in _small(catalog.ids(), room):
                draft.take(oid, index, avoid)
        data = draft.encode()
        oid = hash_bytes(data)
        catalog.remote.put(keys.index_key(oid), data)
        catalog.add(oid, data)


class _Draft:
    """An index being made."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self._packs: dict[Oid, PackInfo] = {}
        self._numbers: dict[Oid, int] = {}
        self._supersedes: dict[Oid, None] = {}

    def add(self, done: Finished) -> None:
        number = self._number(PackInfo(done.id, done.size))
        self.records += (fmt.record(oid, number, row) for oid, row in rows_of(done))

    def take(self, oid: Oid, index: Index, avoid: frozenset[Oid]) -> None:
        self._supersedes.update(dict.fromkeys((oid, *index.supersedes)))
        infos = {pack.id: pack for pack in index.packs}
        for name, (pack, *where) in index.entries():
            if pack not in avoid:
                offset, stored, raw, kind, codec = where
                row = pack_fmt.row((offset, stored, raw, kind, codec))
                self.records.append(fmt.record(name, self._number(infos[pack]), row))

    def encode(self) -> bytes:
        self.records.sort()
        unique = [
            one for at, one in enumerate(self.records) if not at or one[:OID_SIZE] != self.records[at - 1][:OID_SIZE]
        ]
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

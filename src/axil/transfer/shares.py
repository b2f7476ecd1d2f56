"""Which pack counts as the one that holds an object that lives, and what of each pack is needed.

Of several copies the one in the oldest pack counts, so that all prunes choose alike and the others are waste.
"""

from __future__ import annotations

from axil.base.hashing import OID_SIZE, Oid
from axil.base.light import NamedTuple
from axil.formats import pack as pack_format
from axil.formats.index import Place
from axil.transfer.catalog import Catalog
from axil.transfer.survey import Survey, entries

_ROW = OID_SIZE + pack_format.ROW_SIZE
_FRAME = pack_format.HEADER_SIZE + 1024 + pack_format.FOOTER_SIZE
_NOWHERE = -1


class Share(NamedTuple):
    """Of one pack: how many objects it counts for, and the bytes of all else in it."""

    objects: int
    waste: int


class Shares(NamedTuple):
    """Shares of the packs that exist and are not condemned, and what the condemned ones still hold."""

    packs: dict[Oid, Share]
    owners: dict[Oid, int]
    """Object that lives -> number of its pack in `order`; negative if it is in no pack that stays."""
    order: tuple[Oid, ...]
    stake: dict[Oid, list[Place]]
    """Objects that live -> their places in condemned packs."""
    missing: tuple[Oid, ...]
    """What lives and is nowhere."""

    def owner(self, oid: Oid) -> Oid | None:
        """The pack that counts for `oid`, if it lives and one that stays holds it."""
        number = self.owners.get(oid, _NOWHERE)
        return None if number < 0 else self.order[number]


def count(catalog: Catalog, survey: Survey, live: set[Oid]) -> Shares:
    """Divide `live` among the packs."""
    staying = [pack for pack in survey.packs if pack not in survey.condemned]
    order = tuple(sorted(staying, key=lambda pack: (survey.packs[pack].written, pack)))
    number = {pack: at for at, pack in enumerate(order)}
    # One dictionary for all objects, and numbers in it: a million of them are to fit into memory.
    owners = dict.fromkeys(live, _NOWHERE)
    stake: dict[Oid, list[Place]] = {}
    for _, oid, place in entries(catalog, survey):
        known = owners.get(oid)
        if known is None:
            continue
        at = number.get(place.pack)
        if at is None:
            stake.setdefault(oid, []).append(place)
        elif known == _NOWHERE or at < known:
            owners[oid] = at
    packs = _sums(catalog, survey, owners, order)
    missing = tuple(sorted(oid for oid, at in owners.items() if at == _NOWHERE and oid not in stake))
    return Shares(packs, owners, order, stake, missing)


def _sums(catalog: Catalog, survey: Survey, owners: dict[Oid, int], order: tuple[Oid, ...]) -> dict[Oid, Share]:
    number = {pack: at for at, pack in enumerate(order)}
    objects = [0] * len(order)
    used = [0] * len(order)
    for _, oid, place in entries(catalog, survey):
        at = number.get(place.pack)
        if at is not None and owners.get(oid) == at:
            objects[at] += 1
            used[at] += place.stored + _ROW
            owners[oid] = -2 - at  # Counted: another index may name the same place.
    for oid, at in owners.items():
        if at < _NOWHERE:
            owners[oid] = -2 - at
    return {
        pack: Share(objects[at], max(survey.packs[pack].size - _FRAME - used[at], 0)) for at, pack in enumerate(order)
    }

"""Sweeping: deleting the packs of condemned lists, after what lives and is nowhere else was copied out of them.

The only module that deletes packs and indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import Progress
from axil.formats.index import MAX_ENTRIES, Index, PackInfo, Place
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.copies import Alive, copy, put_index
from axil.transfer.shares import Shares
from axil.transfer.survey import Survey, found


class Sweep(NamedTuple):
    """What a sweep of one condemned list would do. With `waits`, its packs stay until a later prune, and why."""

    id: str
    packs: tuple[Oid, ...]
    """Those that still exist."""
    bytes: int
    recovers: int
    """Objects that live again and are copied first."""
    waits: str = ""


class Swept(NamedTuple):
    """What was deleted."""

    packs: int = 0
    bytes: int = 0
    recovered: int = 0
    indexes: int = 0
    lists: int = 0


def plan_sweep(catalog: Catalog, survey: Survey, shares: Shares, grace: float) -> tuple[Sweep, ...]:
    """Every condemned list whose packs exist."""
    sure = _sure(catalog, survey, shares)
    sweeps = []
    for name, (listed, written) in sorted(survey.lists.items()):
        here = tuple(pack for pack in sorted(set(listed.packs)) if pack in survey.packs)
        if not here:
            continue
        inside = set(here)
        held = [oid for oid, places in shares.stake.items() if any(place.pack in inside for place in places)]
        lost = sum(shares.owner(oid) is None for oid in held)
        waits = ""
        if survey.now - written < grace:
            waits = "condemned within the grace"
        elif lost:
            waits = "needed again: copied first"
        elif not sure.issuperset(held):
            waits = "what is needed of it was copied a moment ago"
        sweeps.append(Sweep(name, here, sum(survey.packs[pack].size for pack in here), lost, waits))
    return tuple(sweeps)


def _sure(catalog: Catalog, survey: Survey, shares: Shares) -> set[Oid]:
    """What lives, lies in a condemned pack, and also in one that stays, named by an index that every listing shows."""
    settled = [index for oid, index in catalog.ids().items() if survey.settled(oid)]
    sure: set[Oid] = set()
    for oid in shares.stake:
        for index in settled:
            place = index.find(oid)
            if place is not None and place.pack in survey.packs and place.pack not in survey.condemned:
                sure.add(oid)
                break
    return sure


def execute_sweep(
    catalog: Catalog,
    survey: Survey,
    shares: Shares,
    sweeps: tuple[Sweep, ...],
    grace: float,
    alive: Alive,
    progress: Progress,
) -> Swept:
    """Recover, supersede, delete: in this order, and each only if the one before succeeded."""
    ripe = [one for one in sweeps if survey.now - survey.lists[one.id].written >= grace]
    inside = {pack for one in ripe for pack in one.packs}
    lost = {
        oid: next(place for place in places if place.pack in inside)
        for oid, places in shares.stake.items()
        if shares.owner(oid) is None and any(place.pack in inside for place in places)
    }
    if lost:
        copy(catalog, lost.items(), alive, progress)
    doomed = {pack for one in ripe if not one.waits for pack in one.packs}
    _supersede(catalog, survey, doomed | survey.gone, alive)
    progress.begin("deleting", len(doomed), "packs")
    for pack in sorted(doomed):
        alive()
        catalog.remote.delete(keys.pack_key(pack))
        progress.advance()
    progress.end()
    size = sum(survey.packs[pack].size for pack in doomed)
    indexes = _delete_indexes(catalog, survey, alive)
    lists = _delete_lists(catalog, survey, grace, alive)
    _delete_leases(catalog, survey, grace, alive)
    return Swept(len(doomed), size, len(lost), indexes, lists)


def _supersede(catalog: Catalog, survey: Survey, away: set[Oid], alive: Alive) -> None:
    """For the indexes that name packs in `away`, put ones that do not."""
    for group in groups(catalog.ids(), away):
        old = set(group.indexes)
        old.update(one for oid in group.indexes for one in catalog.ids()[oid].supersedes if one in survey.indexes)
        put_index(catalog, group.places, list(group.packs.values()), old, alive)


class Group(NamedTuple):
    """Indexes that one new index can take the place of, and what it would name."""

    indexes: list[Oid]
    places: dict[Oid, Place]
    packs: dict[Oid, PackInfo]


def groups(indexes: Mapping[Oid, Index], away: set[Oid]) -> Iterator[Group]:
    """The indexes that name packs in `away`, in groups, with all else that they name.

    No place may be left out, not even of an object that is named twice: the other copy may be condemned meanwhile.
    So indexes that name an object in different packs are never in one group.
    """
    group = Group([], {}, {})
    for oid, index in sorted(indexes.items(), key=lambda row: (row[1].count, row[0])):
        if away.isdisjoint(pack.id for pack in index.packs):
            continue
        rows = {key: place for key, place in index.entries() if place.pack not in away}
        clash = any(group.places.get(key, place) != place for key, place in rows.items())
        if group.indexes and (clash or len(group.places) + len(rows) > MAX_ENTRIES):
            yield group
            group = Group([], {}, {})
        group.indexes.append(oid)
        group.places.update(rows)
        group.packs.update((pack.id, pack) for pack in index.packs if pack.id not in away)
    if group.indexes:
        yield group


def _delete_indexes(catalog: Catalog, survey: Survey, alive: Alive) -> int:
    """Delete the indexes whose successor every listing shows; how many."""
    superseded = {old for oid, index in catalog.ids().items() if survey.settled(oid) for old in index.supersedes}
    gone = sorted(superseded & survey.indexes.keys())
    for oid in gone:
        alive()
        catalog.remote.delete(keys.index_key(oid))
    return len(gone)


def _delete_lists(catalog: Catalog, survey: Survey, grace: float, alive: Alive) -> int:
    """Delete lists twice as old as the grace whose packs are gone and named nowhere; how many."""
    named = catalog.packs().keys()
    count = 0
    for name, (listed, written) in sorted(survey.lists.items()):
        if survey.now - written < 2 * grace or not named.isdisjoint(listed.packs) or _any_left(catalog, listed.packs):
            continue
        alive()
        catalog.remote.delete(keys.CONDEMNED + name)
        count += 1
    return count


def _delete_leases(catalog: Catalog, survey: Survey, grace: float, alive: Alive) -> None:
    """Delete what processes that were killed left."""
    for stat in list(catalog.remote.list(keys.LEASES)):
        if keys.ulid_of(stat.key, keys.LEASES) and survey.now - stat.written >= grace:
            alive()
            catalog.remote.delete(stat.key)


def _any_left(catalog: Catalog, packs: Iterable[Oid]) -> bool:
    return any(stat is not None for _, stat in found(catalog.remote, packs))

"""What is on a remote at one time, looked at in the order that makes pruning safe (docs/formats/remote.md).

Condemned lists come first and packs last: what a push did meanwhile only adds to what is seen to live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.errors import AxilError, Damaged
from axil.formats import pack as pack_format
from axil.formats import sharing
from axil.formats.index import Place
from axil.formats.sharing import Condemned, Lease, Root
from axil.remotes.base import Absent, Remote, Stat
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.lease import living

SETTLED = 3600.0
"""An index that old is shown by every listing."""


class GitRoots(NamedTuple):
    """What refs of git need: all `objects` they name, and the `commits` they hold (empty: nobody asked for these)."""

    objects: frozenset[Oid] = frozenset()
    commits: frozenset[str] = frozenset()


class Dated(NamedTuple):
    """A condemned list, and when it was written."""

    list: Condemned
    written: float


class Survey(NamedTuple):
    """What is there. Times are the remote's."""

    now: float
    lists: Mapping[str, Dated]
    roots: Mapping[str, tuple[Root, float]]
    git: GitRoots
    indexes: Mapping[Oid, float]
    """Every index that was listed, superseded or not, and when it was written."""
    packs: Mapping[Oid, Stat]
    """The packs that exist."""
    gone: frozenset[Oid]
    """Packs that an index names and that do not exist."""
    condemned: frozenset[Oid]
    tails: Mapping[Oid, Mapping[Oid, Place]]
    """Contents of condemned packs that no index names (any more), from the packs themselves."""
    unreadable: tuple[str, ...]
    """What may name objects and cannot be read: nothing may be deleted then."""
    leases: tuple[Lease, ...]
    """Those alive, but for one's own."""

    def settled(self, index: Oid) -> bool:
        """Whether every listing shows the index."""
        return self.now - self.indexes.get(index, self.now) >= SETTLED


def take(catalog: Catalog, git: Callable[[], GitRoots], now: float, own: str = "") -> Survey:
    """Look at everything, `catalog` included. `own` is the id of one's own lease. Changes nothing on the remote."""
    remote = catalog.remote
    leases = tuple(lease for _, lease in living(remote, now) if lease.id != own)
    lists: dict[str, Dated] = {}
    for stat, data in _read(remote, keys.CONDEMNED):
        if keys.ulid_of(stat.key, keys.CONDEMNED):
            listed = sharing.decode_condemned(data, f"{remote.url}: {stat.key}")
            lists[stat.key.removeprefix(keys.CONDEMNED)] = Dated(listed, stat.written)
    roots, unreadable = _roots(remote)
    needed = git()
    indexes = {oid: stat.written for stat in remote.list(keys.INDEX) if (oid := keys.oid_of(stat.key)) is not None}
    catalog.refresh()
    condemned = catalog.condemned_packs | {pack for one in lists.values() for pack in one.list.packs}
    packs, gone = _packs(catalog)
    named = catalog.packs().keys()
    tails = {pack: table(remote, packs[pack]) for pack in sorted(condemned & packs.keys()) if pack not in named}
    return Survey(now, lists, roots, needed, indexes, packs, gone, condemned, tails, unreadable, leases)


def _roots(remote: Remote) -> tuple[dict[str, tuple[Root, float]], tuple[str, ...]]:
    roots: dict[str, tuple[Root, float]] = {}
    unreadable: list[str] = []
    for stat, data in _read(remote, keys.ROOTS):
        name = keys.ulid_of(stat.key, keys.ROOTS)
        try:
            if name is None:
                raise Damaged(f"{remote.url}: {stat.key} is no root")
            root = sharing.decode_root(data, f"{remote.url}: {stat.key}")
        except AxilError as error:
            unreadable.append(f"{error.what}: {error.why}" if error.why else error.what)
        else:
            roots[name] = (root, stat.written)
    return roots, tuple(unreadable)


def _packs(catalog: Catalog) -> tuple[dict[Oid, Stat], frozenset[Oid]]:
    """The packs that exist, and those that indexes name and that do not."""
    remote = catalog.remote
    packs = {oid: stat for stat in remote.list(keys.PACKS) if (oid := keys.oid_of(stat.key)) is not None}
    gone: set[Oid] = set()
    # A listing may hide what was written a moment ago: that is asked for by name before it counts as gone.
    for oid, stat in found(remote, sorted(catalog.packs().keys() - packs.keys())):
        if stat is None:
            gone.add(oid)
        else:
            packs[oid] = stat
    return packs, frozenset(gone)


def found(remote: Remote, packs: Iterable[Oid]) -> Iterator[tuple[Oid, Stat | None]]:
    """Each of `packs` with what the remote knows of it when asked by name."""
    ids = list(packs)
    with ThreadPoolExecutor(max(remote.jobs, 1)) as pool:
        yield from zip(ids, pool.map(lambda pack: remote.stat(keys.pack_key(pack)), ids), strict=True)


def _read(remote: Remote, prefix: str) -> Iterator[tuple[Stat, bytes]]:
    """Every object below `prefix` with its bytes, without those that are gone meanwhile."""

    def read(stat: Stat) -> bytes | None:
        if stat.size > sharing.MAX_BYTES:
            raise Damaged(f"{remote.url}: {stat.key} is too large", f"it has {stat.size} bytes")
        try:
            return remote.get(stat.key)
        except Absent:
            return None

    stats = list(remote.list(prefix))
    with ThreadPoolExecutor(max(remote.jobs, 1)) as pool:
        for stat, data in zip(stats, pool.map(read, stats), strict=True):
            if data is not None:
                yield stat, data


def table(remote: Remote, stat: Stat) -> dict[Oid, Place]:
    """What lies where in a pack, from its own table: two requests. Raises `Damaged`; empty if the pack is gone."""
    pack = keys.oid_of(stat.key) or b""
    path = f"{remote.url}: {stat.key}"
    try:
        footer = remote.get(stat.key, max(stat.size - pack_format.FOOTER_SIZE, 0), pack_format.FOOTER_SIZE)
        start, count = pack_format.table_span(footer, stat.size, path)
        wanted = stat.size - pack_format.FOOTER_SIZE - start
        data = remote.get(stat.key, start, wanted)
    except Absent:
        return {}
    if len(data) != wanted:
        raise Damaged("a pack is damaged", f"{path} is cut short")
    if pack_format.id_of(data + footer) != pack:
        raise Damaged("a pack is damaged", f"{path}: its table does not match its name")
    read = pack_format.Table(data, 0, count, start, path)
    return {oid: Place(pack, *location) for oid, location in zip(read.oids(), read.locations(), strict=True)}


def entries(catalog: Catalog, survey: Survey) -> Iterator[tuple[bool, Oid, Place]]:
    """Every object in a pack that exists: (whether every listing shows the index, oid, place)."""
    for index_id, index in catalog.ids().items():
        settled = survey.settled(index_id)
        if survey.gone.isdisjoint(pack.id for pack in index.packs):
            for oid, place in index.entries():
                yield settled, oid, place
        else:
            for oid, place in index.entries():
                if place.pack in survey.packs:
                    yield settled, oid, place
    for tail in survey.tails.values():
        for oid, place in tail.items():
            yield False, oid, place

"""What lives on a remote: everything reachable from some roots through directories, recipes and their segments.

Directories are read from the local store where it has them, else from the remote, many at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Damaged, NotFound
from axil.formats import recipe, tree
from axil.formats.index import Place
from axil.formats.pack import BLOB, RECIPE, SEGMENT, TREE
from axil.store.store import Store
from axil.transfer.catalog import Catalog
from axil.transfer.ranges import read_all, spans
from axil.transfer.survey import Survey, entries

_Places = dict[tuple[Oid, int], list[Place]]
"""Where that is which names others: (oid, kind) -> every copy of a directory, a recipe or a segment."""
_BATCH = 20_000
_DIRECTORIES = (tree.DIR[0], tree.NODE[0])


class Live(NamedTuple):
    """`oids` live; what lies below one of `unreadable` (oid -> why) is not known."""

    oids: set[Oid]
    unreadable: dict[Oid, str]


def walk(
    catalog: Catalog,
    survey: Survey,
    roots: Iterable[Oid],
    store: Store | None = None,
    alive: Callable[[], None] = lambda: None,
    progress: Progress = SILENT,
) -> Live:
    """Everything reachable from `roots`, themselves included, whether it is there or not.

    `alive` is called again and again meanwhile.
    """
    named = _naming(catalog, survey)
    live: set[Oid] = set()
    unreadable: dict[Oid, str] = {}
    done: set[tuple[Oid, int]] = set()
    queue: list[tuple[Oid, int]] = []
    for oid in roots:
        # A root does not say what it is, so it is whatever is here under its name.
        kinds = [
            kind for kind in (BLOB, TREE) if kind == BLOB or (oid, kind) in named or (store and store.is_tree(oid))
        ]
        _meet(((oid, kind) for kind in kinds), named, live, done, queue)
    progress.begin("looking for what is needed", unit="directories")
    while queue:
        batch, queue = queue[:_BATCH], queue[_BATCH:]
        for oid, kind, data in _contents(catalog, survey, named, batch, store, unreadable):
            progress.advance()
            alive()
            try:
                _meet(_children(oid, kind, data), named, live, done, queue)
            except Damaged as error:
                unreadable[oid] = error.why
    progress.end()
    return Live(live, unreadable)


def _naming(catalog: Catalog, survey: Survey) -> _Places:
    places: _Places = {}
    for _, oid, place in entries(catalog, survey):
        if place.type != BLOB:
            places.setdefault((oid, place.type), []).append(place)
    return places


def _meet(
    rows: Iterable[tuple[Oid, int]],
    named: _Places,
    live: set[Oid],
    done: set[tuple[Oid, int]],
    queue: list[tuple[Oid, int]],
) -> None:
    """Note that `rows` (oid, kind) live, and queue those that name others."""
    for oid, kind in rows:
        live.add(oid)
        # A blob names others if it is here as a recipe; what was called a directory is one, whatever it is here as.
        row = (oid, RECIPE if kind == BLOB else kind)
        if row not in done and (kind != BLOB or row in named):
            done.add(row)
            queue.append(row)


def _children(oid: Oid, kind: int, data: bytes) -> Iterator[tuple[Oid, int]]:
    """What an object names, as (oid, kind)."""
    if kind == TREE:
        return ((entry.oid, TREE if entry.kind in _DIRECTORIES else BLOB) for entry in tree.decode(data)[1])
    found = recipe.decode(data, oid) if kind == RECIPE else recipe.decode_segment(data)
    # A chunk is a blob like any other.
    below = SEGMENT if found.level else BLOB
    return ((part.oid, below) for part in found.parts)


def _contents(
    catalog: Catalog,
    survey: Survey,
    named: _Places,
    batch: list[tuple[Oid, int]],
    store: Store | None,
    unreadable: dict[Oid, str],
) -> Iterator[tuple[Oid, int, bytes]]:
    """The bytes of each of `batch`; of recipes those of every copy, for two may list other chunks."""
    left: dict[tuple[Oid, int], list[Place]] = {}
    for oid, kind in batch:
        local = _local(store, oid) if kind == TREE else None
        if local is not None:
            yield oid, kind, local
            continue
        left[oid, kind] = list(named.get((oid, kind), ())) or _elsewhere(catalog, survey, oid)
    # One copy after the other, until one is sound. What has none at all is missing, which others tell.
    while left := {row: places for row, places in left.items() if places}:
        for kind in (TREE, RECIPE, SEGMENT):
            asked = {row[0]: places.pop(0) for row, places in left.items() if row[1] == kind}
            for answer in read_all(catalog.remote, spans(asked)):
                for entry in answer.entries:
                    yield entry.oid, kind, entry.data
                    if kind != RECIPE:
                        left[entry.oid, kind].clear()
                for failure in answer.failures:
                    if kind == RECIPE or not left[failure.oid, kind]:
                        unreadable[failure.oid] = failure.why


def _local(store: Store | None, oid: Oid) -> bytes | None:
    try:
        return store.read(oid) if store is not None and store.packs.find(oid) else None
    except (NotFound, Damaged):
        return None


def _elsewhere(catalog: Catalog, survey: Survey, oid: Oid) -> list[Place]:
    """A directory may be there as a file with the same bytes."""
    place = catalog.find(oid, survey.gone)
    return [] if place is None else [place]

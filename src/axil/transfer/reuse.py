"""Chunks of wanted large blobs that other large blobs here hold: the older version of an edited file has most of them.

Looked into are the version that the wanted one takes the place of, if the caller knows it, and blobs of about the same
size. Their recipes on the remote tell where chunks lie; what is read there is checked like what comes from the remote.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest

from axil.base.hashing import Oid, hash_bytes, parse_oid
from axil.base.light import NamedTuple
from axil.errors import AxilError, Damaged
from axil.formats import recipe
from axil.formats.index import Place
from axil.formats.pack import MAX_RAW, RECIPE
from axil.formats.recipe import Part, Recipe
from axil.formats.tree import DIR
from axil.store import Store
from axil.store.hashing import LARGE
from axil.store.parallel import cores
from axil.transfer.catalog import Catalog
from axil.transfer.chunks import open_blob
from axil.transfer.lookup import places
from axil.transfer.ranges import in_threads
from axil.transfer.source import Source

_PER_BYTES, _MOST = 1 << 20, 16
"""One blob of about the same size is looked into for each so many bytes wanted, no more than so many for one blob."""

_LONGER = 4
"""No blob so many times as long is looked into: its recipe costs more the longer it is."""

_WORTH = 1 << 10
"""A recipe has about a 6000th of its blob's length. Where less than this part of it is wanted still, it is not read."""

_AT_ONCE = 64
"""So many segments of a recipe are read at a time; they list up to 4096 chunks each."""


class _Piece(NamedTuple):
    """A wanted chunk, and where it should lie in the file open as `fd`."""

    oid: Oid
    fd: int
    offset: int
    size: int


class Neighbours:
    """The large blobs here of which the remote has a recipe, by size."""

    def __init__(self, store: Store, catalog: Catalog, older: Callable[[], Mapping[Oid, Oid]] = dict) -> None:
        """`older` gives, for blobs that may be wanted, the versions whose places they take."""
        self._store = store
        self._older = older
        self._older_known: Mapping[Oid, Oid] = {}
        # One of its own: a recipe that is lost or wrong is no trouble if the blob that it makes is not wanted.
        self._source = Source(catalog)
        self._places: dict[Oid, Place] = {}
        self._sizes: list[tuple[int, Oid]] | None = None

    def add(self, oid: Oid, size: int, place: Place) -> None:
        """The blob `oid` is here now, too."""
        if self._sizes is not None:
            insort(self._sizes, (size, oid))
            self._places[oid] = place

    def chunks(self, blobs: Mapping[Oid, int], wanted: Mapping[Oid, int]) -> Iterator[tuple[Oid, bytes]]:
        """Those of the chunks `wanted` (oid -> size) of `blobs` (oid -> size) that are here; checked.

        Looks at `wanted` as it goes: what was had may be taken out of it.
        """
        near = self._near(blobs)
        found = {oid: self._places[oid] for oid in near}
        recipes = {entry.oid: entry.data for entry in self._source.entries(found, known=found)}
        for oid in near:
            if oid in recipes:
                # One that lies, or whose blob is gone meanwhile, is passed over.
                with contextlib.suppress(Damaged):
                    yield from self._held(oid, recipe.decode(recipes[oid], oid), wanted)

    def _near(self, blobs: Mapping[Oid, int]) -> list[Oid]:
        """The blobs here that are like one of `blobs`, the likeliest of each first."""
        known = self._known()
        rows = ([*self._version_before(oid), *_next_to(known, size)] for oid, size in blobs.items())
        return list(dict.fromkeys(oid for rank in zip_longest(*rows) for oid in rank if oid is not None))

    def _version_before(self, oid: Oid) -> list[Oid]:
        before = self._older_known.get(oid)
        return [before] if before in self._places else []

    def _known(self) -> list[tuple[int, Oid]]:
        if self._sizes is None:
            here: dict[Oid, int] = {}
            for entry in self._store.files.all():
                with contextlib.suppress(ValueError, FileNotFoundError):
                    here[parse_oid(entry.name)] = entry.stat().st_size
            found = places(self._source.catalog, here)
            self._places = {oid: place for oid, place in found.items() if place.type == RECIPE}
            self._sizes = sorted((here[oid], oid) for oid in self._places)
            self._older_known = self._older()
        return self._sizes

    def _held(self, oid: Oid, made: Recipe, wanted: Mapping[Oid, int]) -> Iterator[tuple[Oid, bytes]]:
        """What of `wanted` the blob `oid` holds. Raises `Damaged` if its segments lie, or it cannot be read."""
        if sum(wanted.values()) * _WORTH < made.size:
            return
        fd = open_blob(self._store.files.path(oid))
        try:
            pieces = (
                _Piece(part.oid, fd, offset, part.size)
                for offset, part in self._parts(made)
                if wanted.get(part.oid) == part.size <= MAX_RAW
            )
            for piece, data in in_threads(cores(), _read, pieces, lambda piece: piece.size):
                if data:
                    yield piece.oid, data
        finally:
            os.close(fd)

    def _parts(self, made: Recipe) -> Iterator[tuple[int, Part]]:
        """The chunks of a blob with their offsets. Passes over what segments say that cannot be had."""
        if made.level == 0:
            yield from _with_offsets(0, made.parts)
            return
        start = 0
        for at in range(0, len(made.parts), _AT_ONCE):
            parts = made.parts[at : at + _AT_ONCE]
            lists = {one.oid: one.data for one in self._source.entries({part.oid for part in parts})}
            for part in parts:
                if part.oid in lists:
                    yield from _with_offsets(start, recipe.decode_segment(lists[part.oid]).parts)
                start += part.size


def _next_to(known: list[tuple[int, Oid]], size: int) -> list[Oid]:
    most = min(size // _PER_BYTES, _MOST)
    if not most:
        return []
    at = bisect(known, (size, b""))
    close = sorted(known[max(at - most, 0) : at + most], key=lambda row: abs(row[0] - size))
    return [oid for length, oid in close if length <= size * _LONGER][:most]


def _with_offsets(start: int, parts: Iterable[Part]) -> Iterator[tuple[int, Part]]:
    for part in parts:
        yield start, part
        start += part.size


def versions_before(store: Store, older: Mapping[Oid, Oid]) -> dict[Oid, Oid]:
    """Large blob -> the blob whose place it takes, for what differs in the roots `older`, directories that are here."""
    found: dict[Oid, Oid] = {}
    todo = list(older.items())
    while todo:
        new, old = todo.pop()
        if not (store.is_tree(new) and store.is_tree(old)):
            found[new] = old
            continue
        with contextlib.suppress(AxilError):
            gone, come = store.differing(old, new)
            before = {entry.name: entry for entry in gone if entry.kind == DIR[0] or entry.size >= LARGE}
            todo += [(entry.oid, before[entry.name].oid) for entry in come if entry.name in before]
    return found


def _read(piece: _Piece) -> tuple[_Piece, bytes]:
    """The chunk; no bytes if something else lies there."""
    try:
        data = os.pread(piece.fd, piece.size, piece.offset)
    except OSError:
        return piece, b""
    return piece, data if hash_bytes(data) == piece.oid else b""

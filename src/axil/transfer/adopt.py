"""Whole packs taken over as they are: where everything in one is wanted, no entry needs to be copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack

from axil.base.hashing import OID_SIZE, Oid
from axil.base.light import NamedTuple
from axil.base.progress import Progress
from axil.errors import Damaged
from axil.formats import pack as fmt
from axil.formats.index import PackInfo, Place
from axil.remotes.base import Absent, Remote
from axil.store import Batch
from axil.store.assembly import Assembly
from axil.store.hashing import LARGE
from axil.store.packs import Pack
from axil.store.verify import unsound
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.ranges import LONGEST, in_threads

SMALLEST = 1 << 20
"""A smaller pack is rather copied into one with others: many small packs make every lookup slower."""

_ROUND = 256 << 20
"""So many bytes of packs are fetched, then checked by all cores, then made durable."""

_OVERHEAD = fmt.HEADER_SIZE + 256 * 4 + fmt.FOOTER_SIZE
_PER_ENTRY = OID_SIZE + fmt.ROW_SIZE


class _Piece(NamedTuple):
    """A part of a pack that is fetched with one request."""

    pack: Oid
    start: int
    length: int
    target: Assembly


def wanted_whole(catalog: Catalog, found: Mapping[Oid, Place]) -> list[PackInfo]:
    """The packs of at least SMALLEST bytes of which every entry is in `found` and may lie in a pack of a store."""
    bytes_: dict[Oid, int] = {}
    unfit: set[Oid] = set()
    for place in found.values():
        bytes_[place.pack] = bytes_.get(place.pack, 0) + place.stored + _PER_ENTRY
        if place.type not in (fmt.BLOB, fmt.TREE) or (place.type == fmt.BLOB and place.raw >= LARGE):
            unfit.add(place.pack)
    return [
        info
        for oid, info in catalog.packs().items()
        if oid in bytes_
        and oid not in unfit
        # Entries lie back to back: only if all are wanted does the sum come out like this.
        and SMALLEST <= info.size == bytes_[oid] + _OVERHEAD <= fmt.MAX_SIZE
    ]


def adopt(
    remote: Remote, batch: Batch, packs: Iterable[PackInfo], found: Mapping[Oid, Place], progress: Progress
) -> Iterator[list[Oid]]:
    """Takes over packs of which every entry is in `found`; yields their oids, pack by pack, each round durable.

    A pack that is gone or not as it should be is passed over: its entries can be asked for one by one.
    """
    for chosen in _rounds(packs):
        with ExitStack() as stack:
            files = {info.id: stack.enter_context(Assembly(batch.new_path(), info.size)) for info in chosen}
            gone = _download(remote, chosen, files, progress)
            opened = {oid: pack for oid in files.keys() - gone if (pack := _open(oid, files[oid].path, found))}
            for oid in opened.keys() - unsound(opened):
                batch.put_pack(files[oid].keep(), oid)
                yield opened[oid].table.oids()
        batch.commit()


def _download(remote: Remote, chosen: list[PackInfo], files: Mapping[Oid, Assembly], progress: Progress) -> set[Oid]:
    """Fetches packs into files, piece by piece; those that are gone or too short."""
    pieces = [
        _Piece(info.id, at, min(LONGEST, info.size - at), files[info.id])
        for info in chosen
        for at in range(0, info.size, LONGEST)
    ]
    gone: set[Oid] = set()
    answers = in_threads(remote.jobs, _fetch, ((remote, piece) for piece in pieces))
    for piece, came in zip(pieces, answers, strict=True):
        progress.advance(piece.length)
        if not came:
            gone.add(piece.pack)
    return gone


def _fetch(task: tuple[Remote, _Piece]) -> bool:
    remote, (pack, start, length, target) = task
    try:
        data = remote.get(keys.pack_key(pack), start, length)
    except Absent:
        return False
    target.write(data[:length], start)
    return len(data) == length


def _open(oid: Oid, path: str, found: Mapping[Oid, Place]) -> Pack | None:
    """The fetched pack, if its table says of each entry what the index said."""
    try:
        pack = Pack(path)
        rows = zip(pack.table.oids(), pack.table.locations(), strict=True)
        return pack if all(entry in found and found[entry] == (oid, *row) for entry, row in rows) else None
    except Damaged:
        return None


def _rounds(packs: Iterable[PackInfo], size: int = _ROUND) -> Iterator[list[PackInfo]]:
    """`packs` in groups of about `size` bytes."""
    group: list[PackInfo] = []
    total = 0
    for info in packs:
        group.append(info)
        total += info.size
        if total >= size:
            yield group
            group, total = [], 0
    if group:
        yield group

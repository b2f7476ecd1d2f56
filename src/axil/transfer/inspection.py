"""The bytes of a remote's packs, read and checked: those first that were not for the longest time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from blake3 import blake3

from axil.base.clock import Clock
from axil.base.hashing import Oid, hash_bytes
from axil.base.light import NamedTuple
from axil.errors import Damaged
from axil.formats import pack as fmt
from axil.formats import recipe
from axil.formats.index import PackInfo
from axil.formats.pack import Location, Table
from axil.remotes.base import Absent, Remote
from axil.transfer import keys
from axil.transfer.assemble import stream
from axil.transfer.checked import Checked
from axil.transfer.findings import Fault
from axil.transfer.lookup import places
from axil.transfer.ranges import decoded
from axil.transfer.structure import Structure

_MEMORY = 256 << 20
"""Packs in memory at a time, in bytes."""

_SAVE_EVERY = 16


class Inspected(NamedTuple):
    """What came of reading one pack, and where its table says that its entries lie."""

    faults: list[Fault]
    table: dict[Oid, Location]


class Inspection:
    """One reading of packs. With `deep` each entry is decoded and each large blob put together, too."""

    def __init__(self, job: Structure, note: Checked, clock: Clock, until: float | None, *, deep: bool) -> None:
        self._job = job
        self._note = note
        self._clock = clock
        self._until = until
        self._deep = deep

    def run(self, sample: float | None) -> int:
        """Reads packs until the share `sample` of all bytes is read, or the time is over; how many were read."""
        packs = self._job.packs
        order = self._note.order(packs.values())
        total = sum(pack.size for pack in order)
        picked = list(_share(order, total if sample is None else int(total * sample)))
        self._job.progress.begin("checking packs", sum(pack.size for pack in picked), "B")
        checked = 0
        try:
            for pack, done in self._inspected(picked):
                self._judge(pack, done)
                self._note.note(pack.id, self._clock())
                checked += 1
                self._job.progress.advance(pack.size)
                if checked % _SAVE_EVERY == 0:
                    self._note.save(packs)
        finally:
            self._note.save(packs)
            self._job.progress.end()
        return checked

    def _inspected(self, picked: list[PackInfo]) -> Iterator[tuple[PackInfo, Inspected]]:
        """Each pack with what came of it, several being read at a time."""
        remote = self._job.remote
        largest = max((pack.size for pack in picked), default=1)
        threads = max(1, min(remote.jobs, _MEMORY // largest))
        waiting: list[tuple[PackInfo, Future[Inspected]]] = []
        pool = ThreadPoolExecutor(threads)
        try:
            for pack in picked:
                if self._over():
                    return
                waiting.append((pack, pool.submit(inspect, remote, pack, self._deep)))
                if len(waiting) >= threads:
                    first, future = waiting.pop(0)
                    yield first, future.result()
            for first, future in waiting:
                if self._over():
                    return
                yield first, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _over(self) -> bool:
        return self._until is not None and self._clock() >= self._until

    def _judge(self, pack: PackInfo, done: Inspected) -> None:
        """Compares a pack that was read with the indexes; with `deep`, puts its large blobs together."""
        key = keys.pack_key(pack.id)
        if pack.id in self._job.catalog.condemned_packs:
            self._judge_condemned(pack, done)
            return
        self._job.faults += done.faults
        for oid, place in places(self._job.catalog, done.table).items():
            if place.pack == pack.id and place[1:] != tuple(done.table[oid]):
                self._job.faults.append(Fault(key, oid.hex(), "an index says that it lies elsewhere in the pack"))
        for oid, location in done.table.items():
            if self._deep and location.type == fmt.RECIPE:
                self._restore(key, oid)

    def _judge_condemned(self, pack: PackInfo, done: Inspected) -> None:
        """What is wrong with a pack that is going to be deleted matters only for what lies nowhere else."""
        found = places(self._job.catalog, {bytes.fromhex(fault.oid) for fault in done.faults if fault.oid})
        only = {oid.hex() for oid, place in found.items() if place.pack == pack.id}
        self._job.faults += [fault for fault in done.faults if fault.oid in only]

    def _restore(self, key: str, oid: Oid) -> None:
        source = self._job.source
        hasher = blake3()
        try:
            for entry in source.entries([oid]):
                for piece in stream(source, oid, recipe.decode(entry.data, oid)):
                    hasher.update(piece)
                if hasher.digest() != oid:
                    raise Damaged("", "its recipe makes something else of its chunks")
        except Damaged as error:
            self._job.faults.append(Fault(key, oid.hex(), error.why))


def inspect(remote: Remote, pack: PackInfo, deep: bool) -> Inspected:
    """Reads one pack, once more if it is not what its name says. May run on several threads at once."""
    key = keys.pack_key(pack.id)
    if pack.size > fmt.MAX_SIZE:
        return Inspected([Fault(key, "", "it is larger than any pack may be")], {})
    found = Inspected([], {})
    for _ in range(2):
        try:
            found = _judged(remote.get(key), pack.id, key, deep)
        except Absent:
            return Inspected([Fault(key, "", "it is not there any more")], {})
        if not found.faults:
            break
    return found


def _judged(data: bytes, pack: Oid, key: str, deep: bool) -> Inspected:
    """What is wrong with a whole pack. Its entries are gone through if it must be known which of them are sound."""
    try:
        fmt.check_header(data[: fmt.HEADER_SIZE], key)
        start, count = fmt.table_span(data[-fmt.FOOTER_SIZE :], len(data), key)
        tail = data[start:]
        if fmt.id_of(tail) != pack:
            raise Damaged("a pack is damaged", "its table does not match its name")
        read = Table(tail, 0, count, start, key)
        table = dict(zip(read.oids(), read.locations(), strict=True))
    except Damaged as error:
        return Inspected([Fault(key, "", error.why)], {})
    content, faults = fmt.content_of(tail), []
    if content != fmt.UNTOLD and hash_bytes(memoryview(data)[:start]) != content:
        faults.append(Fault(key, "", "its bytes do not match its name"))
    for oid, place in table.items() if deep or faults or content == fmt.UNTOLD else ():
        try:
            decoded(oid, place, data[place.offset : place.offset + place.stored], key)
        except Damaged as error:
            faults.append(Fault(key, oid.hex(), error.why))
    return Inspected(faults, table)


def _share(order: list[PackInfo], most: int) -> Iterator[PackInfo]:
    """The first of `order`, until `most` bytes are reached; at least one if any are wanted."""
    size = 0
    for pack in order:
        if size >= most:
            return
        yield pack
        size += pack.size

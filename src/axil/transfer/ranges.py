"""Entries of packs asked for in few requests, several at a time, each checked; wrong bytes are asked for once more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from axil.base.hashing import Oid, hash_bytes
from axil.base.light import NamedTuple, TypeVar
from axil.errors import Damaged
from axil.formats import pack as fmt
from axil.formats import recipe
from axil.formats.index import Place
from axil.remotes.base import Absent, Remote
from axil.store.packs import decompress
from axil.transfer import keys

Task = TypeVar("Task")
Result = TypeVar("Result")

GAP = 256 << 10
"""Wanted entries at most this far apart are fetched with one request. A request to a bucket waits some 50 ms, but eight
or more are under way at a time and share a line that brings 1-4 MB in that time: a request is worth what one of
them brings meanwhile."""

LONGEST = 8 << 20
"""A request asks for about this much at most, so that several share the work and memory is bounded."""

MOST_RAW = 32 << 20
"""A request asks for entries that are about this long at most once decoded, or for one entry."""

MEMORY = 384 << 20
"""What is held in memory at a time, by requests under way and by answers that wait for their turn."""


class Span(NamedTuple):
    """One request: `length` bytes of a pack from `start` on, which hold the wanted `entries`."""

    pack: Oid
    start: int
    length: int
    entries: tuple[tuple[Oid, Place], ...]


class Entry(NamedTuple):
    """An object that was fetched and checked: as it lies in the pack, and decoded."""

    oid: Oid
    place: Place
    stored: bytes
    data: bytes


class Failure(NamedTuple):
    """An object that could not be had from this place. `gone` if the pack is not there."""

    oid: Oid
    place: Place
    gone: bool
    why: str


class Answer(NamedTuple):
    """What came of one request."""

    entries: list[Entry]
    failures: list[Failure]


def spans(wanted: Mapping[Oid, Place], gap: int = GAP, longest: int = LONGEST) -> list[Span]:
    """The requests that bring `wanted`: entries of one pack that lie close are brought together."""
    made: list[Span] = []
    run: list[tuple[Oid, Place]] = []
    start = end = raw = 0
    for oid, place in sorted(wanted.items(), key=lambda item: (item[1].pack, item[1].offset)):
        stop = place.offset + place.stored
        if run and (
            run[0][1].pack != place.pack
            or place.offset > end + gap
            or stop - start > longest
            or raw + place.raw > MOST_RAW
        ):
            made.append(Span(run[0][1].pack, start, end - start, tuple(run)))
            run = []
        if not run:
            start = end = place.offset
            raw = 0
        run.append((oid, place))
        end = max(end, stop)
        raw += place.raw
    if run:
        made.append(Span(run[0][1].pack, start, end - start, tuple(run)))
    return made


def read(remote: Remote, span: Span) -> Answer:
    """The entries of one request, decoded and checked; what is wrong is asked for once more. Raises what `get` raises.

    May run on several threads at once.
    """
    key = keys.pack_key(span.pack)
    good: list[Entry] = []
    wanted: Sequence[tuple[Oid, Place]] = span.entries
    failures: list[Failure] = []
    for _ in range(2):
        try:
            data = remote.get(key, span.start, span.length)
        except Absent:
            return Answer(good, [Failure(oid, place, True, f"{remote.url} has no {key}") for oid, place in wanted])
        failures = []
        for oid, place in wanted:
            at = place.offset - span.start
            stored = data[at : at + place.stored]
            try:
                good.append(Entry(oid, place, stored, decoded(oid, place, stored, key)))
            except Damaged as error:
                failures.append(Failure(oid, place, False, f"{remote.url}: {key}: {error.why}"))
        if not failures:
            break
        wanted = [(failure.oid, failure.place) for failure in failures]
    return Answer(good, failures)


def decoded(oid: Oid, place: Place | fmt.Location, stored: bytes, path: str) -> bytes:
    """The bytes of the object `oid` out of its stored form. Raises `Damaged` unless `place` and `oid` are true.

    The oid of a recipe is that of the blob it makes.
    """
    if len(stored) != place.stored:
        raise Damaged("a pack is damaged", f"{path} is cut short at {place.offset + len(stored)} bytes")
    data = stored if place.codec == fmt.RAW else decompress(stored, place.raw, path)
    if place.type == fmt.RECIPE:
        recipe.decode(data, oid)
    elif hash_bytes(data) != oid:
        raise Damaged("a pack is damaged", f"object {oid.hex()[:12]}: its bytes do not match its name")
    return data


def read_all(remote: Remote, wanted: Iterable[Span], work: Callable[[Remote, Span], Answer] = read) -> Iterator[Answer]:
    """`work` on each span, several at a time; in the order given."""
    return in_threads(remote.jobs, partial(work, remote), wanted, _weight)


def _weight(span: Span) -> int:
    """The memory that an answer takes: what comes, and what it is once cut and decoded."""
    return 2 * span.length + sum(place.raw for _, place in span.entries)


def in_threads(
    jobs: int,
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    weigh: Callable[[Task], int] = lambda _: 0,
    most: int = MEMORY,
    ahead: int = 0,
) -> Iterator[Result]:
    """`work` on each of `tasks`, `jobs` at a time; in the order given.

    At most `ahead` (or twice as many as `jobs`) are ahead of the reader when the next task is taken, and no more than
    together weigh `most`, but always one.
    """
    jobs = max(jobs, 1)
    ahead = ahead or 2 * jobs
    waiting: list[tuple[int, Future[Result]]] = []
    load = 0
    pool = ThreadPoolExecutor(jobs)
    try:
        for task in tasks:
            weight = weigh(task)
            while waiting and (len(waiting) >= ahead or load + weight > most):
                done, future = waiting.pop(0)
                yield future.result()
                load -= done
            waiting.append((weight, pool.submit(work, task)))
            load += weight
        for _, future in waiting:
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

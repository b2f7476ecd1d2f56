"""Reading many objects from packs of a remote: places that lie close come with one request, each is checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from axil.base.hashing import Oid, hash_bytes
from axil.base.light import NamedTuple
from axil.errors import Damaged
from axil.formats import pack as pack_format
from axil.formats import recipe
from axil.formats.index import Place
from axil.remotes.base import Absent, Remote
from axil.store.packs import decompress
from axil.transfer import keys

GAP = 64 << 10
"""Bytes between two places that are rather read along than asked for apart."""
LONGEST = 8 << 20


class Found(NamedTuple):
    """An object as it is stored and as it is; `data` is None if it is damaged or gone, as `why` says."""

    oid: Oid
    place: Place
    stored: bytes
    data: bytes | None
    why: str = ""


class _Span(NamedTuple):
    pack: Oid
    start: int
    end: int
    wanted: list[tuple[Oid, Place]]


def gather(remote: Remote, wanted: Iterable[tuple[Oid, Place]]) -> Iterator[Found]:
    """Every one of `wanted`, in the order of packs and places; what is not right is asked for once more."""
    spans = _spans(sorted(wanted, key=lambda row: (row[1].pack, row[1].offset)))
    jobs = max(remote.jobs, 1)
    with ThreadPoolExecutor(jobs) as pool:
        # A few at a time, so that what was read and not yet used stays bounded.
        for at in range(0, len(spans), jobs):
            for found in pool.map(lambda span: _fetch(remote, span), spans[at : at + jobs]):
                yield from found


def _spans(rows: list[tuple[Oid, Place]]) -> list[_Span]:
    spans: list[_Span] = []
    for oid, place in rows:
        end = place.offset + place.stored
        last = spans[-1] if spans else None
        if (
            last is not None
            and last.pack == place.pack
            and place.offset - last.end <= GAP
            and end - last.start <= LONGEST
        ):
            last.wanted.append((oid, place))
            spans[-1] = last._replace(end=max(end, last.end))
        else:
            spans.append(_Span(place.pack, place.offset, end, [(oid, place)]))
    return spans


def _fetch(remote: Remote, span: _Span) -> list[Found]:
    key = keys.pack_key(span.pack)
    done: dict[Oid, Found] = {}
    for _ in range(2):
        try:
            data = remote.get(key, span.start, span.end - span.start)
        except Absent:
            return [Found(oid, place, b"", None, f"{remote.url} has no {key}") for oid, place in span.wanted]
        for oid, place in span.wanted:
            if oid not in done or done[oid].data is None:
                at = place.offset - span.start
                done[oid] = _decode(oid, place, data[at : at + place.stored], f"{remote.url}: {key}")
        if all(one.data is not None for one in done.values()):
            break
    return [done[oid] for oid, _ in span.wanted]


def _decode(oid: Oid, place: Place, stored: bytes, path: str) -> Found:
    try:
        if len(stored) != place.stored:
            raise Damaged("a pack is damaged", f"{path} is cut short")
        data = stored if place.codec == pack_format.RAW else decompress(stored, place.raw, path)
        if place.type == pack_format.RECIPE:
            recipe.decode(data, oid)
        elif hash_bytes(data) != oid:
            raise Damaged("a pack is damaged", f"{path}: an object does not match its name {oid.hex()[:12]}")
    except Damaged as error:
        return Found(oid, place, stored, None, error.why)
    return Found(oid, place, stored, data)

"""The small JSON objects of a remote: its format, roots, condemned packs and leases (`docs/formats/remote.md`).

They come from whoever may write to the remote, so every field is checked; unknown fields are passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence

from axil.base.hashing import Oid, parse_oid
from axil.base.ids import is_id
from axil.base.light import Any, Literal, NamedTuple
from axil.errors import AxilError, Damaged

VERSION = 1
MAX_BYTES = 64 << 20
"""A larger object of these kinds is refused before it is read."""
_MOST_OBJECTS, _MOST_COMMITS, _MOST_NAMES = 500_000, 200_000, 10_000
"""What one root holds at most: 34, 9 and, of the longest names that git has, 15 MB."""
Kind = Literal["push", "prune"]


class Chunking(NamedTuple):
    """How writers cut large blobs; readers need none of it. Sizes in bytes."""

    name: str = "fastcdc-2020"
    min: int = 64 << 10
    avg: int = 256 << 10
    max: int = 1 << 20
    whole: int = 256 << 10
    """Blobs up to this size, or below 128 KiB, are not cut."""


class Format(NamedTuple):
    """What a remote says of itself; `id` is the same for all who use it, wherever they reach it."""

    id: str
    chunking: Chunking = Chunking()


class Root(NamedTuple):
    """The commit point of a push: with it in place, all that `objects` need is on the remote and stays there."""

    id: str
    author: str
    objects: tuple[Oid, ...]
    commits: tuple[str, ...] = ()
    """The git commits they were pushed for."""
    names: tuple[str, ...] = ()
    """The experiments they were pushed for."""


class Condemned(NamedTuple):
    """Packs that a prune is going to delete after a grace, and the indexes and roots that go with them.

    Whoever writes treats all that lies in them as absent.
    """

    id: str
    packs: tuple[Oid, ...]
    indexes: tuple[Oid, ...] = ()
    roots: tuple[Root, ...] = ()
    """Roots that were dropped; until the packs go, putting them back undoes it."""


class Lease(NamedTuple):
    """A push under way, or the one prune; the remote's time of the object tells whether it is alive."""

    id: str
    kind: Kind
    author: str
    host: str
    pid: int


def encode_format(value: Format) -> bytes:
    """The object `format`."""
    return _dump("format", {"id": value.id, "hash": "blake3", "chunking": value.chunking._asdict(), "features": []})


def decode_format(data: bytes, source: str) -> Format:
    """What `data`, found at `source`, says. Raises `AxilError` if this axil cannot use the remote, `Damaged`."""
    row = _load("format", data, source)
    features = row.get("features")
    if row.get("hash") != "blake3" or features != []:
        raise AxilError(
            f"{source} uses what this axil does not know",
            f"hash {row.get('hash')!r}, features {features!r}",
            "update axil and try again",
        )
    chunking = row.get("chunking")
    numbers = ("min", "avg", "max", "whole")
    if not isinstance(chunking, dict) or not isinstance(chunking.get("name"), str):
        raise _wrong(source, "it does not say how large files are cut")
    sizes = {key: chunking.get(key) for key in numbers}
    if not all(type(size) is int and 0 < size <= 32 << 20 for size in sizes.values()):
        raise _wrong(source, "the sizes of chunks are out of range")
    return Format(_id(row, source), Chunking(chunking["name"], **{key: int(size or 0) for key, size in sizes.items()}))


def encode_root(value: Root) -> bytes:
    """A root as an object."""
    return _dump("root", _root_row(value))


def parts_of_root(root: Root, new_id: Callable[[], str]) -> list[Root]:
    """`root`, or several that together say the same, none of them so large that readers refuse it."""
    counts = (len(root.objects) / _MOST_OBJECTS, len(root.commits) / _MOST_COMMITS, len(root.names) / _MOST_NAMES)
    return [
        Root(
            new_id() if at else root.id,
            root.author,
            root.objects[at * _MOST_OBJECTS : (at + 1) * _MOST_OBJECTS],
            root.commits[at * _MOST_COMMITS : (at + 1) * _MOST_COMMITS],
            root.names[at * _MOST_NAMES : (at + 1) * _MOST_NAMES],
        )
        for at in range(max(1, math.ceil(max(counts))))
    ]


def decode_root(data: bytes, source: str) -> Root:
    """The root in `data`. Raises `Damaged` naming `source`."""
    return _root(_load("root", data, source), source)


def encode_condemned(value: Condemned) -> bytes:
    """A list of condemned packs as an object."""
    return _dump(
        "condemned",
        {
            "id": value.id,
            "packs": [pack.hex() for pack in value.packs],
            "indexes": [index.hex() for index in value.indexes],
            "roots": [_root_row(root) for root in value.roots],
        },
    )


def decode_condemned(data: bytes, source: str) -> Condemned:
    """The list in `data`. Raises `Damaged` naming `source`."""
    row = _load("condemned", data, source)
    roots = row.get("roots", [])
    if not isinstance(roots, list) or not all(isinstance(one, dict) for one in roots):
        raise _wrong(source, "`roots` is no list of roots")
    return Condemned(
        _id(row, source),
        _oids(row, "packs", source),
        _oids(row, "indexes", source),
        tuple(_root(one, source) for one in roots),
    )


def encode_lease(value: Lease) -> bytes:
    """A lease as an object."""
    return _dump("lease", value._asdict())


def decode_lease(data: bytes, source: str) -> Lease:
    """The lease in `data`. Raises `Damaged` naming `source`."""
    row = _load("lease", data, source)
    kind, pid = row.get("kind"), row.get("pid")
    if kind not in ("push", "prune") or type(pid) is not int:
        raise _wrong(source, "it is no lease")
    return Lease(
        _id(row, source), "prune" if kind == "prune" else "push", _text(row, "author"), _text(row, "host"), pid
    )


def _root_row(value: Root) -> dict[str, object]:
    return {
        "id": value.id,
        "author": value.author,
        "objects": [oid.hex() for oid in value.objects],
        "commits": list(value.commits),
        "names": list(value.names),
    }


def _root(row: Mapping[str, Any], source: str) -> Root:
    return Root(
        _id(row, source),
        _text(row, "author"),
        _oids(row, "objects", source),
        _texts(row, "commits", source),
        _texts(row, "names", source),
    )


def _dump(kind: str, row: Mapping[str, object]) -> bytes:
    return (json.dumps({"axil": kind, "version": VERSION, **row}, ensure_ascii=True) + "\n").encode()


def _load(kind: str, data: bytes, source: str) -> dict[str, Any]:
    try:
        row = json.loads(data)
    except (ValueError, RecursionError):
        raise _wrong(source, "it is not JSON") from None
    if not isinstance(row, dict) or row.get("axil") != kind:
        raise _wrong(source, f"it is no {kind} of axil")
    if row.get("version") != VERSION:
        raise AxilError(
            f"{source} cannot be read", f"it has version {row.get('version')!r}", "update axil and try again"
        )
    return row


def _id(row: Mapping[str, Any], source: str) -> str:
    found = row.get("id")
    if not isinstance(found, str) or not is_id(found):
        raise _wrong(source, "it has no valid id")
    return found


def _oids(row: Mapping[str, Any], key: str, source: str) -> tuple[Oid, ...]:
    try:
        return tuple(map(parse_oid, _texts(row, key, source)))
    except ValueError as error:
        raise _wrong(source, str(error)) from None


def _texts(row: Mapping[str, Any], key: str, source: str) -> tuple[str, ...]:
    found: Sequence[object] = row.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise _wrong(source, f"`{key}` is no list of texts")
    return tuple(found)


def _text(row: Mapping[str, Any], key: str) -> str:
    found = row.get(key, "")
    return found if isinstance(found, str) else ""


def _wrong(source: str, why: str) -> Damaged:
    return Damaged(f"{source} is damaged", why, "`axil remote check` tells what else is wrong")

"""Remotes as tests want them: chosen objects in chosen packs, an index of them; sound unless a test says otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from axil.base.hashing import Oid, hash_bytes
from axil.base.ids import new_id
from axil.base.light import Any
from axil.formats import index, pack, recipe, sharing
from axil.formats.index import PackInfo, Place
from axil.formats.recipe import Part
from axil.remotes.base import Remote
from axil.store import Store
from axil.transfer import keys


class Object(NamedTuple):
    """An entry of a pack; `claimed` is the raw length that tables state, if not the true one."""

    oid: Oid
    data: bytes
    type: int = pack.BLOB
    stored: bytes | None = None
    codec: int = pack.RAW
    claimed: int = -1


def blob(data: bytes) -> Object:
    return Object(hash_bytes(data), data)


def squeezed(data: bytes, kind: int = pack.BLOB) -> Object:
    import zstandard

    return Object(hash_bytes(data), data, kind, zstandard.ZstdCompressor(level=1).compress(data), pack.ZSTD)


def chunked(data: bytes, size: int, segment: int = 0) -> list[Object]:
    """A blob as chunks of `size` bytes, with its recipe; in segments of `segment` chunks if given."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    parts = [Part(hash_bytes(piece), len(piece)) for piece in pieces]
    made = [blob(piece) for piece in pieces]
    oid = hash_bytes(data)
    if not segment:
        return [*made, Object(oid, recipe.encode(recipe.Recipe(0, len(data), tuple(parts)), oid), pack.RECIPE)]
    above = []
    for at in range(0, len(parts), segment):
        name, body = recipe.encode_segment(parts[at : at + segment])
        above.append(Part(name, sum(part.size for part in parts[at : at + segment])))
        made.append(Object(name, body, pack.SEGMENT))
    return [*made, Object(oid, recipe.encode(recipe.Recipe(1, len(data), tuple(above)), oid), pack.RECIPE)]


def put_pack(remote: Remote, objects: Iterable[Object], *, untold: bool = False) -> tuple[PackInfo, dict[Oid, Place]]:
    """One pack on the remote; its id and size, and where its entries lie. `untold`: without a hash of all of them."""
    data = bytearray(pack.HEADER)
    rows: dict[Oid, bytes] = {}
    found: dict[Oid, tuple[int, int, int, int, int]] = {}
    for one in objects:
        stored = one.data if one.stored is None else one.stored
        raw = len(one.data) if one.claimed < 0 else one.claimed
        if one.oid in rows:
            continue
        found[one.oid] = (len(data), len(stored), raw, one.type, one.codec)
        rows[one.oid] = pack.row(len(data), len(stored), raw, pack.flags(one.type, one.codec))
        data += stored
    tail = pack.tail(rows, pack.UNTOLD if untold else hash_bytes(data), os.urandom(pack.NONCE_SIZE))
    data += tail
    name = pack.id_of(tail)
    remote.put(keys.pack_key(name), data)
    return PackInfo(name, len(data)), {oid: Place(name, *where) for oid, where in found.items()}


def put_index(
    remote: Remote, packs: Sequence[tuple[PackInfo, dict[Oid, Place]]], supersedes: Sequence[Oid] = ()
) -> Oid:
    """One index of these packs on the remote, which becomes one of axil."""
    remote.create(keys.FORMAT, sharing.encode_format(sharing.Format("0" * 26)))
    entries: dict[Oid, Place] = {}
    for _, places in packs:
        entries.update(places)
    data = index.encode(entries, [info for info, _ in packs], supersedes, os.urandom(index.NONCE_SIZE))
    remote.put(keys.index_key(hash_bytes(data)), data)
    return hash_bytes(data)


def put_root(remote: Remote, objects: Iterable[Oid], clock: Any) -> str:
    """A root that names `objects`."""
    name = new_id(clock)
    remote.put(keys.ROOTS + name, sharing.encode_root(sharing.Root(name, "Ada", tuple(objects))))
    return name


def objects_of(store: Store) -> tuple[list[Object], list[Object]]:
    """All directories and all blobs of a store, large ones whole."""
    trees: list[Object] = []
    blobs: list[Object] = []
    for one in store.packs.opened():
        for oid, place in zip(one.table.oids(), one.table.locations(), strict=True):
            made = Object(oid, store.read(oid), place.type, one.stored(place), place.codec)
            (trees if place.type == pack.TREE else blobs).append(made)
    blobs += [blob(store.read(bytes.fromhex(entry.name))) for entry in store.files.all()]
    return trees, blobs


def push_all(remote: Remote, store: Store, per_pack: int = 1 << 16, chunk: int = 0, whole: int = 256 << 10) -> None:
    """Everything in `store`, directories apart from blobs, `per_pack` entries a pack, blobs over `whole` in chunks."""
    trees, blobs = objects_of(store)
    cut: list[Object] = []
    recipes: list[Object] = []
    for one in blobs:
        for piece in chunked(one.data, chunk, 3) if chunk and len(one.data) > whole else [one]:
            (recipes if piece.type in (pack.RECIPE, pack.SEGMENT) else cut).append(piece)
    packs = []
    for group in (cut, trees + recipes):
        packs += [put_pack(remote, group[at : at + per_pack]) for at in range(0, len(group), per_pack)]
    put_index(remote, packs)

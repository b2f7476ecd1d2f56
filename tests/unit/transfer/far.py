"""A remote in memory with a clock that tests turn, and a plain push: what the tests of pruning are made of."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterable, Sequence

from axil.base.clock import Clock
from axil.base.hashing import Oid, hash_bytes
from axil.base.ids import encode
from axil.formats import index as index_format
from axil.formats import pack, recipe, sharing, tree
from axil.formats.index import PackInfo, Place
from axil.formats.sharing import Format, Root
from axil.remotes.base import Remote
from axil.remotes.memory import Memory
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.prune import Pruned, PrunePlan, plan_prune, prune
from axil.transfer.ranges import decoded
from axil.transfer.survey import GitRoots

DAY = 86400.0
GRACE = 7 * DAY


class Turned:
    """A clock that stands still until it is turned."""

    def __init__(self, now: float = 1.8e9) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Item:
    """An object as it lies in a pack."""

    def __init__(self, oid: Oid, data: bytes, kind: int = pack.BLOB) -> None:
        self.oid, self.data, self.kind = oid, data, kind


def blob(data: bytes) -> Item:
    return Item(hash_bytes(data), data)


def folder(files: dict[str, Item]) -> Item:
    """A directory of one node."""
    rows = [
        tree.Entry(name.encode(), tree.DIR[0] if item.kind == pack.TREE else tree.FILE[0], len(item.data), item.oid)
        for name, item in sorted(files.items())
    ]
    data = tree.encode(rows)
    return Item(hash_bytes(data), data, pack.TREE)


def large(chunks: Sequence[Item], segments: bool = False) -> list[Item]:
    """A large blob: its recipe, its segments if wanted, and its chunks."""
    oid = hash_bytes(b"".join(chunk.data for chunk in chunks))
    parts = [recipe.Part(chunk.oid, len(chunk.data)) for chunk in chunks]
    size = sum(part.size for part in parts)
    items = list(chunks)
    level = 0
    if segments:
        name, data = recipe.encode_segment(parts)
        items.append(Item(name, data, pack.SEGMENT))
        parts, level = [recipe.Part(name, size)], 1
    return [Item(oid, recipe.encode(recipe.Recipe(level, size, tuple(parts)), oid), pack.RECIPE), *items]


class Far:
    """A remote, and whoever pushes to it and prunes it. A clock turned here is the remote's."""

    def __init__(self) -> None:
        self.clock = Turned()
        self.memory = Memory(self.clock, jobs=2)
        self.remote: Remote = self.memory
        self.git: set[Oid] = set()
        self.commits: set[str] = set()
        self._ids = itertools.count(1)
        self._folder = tempfile.TemporaryDirectory()
        self.memory.put(keys.FORMAT, sharing.encode_format(Format(self.new_id())))

    def new_id(self) -> str:
        return encode(int(self.clock() * 1000) << 80 | next(self._ids))

    def catalog(self, remote: Remote | None = None) -> Catalog:
        """A clone that knows nothing yet."""
        return Catalog(remote or self.remote, os.path.join(self._folder.name, str(next(self._ids))))

    def put_pack(self, items: Iterable[Item]) -> tuple[PackInfo, dict[Oid, Place]]:
        data = bytearray(pack.HEADER)
        rows = {}
        for item in items:
            rows[item.oid] = (len(data), len(item.data), len(item.data), item.kind, pack.RAW)
            data += item.data
        made = {oid: pack.row(*row[:3], pack.flags(*row[3:])) for oid, row in rows.items()}
        tail = pack.tail(made, hash_bytes(data), os.urandom(pack.NONCE_SIZE))
        data += tail
        info = PackInfo(pack.id_of(tail), len(data))
        self.memory.put(keys.pack_key(info.id), data)
        return info, {oid: Place(info.id, *row) for oid, row in rows.items()}

    def put_index(self, info: PackInfo, places: dict[Oid, Place]) -> Oid:
        data = index_format.encode(places, [info], (), os.urandom(16))
        self.memory.put(keys.index_key(hash_bytes(data)), data)
        return hash_bytes(data)

    def put(self, *items: Item) -> Oid:
        """A pack of `items` and its index."""
        info, places = self.put_pack(items)
        self.put_index(info, places)
        return info.id

    def root(self, *items: Item, names: tuple[str, ...] = (), commits: tuple[str, ...] = ()) -> Root:
        root = Root(self.new_id(), "ann", tuple(item.oid for item in items), commits, names)
        self.memory.put(keys.ROOTS + root.id, sharing.encode_root(root))
        return root

    def later(self, seconds: float = GRACE + 1) -> None:
        self.clock.now += seconds

    def prune(
        self,
        *,
        drop_roots: bool = False,
        remote: Remote | None = None,
        grace: float = GRACE,
        clock: Clock | None = None,
    ) -> Pruned:
        return prune(
            self.catalog(remote),
            git=lambda: GitRoots(frozenset(self.git), frozenset(self.commits)),
            drop_roots=drop_roots,
            grace=grace,
            author="ann",
            host="here",
            pid=1,
            new_id=self.new_id,
            clock=clock or self.clock,
        )

    def plan(self, *, drop_roots: bool = False) -> PrunePlan:
        git = GitRoots(frozenset(self.git), frozenset(self.commits))
        return plan_prune(self.catalog(), git=lambda: git, drop_roots=drop_roots, grace=GRACE, clock=self.clock)

    def keys(self, prefix: str) -> set[str]:
        return {stat.key for stat in self.memory.list(prefix)}

    def packs(self) -> set[Oid]:
        return {oid for key in self.keys(keys.PACKS) if (oid := keys.oid_of(key))}

    def finds(self, *items: Item) -> bool:
        """Whether a new reader finds all of `items`, bytes included."""
        catalog = self.catalog(self.memory)
        catalog.refresh()
        gone = frozenset(catalog.packs()) - self.packs()
        for item in items:
            place = catalog.find(item.oid, gone)
            if place is None or place.type != item.kind:
                return False
            key = keys.pack_key(place.pack)
            if decoded(item.oid, place, self.memory.get(key, place.offset, place.stored), key) != item.data:
                return False
        return True

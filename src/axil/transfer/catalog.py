"""What lies where on a remote, as far as this clone knows: the remote's indexes, copied and memory-mapped.

`refresh` asks the remote; everything else answers from the copies under `folder`, without the network.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from axil.base.atomic import write_atomic
from axil.base.hashing import OID_SIZE, Oid, hash_bytes, parse_oid
from axil.errors import Damaged
from axil.formats import index as fmt
from axil.formats import sharing
from axil.formats.index import Index, PackInfo, Place
from axil.formats.sharing import Condemned
from axil.remotes.base import Absent, Remote
from axil.transfer import keys
from axil.transfer.small import get_small

_HASH_ON_LOAD = 64 << 20
_SEARCH = 16
"""Searching an index for one oid takes as long as going through about this many."""


def _cut(joined: bytes) -> list[Oid]:
    return [joined[at : at + OID_SIZE] for at in range(0, len(joined), OID_SIZE)]


_LARGEST = 256 << 20
"""An index has at most 51 MB of entries, and what it says of packs and other indexes besides."""


@contextlib.contextmanager
def _noting(broken: dict[str, Damaged] | None, key: str) -> Iterator[None]:
    """Puts a `Damaged` into `broken`, if there is one, and goes on."""
    try:
        yield
    except Damaged as error:
        if broken is None:
            raise
        broken[key] = error


class Catalog:
    """The indexes of one remote. Not for use by several threads at once.

    `folder` is this clone's folder for the remote; it may be deleted at any time.
    """

    def __init__(self, remote: Remote, folder: str) -> None:
        self.remote = remote
        self.folder = folder
        self.condemned: dict[str, Condemned] = {}
        """The lists of condemned packs by id, as of the last `refresh`."""
        self._indexes: dict[Oid, Index] = {}
        self._unverified: dict[Oid, tuple[mmap.mmap, int]] = {}
        self._superseded: set[Oid] = set()
        self._loaded = False

    # -- keeping up

    def load(self) -> None:
        """Open the copies that are here, without asking the remote."""
        if self._loaded:
            return
        self._loaded = True
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._index_folder):
                with contextlib.suppress(ValueError, Damaged):
                    self._open(parse_oid(name))
        self._verify(_HASH_ON_LOAD)
        self._settle()

    def refresh(self, broken: dict[str, Damaged] | None = None) -> None:
        """Bring condemned lists (first) and indexes up to date with the remote.

        Raises what the remote raises, and `Damaged` for what is not as its name says, unless it can go to `broken` by
        its key.
        """
        self.load()
        self._verify()
        self.refresh_condemned(broken)
        while not self._refresh_indexes(broken):
            pass

    def _refresh_indexes(self, broken: dict[str, Damaged] | None) -> bool:
        """Whether all that superseded others is still there: if not, those count again and have to be read."""
        listed = {oid for stat in self.remote.list(keys.INDEX) if (oid := keys.oid_of(stat.key)) is not None}
        wanted = sorted(listed - self._indexes.keys() - self._superseded)
        os.makedirs(self._index_folder, exist_ok=True)
        with ThreadPoolExecutor(max(self.remote.jobs, 1)) as pool:
            for oid, data in zip(wanted, pool.map(partial(self._fetch, broken), wanted), strict=True):
                if data is not None:
                    write_atomic(self._path(oid), data, sync=False)
                    with _noting(broken, keys.index_key(oid)):
                        self._open(oid)
                    self._unverified.pop(oid, None)
        gone: set[Oid] = set()
        for oid in self._indexes.keys() - listed:
            # A listing may lag behind, but an index that is gone without a successor takes its objects along.
            if self.remote.stat(keys.index_key(oid)) is None:
                gone.update(self._indexes[oid].supersedes)
                self._forget(oid)
        self._settle()
        return gone.isdisjoint(listed - self._superseded - self._indexes.keys())

    def refresh_condemned(self, broken: dict[str, Damaged] | None = None) -> None:
        """Bring only the condemned lists up to date. Raises like `refresh`."""
        listed = {name for stat in self.remote.list(keys.CONDEMNED) if (name := keys.ulid_of(stat.key, keys.CONDEMNED))}
        for name in listed - self.condemned.keys():
            key = keys.CONDEMNED + name
            with contextlib.suppress(Absent), _noting(broken, key):
                self.condemned[name] = sharing.decode_condemned(
                    get_small(self.remote, key), f"{self.remote.url}: {key}"
                )
        self.condemned = {name: self.condemned[name] for name in sorted(self.condemned.keys() & listed)}

    def _fetch(self, broken: dict[str, Damaged] | None, oid: Oid) -> bytes | None:
        """The bytes of an index; None if it is gone meanwhile, because another one has its place."""
        key = keys.index_key(oid)
        with _noting(broken, key):
            for _ in range(2):
                try:
                    data = get_small(self.remote, key, _LARGEST)
                except Absent:
                    return None
                if hash_bytes(data) == oid:
                    return data
            raise Damaged(
                f"{self.remote.url}: {key} is damaged",
                "its bytes do not match its name",
                "write a new one from the packs: axil remote repair",
            )
        return None

    def put_index(self, data: bytes) -> Oid:
        """Put an index on the remote, and note it here; its id. What it names must be there."""
        oid = hash_bytes(data)
        self.remote.put(keys.index_key(oid), data)
        os.makedirs(self._index_folder, exist_ok=True)
        write_atomic(self._path(oid), data, sync=False)
        self._open(oid)
        self._unverified.pop(oid, None)
        self._settle()
        return oid

    def reset(self) -> None:
        """Drop all that this clone noted of the remote: another one has its place."""
        import shutil

        self.condemned, self._indexes, self._superseded, self._loaded = {}, {}, set(), True
        self._unverified = {}
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- asking

    def find(self, oid: Oid, avoid: frozenset[Oid] = frozenset()) -> Place | None:
        """Where `oid` lies, not in one of the packs to `avoid`; None if nowhere. Raises `Damaged`."""
        for index in self.indexes():
            place = index.find(oid)
            if place is not None and place.pack not in avoid:
                return place
        return None

    def missing(self, oids: Iterable[Oid], avoid: frozenset[Oid] = frozenset()) -> set[Oid]:
        """Those of `oids` that lie nowhere but in packs to `avoid`; many are looked up bucket by bucket."""
        absent = set(oids)
        for index in self.indexes():
            if not absent:
                break
            avoided = not avoid.isdisjoint(pack.id for pack in index.packs)
            few = len(absent) * _SEARCH < index.count
            for column in ((),) if few else map(_cut, map(index.bucket, range(256))):
                found = {oid for oid in absent if index.find(oid)} if few else absent.intersection(column)
                if avoided:
                    found = {oid for oid in found if (place := index.find(oid)) and place.pack not in avoid}
                absent -= found
        return absent

    def indexes(self) -> Iterator[Index]:
        """The indexes that no other one supersedes."""
        self.load()
        return (index for oid, index in self._indexes.items() if oid not in self._superseded)

    def ids(self) -> dict[Oid, Index]:
        """Id -> index, of those that no other one supersedes."""
        self.load()
        return {oid: index for oid, index in self._indexes.items() if oid not in self._superseded}

    @property
    def superseded(self) -> frozenset[Oid]:
        """Ids of indexes whose place another one has taken."""
        return frozenset(self._superseded)

    def packs(self) -> dict[Oid, PackInfo]:
        """Every pack that an index names."""
        return {pack.id: pack for index in self.indexes() for pack in index.packs}

    @property
    def condemned_packs(self) -> frozenset[Oid]:
        """The packs that a prune is going to delete: for whoever writes they are not there."""
        return frozenset(pack for one in self.condemned.values() for pack in one.packs)

    # -- the copies

    @property
    def _index_folder(self) -> str:
        return os.path.join(self.folder, "index")

    def _path(self, oid: Oid) -> str:
        return os.path.join(self._index_folder, oid.hex())

    def _open(self, oid: Oid) -> None:
        path = self._path(oid)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < fmt.HEADER_SIZE_INDEX:
                raise Damaged("an index is damaged", f"{path} is cut short")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._indexes[oid] = Index(mapped, size, path)
        self._unverified[oid] = (mapped, size)

    def _verify(self, most: int | None = None) -> None:
        """Drop copies whose bytes are not those of their names, so that they are fetched again.

        Stops after `most` bytes: what only looks need not wait for hundreds of megabytes.
        """
        for oid, (mapped, size) in sorted(self._unverified.items(), key=lambda item: item[1][1]):
            if most is not None and (most := most - size) < 0:
                return
            del self._unverified[oid]
            if hash_bytes(memoryview(mapped)) != oid:
                self._forget(oid)

    def _settle(self) -> None:
        self._superseded = {oid for index in self._indexes.values() for oid in index.supersedes}
        for oid in self._superseded & self._indexes.keys():
            self._forget(oid)

    def _forget(self, oid: Oid) -> None:
        self._indexes.pop(oid, None)
        self._unverified.pop(oid, None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(oid))

"""Every object read and re-hashed, every tree decoded and its children looked for. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from axil.base.hashing import Oid, hash_bytes, parse_oid
from axil.base.light import Any, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Damaged
from axil.formats import pack as fmt
from axil.formats import tree
from axil.store import parallel
from axil.store.hashing import hash_fd
from axil.store.packs import SUFFIX, Pack, decompress
from axil.store.store import Store
from axil.store.temporary import abandoned

_FORK_BYTES = 32 << 20
"""From so much on the work is shared out to forked workers."""

_Part = tuple[int, str]
"""(number, "") of a pack; (-1, path) of a large file."""


class Fault(NamedTuple):
    """Something wrong: the file it is in, the object (hex, "" if it is the file as such), and what."""

    path: str
    oid: str
    why: str


class Absent(NamedTuple):
    """An object that a stored tree names but that is not here. Ids in hex."""

    oid: str
    tree: str
    name: str


class Report(NamedTuple):
    """What `verify` found; `faults` is damage, `missing` may also mean that something was never fetched."""

    objects: int
    bytes: int
    faults: tuple[Fault, ...]
    missing: tuple[Absent, ...]
    abandoned: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether everything that is here is as it was written."""
        return not self.faults


def verify(store: Store, progress: Progress = SILENT) -> Report:
    """Checks all packs and files of `store`, with all cores if there is much. Temporary folders of dead processes are
    listed in `abandoned`."""
    store.packs.refresh(force=True)
    check = _Check(store)
    many = 2 if check.bytes > _FORK_BYTES else len(check.parts) + 1
    progress.begin("checking objects", len(check.parts), "files")
    try:
        for answers in parallel.run(check.parts, check.work, progress, many=many, chunk=1):
            for faults, claims, totals in answers:
                check.faults += (Fault._make(row) for row in faults)
                check.claims += claims
                check.totals.update(totals)
    finally:
        progress.end()
    missing = check.settle()
    left = tuple(abandoned(store.root, store.clock()))
    return Report(check.objects, check.bytes, tuple(check.faults), tuple(missing), left)


def unsound(packs: Mapping[Oid, Pack]) -> set[Oid]:
    """Which of `packs`, given by the ids they should have, have another hash or an entry that is not what it should be.

    With all cores if there is much.
    """

    def work(some: Sequence[Oid]) -> list[Oid]:
        return [oid for oid in some if not _sound(oid, packs[oid])]

    many = 2 if sum(pack.size for pack in packs.values()) > _FORK_BYTES else len(packs) + 1
    return {oid for answers in parallel.run(list(packs), work, SILENT, many=many, chunk=1) for oid in answers}


def _sound(name: Oid, pack: Pack) -> bool:
    """Whether the pack is what its name says, and each entry what its oid says."""
    try:
        if not pack.matches(name.hex()):
            return False
        for oid, location, stored in pack.entries():
            data = _content(pack, oid, location, stored)
            if location.type == fmt.TREE:
                tree.decode(bytes(data))
    except Damaged:
        return False
    return True


def _content(pack: Pack, oid: Oid, location: fmt.Location, stored: memoryview | Damaged) -> bytes | memoryview:
    """The object `oid`. Raises `Damaged` if the entry is something else or could not be read."""
    if isinstance(stored, Damaged):
        raise stored
    data = stored if location.codec == fmt.RAW else decompress(bytes(stored), location.raw, pack.path)
    if hash_bytes(data) != oid:
        raise Damaged("", "its bytes do not match its name")
    return data


class _Check:
    """What one verification knows: sizes of all objects, and what the trees claim about each other."""

    def __init__(self, store: Store) -> None:
        self.packs = list(store.packs.opened())
        self.faults = [Fault(os.path.join(store.root, "packs", n), "", e.why) for n, e in store.packs.broken.items()]
        self.sizes: dict[Oid, int] = {}
        self.parts: list[_Part] = []
        self.claims: list[tuple[Oid, Oid, int, bytes]] = []
        """(tree, child, size, name): sub-trees whose size can be compared only when all are decoded; absent blobs."""
        self.totals: dict[Oid, int] = {}
        self.objects = self.bytes = 0
        for number, pack in enumerate(self.packs):
            self._count_pack(number, pack)
        for entry in store.files.all():
            self._count_file(entry)

    def _count_pack(self, number: int, pack: Pack) -> None:
        self.sizes.update(pack.table.sizes())
        self.parts.append((number, ""))
        self.objects += pack.table.count
        self.bytes += pack.size

    def _count_file(self, entry: os.DirEntry[str]) -> None:
        try:
            oid = parse_oid(entry.name)
        except ValueError:
            self.faults.append(Fault(entry.path, "", "its name is not an object id"))
            return
        self.sizes[oid] = entry.stat(follow_symlinks=False).st_size
        self.parts.append((-1, entry.path))
        self.objects += 1
        self.bytes += self.sizes[oid]

    def work(self, parts: Sequence[_Part]) -> list[Any]:
        return [
            self._check_file(path) if number < 0 else self._check_pack(self.packs[number]) for number, path in parts
        ]

    def _check_file(self, path: str) -> tuple[Any, Any, Any]:
        name = os.path.basename(path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                digest, _ = hash_fd(fd)
            finally:
                os.close(fd)
        except OSError as error:
            return [(path, name, error.strerror)], [], {}
        return ([] if digest.hex() == name else [(path, name, "its bytes do not match its name")]), [], {}

    def _check_pack(self, pack: Pack) -> tuple[Any, Any, Any]:
        faults: list[tuple[str, str, str]] = []
        claims: list[tuple[Oid, Oid, int, bytes]] = []
        totals: dict[Oid, int] = {}
        try:
            if not pack.matches(pack.name.removesuffix(SUFFIX)):
                faults.append((pack.path, "", "its bytes do not match its name"))
        except Damaged as error:
            faults.append((pack.path, "", error.why))
        try:
            for oid, location, stored in pack.entries():
                try:
                    data = _content(pack, oid, location, stored)
                    if location.type == fmt.TREE:
                        totals[oid] = self._check_tree(oid, bytes(data), claims)
                except Damaged as error:
                    faults.append((pack.path, oid.hex(), error.why))
        except Damaged as error:
            faults.append((pack.path, "", error.why))
        return faults, claims, totals

    def _check_tree(self, oid: Oid, data: bytes, claims: list[tuple[Oid, Oid, int, bytes]]) -> int:
        _, rows = tree.decode(data)
        for name, kind, size, child in rows:
            known = self.sizes.get(child)
            if kind in (tree.DIR[0], tree.NODE[0]) or known is None:
                claims.append((oid, child, size, name))
            elif known != size:
                raise Damaged("", f"it says that {name!r} has {size} bytes, but object {child.hex()[:12]} has {known}")
        return sum(row.size for row in rows)

    def settle(self) -> list[Absent]:
        """Compares what trees say about each other; the children that are nowhere."""
        missing: list[Absent] = []
        for parent, child, size, name in self.claims:
            if child not in self.sizes:
                missing.append(Absent(child.hex(), parent.hex(), os.fsdecode(name)))
            elif (total := self.totals.get(child)) is not None and total != size:
                why = f"it says that {name!r} has {size} bytes below it, but these are {total}"
                self.faults.append(Fault("", parent.hex(), why))
        return missing

"""Directories descended level by level; what they name must fit what others say of it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from axil.base.hashing import OID_SIZE, Oid
from axil.errors import Damaged
from axil.formats import tree

MAX_DEPTH = 4096
"""Directories nested deeper cannot be placed on a disk; more levels than this come from somebody's ill will."""

_TREES = (tree.DIR[0], tree.NODE[0])
_UNKNOWN = (-1, -1, b"")


class Walk:
    """What was named so far. Every directory is handed out once, however many name it."""

    def __init__(self, max_depth: int = MAX_DEPTH) -> None:
        self.blobs: dict[Oid, int] = {}
        """Blobs that were named, with their sizes, -1 if nobody stated it."""
        self._named: dict[Oid, bytes] = {}
        """Directory -> what it names, joined; only if `descend` is asked to note it."""
        self._trees: dict[Oid, tuple[int, int, bytes]] = {}
        """Directories that were named: size, level and first name as their parent says, or _UNKNOWN."""
        self._depth = max_depth

    def begin(self, oids: Iterable[Oid]) -> list[Oid]:
        """The first level: what `oids` are is not known yet."""
        level = list(dict.fromkeys(oids))
        self._trees.update(dict.fromkeys(level, _UNKNOWN))
        return level

    def is_blob(self, oid: Oid) -> bool:
        """Whether `oid`, stored as a blob, is one: no directory says that it is a directory. Then it is noted."""
        if self._trees[oid] != _UNKNOWN:
            return False
        self.blobs.setdefault(oid, -1)
        return True

    def deeper(self) -> None:
        """A level is done. Raises `Damaged` if there are too many."""
        self._depth -= 1
        if self._depth < 0:
            raise Damaged("directories are nested too deep", "they cannot be placed on any disk")

    def descend(self, oid: Oid, data: bytes, *, note: bool = False) -> list[Oid]:
        """The directories that the directory `oid` with these bytes names, if not named before; notes the blobs.

        Raises `Damaged` if it is no directory, or not what others say of it.
        """
        level, rows = tree.decode(data)
        size, expected, first = self._trees[oid]
        if size >= 0 and size != sum(row.size for row in rows):
            raise _wrong(oid, "it has not the size that its parent says")
        if expected >= 0 and (level != expected or not rows or rows[0].name != first):
            raise _wrong(oid, "it is not the part that its parent says")
        if note:
            self._named[oid] = b"".join(row.oid for row in rows)
        below: list[Oid] = []
        blobs, trees = self.blobs, self._trees
        for name, kind, size, child in rows:
            if kind not in _TREES:
                if blobs.setdefault(child, size) != size:
                    raise _wrong(oid, f"it says another size of {child.hex()[:12]} than others do")
            elif child not in trees:
                trees[child] = (size, level - 1, name) if level else (size, -1, b"")
                below.append(child)
            elif trees[child][0] not in (-1, size):
                raise _wrong(oid, f"it says another size of {child.hex()[:12]} than others do")
        return below

    def parents(self, some: AbstractSet[Oid]) -> dict[Oid, Oid]:
        """Which directory named each of `some` first, of those that `descend` was asked to note."""
        found: dict[Oid, Oid] = {}
        for oid, joined in self._named.items() if some else ():
            for at in range(0, len(joined), OID_SIZE):
                if (child := joined[at : at + OID_SIZE]) in some:
                    found.setdefault(child, oid)
        return found


def _wrong(oid: Oid, why: str) -> Damaged:
    return Damaged(f"directory {oid.hex()[:12]} is damaged", why)

"""What a clone notes about its own pushes, beside its copies of a remote's indexes; all of it may be deleted.

`uploads/` names packs that may be on the remote and in no index yet; `pushed/` what is under which root.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from axil.base.atomic import write_atomic
from axil.base.hashing import OID_SIZE, Oid, hash_bytes, parse_oid
from axil.base.ids import is_id
from axil.errors import Damaged
from axil.transfer.packer import Finished

_SIZE = 8
_MOST_ROOTS = 256


class Uploads:
    """The packs that pushes of this clone have put, or were about to, but not yet named in an index."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, "uploads")

    def add(self, done: Finished) -> None:
        """Note a pack that is about to be put. May be called on several threads."""
        os.makedirs(self._folder, exist_ok=True)
        body = done.id + done.size.to_bytes(_SIZE, "little") + done.tail
        write_atomic(self._path(done.id), body + hash_bytes(body), sync=False)

    def remove(self, pack: Oid) -> None:
        """Forget a pack: an index names it, or it is gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(pack))

    def load(self) -> list[Finished]:
        """All that are noted; what a power failure left half written is removed."""
        found: list[Finished] = []
        names = sorted(os.listdir(self._folder)) if os.path.isdir(self._folder) else []
        for name in names:
            try:
                found.append(self._read(parse_oid(name)))
            except (ValueError, Damaged):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(self._folder, name))
        return found

    def _read(self, pack: Oid) -> Finished:
        with open(self._path(pack), "rb") as file:
            data = file.read()
        body, check = data[:-OID_SIZE], data[-OID_SIZE:]
        if body[:OID_SIZE] != pack or hash_bytes(body) != check:
            raise Damaged("a note of a push is damaged", self._path(pack))
        start = OID_SIZE + _SIZE
        done = Finished(pack, int.from_bytes(body[OID_SIZE:start], "little"), body[start:])
        done.table().locations()
        return done

    def _path(self, pack: Oid) -> str:
        return os.path.join(self._folder, pack.hex())


class Protected:
    """Objects of this clone that are under roots of the remote, with all they need.

    Holds as long as those roots are there and no new list of condemned packs is.
    """

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, "pushed")
        self._roots: dict[str, frozenset[Oid]] = {}

    def load(self, condemned: Iterable[str]) -> None:
        """Read what holds while the lists named `condemned` are the remote's; changes nothing."""
        lists = set(condemned)
        names = sorted(os.listdir(self._folder), reverse=True) if os.path.isdir(self._folder) else []
        self._roots = {}
        for name in filter(is_id, names[:_MOST_ROOTS]):
            with contextlib.suppress(OSError):
                with open(os.path.join(self._folder, name), "rb") as file:
                    data = file.read()
                line, _, oids = data[:-OID_SIZE].partition(b"\n")
                if hash_bytes(data[:-OID_SIZE]) == data[-OID_SIZE:] and lists <= set(line.decode().split()):
                    cut = (oids[at : at + OID_SIZE] for at in range(0, len(oids), OID_SIZE))
                    self._roots[name] = frozenset(cut)

    def all(self) -> frozenset[Oid]:
        """Everything that is protected by one root or another."""
        return frozenset().union(*self._roots.values())

    def roots(self) -> list[str]:
        """The roots that protect something, the newest first."""
        return list(self._roots)

    def add(self, root: str, condemned: Iterable[str], oids: Iterable[Oid]) -> None:
        """Note what the new root protects; old notes go when there are very many."""
        os.makedirs(self._folder, exist_ok=True)
        body = " ".join(condemned).encode() + b"\n" + b"".join(oids)
        write_atomic(os.path.join(self._folder, root), body + hash_bytes(body), sync=False)
        for name in sorted(filter(is_id, os.listdir(self._folder)))[:-_MOST_ROOTS]:
            self.remove(name)

    def remove(self, root: str) -> None:
        """Forget a root: it is not there any more."""
        self._roots.pop(root, None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._folder, root))

"""A remote in memory, what a clone knows of it, and an empty store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from axil.base.hashing import Oid
from axil.formats.tree import DIR, FILE, Entry
from axil.remotes.memory import Memory
from axil.store import Store
from axil.store.hashing import LARGE
from axil.transfer.catalog import Catalog

BIG = os.urandom(5 * LARGE + 17)


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def remote(clock: Clock) -> Memory:
    return Memory(clock)


@pytest.fixture
def catalog(remote: Memory, tmp_path: Path) -> Catalog:
    return Catalog(remote, str(tmp_path / "remote"))


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "here"))


def filled(path: Path, *, many: int = 0) -> tuple[Store, Oid]:
    """A store with two directories and three blobs, one of them large, and `many` small ones; and the root."""
    store = Store(str(path))
    with store.batch() as batch:
        small = batch.put_bytes(b"content")
        squeezed = batch.put_bytes(b"compressible " * 5000)
        big = batch.put_bytes(BIG)
        rows = [Entry(b"%05d" % n, FILE[0], 5, batch.put_bytes(b"%05d" % n)) for n in range(many)]
        inner = batch.put_tree([Entry(b"f", FILE[0], 7, small), *rows])
        size = 7 + sum(row.size for row in rows)
        root = batch.put_tree(
            [
                Entry(b"d", DIR[0], size, inner),
                Entry(b"e", FILE[0], 65000, squeezed),
                Entry(b"g", FILE[0], len(BIG), big),
            ]
        )
        batch.commit()
    return store, root

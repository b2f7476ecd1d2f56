"""Many small packs become few: each commit adds a pack, merging keeps their number logarithmic."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from axil.base.hashing import Oid, hash_bytes
from axil.base.light import TYPE_CHECKING
from axil.errors import AxilError, Damaged
from axil.formats import pack as fmt
from axil.store.packs import Pack, PackWriter
from axil.store.publish import Staged, publish
from axil.store.temporary import Workspace, merge_lock

if TYPE_CHECKING:
    from axil.store.store import Store

_FEWEST = 8
_NEGLIGIBLE = 64 << 10


def merge_small(store: Store) -> bool:
    """Merges packs if there are enough small ones; says whether it did. Never fails: it only saves space and time.

    Skipped while another process merges or collects. The old packs go only after the merged one is durable, and
    whoever has them open reads on.
    """
    if not _chosen(store):
        return False
    lock = merge_lock(store.root)
    try:
        if not lock.try_acquire():
            return False
    except OSError:
        return False
    try:
        # Again under the lock: what was seen before may have been merged meanwhile.
        store.packs.refresh(force=True)
        chosen = _chosen(store)
        if not chosen:
            return False
        _merge(store, chosen)
        return True
    except (AxilError, OSError):
        return False
    finally:
        lock.release()


def _chosen(store: Store) -> list[Pack]:
    """The packs to merge now, or none: the smallest ones, each at most about twice all smaller ones together.

    The rule of geometric series: an object is copied a logarithmic number of times, and few packs remain.
    """
    chosen: list[Pack] = []
    total = 0
    for pack in sorted(store.packs.opened(), key=lambda pack: pack.size):
        # One of half the size is full enough: a remote's packs, taken over whole, are not copied after all.
        if 2 * pack.size >= fmt.TARGET_SIZE or total + pack.size > fmt.TARGET_SIZE:
            break
        if chosen and pack.size > 2 * total + _NEGLIGIBLE:
            break
        chosen.append(pack)
        total += pack.size
    enough = len(chosen) >= _FEWEST or (len(chosen) > 1 and total >= fmt.TARGET_SIZE // 2)
    return chosen if enough else []


def _merge(store: Store, packs: list[Pack]) -> None:
    space = Workspace(store.root)
    try:
        staged = Staged()
        staged.packs = copy_entries(space.folder, packs, lambda oid: True)
        publish(store.root, staged)
    finally:
        space.close()
    for pack in packs:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(pack.path)
    store.packs.refresh(force=True)


def copy_entries(folder: str, packs: list[Pack], wanted: Callable[[Oid], bool]) -> list[tuple[str, str]]:
    """Copies the `wanted` entries of `packs` into new packs in `folder`, as they are stored; each oid once.

    Of an object that is in several packs a sound copy is taken if there is one. Returns what a `Staged` holds.
    """
    done: list[tuple[str, str]] = []
    seen: set[Oid] = set()
    writer: PackWriter | None = None
    for pack, index, oid in _ordered(packs, wanted):
        if oid in seen:
            continue
        if writer is None or writer.full:
            if writer:
                done.append(writer.finish())
            writer = PackWriter(folder)
        location = pack.table.location(index)
        writer.add(oid, pack.stored(location), location.raw, location.type, location.codec)
        seen.add(oid)
    if writer:
        done.append(writer.finish())
    return done


def _ordered(packs: list[Pack], wanted: Callable[[Oid], bool]) -> Iterator[tuple[Pack, int, Oid]]:
    """The wanted entries in the order they lie on the disk; damaged copies of doubled objects come last."""
    tables = [(pack, pack.table.oids()) for pack in packs]
    counted: set[Oid] = set()
    doubled = {oid for _, oids in tables for oid in oids if oid in counted or counted.add(oid)}  # type: ignore[func-returns-value]
    bad: list[tuple[Pack, int, Oid]] = []
    for pack, oids in tables:
        for index, _ in sorted(enumerate(pack.table.locations()), key=lambda row: row[1].offset):
            oid = oids[index]
            if not wanted(oid):
                continue
            if oid in doubled and not _sound(pack, index, oid):
                bad.append((pack, index, oid))
            else:
                yield pack, index, oid
    yield from bad


def _sound(pack: Pack, index: int, oid: Oid) -> bool:
    try:
        return hash_bytes(pack.read(index)[1]) == oid
    except Damaged:
        return False

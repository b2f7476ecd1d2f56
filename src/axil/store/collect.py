"""Removing what nothing needs: planned first, moved to a dated trash, deleted only later."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.errors import Damaged, NotFound
from axil.formats import tree
from axil.store.faults import refusal
from axil.store.files import LargeFiles
from axil.store.merge import copy_entries
from axil.store.packs import Pack
from axil.store.publish import publish
from axil.store.store import Store
from axil.store.temporary import Workspace, abandoned, merge_lock, prepare, remove_folder, store_lock
from axil.store.trash import Bin

GRACE = 3600.0
"""Seconds for which an object is safe whatever refers to it: time for an `add` to write the pointer that does."""
WASTE = 0.1
"""The share of a pack that must be unneeded before it is worth rewriting."""


class Closure(NamedTuple):
    """Everything that some roots need. With a missing or damaged tree in it, what lies below that tree is unknown."""

    live: set[Oid]
    missing: set[Oid]
    damaged: set[Oid]


class PackPlan(NamedTuple):
    """One pack to rewrite without its `dead` objects, or to move away as a whole; `mtime_ns` as it was planned."""

    name: str
    mtime_ns: int
    dead: frozenset[Oid]
    dead_bytes: int
    whole: bool


class FilePlan(NamedTuple):
    """One large file to move away; `ctime_ns` as it was planned."""

    oid: Oid
    size: int
    ctime_ns: int


class CollectPlan(NamedTuple):
    """What `execute` would move to the trash: `objects` of `bytes` in all.

    `young` objects are not needed either but were written or used within the grace period; `kept` ones lie in packs
    that are not worth rewriting.
    """

    packs: tuple[PackPlan, ...]
    files: tuple[FilePlan, ...]
    objects: int
    bytes: int
    young: int
    kept: int

    @property
    def oids(self) -> set[Oid]:
        """All objects that would go."""
        return {oid for pack in self.packs for oid in pack.dead} | {file.oid for file in self.files}


class Collected(NamedTuple):
    """What `execute` did; `trash` names the folder to give to `restore`, "" if nothing was moved."""

    trash: str
    objects: int
    bytes: int
    temporary: int


def closure(store: Store, roots: Iterable[Oid]) -> Closure:
    """All objects reachable from `roots`, blobs or trees, themselves included, whether they are here or not."""
    live: set[Oid] = set()
    gone: set[Oid] = set()
    damaged: set[Oid] = set()
    for oid, entries in _walk(store, roots, gone, damaged):
        live.add(oid)
        live.update(entry.oid for entry in entries)
    return Closure(live, store.missing(live) | gone, damaged)


def parents(store: Store, roots: Iterable[Oid]) -> dict[Oid, set[Oid]]:
    """Each object reachable from `roots` -> the trees that name it; what cannot be read names nothing."""
    above: dict[Oid, set[Oid]] = {}
    for oid, entries in _walk(store, roots, set(), set()):
        for entry in entries:
            above.setdefault(entry.oid, set()).add(oid)
    return above


def _walk(
    store: Store, roots: Iterable[Oid], gone: set[Oid], damaged: set[Oid]
) -> Iterator[tuple[Oid, list[tree.Entry]]]:
    """Every root and every tree below, once, with what it names; the unreadable go to `gone` or `damaged`."""
    # Roots may be of either kind: whatever decodes as a directory is taken for one, which errs on the safe side.
    visited: set[tuple[Oid, bool]] = set()
    queue = [(oid, False) for oid in roots]
    while queue:
        oid, is_tree = queue.pop()
        # By (oid, kind): bytes may be a file here and a directory there, and only the latter has children.
        if (oid, is_tree) in visited:
            continue
        visited.add((oid, is_tree))
        entries = _children(store, oid, is_tree, gone, damaged)
        queue += [(entry.oid, True) for entry in entries if entry.kind in (tree.DIR[0], tree.NODE[0])]
        yield oid, entries


def _children(store: Store, oid: Oid, is_tree: bool, gone: set[Oid], damaged: set[Oid]) -> list[tree.Entry]:
    try:
        if not is_tree and store.packs.find(oid) is None:
            return []
        data = store.read(oid)
        if not is_tree and not data.startswith(tree.MAGIC):
            return []
        return tree.decode(data)[1]
    except NotFound:
        gone.add(oid)
    except Damaged:
        if is_tree or store.is_tree(oid):
            damaged.add(oid)
    return []


def plan(store: Store, live: Collection[Oid], *, now: float, grace: float = GRACE, waste: float = WASTE) -> CollectPlan:
    """What is not in `live`, is older than `grace` seconds at `now`, and worth removing. Changes nothing."""
    store.packs.refresh(force=True)
    packs: list[PackPlan] = []
    young = kept = 0
    for pack in store.packs.opened():
        item = _plan_pack(pack, lambda oid: oid not in live)
        if not item.dead:
            continue
        if now - item.mtime_ns / 1e9 < grace:
            young += len(item.dead)
        elif item.whole or item.dead_bytes >= waste * pack.size:
            packs.append(item)
        else:
            kept += len(item.dead)
    files: list[FilePlan] = []
    for item_file in _dead_files(store.files, lambda oid: oid not in live):
        if now - item_file.ctime_ns / 1e9 < grace:
            young += 1
        else:
            files.append(item_file)
    return _total(packs, files, young, kept)


def plan_quarantine(store: Store, oids: Collection[Oid]) -> CollectPlan:
    """Moves the damaged objects `oids`, and packs that cannot be opened, out of the way, so that adding or fetching
    them again heals the store. Changes nothing yet; `execute` does, and `restore` undoes it."""
    store.packs.refresh(force=True)
    found = (_plan_pack(pack, oids.__contains__) for pack in store.packs.opened())
    packs = [item for item in found if item.dead]
    for name in store.packs.broken:
        stat = os.stat(os.path.join(store.root, "packs", name))
        packs.append(PackPlan(name, stat.st_mtime_ns, frozenset(), stat.st_size, True))
    return _total(packs, list(_dead_files(store.files, oids.__contains__)), 0, 0)


def _total(packs: list[PackPlan], files: list[FilePlan], young: int, kept: int) -> CollectPlan:
    objects = sum(len(item.dead) for item in packs) + len(files)
    size = sum(item.dead_bytes for item in packs) + sum(item.size for item in files)
    return CollectPlan(tuple(packs), tuple(files), objects, size, young, kept)


def _plan_pack(pack: Pack, dead: Callable[[Oid], bool]) -> PackPlan:
    rows = [(oid, row.stored) for oid, row in zip(pack.table.oids(), pack.table.locations(), strict=True) if dead(oid)]
    # Asked anew, not as it was when opened: a batch that relies on the pack sets its time.
    mtime_ns = os.stat(pack.path).st_mtime_ns if os.path.exists(pack.path) else pack.mtime_ns
    whole = len(rows) == pack.table.count
    return PackPlan(pack.name, mtime_ns, frozenset(oid for oid, _ in rows), sum(size for _, size in rows), whole)


def _dead_files(files: LargeFiles, dead: Callable[[Oid], bool]) -> Iterable[FilePlan]:
    for entry in files.all():
        with contextlib.suppress(ValueError):
            oid = bytes.fromhex(entry.name)
            if dead(oid):
                stat = entry.stat(follow_symlinks=False)
                yield FilePlan(oid, stat.st_size, stat.st_ctime_ns)


def execute(store: Store, plan: CollectPlan, now: float) -> Collected:
    """Moves what `plan` names into a new folder of the trash and removes temporary folders of dead processes.

    Nothing is deleted. What was used since the plan was made stays. Raises `Busy` if batches are being written for
    longer than a minute, `AxilError` if the disk refuses. A crash at any moment loses nothing: packs without the dead
    objects are durable before the old ones move.
    """
    prepare(store.root)
    try:
        return _execute(store, plan, now)
    except OSError as error:
        raise refusal(error, store.root) from None


def _execute(store: Store, plan: CollectPlan, now: float) -> Collected:
    with store_lock(store.root, shared=False), merge_lock(store.root):
        temporary = _clean(store.root, now)
        packs = [item for item in plan.packs if _unchanged(store, item)]
        files = [item for item in plan.files if _stamp(store.files.path(item.oid), plan_ctime=True) == item.ctime_ns]
        if not packs and not files:
            return Collected("", 0, 0, temporary)
        _rewrite(store, [item for item in packs if not item.whole])
        bin_ = Bin.new(store.root, now)
        for item in packs:
            bin_.take_pack(item.name)
        for file in files:
            bin_.take_file(store.files.path(file.oid))
        bin_.sync()
    store.packs.refresh(force=True)
    total = _total(packs, files, 0, 0)
    return Collected(bin_.name, total.objects, total.bytes, temporary)


def _clean(root: str, now: float) -> int:
    count = 0
    for folder in abandoned(root, now):
        remove_folder(folder)
        count += 1
    return count


def _stamp(path: str, *, plan_ctime: bool = False) -> int:
    try:
        stat = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return -1
    return stat.st_ctime_ns if plan_ctime else stat.st_mtime_ns


def _unchanged(store: Store, item: PackPlan) -> bool:
    return _stamp(os.path.join(store.root, "packs", item.name)) == item.mtime_ns


def _rewrite(store: Store, items: list[PackPlan]) -> None:
    """Writes the living objects of `items` to new packs; the old ones are still there."""
    dead: set[Oid] = set().union(*(item.dead for item in items))
    packs = [Pack(os.path.join(store.root, "packs", item.name)) for item in items]
    if not packs:
        return
    space = Workspace(store.root, alone=True)
    try:
        publish(store.root, copy_entries(space.folder, packs, lambda oid: oid not in dead))
    finally:
        space.close()

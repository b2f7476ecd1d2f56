"""Brings tracked data in the work tree from one state to another, touching only what differs.

Nothing that exists nowhere else is overwritten or removed unless forced, and then it is saved first. A crash at any
moment leaves files that are as in the old or as in the new state, so the same call finishes the work.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

from axil.base.hashing import Oid
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data import scan
from axil.data.arrivals import Arrivals
from axil.data.coming import coming
from axil.data.diff import DIR_KIND, root_entry
from axil.data.index import Update, WorkTreeIndex
from axil.data.plan import MARK, Plan, listed, mark_of, plan_switch
from axil.data.pointers import check_place
from axil.data.rows import ZERO_STAT, Columns, Folder, Known, Summary
from axil.errors import AxilError, Blocked
from axil.formats.pointer import Pointer
from axil.formats.tree import DIR, EXEC, FILE, LINK, Entry
from axil.store import Placed, Store
from axil.store.hashing import LARGE

__all__ = [
    "Applied",
    "Saved",
    "Target",
    "apply",
    "check",
    "interrupted",
    "materialise",
    "plan_switch",
    "put_back",
    "rescue",
]

_PORTION = 1 << 16
"""So many files are placed at a time: what workers are told and answer takes memory."""


class Target(NamedTuple):
    """A tracked path with what it was (see `WorkTreeIndex.tracked`) and what it shall be; None is no data."""

    path: str
    old: Pointer | None
    new: Pointer | None


class Saved(NamedTuple):
    """Edits put into the store before they were overwritten: a tree of them, relative to the tracked `path`."""

    path: str
    content: Pointer
    files: dict[str, Oid]
    """Project path -> blob."""


class Applied(NamedTuple):
    """What was done: files and links written, files and links removed, and edits saved first."""

    written: int
    removed: int
    saved: list[Saved]


def materialise(
    index: WorkTreeIndex,
    store: Store,
    root: str,
    targets: Sequence[Target],
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> Applied:
    """Bring all `targets` to their new state: all are planned and checked before the first one is touched.

    Raises `Blocked` (with the paths) if unsaved edits are in the way and not `force`, and what `plan_switch` raises.
    """
    plans = [plan_switch(index, store, root, path, old, new, progress=progress) for path, old, new in targets]
    if not force:
        check(plans)
    written = removed = 0
    saved: list[Saved] = []
    for plan in plans:
        done = apply(index, store, root, plan, force=force, progress=progress)
        written, removed = written + done.written, removed + done.removed
        saved += done.saved
    return Applied(written, removed, saved)


def check(plans: Sequence[Plan]) -> None:
    """Raise `Blocked`, with the paths, if any plan would overwrite or remove unsaved edits."""
    paths = [path for plan in plans for path in plan.unsaved]
    if paths:
        raise Blocked(
            f"{len(paths)} unsaved edit{'s' if len(paths) > 1 else ''} in tracked data would be lost",
            listed(paths),
            "keep them with `axil add`, or go on with --force (they are saved to the store first)",
            tuple(os.fsdecode(path) for path in paths),
        )


def apply(
    index: WorkTreeIndex,
    store: Store,
    root: str,
    plan: Plan,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> Applied:
    """Carry out one plan, made just now; see `materialise`. Raises `AxilError` naming the path that failed."""
    if not force:
        check([plan])
    top = os.fsencode(root)
    saved = [rescue(store, root, plan, progress=progress)] if plan.unsaved else []
    key = os.fsencode(plan.path)
    marked = index.cached(MARK, key)
    if marked:
        _sweep(top, key)
    if plan.empty:
        _remember(index, plan, Arrivals())
        if marked:
            index.remember(MARK, {key: b""})
        return Applied(0, 0, saved)
    index.remember(MARK, {key: mark_of(plan.new)})
    try:
        for path in plan.clear:
            scan.remove(os.path.join(top, path))
        came = _write(index, store, top, plan, progress)
        removed = _remove(top, plan)
    except OSError as error:
        name = error.filename2 or error.filename  # Of a rename the second is what was to come.
        shown = os.path.relpath(os.fsdecode(name), root) if name else plan.path
        raise AxilError(
            f"{shown} could not be changed",
            error.strerror or str(error),
            "mend the cause and give the same command again: it goes on where it stopped",
        ) from None
    written = came.count
    _remember(index, plan, came)
    index.remember(MARK, {key: b""})
    return Applied(written, removed, saved)


def interrupted(index: WorkTreeIndex, path: str) -> bool:
    """Whether a switch of `path` was killed; the next `materialise` of it finishes or reverts that work."""
    return bool(index.cached(MARK, os.fsencode(path)))


def rescue(store: Store, root: str, plan: Plan, *, progress: Progress = SILENT) -> Saved:
    """Store the edits that `plan` would overwrite, as a tree of the same shape; durable when it returns."""
    top, base = os.fsencode(root), os.fsencode(plan.path)
    blobs: dict[bytes, Entry] = {}
    with store.batch() as batch:
        files = []
        for path in plan.unsaved:
            full = os.path.join(top, path)
            if os.path.islink(full):
                target = os.readlink(full)
                blobs[path] = Entry(os.path.basename(path), LINK[0], len(target), batch.put_bytes(target))
            else:
                files.append(path)
        answers = batch.put_files([os.fsdecode(os.path.join(top, path)) for path in files], progress)
        for path, answer in zip(files, answers, strict=True):
            if isinstance(answer, OSError):
                raise AxilError(
                    f"{os.fsdecode(path)} could not be saved", answer.strerror or str(answer), "nothing was changed"
                )
            kind = EXEC if answer.executable else FILE
            blobs[path] = Entry(os.path.basename(path), kind[0], answer.size, answer.oid)
        if list(blobs) == [base]:
            entry = blobs[base]
            content = Pointer("file", entry.oid, entry.size, 1, entry.kind == EXEC[0])
        else:
            inside = {path[len(base) + 1 :]: entry for path, entry in blobs.items() if path != base}
            tree = _put_nested(batch.put_tree, inside)
            content = Pointer("tree", tree.oid, tree.size, len(inside))
        batch.commit()
    return Saved(plan.path, content, {os.fsdecode(path): entry.oid for path, entry in blobs.items()})


def put_back(store: Store, root: str, path: str, content: Pointer) -> None:
    """Lay the files that `rescue` saved over what is at `path` now; other files there stay."""
    files: list[tuple[Oid, int, str, bool]] = []

    def collect(entry: Entry, full: str) -> None:
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if entry.kind == DIR_KIND:
            for inner in store.entries(entry.oid):
                collect(inner, os.path.join(full, os.fsdecode(inner.name)))
        elif entry.kind == LINK[0]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(full)
            os.symlink(store.read(entry.oid), os.fsencode(full))
        else:
            files.append((entry.oid, entry.size, full, entry.kind == EXEC[0]))

    check_place(root, path)
    entry = root_entry(path, content)
    assert entry is not None
    collect(entry, os.path.join(root, path))
    store.place_files(files)


def _put_nested(put_tree: Callable[[list[Entry]], Oid], inside: dict[bytes, Entry]) -> Entry:
    """Store the tree of `inside` (relative path -> entry)."""
    entries: list[Entry] = []
    folders: dict[bytes, dict[bytes, Entry]] = {}
    for path, entry in inside.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            folders.setdefault(name, {})[rest] = entry
        else:
            entries.append(entry)
    entries += [_put_nested(put_tree, below)._replace(name=name) for name, below in folders.items()]
    return Entry(b"", DIR_KIND, sum(entry.size for entry in entries), put_tree(entries))


def _write(index: WorkTreeIndex, store: Store, top: bytes, plan: Plan, progress: Progress) -> Arrivals:
    """Make folders, then write files and links, each first beside its place and then renamed; what is in folders that
    come as a whole needs no renames. Returns what the index may know of them.
    """
    came = Arrivals()
    prefix = os.fsdecode(os.path.join(top, b""))

    def place(files: Sequence[tuple[bytes, Entry]], instead: dict[str, str]) -> None:
        for at in range(0, len(files), _PORTION):
            some = files[at : at + _PORTION]
            items = [(one.oid, one.size, prefix + os.fsdecode(path), one.kind == EXEC[0]) for path, one in some]
            came.add(some, store.place_files(items, progress, instead))

    with coming(top, plan.folders) as private:
        # Large files are left for later: when they are interrupted, those that are there need not be written again.
        early: list[tuple[bytes, Entry]] = []
        left: list[tuple[bytes, Entry]] = []
        for one in plan.files:
            (early if one[1].size < LARGE and one[0].rpartition(b"/")[0] in private else left).append(one)
        place(early, {prefix + os.fsdecode(path): os.fsdecode(full) for path, full in private.items()})
    del early
    place(left, {})
    for path, entry in plan.links:
        full = os.path.join(top, path)
        temporary = os.path.join(os.path.dirname(full), scan.temporary_name())
        os.symlink(store.read(entry.oid), temporary)
        os.rename(temporary, full)
        stat = os.lstat(full)
        came.add([(path, entry)], [Placed(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)])
    if came.count:
        # Taken last: what another process changes after this moment has a later ctime than the entries we trust.
        came.settle(scan.now_of(os.path.dirname(os.path.join(top, os.fsencode(plan.path))), index.clock))
    return came


def _remove(top: bytes, plan: Plan) -> int:
    for path in plan.gone:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(os.path.join(top, path))
    for path in plan.gone_folders:
        # A folder that holds something untracked stays.
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(top, path))
    return len(plan.gone)


def _sweep(top: bytes, path: bytes) -> None:
    """Remove what a killed switch left half-made in the tracked `path` and beside it."""
    scan.sweep(os.path.dirname(os.path.join(top, path)))
    todo = [os.path.join(top, path)]
    while todo:
        folder = todo.pop()
        if os.path.islink(folder) or not os.path.isdir(folder):
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if scan.is_temporary(entry.name):
                    with contextlib.suppress(OSError):  # A worker of the killed process may not have ended yet.
                        scan.remove(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)


def _remember(index: WorkTreeIndex, plan: Plan, came: Arrivals) -> None:
    """Bring the index rows of the touched folders, and the tracked root, to the new state."""
    base = os.fsencode(plan.path)
    touched = dict.fromkeys([*plan.pairs, *plan.trees])
    gone: dict[bytes, list[bytes]] = {}
    for path in [*plan.gone, *plan.dropped, *plan.clear]:
        if path != base or path not in plan.dropped:
            folder, _, name = path.rpartition(b"/")
            gone.setdefault(folder, []).append(name)
    for path, entry in plan.kept.items():
        came.note(path, entry)
    for path, new in [*plan.trees.items(), *((path, pair[1]) for path, pair in plan.pairs.items())]:
        if path != base:
            came.note(path, Known(DIR[0], ZERO_STAT, new.oid))
    dropped = set(plan.dropped) - plan.trees.keys() - plan.pairs.keys()
    made = set(plan.folders)
    updates: dict[bytes, Update] = {}
    for folder in dict.fromkeys([*touched, *gone, *came.folders]):
        if folder in dropped:
            continue
        row = None if folder in made else plan.rows.get(folder)
        known_before = None if folder in made else plan.columns.pop(folder, None)
        columns = known_before if known_before is not None else Columns.of(row)
        columns.drop_all(gone.pop(folder, ()))
        columns.merge(came.take(folder))
        updates[folder] = Update(row, columns.cut(row), _summary(plan, folder, row, made))
    index.write(updates, dropped)
    index.set_tracked(plan.path, plan.new)


def _summary(plan: Plan, folder: bytes, row: Folder | None, made: set[bytes]) -> Summary | None:
    """A row's summary where the row surely is the new tree: made from nothing, or patched from the whole old tree."""
    if not plan.exact:
        return None
    count = plan.counts.get(folder, 0)
    if folder in made and folder in plan.trees:
        new = plan.trees[folder]
        return Summary(new.oid, new.size, count, True)
    if folder in plan.pairs and row is not None and row.summary is not None:
        old, new = plan.pairs[folder]
        if row.summary.oid == old.oid:
            return Summary(new.oid, new.size, row.summary.files + count, True)
    return None

"""Plans the way from one state of tracked data to another: what to write, what to remove, what would be lost.

Looks only at the paths that differ. Changes nothing.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Sequence

from axil.base.hashing import hash_bytes
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data import links, scan
from axil.data.diff import DIR_KIND, Step, compare, pair_stored, root_entry
from axil.data.index import WorkTreeIndex
from axil.data.look import refuse, unreadable
from axil.data.pointers import check_place
from axil.data.rows import Columns, Folder, Known, pack_stat, stat_of
from axil.errors import Damaged, NotFound
from axil.formats.pointer import Pointer, parse, render
from axil.formats.tree import EXEC, FILE, LINK, Entry
from axil.store.hashing import hash_files

if TYPE_CHECKING:
    from axil.store import Store


MARK = "switching"
"""Cache entries: which tracked paths a switch was bringing where when it was killed; empty otherwise."""

NOTHING = b"-"

SHOWN = 20


class Plan(NamedTuple):
    """What `apply` does to one tracked path. All paths are project paths as bytes."""

    path: str
    old: Pointer | None
    new: Pointer | None
    unsaved: list[bytes]
    """Files and links that would be lost, in the work tree now."""
    clear: list[bytes]
    """Files, links and whole folders that stand where something of another kind comes."""
    folders: list[bytes]
    files: list[tuple[bytes, Entry]]
    links: list[tuple[bytes, Entry]]
    gone: list[bytes]
    """Files and links to remove."""
    gone_folders: list[bytes]
    """Folders to remove if nothing else is in them, deepest first."""
    kept: dict[bytes, Known]
    """Paths that already are as they should be."""
    pairs: dict[bytes, tuple[Entry, Entry]]
    """Folders in both states that differ inside: (old, new)."""
    trees: dict[bytes, Entry]
    """Folders that only the new state has."""
    dropped: list[bytes]
    """Folders that only the old state has."""
    counts: dict[bytes, int]
    """How many more files each folder of the data holds in the new state, all levels below it counted."""
    rows: dict[bytes, Folder]
    """Index rows of touched folders."""
    columns: dict[bytes, Columns]
    """The rows that were looked into, unpacked; `apply` takes them out and changes them."""
    exact: bool
    """False if a killed switch left a mix, so that the rows may not be as in the old state."""

    @property
    def empty(self) -> bool:
        """Whether the work tree already is as it should be."""
        return not (self.clear or self.folders or self.files or self.links or self.gone or self.gone_folders)


def plan_switch(
    index: WorkTreeIndex,
    store: Store,
    root: str,
    path: str,
    old: Pointer | None,
    new: Pointer | None,
    *,
    progress: Progress = SILENT,
) -> Plan:
    """How `path` gets from `old` (what it was last saved as or materialised from) to `new`; None is no data.

    Every file in the way is known by its stat or hashed; what is neither as in `old` nor as in `new` is `unsaved`.
    What a killed switch to something else had written by then counts like `old`, and gives way too.
    Raises `NotFound` naming paths if an object of `new` is not in the store, `BadInput` for a path outside the project
    or links that lead out of the data.
    """
    check_place(root, path)
    planner = _Planner(index, store, root, path, old, new)
    planner.look(progress)
    for step in planner.steps:
        planner.decide(step)
    planner.finish()
    return planner.plan


class _Planner:
    def __init__(
        self, index: WorkTreeIndex, store: Store, root: str, path: str, old: Pointer | None, new: Pointer | None
    ) -> None:
        self.index = index
        self.store = store
        self.top = os.fsencode(root)
        self.base = os.fsencode(path)
        self.plan = Plan(path, old, new, [], [], [], [], [], [], [], {}, {}, {}, [], {}, {}, {}, True)
        self.real: dict[bytes, bool] = {}
        self.coming: set[bytes] = set()
        self.cleared: set[bytes] = set()
        self.disk: dict[bytes, Known | None] = {}
        self.recorded: dict[bytes, Entry] = {}
        self.inside: dict[bytes, int] = {}
        """How many more files come directly into each folder."""
        self.steps = self._compare(old)
        mark = index.cached(MARK, self.base)
        if mark and mark != mark_of(new):
            self._add_interrupted(None if mark == NOTHING else parse(mark, path))
        self.leaving = {step.path for step in self.steps if step.new is None}

    def _add_interrupted(self, arrived: Pointer | None) -> None:
        """Also undo what a switch to `arrived` had done when it was killed."""
        self.plan = self.plan._replace(exact=False)
        known = {step.path for step in self.steps}
        for step in self._compare(arrived):
            if step.old is not None:
                self.recorded[step.path] = step.old
            if step.path not in known:
                self.steps.append(step)

    def _compare(self, old: Pointer | None) -> list[Step]:
        path, new = self.plan.path, self.plan.new
        stored = pair_stored(self.store)
        if old is not None and old.kind == "tree" and not self.store.has(old.oid):
            old = None  # nothing can be said about it: whatever is there and not as in `new` counts as unsaved

        def pair(folder: bytes, before: Entry | None, after: Entry | None) -> tuple[list[Entry], list[Entry]]:
            if before is not None and after is not None:
                self.plan.pairs[folder] = (before, after)
            return stored(folder, before, after)

        try:
            return list(compare(pair, self.base, root_entry(path, old), root_entry(path, new)))
        except NotFound as error:
            raise NotFound(f"the data of {path} is not in the store", error.what, _MISSING) from None

    # What is on disk

    def look(self, progress: Progress) -> None:
        """Learn the content of every file in the way, hashing only what the index does not know."""
        todo: list[bytes] = []
        by_folder: dict[bytes, list[bytes]] = {}
        for step in self.steps:
            folder, _, name = step.path.rpartition(b"/")
            if self.is_folder(folder):
                by_folder.setdefault(folder, []).append(name)
        self.plan.rows.update(self.index.folders(by_folder.keys() | self.plan.pairs.keys()))
        for folder, names in by_folder.items():
            columns = self.plan.columns[folder] = Columns.of(self.plan.rows.get(folder))
            prefix = folder + b"/" if folder else b""
            for name in names:
                self._look_at(prefix + name, columns.get(name), todo)
        self._hash(todo, progress)

    def _look_at(self, path: bytes, known: Known | None, todo: list[bytes]) -> None:
        full = b"%s/%s" % (self.top, path)
        try:
            found = os.lstat(full)
        except FileNotFoundError:
            return
        if modes.S_ISREG(found.st_mode):
            if known is not None and known.stat == stat_of(found):
                self.disk[path] = known
            else:
                todo.append(path)
        elif modes.S_ISDIR(found.st_mode):
            self.disk[path] = Known(DIR_KIND, b"", b"")
        elif modes.S_ISLNK(found.st_mode):
            stat = pack_stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, 0)
            self.disk[path] = Known(LINK[0], stat, hash_bytes(os.readlink(full)))
        else:
            self.disk[path] = Known(scan.OTHER_KIND, b"", b"")

    def _hash(self, paths: Sequence[bytes], progress: Progress) -> None:
        if not paths:
            return
        stamp = scan.now_of(os.path.dirname(os.path.join(self.top, paths[0])), self.index.clock)
        full = [os.fsdecode(os.path.join(self.top, path)) for path in paths]
        failed: list[tuple[str, OSError]] = []
        for path, answer in zip(paths, hash_files(full, progress), strict=True):
            if not isinstance(answer, OSError):
                oid, size, mtime, ctime, inode, executable = answer
                kind = EXEC[0] if executable else FILE[0]
                self.disk[path] = Known(kind, pack_stat(size, mtime, ctime, inode, stamp), oid)
            elif not isinstance(answer, FileNotFoundError):
                failed.append((os.fsdecode(path), answer))
        if failed:
            raise unreadable(failed)

    def is_folder(self, path: bytes) -> bool:
        """Whether `path` and all above it are real folders now."""
        answer = self.real.get(path)
        if answer is None:
            above = path.rpartition(b"/")[0]
            answer = not path or self.is_folder(above)
            if answer:
                try:
                    answer = modes.S_ISDIR(os.lstat(os.path.join(self.top, path)).st_mode)
                except FileNotFoundError:
                    answer = False
            self.real[path] = answer
        return answer

    # What to do

    def decide(self, step: Step) -> None:
        """Plan one step; steps come in the order of `compare`."""
        path, old, new, _ = step
        found = self.disk.get(path)
        self._count(path, old, new)
        if new is None:
            if old is not None and old.kind == DIR_KIND:
                if found is not None and found.kind == DIR_KIND:
                    self.plan.gone_folders.append(path)
            elif found is not None and found.kind not in (DIR_KIND, scan.OTHER_KIND):
                self._judge(path, found, old)
                self.plan.gone.append(path)
            return
        self._prepare(path.rpartition(b"/")[0])
        if new.kind == DIR_KIND:
            if path in self.coming:
                return
            if found is None or found.kind != DIR_KIND:
                if found is not None:
                    self._judge(path, found, old)
                    self._clear(path)
                self._come(path)
            return
        if found is not None and (found.kind, found.oid) == (new.kind, new.oid):
            self.plan.kept[path] = found
            return
        if found is not None and found.kind == DIR_KIND:
            self._empty(path)
            self._clear(path)
        elif found is not None:
            self._judge(path, found, old)
            if found.kind == scan.OTHER_KIND:
                self._clear(path)
        (self.plan.links if new.kind == LINK[0] else self.plan.files).append((path, new))

    def _count(self, path: bytes, old: Entry | None, new: Entry | None) -> None:
        more = 0
        if old is not None and old.kind == DIR_KIND:
            self.plan.dropped.append(path)
        elif old is not None:
            more -= 1
        if new is not None and new.kind == DIR_KIND:
            self.plan.trees[path] = new
        elif new is not None:
            more += 1
        if more and len(path) > len(self.base):
            folder = path.rpartition(b"/")[0]
            self.inside[folder] = self.inside.get(folder, 0) + more

    def _judge(self, path: bytes, found: Known, old: Entry | None) -> None:
        if found.kind == scan.OTHER_KIND:
            return  # a pipe or socket holds no bytes
        if not any(
            one is not None and (found.kind, found.oid) == (one.kind, one.oid) for one in (old, self.recorded.get(path))
        ):
            self.plan.unsaved.append(path)

    def _prepare(self, folder: bytes) -> None:
        """Make sure that `folder` will be a real folder before something is written into it."""
        if folder in self.coming or self.is_folder(folder):
            return
        self._prepare(folder.rpartition(b"/")[0])
        if folder not in self.cleared and os.path.lexists(os.path.join(self.top, folder)) and self._parent_real(folder):
            # The user put a file or link where both states have a folder.
            found: list[bytes] = []
            self._look_at(folder, None, found)
            self._hash(found, SILENT)
            if (there := self.disk.get(folder)) is not None:
                self._judge(folder, there, None)
            self._clear(folder)
        self._come(folder)

    def _parent_real(self, folder: bytes) -> bool:
        return self.is_folder(folder.rpartition(b"/")[0])

    def _come(self, folder: bytes) -> None:
        self.coming.add(folder)
        self.plan.folders.append(folder)

    def _clear(self, path: bytes) -> None:
        self.cleared.add(path)
        self.plan.clear.append(path)

    def _in_cleared(self, path: bytes) -> bool:
        while self.cleared and path:
            path = path.rpartition(b"/")[0]
            if path in self.cleared:
                return True
        return False

    def _empty(self, path: bytes) -> None:
        """A folder gives way to a file: what is in it and not removed as known content is unsaved."""
        for folder, listing in scan.walk(self.top, path, lambda _: True).items():
            for name, kind in zip(listing.names, listing.kinds, strict=True):
                full = folder + b"/" + name
                if kind in (scan.FILE_KIND, scan.LINK_KIND) and full not in self.leaving:
                    self.plan.unsaved.append(full)

    def finish(self) -> None:
        """Put the plan in order, and raise what must be known before anything is touched."""
        plan = self.plan
        for folder, more in self.inside.items():
            plan.counts[folder] = plan.counts.get(folder, 0) + more
            while len(folder) > len(self.base):
                folder = folder.rpartition(b"/")[0]
                plan.counts[folder] = plan.counts.get(folder, 0) + more
        # What is in a cleared folder goes with it. Removing it later, by path, could lead through what comes there.
        plan.gone[:] = [path for path in plan.gone if not self._in_cleared(path)]
        kept = (path for path in plan.gone_folders if not self._in_cleared(path))
        plan.gone_folders[:] = sorted(kept, key=lambda path: path.count(b"/"), reverse=True)
        wanted = [*self.plan.files, *self.plan.links]
        absent = self.store.missing({entry.oid for _, entry in wanted})
        lost = sorted(path for path, entry in wanted if entry.oid in absent) if absent else []
        if lost:
            raise NotFound(
                f"{len(lost)} file{'s' if len(lost) > 1 else ''} of {self.plan.path} cannot be brought back: "
                "not in the store",
                listed(lost),
                _MISSING,
            )
        bad: list[tuple[str, str]] = []
        for path, entry in self.plan.links:
            target = self.store.read(entry.oid) if entry.size <= links.MAX_TARGET else b""
            if len(target) != entry.size and entry.size <= links.MAX_TARGET:
                raise Damaged(f"{os.fsdecode(path)} cannot be brought back", "the size of its link target is wrong")
            folder = path[len(self.base) :].lstrip(b"/").rpartition(b"/")[0]
            if why := links.fault(folder, target):
                bad.append((os.fsdecode(path), f"a link to {os.fsdecode(target)!r}: {why}"))
        if bad:
            raise refuse(bad, "bring back")


def mark_of(pointer: Pointer | None) -> bytes:
    """What the index says of a path while it is being brought to `pointer`."""
    return NOTHING if pointer is None else render(pointer)


def listed(paths: Sequence[bytes]) -> str:
    """The first 20 paths, one a line, and how many more there are."""
    lines = [os.fsdecode(path) for path in paths[:SHOWN]]
    if len(paths) > SHOWN:
        lines.append(f"… and {len(paths) - SHOWN} more")
    return "\n".join(lines)


_MISSING = "push it from the clone that has it (axil push), or `axil add` the data again where it still exists"

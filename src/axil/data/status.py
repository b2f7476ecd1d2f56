"""What the user changed in tracked data since it was saved or materialised."""

from __future__ import annotations

import os
import stat as modes

from axil.base.hashing import hash_bytes
from axil.base.light import TYPE_CHECKING
from axil.base.progress import SILENT, Progress
from axil.data.content import content_of, examine
from axil.data.diff import DIR_KIND, Change, Pair, Step, changes_of, compare, root_entry
from axil.data.index import WorkTreeIndex
from axil.data.look import Look
from axil.formats.pointer import Pointer
from axil.formats.tree import LINK, Entry

if TYPE_CHECKING:
    from axil.store import Store


def changes(
    index: WorkTreeIndex,
    store: Store,
    root: str,
    path: str,
    against: Pointer | None,
    *,
    progress: Progress = SILENT,
) -> list[Change]:
    """How the tracked `path` in the work tree differs from `against` (None: from nothing); stores nothing.

    One walk, without reading files whose stat is as before. If the whole path is missing or of another kind (file,
    folder, link), the only change is `path` itself. Raises `BadInput` for what cannot be read.
    """
    old = root_entry(path, against)
    name = os.fsencode(path)
    try:
        found = os.lstat(os.path.join(root, path))
    except (FileNotFoundError, NotADirectoryError):
        return [] if old is None else [Change(path, "removed", old, None)]
    if modes.S_ISLNK(found.st_mode):
        target = os.fsencode(os.readlink(os.path.join(root, path)))
        link = Entry(os.path.basename(name), LINK[0], len(target), hash_bytes(target))
        return [Change(path, "changed" if old is not None else "added", old, link)]
    if not modes.S_ISDIR(found.st_mode):
        new = root_entry(path, content_of(index, root, path, progress=progress))
        if old is not None and new is not None and old.kind == DIR_KIND:
            return [Change(path, "changed", old, new)]
        return list(changes_of(iter([Step(name, old, new, False)]))) if old != new else []
    look = examine(index, root, path, tracked=True, progress=progress)
    new = root_entry(path, look.content)
    if old is not None and old.kind != DIR_KIND:
        return [Change(path, "changed", old, new)]
    if old is not None and new is not None:
        # Sizes in a hand-made pointer may be wrong; the oid decides.
        old = old._replace(size=new.size)
    return list(changes_of(compare(_pair(store, look), name, old, new)))


def _pair(store: Store, look: Look) -> Pair:
    def pair(path: bytes, old: Entry | None, new: Entry | None) -> tuple[list[Entry], list[Entry]]:
        before = set(store.entries(old.oid)) if old is not None else set()
        after = set(look.entries(path)) if new is not None else set()
        return list(before - after), list(after - before)

    return pair


def unsaved(index: WorkTreeIndex, store: Store, root: str, path: str, *, progress: Progress = SILENT) -> list[str]:
    """The files at and below `path` (project path) whose bytes are not in the store; empty if `path` is missing.

    Removing `path` when this is empty loses nothing.
    """
    full = os.path.join(root, path)
    if os.path.islink(full) or not os.path.lexists(full):
        return [path] if os.path.islink(full) else []
    if not os.path.isdir(full):
        content = content_of(index, root, path, progress=progress)
        return [] if content is None or store.has(content.oid) else [path]
    look = examine(index, root, path, progress=progress)
    if store.has(look.content.oid):
        return []
    paths: dict[bytes, list[Entry]] = {folder: look.entries(folder) for folder in look.folders}
    lost = store.missing({entry.oid for entries in paths.values() for entry in entries if entry.kind != DIR_KIND})
    return sorted(
        os.fsdecode(folder + b"/" + entry.name)
        for folder, entries in paths.items()
        for entry in entries
        if entry.kind != DIR_KIND and entry.oid in lost
    )

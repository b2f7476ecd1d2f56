"""What a path of the work tree holds, as an oid: `content_of` only looks, `save` also stores.

One way for tracked data, dependencies and outputs. Files whose stat is as the index knows it are not read again.
Results are given as `Pointer`, the description that would stand for the content.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable, Mapping, Sequence

from axil.base.hashing import hash_bytes
from axil.base.light import TYPE_CHECKING
from axil.base.progress import SILENT, Progress
from axil.data import scan
from axil.data.index import Update, WorkTreeIndex
from axil.data.look import Look, Unsettled, refuse, unreadable
from axil.data.rows import Columns, Folder, Known, pack_stat
from axil.errors import BadInput, NotFound
from axil.formats.pointer import Pointer
from axil.formats.tree import EXEC, FILE

if TYPE_CHECKING:
    from axil.store import Batch, Saved, Store
    from axil.store.hashing import Names, Read

_TRIES = 3


def content_of(index: WorkTreeIndex, root: str, path: str, *, progress: Progress = SILENT) -> Pointer | None:
    """What `path` (project path) holds now, or None if it does not exist; stores nothing but refreshes the index.

    In folders that are not tracked data, caches of tools (`__pycache__`, `*.pyc`, `.ipynb_checkpoints`, `.DS_Store`,
    `.git`) do not count. A link at `path` itself is followed; links inside a folder count by their target.
    Raises `BadInput` for files that cannot be read.
    """
    try:
        found = os.stat(os.path.join(root, path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise refuse([(path, error.strerror or "cannot be read")], "read") from None
    if modes.S_ISDIR(found.st_mode):
        look = examine(index, root, path, progress=progress)
        return look.content
    return _file(index, root, path, found, lambda paths: hash_files(paths, progress), None)


def hash_files(paths: Sequence[str], progress: Progress = SILENT) -> list[Saved | OSError]:
    """`store.hashing.hash_files`, imported when the first file has to be read."""
    from axil.store.hashing import hash_files

    return hash_files(paths, progress)


def hash_names(wanted: Sequence[Names], progress: Progress = SILENT) -> list[Read]:
    """`store.hashing.hash_names`, likewise."""
    from axil.store.hashing import hash_names

    return hash_names(wanted, progress)


def examine(index: WorkTreeIndex, root: str, path: str, *, tracked: bool = False, progress: Progress = SILENT) -> Look:
    """A finished look at the folder `path`, storing nothing; tried again while files come and go."""
    for attempt in range(_TRIES):
        try:
            look = Look(index, root, path, tracked=tracked)
            look.read(hash_names, hash_bytes, progress)
        except Unsettled:
            if attempt == _TRIES - 1:
                raise
        else:
            look.finish()
            look.remember(stored=False)
            return look
    raise AssertionError("the last try raises")


def save(
    index: WorkTreeIndex,
    store: Store,
    root: str,
    paths: Sequence[str],
    *,
    tracked: bool = False,
    recheck: bool = False,
    progress: Progress = SILENT,
) -> dict[str, Pointer]:
    """Put what `paths` hold into the store and return a description of each; durable when it returns.

    With `tracked`, everything in the folders counts (else caches of tools do not). With `recheck`, the store is asked
    for every single object instead of trusting that a stored folder is whole. Raises `NotFound` for a missing path;
    `BadInput`, with the list, for special files, links that lead out of their folder, a nested `.git`, unreadable
    files, and files that keep changing. Then nothing is stored.
    """
    saved: dict[str, Pointer] = {}
    looks: list[Look] = []
    with store.batch() as batch:
        for path in paths:
            look = _save_one(index, store, batch, root, path, tracked, recheck, progress, saved)
            if look is not None:
                looks.append(look)
        batch.commit()
    for look in looks:
        look.remember(stored=True)
    return saved


def _save_one(
    index: WorkTreeIndex,
    store: Store,
    batch: Batch,
    root: str,
    path: str,
    tracked: bool,
    recheck: bool,
    progress: Progress,
    saved: dict[str, Pointer],
) -> Look | None:
    try:
        found = os.lstat(os.path.join(root, path))
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} does not exist", "", "check the name") from None
    if modes.S_ISDIR(found.st_mode):
        look = Look(index, root, path, tracked=tracked, keep=True)
        if tracked:
            look.check()
        look.trust(store, recheck)
        look.read(batch.put_names, batch.put_bytes, progress)
        saved[path] = look.finish(batch)
        return look
    if modes.S_ISLNK(found.st_mode):
        raise BadInput(
            f"{path} is a symbolic link",
            f"it points to {os.readlink(os.path.join(root, path))}; axil keeps real files and folders",
            "replace the link by what it points to, or track that path if it is inside the project",
        )
    saved[path] = _file(
        index, root, path, found, lambda paths: batch.put_files(paths, progress), None if recheck else store
    )
    return None


def _file(
    index: WorkTreeIndex,
    root: str,
    path: str,
    found: os.stat_result,
    read: Callable[[Sequence[str]], Sequence[Saved | OSError]],
    store: Store | None,
) -> Pointer:
    """A single file, known through the row of its folder; with a `store`, only what is in there counts as known."""
    if not modes.S_ISREG(found.st_mode):
        raise refuse([(path, "a device, socket or pipe")], "read")
    full = os.path.join(root, path)
    folder, _, name = os.fsencode(path).rpartition(b"/")
    segment = index.segment(folder, name)
    known = Columns.of(Folder(None, [segment])).get(name) if segment is not None else None
    current = scan.pack_stats([found])
    if known is None or known.stat != current or (store is not None and not store.has(known.oid)):
        stamp = scan.now_of(os.path.dirname(os.fsencode(full)), index.clock)
        (answer,) = read([os.path.realpath(full)])
        if isinstance(answer, OSError):
            raise unreadable([(path, answer)])
        kind = EXEC[0] if answer.executable else FILE[0]
        stat = pack_stat(answer.size, answer.mtime_ns, answer.ctime_ns, answer.inode, stamp)
        known = Known(kind, stat, answer.oid)
        put_known(index, folder, {name: known})
    return Pointer("file", known.oid, known.size, 1, known.kind == EXEC[0])


def put_known(index: WorkTreeIndex, folder: bytes, entries: Mapping[bytes, Known | None]) -> None:
    """Write single entries into the row of `folder` (None: the entry is gone), leaving its other entries alone."""
    old = index.load(folder, below=False).get(folder)
    columns = Columns.of(old)
    same = old is not None and old.summary is not None
    for name, known in entries.items():
        before = columns.get(name)
        same = same and before is not None and known is not None and before[::2] == known[::2]
        if known is None:
            columns.drop(name)
        else:
            columns.put(name, known)
    summary = old.summary if same and old is not None else None
    index.write({folder: Update(old, columns.cut(old), summary)})

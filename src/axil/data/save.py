"""`axil add` and `axil rm` below the action: store, index, pointer file and the `.gitignore` line beside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Sequence

from axil.base.atomic import write_atomic
from axil.base.light import TYPE_CHECKING
from axil.base.progress import SILENT, Progress
from axil.data import content, scan
from axil.data.ignore import ensure_ignored, ensure_not_ignored
from axil.data.index import WorkTreeIndex
from axil.data.pointers import check_place, is_pointer, nested_in, pointer_path
from axil.errors import AxilError, BadInput, NotFound
from axil.formats.pointer import Pointer, render

if TYPE_CHECKING:
    from axil.store import Store


def add(
    index: WorkTreeIndex,
    store: Store,
    root: str,
    paths: Sequence[str],
    *,
    tracked: Collection[str] = (),
    recheck: bool = False,
    progress: Progress = SILENT,
) -> dict[str, Pointer]:
    """Track `paths` (project paths), or save the edits of tracked ones; returns path -> pointer.

    `tracked` are the paths that are tracked already. The order is data, index, `.gitignore`, pointer: a crash leaves
    stored objects that nothing names yet, and the same call finishes. Nothing is staged in git: the caller does that
    for `files_of`. Raises `BadInput` or `NotFound` before anything is written.
    """
    for path in paths:
        check_addable(root, path, {*tracked, *paths})
    saved = content.save(index, store, root, paths, tracked=True, recheck=recheck, progress=progress)
    for path, pointer in saved.items():
        ensure_ignored(root, path)
        write_pointer(root, path, pointer)
        index.set_tracked(path, pointer)
    return saved


def check_addable(root: str, path: str, tracked: Collection[str]) -> None:
    """Raise `BadInput` or `NotFound` if `path` cannot be tracked; `tracked` may contain it."""
    check_place(root, path)
    if is_pointer(path):
        raise BadInput(f"{path} is a pointer, not data", "names that end with .axil stand for tracked data")
    if "\n" in path or "\r" in path:
        raise BadInput(
            f"{path!a} cannot be tracked", "its name has a line break, which .gitignore cannot express", "rename it"
        )
    full = os.path.join(root, path)
    if os.path.islink(full):
        raise BadInput(
            f"{path} is a symbolic link",
            f"it points to {os.readlink(full)}; axil keeps real files and folders",
            "replace the link by what it points to, or track that path if it is inside the project",
        )
    if not os.path.lexists(full):
        known = os.path.lexists(os.path.join(root, pointer_path(path)))
        hint = f"bring it back with: axil materialise {path}" if known else "check the name"
        raise NotFound(f"{path} does not exist", "", hint)
    outer = nested_in(path, tracked) or _outer_pointer(root, path)
    if outer:
        raise BadInput(
            f"{path} is inside {outer}, which is tracked already",
            f"{pointer_path(outer)} stands for everything in {outer}",
            f"save the whole with: axil add {outer}",
        )
    inner = sorted(other for other in tracked if other.startswith(path + "/"))
    if inner:
        more = f" and {len(inner) - 1} more" if len(inner) > 1 else ""
        raise BadInput(
            f"{path} contains {inner[0]}{more}, which is tracked already",
            "the same files cannot belong to two pointers",
            f"stop tracking it first with: axil rm {inner[0]}",
        )


def write_pointer(root: str, path: str, pointer: Pointer) -> bool:
    """Write `NAME.axil` unless it says so already; tells whether it was written."""
    full = os.path.join(root, pointer_path(path))
    data = render(pointer)
    with contextlib.suppress(OSError), open(full, "rb") as file:
        if file.read() == data and not os.path.islink(full):
            return False
    try:
        write_atomic(full, data)
    except OSError as error:
        raise AxilError(
            f"{pointer_path(path)} could not be written",
            error.strerror or str(error),
            "the data itself is in the store; mend the cause and give the same command again",
        ) from None
    scan.sweep(os.fsencode(os.path.dirname(full)))  # Perhaps an earlier one was killed just here.
    return True


def untrack(index: WorkTreeIndex, root: str, path: str) -> list[str]:
    """Remove the pointer and the `.gitignore` line of `path`, keep the data; returns the changed project paths."""
    check_place(root, path)
    changed = []
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(root, pointer_path(path)))
        changed.append(pointer_path(path))
    if (ignore := ensure_not_ignored(root, path)) is not None:
        changed.append(ignore)
    index.set_tracked(path, None)
    return changed


def files_of(path: str) -> tuple[str, str]:
    """The pointer and the `.gitignore` of a tracked path, which belong into git."""
    return pointer_path(path), os.path.join(os.path.dirname(path), ".gitignore")


def _outer_pointer(root: str, path: str) -> str:
    outer = os.path.dirname(path)
    while outer:
        if os.path.lexists(os.path.join(root, pointer_path(outer))):
            return outer
        outer = os.path.dirname(outer)
    return ""

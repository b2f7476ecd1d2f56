"""Where pointers are and what they may stand for: `NAME.axil` beside `NAME`, never outside the project."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterable, Mapping

from axil.errors import BadInput, NotFound
from axil.formats.pointer import MAX_BYTES, SUFFIX, Pointer, parse

_OWN = (".git", ".axil")


def pointer_path(path: str) -> str:
    """The pointer file for the tracked `path`."""
    return path + SUFFIX


def data_path(pointer: str) -> str:
    """The tracked path a pointer file stands for. Raises `ValueError` if the name is not one of a pointer."""
    if not is_pointer(pointer):
        raise ValueError(f"not a pointer file: {pointer!r}")
    return pointer[: -len(SUFFIX)]


def is_pointer(path: str) -> bool:
    """Whether a file of this name is a pointer; `.axil` alone is axil's own folder."""
    return path.endswith(SUFFIX) and os.path.basename(path) != SUFFIX


def find_pointers(paths: Iterable[str]) -> list[str]:
    """The pointer files among `paths` (as git lists them), sorted."""
    return sorted(path for path in paths if is_pointer(path))


def parse_pointers(files: Mapping[str, bytes]) -> dict[str, Pointer]:
    """Tracked path -> pointer, from pointer files (path -> bytes) of one commit or work tree.

    Raises `BadInput` naming file and line, for a path that leaves the project too, and for nested tracked data.
    """
    found: dict[str, Pointer] = {}
    for name, data in sorted(files.items()):
        path = data_path(name)
        check_steps(path, name)
        found[path] = parse(data, name)
    for path in found:
        if outer := nested_in(path, found):
            raise BadInput(
                f"{pointer_path(path)}: tracked data inside tracked data",
                f"{pointer_path(outer)} already stands for everything in {outer}",
                f"keep one of them: git rm '{pointer_path(path)}' or git rm '{pointer_path(outer)}'",
            )
    return found


def read_pointer(root: str, path: str) -> Pointer:
    """The pointer of the tracked `path` in the work tree.

    Raises `NotFound`, or `BadInput` for a broken pointer or a place that axil must not touch.
    """
    name = pointer_path(path)
    check_place(root, path)
    try:
        fd = os.open(os.path.join(root, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(f"{path} is not tracked", f"{name} does not exist", f"track it with: axil add {path}") from None
    except OSError as error:
        why = "a pointer must be a plain file, not a link" if os.path.islink(os.path.join(root, name)) else str(error)
        raise BadInput(f"{name}: cannot be read", why, f"bring it back with: git checkout -- '{name}'") from None
    with os.fdopen(fd, "rb") as file:
        if not modes.S_ISREG(os.fstat(fd).st_mode):
            raise BadInput(f"{name}: cannot be read", "a pointer must be a plain file")
        return parse(file.read(MAX_BYTES + 1), name)


def nested_in(path: str, tracked: Iterable[str]) -> str:
    """The tracked path that contains `path`, or ""."""
    known = tracked if isinstance(tracked, (set, dict)) else set(tracked)  # many ask with one set
    outer = os.path.dirname(path)
    while outer:
        if outer in known:
            return outer
        outer = os.path.dirname(outer)
    return ""


def check_steps(path: str, source: str) -> None:
    """Raise `BadInput` unless `path` is a project path that stays inside and out of axil's and git's folders."""
    steps = path.split("/")
    why = ""
    if path.startswith("/"):
        why = "the path is absolute"
    elif not path or any(step in ("", ".") for step in steps):
        why = "the path is empty or not in its simple form"
    elif ".." in steps:
        why = "the path has '..' in it"
    elif any(step.lower() in _OWN for step in steps):
        why = "the path is inside .git or .axil"
    elif "\0" in path:
        why = "the path has a NUL in it"
    if why:
        raise BadInput(f"{source}: not a place for tracked data", why, "data is tracked inside the project only")


def check_place(root: str, path: str) -> None:
    """Raise `BadInput` unless every folder above `path` is a real folder of the project (or does not exist yet)."""
    check_steps(path, pointer_path(path))
    above = root
    for step in path.split("/")[:-1]:
        above = os.path.join(above, step)
        try:
            mode = os.lstat(above).st_mode
        except FileNotFoundError:
            return
        if not modes.S_ISDIR(mode):
            kind = "a symbolic link" if modes.S_ISLNK(mode) else "not a folder"
            raise BadInput(
                f"{path}: not a place for tracked data",
                f"{os.path.relpath(above, root)} is {kind}",
                "track data under its real path inside the project",
            )

"""The `.gitignore` beside a pointer: keeps tracked data out of git (docs/formats/gitignore.md).

axil's lines stand sorted in a block under its own comment; every other line is the user's and stays as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Collection, Iterator

from axil.base.atomic import write_atomic
from axil.errors import AxilError, BadInput

HEADER = b"# data kept by axil"
NAME = ".gitignore"


def ensure_ignored(root: str, path: str) -> str | None:
    """Make git ignore the tracked `path`; returns the `.gitignore` (project path) if it had to be changed.

    Atomic. Raises `BadInput` if that file is a link.
    """
    with _locked(root, path):
        lines = _read(root, path)
        wanted = pattern(path)
        if wanted in lines:
            return None
        _add(lines, (wanted,))
        return _write(root, path, lines)


def ensure_not_ignored(root: str, path: str) -> str | None:
    """Take axil's line for `path` away again; returns the `.gitignore` (project path) if it was changed.

    A file of which nothing is left is removed. The same line written by the user stays.
    """
    with _locked(root, path):
        lines = _read(root, path)
        start, end = _block(lines)
        unwanted = pattern(path)
        if unwanted not in lines[start + 1 : end]:
            return None
        kept = [line for line in lines[start + 1 : end] if line != unwanted]
        lines[start:end] = [HEADER, *kept] if kept else []
        while lines and not lines[-1]:
            lines.pop()
        return _write(root, path, lines)


def without_own(data: bytes) -> tuple[bytes, frozenset[bytes]]:
    """A `.gitignore` without axil's block (and without empty lines at its end), and the lines of that block."""
    lines = data.split(b"\n")
    start, end = _block(lines)
    own = frozenset(lines[start + 1 : end])
    if start >= 0:
        del lines[start:end]
    while lines and not lines[-1]:
        lines.pop()
    return b"\n".join(lines), own


def taken_over(data: bytes, own: Collection[bytes], moved: Collection[bytes]) -> bytes:
    """A `.gitignore` in which the lines `own` stand in axil's block, and those of `moved` that were elsewhere too."""
    rest, block = without_own(data)
    lines = rest.split(b"\n") if rest else []
    block |= set(own) | (set(moved) & set(lines))
    lines = [line for line in lines if line not in block]
    while lines and not lines[-1]:
        lines.pop()
    if block:
        _add(lines, block)
    return b"\n".join(lines) + b"\n" if lines else b""


def ensure_lines(root: str, name: str, wanted: Collection[bytes]) -> None:
    """Make sure that the `.gitignore` called `name` (project path) has these lines, adding to axil's block. Atomic."""
    with _locked(root, name):
        lines = _read(root, name)
        if missing := set(wanted) - set(lines):
            _add(lines, missing)
            _write(root, name, lines)


def pattern(path: str) -> bytes:
    """The line that matches exactly the last part of `path` in its own folder."""
    name = os.fsencode(os.path.basename(path))
    escaped = b"".join(
        b"\\" + char if char in b"*?[\\" else char for char in (name[at : at + 1] for at in range(len(name)))
    )
    if escaped.endswith(b" "):
        escaped = escaped[:-1] + b"\\ "
    return b"/" + escaped


@contextlib.contextmanager
def _locked(root: str, path: str) -> Iterator[None]:
    """Alone with the `.gitignore` beside `path`: two processes that add a line at once must not lose one.

    The folder itself is locked, so no lock file lies about. Where that is not possible, nothing is.
    """
    try:
        fd = os.open(os.path.join(root, os.path.dirname(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield  # Reading the file says better what is wrong with the folder.
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _add(lines: list[bytes], wanted: Collection[bytes]) -> None:
    start, end = _block(lines)
    if start >= 0:
        lines[start + 1 : end] = sorted({*lines[start + 1 : end], *wanted})
        return
    if lines and lines[-1]:
        lines.append(b"")
    lines += [HEADER, *sorted(wanted)]


def _block(lines: list[bytes]) -> tuple[int, int]:
    """Where axil's block starts (its header, -1 for none) and the index after its last line."""
    if HEADER not in lines:
        return -1, 0
    start = lines.index(HEADER)
    end = start + 1
    while end < len(lines) and lines[end].startswith(b"/"):
        end += 1
    return start, end


def _read(root: str, path: str) -> list[bytes]:
    name = os.path.join(os.path.dirname(path), NAME)
    full = os.path.join(root, name)
    if os.path.islink(full):
        raise BadInput(f"{name} is a symbolic link", "git does not follow it", "replace it by a plain file")
    try:
        with open(full, "rb") as file:
            data = file.read()
            return data.removesuffix(b"\n").split(b"\n") if data else []
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AxilError(f"{name} could not be read", error.strerror or str(error)) from None


def _write(root: str, path: str, lines: list[bytes]) -> str:
    name = os.path.join(os.path.dirname(path), NAME)
    full = os.path.join(root, name)
    try:
        if lines:
            write_atomic(full, b"\n".join(lines) + b"\n")
        else:
            os.unlink(full)
    except OSError as error:
        raise AxilError(
            f"{name} could not be written", error.strerror or str(error), "mend the cause and try again"
        ) from None
    return name

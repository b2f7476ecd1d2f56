"""The local log of what axil's actions moved, which `axil undo` reads backwards (docs/formats/operations.md).

One immutable JSON file per operation, named by its ULID; that one was undone is said by a second file beside it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable

from axil.base.atomic import sync_folder, write_all, write_atomic
from axil.base.ids import is_id
from axil.base.light import Any, NamedTuple
from axil.base.quickjson import canonical, loads
from axil.errors import BadInput, Damaged, NotFound
from axil.git.refs import FORBIDDEN, Head, is_object_id

VERSION = 1
KEEP = 1000
_SUFFIX = ".json"
_UNDONE = ".undone"


class RefMove(NamedTuple):
    """A ref that went from the git object `old` to `new`; None where it did not exist."""

    ref: str
    old: str | None
    new: str | None


class DataMove(NamedTuple):
    """Tracked data at a project path: the oid in hex, with "file:", "exec:" or "tree:" before it if known, or None."""

    path: str
    old: str | None
    new: str | None


class GitFile(NamedTuple):
    """A small file's content: git's mode (100644, 100755, 120000) and the blob in git's object database."""

    mode: str
    blob: str


class FileMove(NamedTuple):
    """A file of the work tree that an action wrote or removed; None where it did not exist."""

    path: str
    old: GitFile | None
    new: GitFile | None


class Kept(NamedTuple):
    """Bytes put aside before they were overwritten: what they were, and the oid (or stash) that holds them."""

    description: str
    oid: str


class Operation(NamedTuple):
    """One action, with all that is needed to take it back."""

    id: str
    time: float
    """Seconds since the epoch (UTC)."""
    command: str
    """What the user typed, for showing."""
    worktree: str
    """`Repository.worktree_id` of the work tree it happened in."""
    refs: tuple[RefMove, ...] = ()
    head: tuple[Head, Head] | None = None
    """HEAD before and after."""
    data: tuple[DataMove, ...] = ()
    files: tuple[FileMove, ...] = ()
    records: tuple[str, ...] = ()
    """Ids of the journal records it added."""
    saved: tuple[Kept, ...] = ()
    note: str = ""
    undoes: str = ""
    """The operation this one took back, for an undo."""


class OperationLog:
    """The operations under `folder`, which is made at the first write. Several processes may use it at once."""

    __slots__ = ("_folder", "_keep")

    def __init__(self, folder: str, *, keep: int = KEEP) -> None:
        self._folder = folder
        self._keep = keep

    def append(self, operation: Operation) -> None:
        """Record `operation`, durably and whole; then forget all but the newest `keep`.

        Call it before the first change; the same action may call it again with what it learnt, which replaces the
        operation. Raises `BadInput`, writing nothing, if it could not be read back.
        """
        data = _dump(operation)
        try:
            _load(data, operation.id, operation.id)
        except Damaged as error:
            raise BadInput("an operation cannot be recorded", error.why) from None
        os.makedirs(self._folder, exist_ok=True)
        write_atomic(self._path(operation.id), data)
        self._prune()

    def discard(self, operation: str) -> None:
        """Forget the operation: the action was refused before it changed anything."""
        self._remove((operation,))

    def read(self, operation: str) -> Operation:
        """The operation with this id. Raises `NotFound`, or `Damaged` if its file is not valid."""
        try:
            with open(self._path(operation), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            raise NotFound(f"there is no operation {operation}", "", "see: axil undo --list") from None
        return _load(data, operation, self._path(operation))

    def list(self, limit: int | None = None) -> tuple[Operation, ...]:
        """The newest `limit` operations, newest first. Raises `Damaged` naming a file that is not valid."""
        found = []
        for operation in self._ids()[:limit]:
            with contextlib.suppress(NotFound):  # forgotten by another process meanwhile
                found.append(self.read(operation))
        return tuple(found)

    def last(self, worktree: str) -> Operation | None:
        """The newest operation of this work tree that can be undone: not undone yet, and not itself an undo."""
        undone = self.undone()
        for operation in self._ids():
            if operation in undone:
                continue
            with contextlib.suppress(NotFound):
                found = self.read(operation)
                if found.worktree == worktree and not found.undoes:
                    return found
        return None

    def undone(self) -> frozenset[str]:
        """Ids of the operations that were undone."""
        return frozenset(name.removesuffix(_UNDONE) for name in self._names() if name.endswith(_UNDONE))

    def mark_undone(self, operation: str, *, by: str) -> None:
        """Say that the operation `by` took `operation` back. Raises `BadInput` if that was done already."""
        path = os.path.join(self._folder, operation + _UNDONE)
        if not os.path.exists(self._path(operation)):
            raise NotFound(f"there is no operation {operation}", "", "see: axil undo --list")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise BadInput(f"operation {operation} was undone already", "", "see: axil undo --list") from None
        try:
            write_all(fd, canonical({"version": VERSION, "by": by}).encode() + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_folder(self._folder)

    def _path(self, operation: str) -> str:
        if not is_id(operation):
            raise NotFound(f"“{operation}” is not the id of an operation", "", "see: axil undo --list")
        return os.path.join(self._folder, operation + _SUFFIX)

    def _names(self) -> tuple[str, ...]:
        try:
            return tuple(os.listdir(self._folder))
        except FileNotFoundError:
            return ()

    def _ids(self) -> tuple[str, ...]:
        """Ids of all operations, newest first."""
        ids = (name.removesuffix(_SUFFIX) for name in self._names() if name.endswith(_SUFFIX))
        return tuple(sorted(filter(is_id, ids), reverse=True))

    def _prune(self) -> None:
        self._remove(self._ids()[self._keep :])

    def _remove(self, operations: Iterable[str]) -> None:
        for operation in operations:
            for suffix in (_SUFFIX, _UNDONE):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._folder, operation + suffix))


def _dump(operation: Operation) -> bytes:
    # Lone surrogates of names that are not UTF-8 stay as escapes: the file is ASCII and reads back the same.
    return canonical({"version": VERSION, **operation._asdict()}).encode("ascii") + b"\n"


def _load(data: bytes, operation: str, source: str) -> Operation:
    """The operation in `data`, checked field by field. Raises `Damaged`."""
    try:
        value = loads(data)
        version = value.get("version")
        if version != VERSION:
            raise Damaged(
                f"{source} cannot be read",
                f"it has version {version!r} and this axil reads {VERSION}",
                "use the axil that wrote it, or remove the file to forget this operation",
            )
        if value["id"] != operation:
            raise ValueError(f"id is {value['id']!r}")
        return _operation(value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{source} is damaged", str(error), "remove the file to forget this operation") from None


def _operation(value: dict[str, Any]) -> Operation:
    head = value.get("head")
    if head is not None:
        before, after = head
        head = (_head(before), _head(after))
    return Operation(
        id=_checked(value["id"], is_id, "id"),
        time=_number(value["time"]),
        command=_text(value["command"], "command"),
        worktree=_text(value["worktree"], "worktree"),
        refs=tuple(
            RefMove(_checked(ref, _is_ref, "ref"), _git(old), _git(new)) for ref, old, new in value.get("refs", ())
        ),
        head=head,
        data=tuple(DataMove(_path(path), _content(old), _content(new)) for path, old, new in value.get("data", ())),
        files=tuple(FileMove(_path(path), _file(old), _file(new)) for path, old, new in value.get("files", ())),
        records=tuple(_checked(record, is_id, "record") for record in value.get("records", ())),
        saved=tuple(
            Kept(_text(words, "saved"), _checked(oid, is_object_id, "saved oid"))
            for words, oid in value.get("saved", ())
        ),
        note=_text(value.get("note", ""), "note"),
        undoes=_checked(value.get("undoes", ""), lambda text: not text or is_id(text), "undoes"),
    )


_MODES = ("100644", "100755", "120000")


def _is_content(text: str) -> bool:
    kind, colon, oid = text.rpartition(":")
    return len(oid) == 64 and is_object_id(oid) and (not colon or kind in ("file", "exec", "tree"))


def _is_ref(text: str) -> bool:
    return text.startswith("refs/") and len(text) > len("refs/") and FORBIDDEN.isdisjoint(text)


def _checked(value: object, fits: Callable[[str], bool], what: str) -> str:
    if not isinstance(value, str) or not fits(value):
        raise ValueError(f"{what} is {value!r}")
    return value


def _git(value: object) -> str | None:
    return None if value is None else _checked(value, is_object_id, "git object id")


def _content(value: object) -> str | None:
    return None if value is None else _checked(value, _is_content, "content")


def _file(value: Any) -> GitFile | None:
    if value is None:
        return None
    mode, blob = value
    return GitFile(_checked(mode, _MODES.__contains__, "mode"), _checked(blob, is_object_id, "blob"))


def _head(value: Any) -> Head:
    branch, commit = value
    return Head(None if branch is None else _text(branch, "branch"), _git(commit))


def _path(value: object) -> str:
    """A project path: relative, with nothing that leads out of the project or into git's own folder."""
    path = _text(value, "path")
    parts = path.split("/")
    if not path or "\0" in path or {"", ".", ".."} & set(parts) or ".git" in (part.lower() for part in parts):
        raise ValueError(f"path is {path!r}")
    return path


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} is {value!r}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ValueError(f"time is {value!r}")
    return float(value)

"""How an action changes things: the operation is logged first, then refs move, then the journal gets its records.

`axil undo` reads the log, so whatever goes through here can be taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from axil.base.light import TYPE_CHECKING, Any, NamedTuple
from axil.errors import AxilError
from axil.formats.pointer import Pointer
from axil.git.commits import identity
from axil.git.refs import Head, update_refs
from axil.journal.operations import DataMove, FileMove, GitFile, Kept, Operation, RefMove

if TYPE_CHECKING:
    from axil.formats.record import AnyRecord
    from axil.project import Project
    from axil.store.parallel import Task

KEEPS_DATA = "keeps data"
"""The note of operations that move no data in the work tree, see `Step.keeps_data`."""

Stamp = dict[str, Any]
"""The fields every record has: id, time, author."""


class Step(NamedTuple):
    """What one action changes."""

    refs: tuple[RefMove, ...] = ()
    head: tuple[Head, Head] | None = None
    data: tuple[DataMove, ...] = ()
    files: tuple[FileMove, ...] = ()
    saved: tuple[Kept, ...] = ()
    records: tuple[Callable[[Stamp], AnyRecord], ...] = ()
    """Make the journal's records from their stamp."""
    move_refs: Callable[[], None] | None = None
    """Moves the refs instead of a plain ref update, where git itself does more with them."""
    undoes: str = ""
    keeps_data: bool = False
    """The data itself stays where it is (`axil add`, `axil rm --keep`): only what the index knows of it moves."""


def perform(project: Project, command: str, step: Step) -> Operation:
    """Log the operation, move its refs, append its records; returns what was logged.

    Raises `LostRace` or another error of git if a ref is not where it should be; then nothing was changed.
    """
    author = identity(project.git) if step.records else ""
    records = [make({"id": project.new_id(), "time": project.clock(), "author": author}) for make in step.records]
    operation = log(project, command, step, [record.id for record in records])
    try:
        if step.move_refs:
            step.move_refs()
        elif step.refs:
            update_refs(project.git, [(ref, new, old) for ref, old, new in step.refs], message=f"axil {command}")
    except AxilError:
        # Only a refusal: whether a Ctrl-C came before or after the refs moved, nobody knows, so undo must know of it.
        project.operations.discard(operation.id)
        raise
    if records:
        project.journal.append(records)
    project.forget()
    return operation


def log(
    project: Project, command: str, step: Step, records: Sequence[str] = (), ahead: LogAhead | None = None
) -> Operation:
    """Write the operation to the log and nothing else, for actions that move things themselves.

    With `ahead`, what was begun there is finished; it is written anew if it has become another one.
    """
    operation = _operation(project, command, step, records)
    if ahead is not None:
        return ahead.take(operation)
    project.operations.append(operation)
    return operation


class LogAhead:
    """An operation that gets into the log while its action still finds out whether it may begin.

    Syncing takes as long as planning, and does not need the processor. Leaving the context removes what was begun and
    not taken: nothing has been changed then.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._begun: Operation | None = None
        self._task: Task | None = None

    def __enter__(self) -> LogAhead:
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None and self._begun is not None:
            with suppress(OSError, AxilError):
                self._task.wait()
            self._project.operations.discard(self._begun.id)

    def begin(self, command: str, step: Step) -> None:
        """Write the operation on a thread."""
        from axil.store.parallel import Task

        self._begun = _operation(self._project, command, step)
        self._task = Task(self._project.operations.append, self._begun)

    def take(self, operation: Operation) -> Operation:
        """What is in the log, durably, when this returns: `operation`, but for its id and time."""
        begun, log = self._begun, self._project.operations
        if begun is None or self._task is None:
            log.append(operation)
            return operation
        self._task.wait()
        self._begun = None
        if begun.id in log.undone():  # by another process, which found nothing to take back yet
            log.append(operation)
            return operation
        operation = operation._replace(id=begun.id, time=begun.time)
        if operation != begun:
            log.append(operation)
        return operation


def _operation(project: Project, command: str, step: Step, records: Sequence[str] = ()) -> Operation:
    # What lies in the work tree belongs to the branch it was changed on: undo must not bring it to another one.
    head = step.head or ((project.head, project.head) if step.data or step.files else None)
    return Operation(
        id=project.new_id(),
        time=project.clock(),
        command=f"axil {command}",
        worktree=project.repository.worktree_id,
        refs=step.refs,
        head=head,
        data=step.data,
        files=step.files,
        records=tuple(records),
        saved=step.saved,
        undoes=step.undoes,
        note=KEEPS_DATA if step.keeps_data else "",
    )


def data_moves(moves: Iterable[tuple[str, Pointer | None, Pointer | None]]) -> tuple[DataMove, ...]:
    """(path, old, new) in the form of the log; what stays the same is left out."""
    written = [DataMove(path, _written(old), _written(new)) for path, old, new in moves]
    return tuple(move for move in written if move.old != move.new)


def file_moves(
    project: Project, before: Mapping[str, bytes | None], after: Mapping[str, bytes | None]
) -> tuple[FileMove, ...]:
    """Small files of the work tree before and after an action, their content put into git's object database."""
    from axil.git.fastimport import write_blobs

    changed = [path for path in before if before[path] != after[path]]
    contents = [data for path in changed for data in (before[path], after[path]) if data is not None]
    blobs = dict(zip(contents, write_blobs(project.git, contents), strict=True))

    def file(data: bytes | None) -> GitFile | None:
        return None if data is None else GitFile("100644", blobs[data])

    return tuple(FileMove(path, file(before[path]), file(after[path])) for path in changed)


def read_file(project: Project, path: str) -> bytes | None:
    """The bytes of a small file of the work tree, None if it is not there."""
    try:
        with open(project.path(path), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _written(pointer: Pointer | None) -> str | None:
    if pointer is None:
        return None
    kind = "exec" if pointer.executable else pointer.kind
    return f"{kind}:{pointer.oid.hex()}"

"""Take back the last command that moved a branch, the work tree or tracked data."""

from __future__ import annotations

import contextlib
import os

from axil.actions.operation import Step, log, read_file
from axil.actions.switch import EDITS
from axil.base.atomic import write_atomic
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.materialise import Target, materialise, put_back
from axil.errors import Blocked, NotFound
from axil.formats.pointer import Pointer
from axil.git.branches import switch as git_switch
from axil.git.refs import BRANCHES, Head, list_refs, update_refs
from axil.git.worktree import restore_files_from_tree, stage
from axil.journal.operations import DataMove, FileMove, Operation, RefMove

if TYPE_CHECKING:
    from axil.project import Project


class Undone(NamedTuple):
    """The operation that was taken back, and what is as it was before."""

    operation: str
    command: str
    time: float
    restored: tuple[str, ...]
    """In words, one for each thing."""


class Logged(NamedTuple):
    """An operation of the log, for listing."""

    id: str
    time: float
    command: str
    undone: bool
    here: bool
    """It happened in this work tree."""


def operations(project: Project, limit: int = 20) -> tuple[Logged, ...]:
    """The newest operations of this clone, newest first."""
    undone = project.operations.undone()
    here = project.repository.worktree_id
    return tuple(
        Logged(one.id, one.time, one.command, one.id in undone, one.worktree == here)
        for one in project.operations.list(limit)
        if not one.undoes
    )


def undo(project: Project, *, force: bool = False, progress: Progress = SILENT) -> Undone:
    """Take back the newest operation of this work tree that was not taken back yet.

    Everything is checked first. Raises `Blocked` if something has changed since, or edits would be lost (with `force`
    those are saved and it goes on); `NotFound` if there is nothing to undo.
    """
    operation = project.operations.last(project.repository.worktree_id)
    if operation is None:
        raise NotFound("there is nothing to undo", "no command changed this work tree yet", "axil undo --list")
    _check(project, operation, force)
    step = Step(
        refs=tuple(RefMove(ref, new, old) for ref, old, new in operation.refs),
        head=(operation.head[1], operation.head[0]) if operation.head else None,
        data=tuple(DataMove(path, new, old) for path, old, new in operation.data),
        files=tuple(FileMove(path, new, old) for path, old, new in operation.files),
        undoes=operation.id,
    )
    undoing = log(project, "undo", step)
    restored = [
        *_move_back(project, operation),
        *_files_back(project, operation),
        *_data_back(project, operation, force, progress),
        *_saved_back(project, operation),
        *_records_back(project, operation),
    ]
    project.operations.mark_undone(operation.id, by=undoing.id)
    project.forget()
    return Undone(operation.id, operation.command, operation.time, tuple(restored))


def _check(project: Project, operation: Operation, force: bool) -> None:
    """Raise `Blocked` if something that the operation moved has moved again since."""
    refs = list_refs(project.git, *(ref for ref, _, _ in operation.refs)) if operation.refs else {}
    changed = [ref for ref, old, new in operation.refs if refs.get(ref) not in (new, old)]
    if operation.head and project.head.branch not in (operation.head[1].branch, operation.head[0].branch):
        changed.append("HEAD")
    files = [path for path, old, new in operation.files if _blob(project, path) not in (_id(old), _id(new))]
    if changed or (files and not force):
        raise Blocked(
            f"“{operation.command}” cannot be undone any more",
            "changed since then: " + ", ".join(changed + files),
            "--force goes on for files" if files and not changed else "take the later changes back first",
            tuple(files),
        )


def _blob(project: Project, path: str) -> str:
    data = read_file(project, path)
    return project.git.run("hash-object", "--stdin", input=data).decode().strip() if data is not None else ""


def _id(file: object) -> str:
    return getattr(file, "blob", "")


def _move_back(project: Project, operation: Operation) -> list[str]:
    """HEAD and refs as they were."""
    words = []
    refs = list_refs(project.git, *(ref for ref, _, _ in operation.refs)) if operation.refs else {}
    back = [(ref, old, new) for ref, old, new in operation.refs if refs.get(ref) == new]
    if operation.head and project.head.branch != operation.head[0].branch:
        before = operation.head[0]
        # What HEAD goes back to must be there before git is asked to check it out.
        made = [(ref, old, None) for ref, old, new in back if new is None]
        update_refs(project.git, made, message="axil undo")
        _check_out(project, before)
        words.append(f"on {before.branch or (before.commit or '')[:9]} again")
        back = [(ref, old, new) for ref, old, new in back if new is not None]
    if back:
        update_refs(project.git, back, message="axil undo")
    for ref, old, _ in operation.refs:
        if ref.startswith(BRANCHES):
            name = ref.removeprefix(BRANCHES)
            words.append(f"branch {name} is back" if old else f"branch {name} is gone")
    project.forget()
    return words


def _check_out(project: Project, before: Head) -> None:
    if before.branch is not None:
        git_switch(project.git, before.branch)
    elif before.commit is not None:
        git_switch(project.git, before.commit, detach=True)


def _files_back(project: Project, operation: Operation) -> list[str]:
    """Small files as they were, staged if git knew them."""
    if not operation.files:
        return []
    from axil.git.catfile import CatFile

    with CatFile(project.git) as cat:
        for path, old, _ in operation.files:
            if old is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(project.path(path))
            else:
                write_atomic(project.path(path), cat.blob(old.blob) or b"")
    if operation.command.startswith(("axil add", "axil rm")):
        stage(project.git, [path for path, _, _ in operation.files])
    return [f"{path} is {'as before' if old else 'gone'}" for path, old, _ in operation.files]


def _data_back(project: Project, operation: Operation, force: bool, progress: Progress) -> list[str]:
    """Tracked data and outputs as they were; what an `add` saved stays in the work tree as it is."""
    here = project.index.all_tracked()
    if operation.command.startswith("axil add"):
        for path, old, _ in operation.data:
            project.index.set_tracked(path, _pointer(project, old) or None)
        return []
    targets = [Target(path, here.get(path), _pointer(project, old)) for path, old, _ in operation.data]
    materialise(project.index, project.store, project.root, targets, force=force, progress=progress)
    return [f"{path} is {'as before' if old else 'gone'}" for path, old, _ in operation.data]


def _pointer(project: Project, written: str | None) -> Pointer | None:
    """The content a `DataMove` names; its sizes are taken from the store."""
    if written is None:
        return None
    kind, _, digits = written.rpartition(":")
    oid = bytes.fromhex(digits)
    if kind == "tree":
        entries = project.store.entries(oid)
        return Pointer("tree", oid, sum(entry.size for entry in entries), len(entries))
    return Pointer("file", oid, project.store.size(oid), 1, kind == "exec")


def _saved_back(project: Project, operation: Operation) -> list[str]:
    """Uncommitted code and edits of data that `--force` had put aside are back in the work tree."""
    words = []
    for description, oid in operation.saved:
        for kind, beginning in EDITS.items():
            if description.startswith(beginning):
                path = description.removeprefix(beginning)
                put_back(project.store, project.root, path, Pointer(kind, bytes.fromhex(oid), 0))  # type: ignore[arg-type]
                words.append(f"the edits in {path} are back")
        if description.startswith("uncommitted code"):
            from axil.git.diff import diff_trees

            paths = [change.path for change in diff_trees(project.git, f"{oid}^", oid)]
            restore_files_from_tree(project.git, oid, paths)
            words.append(f"uncommitted changes of {len(paths)} file{'s' * (len(paths) != 1)} are back")
    return words


def _records_back(project: Project, operation: Operation) -> list[str]:
    """What the operation wrote into the journal no longer counts."""
    if not operation.records:
        return []
    from axil.formats.record import Retract
    from axil.git.commits import identity

    author = identity(project.git)
    project.journal.append(
        [
            Retract(id=project.new_id(), time=project.clock(), author=author, target=record)
            for record in operation.records
        ]
    )
    return ["the journal no longer counts it"]

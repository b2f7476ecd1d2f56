"""Take back the last command that moved a branch, the work tree or tracked data."""

from __future__ import annotations

import contextlib
import os

from axil.actions.checkout import check_out
from axil.actions.moving import EDITS, Moves, carry, plan_moves, refuse_during_run, saved
from axil.actions.operation import KEEPS_DATA, Step, log, read_file
from axil.actions.switch import SAVED_CODE
from axil.actions.tracking import pointers, pointers_at
from axil.base.atomic import write_atomic
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.materialise import Target, put_back
from axil.errors import Blocked, NotFound
from axil.formats.pointer import Pointer
from axil.git.refs import BRANCHES, list_refs, update_refs
from axil.git.worktree import rename_branch, restore_files_from_tree, stage
from axil.journal.operations import DataMove, FileMove, Kept, Operation, RefMove

if TYPE_CHECKING:
    from axil.project import Project


class Undone(NamedTuple):
    """The operation that was taken back, and what is as it was before."""

    operation: str
    command: str
    time: float
    restored: tuple[str, ...]
    """In words, one for each thing."""
    saved: tuple[Kept, ...] = ()
    """Edits made since, put into the store before they were overwritten."""


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
    # Undoing is logged too, but not listed: what it took back is marked instead.
    listed = [one for one in project.operations.list(2 * limit) if not one.undoes][:limit]
    return tuple(Logged(one.id, one.time, one.command, one.id in undone, one.worktree == here) for one in listed)


def undo(project: Project, *, force: bool = False, progress: Progress = SILENT) -> Undone:
    """Take back the newest operation of this work tree that was not taken back yet.

    Everything is checked first. Raises `Blocked` if something has changed since, or edits would be lost (with `force`
    those are saved and it goes on); `NotFound` if there is nothing to undo. Killed on its way, it can be given again.
    """
    operation = project.operations.last(project.repository.worktree_id)
    if operation is None:
        raise NotFound("there is nothing to undo", "no command changed this work tree yet", "axil undo --list")
    if operation.head:
        refuse_during_run(project, f"undoing “{operation.command}”")
    blobs = _check(project, operation, force)
    moves = _plan(project, operation, force, progress)
    kept = saved(project, moves.plans, progress)
    step = Step(
        refs=tuple(RefMove(ref, new, old) for ref, old, new in operation.refs),
        head=(operation.head[1], operation.head[0]) if operation.head else None,
        data=tuple(DataMove(path, new, old) for path, old, new in operation.data),
        files=tuple(FileMove(path, new, old) for path, old, new in operation.files),
        saved=kept,
        undoes=operation.id,
    )
    undoing = log(project, "undo", step)
    restored = [
        *_move_back(project, operation),
        *_files_back(project, operation, blobs),
        *_data_back(project, operation, moves, progress),
        *_saved_back(project, operation),
        *_records_back(project, operation),
    ]
    project.operations.mark_undone(operation.id, by=undoing.id)
    project.forget()
    return Undone(operation.id, operation.command, operation.time, tuple(restored), kept)


# What may have happened since


def _check(project: Project, operation: Operation, force: bool) -> dict[str, bytes]:
    """The old content of files, by blob. Raises `Blocked` if something that the operation moved has moved again."""
    refs = _refs(project, operation)
    renamed = _renamed(operation)
    changed = [] if renamed else [ref for ref, old, new in operation.refs if refs.get(ref) not in (new, old)]
    if renamed and not refs.keys() & {BRANCHES + name for name in renamed}:
        changed.append(BRANCHES + renamed[1])
    if operation.head and project.head.branch not in (operation.head[1].branch, operation.head[0].branch):
        changed.append("HEAD")
    files = [path for path, old, new in operation.files if _blob(project, path) not in (_id(old), _id(new))]
    files += _edited_code(project, operation)
    if changed or (files and not force):
        raise Blocked(
            f"“{operation.command}” cannot be undone any more" if changed else f"“{operation.command}” is not undone",
            "changed since then: " + ", ".join(changed + files),
            "--force undoes it all the same; the changes are lost then"
            if not changed
            else "take the later changes back first; axil undo --list shows what was done",
            tuple(files),
        )
    return _old_files(project, operation)


def _old_files(project: Project, operation: Operation) -> dict[str, bytes]:
    """Blob -> content of all files as they were. Raises `Blocked` if git has thrown one away."""
    wanted = [old.blob for _, old, _ in operation.files if old is not None]
    if not wanted:
        return {}
    from axil.git.catfile import CatFile

    with CatFile(project.git) as cat:
        found = {blob: cat.blob(blob) for blob in wanted}
    gone = [path for path, old, _ in operation.files if old is not None and found[old.blob] is None]
    if gone:
        raise Blocked(
            f"“{operation.command}” cannot be undone any more",
            f"git no longer has what was in {', '.join(gone)} (git gc removes what no commit names)",
            f"git log -- {gone[0]}   shows the versions that were committed",
        )
    return {blob: data for blob, data in found.items() if data is not None}


def _edited_code(project: Project, operation: Operation) -> list[str]:
    """Files that would get back code which `--force` had saved, and that were changed since."""
    commits = [oid for words, oid in operation.saved if words.startswith(SAVED_CODE)]
    if not commits:
        return []
    from axil.git.worktree import status

    state = status(project.git)
    touched = {entry.path for entry in state.entries} | set(state.untracked)
    return sorted(
        path
        for commit in commits
        for path, blob in _files_of(project, commit).items()
        if path in touched and _blob(project, path) != blob
    )


def _files_of(project: Project, commit: str) -> dict[str, str]:
    """The files in which a commit of saved code differs from where it was saved: path -> blob, "" for none."""
    from axil.git.diff import diff_trees
    from axil.git.history import resolve

    return {change.path: change.new for change in diff_trees(project.git, resolve(project.git, f"{commit}^"), commit)}


def _blob(project: Project, path: str) -> str:
    data = read_file(project, path)
    return project.git.run("hash-object", "--stdin", input=data).decode().strip() if data is not None else ""


def _id(file: object) -> str:
    return getattr(file, "blob", "")


def _refs(project: Project, operation: Operation) -> dict[str, str]:
    return list_refs(project.git, *(ref for ref, _, _ in operation.refs)) if operation.refs else {}


def _renamed(operation: Operation) -> tuple[str, str] | None:
    """(old name, new name) if the operation renamed a branch."""
    names = [ref.removeprefix(BRANCHES) for ref, _, _ in operation.refs if ref.startswith(BRANCHES)]
    first, second = operation.refs if len(operation.refs) == 2 else (None, None)
    if len(names) == 2 and first and second and first.old and first.old == second.new and not second.old:
        return names[0], names[1]
    return None


# Taking back


def _plan(project: Project, operation: Operation, force: bool, progress: Progress) -> Moves:
    """Plan tracked data and outputs to what they were. Raises `Blocked` for edits made since, unless `force`."""
    if operation.note == KEEPS_DATA or not operation.data:
        return Moves()
    here, now = project.index.all_tracked(), pointers(project)
    moved = operation.head is not None and operation.head[0] != operation.head[1]
    commit = operation.head[0].commit if operation.head and moved else None
    before = pointers_at(project, commit) if commit else {}
    known = {one.oid: one for one in (*before.values(), *now.values(), *here.values())}
    # A pointer file that the operation removed is not there yet, and its path is tracked data all the same.
    files = {path for path, _, _ in operation.files}
    data = {path for path, _, _ in operation.data if path in now or path in before or f"{path}.axil" in files}
    targets = [Target(path, here.get(path), _pointer(project, old, known)) for path, old, _ in operation.data]
    outputs = {path for path, _, _ in operation.data} - data
    return plan_moves(project, targets, outputs=outputs, commit=commit, force=force, progress=progress)


def _pointer(project: Project, written: str | None, known: dict[bytes, Pointer]) -> Pointer | None:
    """The content that a `DataMove` names; sizes from the pointer that is known of it, else from the store."""
    if written is None:
        return None
    kind, _, digits = written.rpartition(":")
    oid = bytes.fromhex(digits)
    if oid in known and known[oid].kind == ("tree" if kind == "tree" else "file"):
        return known[oid]._replace(executable=kind == "exec")
    if kind == "tree":
        entries = project.store.entries(oid)
        return Pointer("tree", oid, sum(entry.size for entry in entries), _count(project, oid))
    return Pointer("file", oid, project.store.size(oid), 1, kind == "exec")


def _count(project: Project, tree: bytes) -> int:
    """How many files are in a tree of the store."""
    from axil.data.diff import DIR_KIND

    files, todo = 0, [tree]
    while todo:
        for entry in project.store.entries(todo.pop()):
            if entry.kind == DIR_KIND:
                todo.append(entry.oid)
            else:
                files += 1
    return files


def _move_back(project: Project, operation: Operation) -> list[str]:
    """HEAD and refs as they were."""
    refs = _refs(project, operation)
    if renamed := _renamed(operation):
        if BRANCHES + renamed[1] in refs:
            rename_branch(project.git, renamed[1], renamed[0])
        project.forget()
        return [f"{renamed[1]} is called {renamed[0]} again"]
    words = []
    back = [(ref, old, new) for ref, old, new in operation.refs if refs.get(ref) == new]
    if operation.head and project.head.branch != operation.head[0].branch:
        before = operation.head[0]
        # What HEAD goes back to must be there before git is asked to check it out.
        made = [(ref, old, None) for ref, old, new in back if new is None]
        update_refs(project.git, made, message="axil undo")
        check_out(project, before)
        words.append(f"on {before.branch or (before.commit or '')[:9]} again")
        back = [(ref, old, new) for ref, old, new in back if new is not None]
    elif operation.head and operation.command.startswith("axil pull") and operation.head[0].commit:
        check_out(project, operation.head[0])  # The branch goes back with the work tree, as it came.
        back = []
    if back:
        update_refs(project.git, back, message="axil undo")
    for ref, old, new in operation.refs:
        if ref.startswith(BRANCHES):
            name = ref.removeprefix(BRANCHES)
            words.append(f"branch {name} is {'gone' if not old else 'back' if not new else f'at {old[:9]} again'}")
    project.forget()
    return words


def _files_back(project: Project, operation: Operation, blobs: dict[str, bytes]) -> list[str]:
    """Small files as they were; pointers and what belongs to them staged, as they were by the command."""
    for path, old, _ in operation.files:
        if old is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(project.path(path))
        else:
            os.makedirs(os.path.dirname(project.path(path)), exist_ok=True)
            write_atomic(project.path(path), blobs[old.blob])
    if operation.command.startswith(("axil add ", "axil rm ")):
        stage(project.git, _known(project, [path for path, _, _ in operation.files]), force=True)
    return [f"{path} is {'as before' if old else 'gone'}" for path, old, _ in operation.files]


def _known(project: Project, paths: list[str]) -> list[str]:
    """Those of `paths` that are there or in git's index: git refuses to stage what is neither."""
    from axil.git.worktree import tracked

    in_index = tracked(project.git, paths)
    return [path for path in paths if path in in_index or os.path.lexists(project.path(path))]


def _data_back(project: Project, operation: Operation, moves: Moves, progress: Progress) -> list[str]:
    """Tracked data and outputs as they were; what an `add` saved stays in the work tree as it is."""
    if operation.note == KEEPS_DATA:
        for path, old, _ in operation.data:
            project.index.set_tracked(path, _pointer(project, old, {}))
        return []
    carry(project, moves, progress)
    return [f"{path} is {'as before' if old else 'gone'}" for path, old, _ in operation.data]


def _saved_back(project: Project, operation: Operation) -> list[str]:
    """Uncommitted code and edits of data that had been put aside are back in the work tree."""
    words = []
    for description, oid in operation.saved:
        for kind, beginning in EDITS.items():
            if description.startswith(beginning):
                path = description.removeprefix(beginning)
                content = _pointer(project, f"{kind}:{oid}", {})
                assert content is not None
                put_back(project.store, project.root, path, content)
                words.append(f"the edits in {path} are back")
        if description.startswith(SAVED_CODE):
            paths = list(_files_of(project, oid))
            restore_files_from_tree(project.git, oid, paths)
            words.append(f"uncommitted changes of {len(paths)} file{'s' * (len(paths) != 1)} are back")
    return words


def _records_back(project: Project, operation: Operation) -> list[str]:
    """What the operation wrote into the journal no longer counts."""
    if not operation.records:
        return []
    from axil.formats.record import AnyRecord, Rename, Retract
    from axil.git.commits import identity

    author = identity(project.git)

    def stamp() -> dict[str, object]:
        return {"id": project.new_id(), "time": project.clock(), "author": author}

    records: list[AnyRecord]
    if renamed := _renamed(operation):
        if renamed[1] not in project.journal.experiments():
            return []  # An undo that was killed behind this step.
        # Named back rather than retracted: runs made under the new name meanwhile come along.
        records = [Rename(**stamp(), old=renamed[1], new=renamed[0])]  # type: ignore[arg-type]
    else:
        records = [Retract(**stamp(), target=record) for record in operation.records]  # type: ignore[arg-type]
    project.journal.append(records)
    return ["the journal no longer counts it"] if not renamed else []

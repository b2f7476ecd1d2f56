"""Go to another experiment: its code by git, then only the data and outputs that differ."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from axil.actions.checkout import check_out
from axil.actions.experiments import HEADS, require
from axil.actions.moving import Moves, carry, plan_moves, plan_repair, refuse_during_run, saved
from axil.actions.operation import LogAhead, Step, data_moves, log
from axil.actions.outputs import ignore_outputs, outputs_of
from axil.actions.tracking import begin_pointer_files, changed_pointers, pointers, refuse_nested
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, NotFound
from axil.git.refs import Head, update_refs
from axil.journal.operations import Kept, RefMove

if TYPE_CHECKING:
    from axil.data.materialise import Target
    from axil.formats.pointer import Pointer
    from axil.project import Project

SAVED = "refs/axil/saved/"
SAVED_CODE = "uncommitted code"
"""How a `Kept` of code begins; its oid is a commit under `SAVED`."""


class Switched(NamedTuple):
    """Where we are now, and what it took. `saved` says what was put aside before it was overwritten."""

    experiment: str
    before: str | None
    written: int
    removed: int
    unavailable: tuple[str, ...]
    """Outputs that are not in the store any more; `axil run` makes them again."""
    saved: tuple[Kept, ...]
    operation: str
    message: str = ""
    """What a failing post-checkout hook of the user said."""


def switch(project: Project, name: str, *, force: bool = False, progress: Progress = SILENT) -> Switched:
    """Check out the experiment `name` with its tracked data and the outputs of its newest good run.

    The current name brings back what is missing of data and outputs. Of an experiment that only a git remote has, the
    branch is made here, and follows the remote's. Uncommitted code is carried along as git does.
    Raises `Blocked`, listing paths, before anything is touched if edits would be lost; with `force` they are saved
    first. Also raises it while a run is using the work tree.
    """
    name = _previous(project) if name == "-" else name
    experiment = require(project, name, remote=True)
    tip = experiment.tip
    refuse_during_run(project, f"switching to {name}")
    if project.head.branch == name:
        return bring_back(project, name, force, progress)
    files = begin_pointer_files(project.git)
    changes = changed_pointers(project, project.head.commit, tip)
    outputs = outputs_of(project, name)
    refs: tuple[RefMove, ...] = ()
    follow: Callable[[], object] = bool
    if experiment.remote:
        from axil.git.remote import set_upstream

        refs = (RefMove(HEADS + name, None, tip),)
        follow = partial(set_upstream, project.git, name, experiment.remote)
    command, target, before = f"switch {name}", Head(name, tip), project.head
    with LogAhead(project) as ahead:

        def begin(targets: Sequence[Target]) -> None:
            # What is saved first, by force, belongs into the operation, too.
            if not force and any(one.old != one.new for one in targets):
                ahead.begin(command, Step(refs=refs, head=(before, target), data=data_moves(targets)))

        moves = plan_switching(
            project, tip, changes, outputs, force=force, files=files, meanwhile=begin, progress=progress
        )
        return carry_out(
            project, command, target, moves, force=force, refs=refs, then=follow, ahead=ahead, progress=progress
        )


def plan_switching(
    project: Project,
    commit: str,
    changes: Mapping[str, Pointer | None],
    outputs: Mapping[str, Pointer],
    *,
    force: bool,
    files: Callable[[], list[str]] | None = None,
    left: Mapping[str, Pointer] = {},
    meanwhile: Callable[[Sequence[Target]], object] = bool,
    progress: Progress = SILENT,
) -> Moves:
    """Plan tracked data to `changes` (what they do not name stays at its pointer) and all outputs to `outputs`.

    `left` is what lies at paths that are neither, and is kept elsewhere: it may give way.
    `commit` is where HEAD is going, `files` what `begin_pointer_files` gave, if begun. `meanwhile` is called when it is
    known what shall move, before the long look whether it may. Raises what `plan_moves` raises.
    """
    from axil.data.materialise import Target

    here = project.index.all_tracked()

    def target(path: str, new: Pointer | None) -> Target:
        # What was removed by hand as a whole comes back as a whole, and not only what differs over there.
        gone = new is not None and not os.path.lexists(project.path(path))
        return Target(path, None if gone else here.get(path, left.get(path)), new)

    now = pointers(project, files)
    data = {**now, **changes}
    refuse_nested([path for path, new in data.items() if new is not None])
    # Data that was never brought here and is the same over there is left to `axil materialise`.
    targets = [target(path, new) for path, new in data.items() if path in changes or path in here or path not in now]
    outs: dict[str, Pointer | None] = {path: None for path in here if path not in data}
    outs |= {path: pointer for path, pointer in outputs.items() if path not in data}
    targets += [target(path, new) for path, new in outs.items()]
    meanwhile(targets)
    return plan_moves(project, targets, outputs=outs, commit=commit, force=force, progress=progress)


def carry_out(
    project: Project,
    command: str,
    target: Head,
    moves: Moves,
    *,
    force: bool = False,
    refs: tuple[RefMove, ...] = (),
    records: Sequence[str] = (),
    then: Callable[[], object] = lambda: None,
    keeps_data: bool = False,
    ahead: LogAhead | None = None,
    progress: Progress = SILENT,
) -> Switched:
    """Log the operation, make `refs`, let git go to `target`, call `then`, move the data.

    `target` is another branch, or the current one at a commit to which it moves; that ref is not among `refs`. The
    operation may have been begun `ahead`.

    If git refuses, nothing has happened. After a crash the same switch again finishes, and `axil undo` knows of it;
    with `keeps_data` undoing leaves the data in the work tree.
    """
    before = project.head
    assert target.branch is not None
    moved = before != target
    code = _save_code(project) if force and moved else ()
    kept = code + saved(project, moves.plans, progress)
    own = (RefMove(HEADS + target.branch, before.commit, target.commit),) if before.branch == target.branch else ()
    step = Step(
        refs=refs + own if moved else refs,
        head=(before, target) if moved else None,
        data=moves.logged,
        saved=kept,
        keeps_data=keeps_data,
    )
    operation = log(project, command, step, records, ahead) if moved or step.data or kept else None
    message = ""
    if moved:
        try:
            update_refs(project.git, [(ref, new, old) for ref, old, new in refs], message=f"axil {command}")
            message = _go(project, target, refs, discard=bool(code))
        except AxilError:
            if operation:
                project.operations.discard(operation.id)
            raise
        project.forget()
    then()
    written, removed = carry(project, moves, progress)
    ignore_outputs(project, moves.made)
    name = operation.id if operation else ""
    return Switched(target.branch, before.branch, written, removed, moves.unavailable, kept, name, message)


def _go(project: Project, target: Head, refs: tuple[RefMove, ...], *, discard: bool) -> str:
    """Check `target` out; the refs made for it go again if git refuses."""
    try:
        return check_out(project, target, discard=discard)
    except AxilError:
        update_refs(project.git, [(ref, old, new) for ref, old, new in refs])
        raise


def bring_back(
    project: Project, name: str, force: bool, progress: Progress, more: Mapping[str, Pointer] = {}
) -> Switched:
    """Stay, and bring data and outputs in line: what is outdated, and what was removed by hand.

    `more` is tracked data that shall be here though it never was.
    """
    tip = project.head.commit or ""
    moves = plan_switching(project, tip, more, outputs_of(project, name), force=force, progress=progress)
    done = carry_out(project, f"switch {name}", project.head, moves, force=force, progress=progress)
    here = project.index.all_tracked()
    # What came from nothing was compared with the disk path by path just now.
    looked_at = {plan.path for plan in moves.plans if plan.old is None}
    mending = []
    for path in [path for path in here if path not in looked_at]:
        with suppress(NotFound):  # An output that the store has no more: the next run makes it again.
            mending += plan_repair(project, [path], here, force=True, progress=progress)
    # Edits are no reason to refuse here: they stay, as git keeps them when one switches to where one is.
    whole = Moves(tuple(plan for plan in mending if not plan.unsaved))
    written, removed = carry(project, whole, progress)
    return done._replace(written=done.written + written, removed=done.removed + removed)


def _save_code(project: Project) -> tuple[Kept, ...]:
    """Keep uncommitted code as a commit under refs/axil/saved/; nothing if the work tree is clean."""
    from axil.errors import Blocked
    from axil.git.worktree import commit_tree, snapshot_tree

    snapshot = snapshot_tree(project.git, project.head, max_untracked=1 << 62)
    if snapshot.clean:
        return ()
    if snapshot.nested:
        raise Blocked(
            "a repository inside this one cannot be saved",
            ", ".join(snapshot.nested),
            "move it out of the way, or switch without --force",
            snapshot.nested,
        )
    parents = [project.head.commit] if project.head.commit else []
    commit = commit_tree(
        project.git, snapshot.tree, parents, f"Saved by axil switch --force on {project.head.branch}\n"
    )
    ref = f"{SAVED}{project.new_id()}"
    update_refs(project.git, [(ref, commit, None)])
    return (Kept(f"{SAVED_CODE} ({ref})", commit),)


def _previous(project: Project) -> str:
    """The branch that was checked out before this one."""
    result = project.git.call("rev-parse", "--symbolic-full-name", "@{-1}")
    name = result.out.decode("utf-8", "surrogateescape").strip().removeprefix("refs/heads/")
    if result.code or not name:
        raise NotFound("there is no previous experiment", "this work tree has not switched yet", "axil tree lists them")
    return name

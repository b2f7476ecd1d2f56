"""Go to another experiment: its code by git, then only the data and outputs that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from axil.actions.experiments import require
from axil.actions.operation import Step, data_moves, log
from axil.actions.outputs import outputs_of
from axil.actions.tracking import changed_pointers, pointers
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.materialise import apply, check, rescue
from axil.data.plan import Plan, plan_switch
from axil.errors import NotFound
from axil.git.branches import switch as git_switch
from axil.git.refs import Head
from axil.journal.operations import Kept, RefMove

if TYPE_CHECKING:
    from axil.formats.pointer import Pointer
    from axil.project import Project

SAVED = "refs/axil/saved/"
EDITS = {"file": "edit of the file ", "tree": "edits in the folder "}
"""How a `Kept` of data begins; the path follows."""


class Switched(NamedTuple):
    """Where we are now, and what it took. `saved` says what `--force` put aside, and where."""

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


class Moves(NamedTuple):
    """The data side of a switch, planned and checked but not begun."""

    plans: tuple[Plan, ...]
    unavailable: tuple[str, ...]


def switch(project: Project, name: str, *, force: bool = False, progress: Progress = SILENT) -> Switched:
    """Check out the experiment `name` with its tracked data and the outputs of its newest good run.

    The current name brings data and outputs back in line. Uncommitted code is carried along as git does. Raises
    `Blocked`, listing paths, before anything is touched if edits would be lost; with `force` they are saved first.
    """
    name = _previous(project) if name == "-" else name
    tip = require(project, name).tip
    before = project.head
    same = before.branch == name
    changes = {} if same else changed_pointers(project, before.commit, tip)
    moves = plan_moves(project, changes, outputs_of(project, name), force=force, progress=progress)
    return carry_out(project, f"switch {name}", Head(name, tip), moves, force=force, progress=progress)


def plan_moves(
    project: Project,
    changes: Mapping[str, Pointer | None],
    outputs: Mapping[str, Pointer],
    *,
    force: bool,
    progress: Progress = SILENT,
) -> Moves:
    """Plan tracked data to `changes` (what they do not name stays at its pointer) and all outputs to `outputs`.

    Raises `Blocked` for unsaved edits unless `force`, `NotFound` for tracked data that is not in the store.
    """
    here = project.index.all_tracked()
    now = pointers(project)
    data = {**now, **changes}
    outs = {path: None for path in here if path not in data} | {
        path: pointer for path, pointer in outputs.items() if path not in data
    }
    plans: list[Plan] = []
    unavailable: list[str] = []
    for path, new in {**data, **outs}.items():
        old = here.get(path)
        if path in data and old is None and path in now and path not in changes:
            continue  # Never materialised here and not touched by this switch: `axil materialise` does that.
        try:
            plan = plan_switch(project.index, project.store, project.root, path, old, new, progress=progress)
        except NotFound:
            if path in data:
                raise
            unavailable.append(path)
            continue
        plans.append(plan)
    if not force:
        check(plans)
    return Moves(tuple(plans), tuple(unavailable))


def carry_out(
    project: Project,
    command: str,
    target: Head,
    moves: Moves,
    *,
    force: bool = False,
    refs: tuple[RefMove, ...] = (),
    records: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Switched:
    """Let git switch to the branch of `target`, log the operation, then move the data as planned.

    git goes first: if it refuses, nothing has happened. After a crash behind it, the same switch again finishes.
    """
    before = project.head
    assert target.branch is not None
    saved: tuple[Kept, ...] = ()
    message = ""
    if before.branch != target.branch:
        saved = _save_code(project) if force else ()
        message = git_switch(project.git, target.branch, discard=bool(saved))
    project.forget()
    step = Step(
        refs=refs,
        head=(before, project.head) if before != project.head else None,
        data=data_moves((plan.path, plan.old, plan.new) for plan in moves.plans),
        saved=saved + tuple(_rescue(project, plan) for plan in moves.plans if plan.unsaved),
    )
    operation = log(project, command, step, records) if step.head or step.data or step.refs else None
    written = removed = 0
    for plan in moves.plans:
        done = apply(project.index, project.store, project.root, plan, force=force, progress=progress)
        written, removed = written + done.written, removed + done.removed
    return Switched(
        target.branch,
        before.branch,
        written,
        removed,
        moves.unavailable,
        step.saved,
        operation.id if operation else "",
        message,
    )


def _rescue(project: Project, plan: Plan) -> Kept:
    """Save the edits that `plan` overwrites, so that the operation can name them before they go."""
    content = rescue(project.store, project.root, plan).content
    return Kept(f"{EDITS[content.kind]}{plan.path}", content.oid.hex())


def _save_code(project: Project) -> tuple[Kept, ...]:
    """Keep uncommitted code as a commit under refs/axil/saved/; nothing if the work tree is clean."""
    from axil.errors import Blocked
    from axil.git.refs import update_refs
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
    return (Kept(f"uncommitted code ({ref})", commit),)


def _previous(project: Project) -> str:
    """The branch that was checked out before this one."""
    result = project.git.call("rev-parse", "--symbolic-full-name", "@{-1}")
    name = result.out.decode("utf-8", "surrogateescape").strip().removeprefix("refs/heads/")
    if result.code or not name:
        raise NotFound("there is no previous experiment", "this work tree has not switched yet", "axil tree lists them")
    return name

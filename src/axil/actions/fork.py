"""Make an experiment from another one, or from a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from axil.actions import parameters
from axil.actions.belongings import runs_of
from axil.actions.experiments import HEADS, current, is_experiment, require_commit, unborn
from axil.actions.moving import Moves, refuse_during_run
from axil.actions.names import begin_check_name
from axil.actions.outputs import checkpoints_of_run, outputs_of, outputs_of_run
from axil.actions.switch import carry_out, plan_switching
from axil.actions.tracking import changed_pointers, pointers_at
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.pointers import pointer_path
from axil.errors import BadInput, NotFound
from axil.formats.pointer import Pointer, render
from axil.git.commits import begin_stamp, commit_tree, name_in
from axil.git.refs import Head
from axil.git.trees import changed_tree
from axil.journal.operations import Kept, RefMove
from axil.runs.outputs import pointer_of

if TYPE_CHECKING:
    from axil.formats.params import Assignment
    from axil.formats.record import Fork
    from axil.project import Project


class Forked(NamedTuple):
    """The new experiment. `params` are the assignments that were committed on it."""

    name: str
    parent: str
    commit: str
    run: str
    hypothesis: str
    params: tuple[str, ...]
    operation: str
    unavailable: tuple[str, ...] = ()
    """Outputs of the source that are not in the store any more."""
    saved: tuple[Kept, ...] = ()
    """Outputs edited by hand that were put aside before they were overwritten."""


class _Origin(NamedTuple):
    parent: str
    commit: str
    run: str = ""
    tree: str = ""
    """The run's snapshot, if it holds more than `commit`."""


def fork(
    project: Project,
    name: str,
    *,
    why: str = "",
    source: str = "",
    checkpoint: bool = False,
    assignments: Sequence[str] = (),
    progress: Progress = SILENT,
) -> Forked:
    """Make the experiment `name` and go there; `+suffix` appends `_suffix` to the name of its parent.

    `source` is an experiment or a run (default: the current experiment, whose uncommitted changes come along). From a
    run, the exact code and data it ran with become the first commit; with `checkpoint` also what it had saved, and the
    new experiment's runs start from that. `assignments` (`key=value`) change parameters in a commit of their own.
    Raises before anything is changed.
    """
    from axil.formats.params import parse_assignment

    changes = [parse_assignment(text) for text in assignments]
    stamp = begin_stamp(project.git)
    origin = _origin(project, source)
    if checkpoint or origin.run:
        origin = _with_data(project, origin, checkpoint)
    if name == "+":
        raise BadInput(
            "the suffix is empty", "+SUFFIX is put behind the name of the experiment forked from", "axil fork +NAME"
        )
    if name.startswith("+"):
        name = f"{origin.parent}_{name[1:]}"
    check = begin_check_name(project, name)
    begun = parameters.begin_commit(project, origin.tree or origin.commit) if changes else None
    # git looks while what writes records is loaded.
    import axil.journal.draft  # noqa: F401

    check()
    author = stamp()
    record = _record(project, name, origin, name_in(author), why)
    commit, enter = _commit(project, origin, record, begun, changes, author)
    moves = _moves(project, origin, commit, progress) if source else Moves()
    if commit != project.head.commit or not moves.idle:
        refuse_during_run(project, f"forking {name}")
    switched = carry_out(
        project,
        f"fork {name}",
        Head(name, commit),
        moves,
        refs=(RefMove(HEADS + name, None, commit),),
        records=(record.id,),
        then=enter,
        progress=progress,
    )
    return Forked(
        name,
        origin.parent,
        commit,
        origin.run,
        why,
        tuple(assignments),
        switched.operation,
        switched.unavailable,
        switched.saved,
    )


def _record(project: Project, name: str, origin: _Origin, author: str, why: str) -> Fork:
    from axil.formats.record import Fork

    return Fork(
        id=project.new_id(),
        time=project.clock(),
        author=author,
        name=name,
        parent=origin.parent,
        commit=origin.commit,
        run=origin.run,
        hypothesis=why,
    )


def _commit(
    project: Project,
    origin: _Origin,
    record: Fork,
    begun: parameters.Begun | None,
    changes: Sequence[Assignment],
    author: str,
) -> tuple[str, Callable[[], object]]:
    """The commit the experiment begins with, and what enters `record` into the journal, once we are there.

    With `changes`, the git that writes the commit also writes that of the record; entering it moves the journal there.
    """
    base = _base(project, origin)
    if begun is None:
        return base, lambda: project.journal.append([record])
    draft = project.journal.draft([record])
    made = parameters.commit_with(project, begun, base, changes, record.name, author, [draft.commit])
    commit, entry = made()
    return commit, lambda: project.journal.publish(draft, entry)


def _moves(project: Project, origin: _Origin, commit: str, progress: Progress) -> Moves:
    """What has to move in the work tree to be at `commit` with the outputs of the origin."""
    pointers = changed_pointers(project, project.head.commit, commit)
    own = bool(origin.run) and not project.journal.is_rehearsal(origin.run)
    outputs = outputs_of_run(project, origin.run) if own else outputs_of(project, origin.parent)
    return plan_switching(
        project, commit, pointers, outputs, force=False, left=_left_checkpoints(project), progress=progress
    )


def _left_checkpoints(project: Project) -> dict[str, Pointer]:
    """What the newest run of the current experiment left to go on from, if it did not finish: its record keeps it."""
    branch = project.head.branch
    newest = max((row.id for row in runs_of(project, branch)), default="") if branch else ""
    return checkpoints_of_run(project, newest) if newest else {}


def _origin(project: Project, source: str) -> _Origin:
    if not source:
        parent = current(project, "axil fork without --from")
        if project.head.commit is None:
            raise unborn(parent, "a fork starts from a commit")
        return _Origin(parent, project.head.commit)
    if is_experiment(project, source):
        return _Origin(source, require_commit(project, source, remote=True).tip)
    kind, name = project.journal.resolve(source)
    if kind == "experiment":
        return _Origin(name, require_commit(project, name, remote=True).tip)
    run = project.journal.run(name)
    parent = project.journal.find(name).experiment
    if not run.commit:
        return _Origin(parent, commit_tree(project.git, run.snapshot, [], f"Code of run {run.id}\n"), run.id)
    return _Origin(parent, run.commit, run.id, run.snapshot)


def _with_data(project: Project, origin: _Origin, checkpoint: bool) -> _Origin:
    """`origin` with pointers to the data its run was given, and with `checkpoint` to what it left to go on from."""
    if not origin.run:
        raise BadInput("there is no checkpoint to start from", "--checkpoint needs a run", "name it: --from RUN")
    run = project.journal.run(origin.run)
    snapshot = run.snapshot or origin.commit
    tracked = pointers_at(project, snapshot)
    brought = {path: pointer_of(out) for path, out in run.data.items() if path in tracked}
    if checkpoint:
        if run.sample:
            raise BadInput(
                f"run {short(run.id)} is a rehearsal",
                f"its checkpoint has seen {run.sample} samples of the data: no start for a real run",
                f"axil resume {short(run.id)} goes on rehearsing",
            )
        left = checkpoints_of_run(project, run.id)
        if not left:
            raise NotFound(
                f"run {short(run.id)} has no checkpoint",
                "one is kept when a stage with `checkpoint` in axil.toml fails, is stopped or lost",
                "fork without --checkpoint",
            )
        brought |= left
    if not brought:
        return origin
    files = {pointer_path(path): render(pointer) for path, pointer in brought.items()}
    return origin._replace(tree=changed_tree(project.git, snapshot, files, ()))


def _base(project: Project, origin: _Origin) -> str:
    """Where the new branch starts, but for parameters: the fork point, or on it the run's exact code."""
    if origin.tree and origin.tree != _tree(project, origin.commit):
        return commit_tree(project.git, origin.tree, [origin.commit], f"Code of run {origin.run}\n")
    return origin.commit


def _tree(project: Project, commit: str) -> str:
    from axil.git.history import resolve

    return resolve(project.git, commit, "tree") or ""

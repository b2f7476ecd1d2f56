"""Run what changed in the pipeline, in the user's work tree, and record it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from axil.actions import parameters
from axil.actions.experiments import current
from axil.actions.lost import adopt
from axil.actions.operation import Step, data_moves, file_moves, log
from axil.actions.outputs import begin_ignore_outputs
from axil.actions.planning import graph, planner
from axil.actions.status import StageStatus
from axil.actions.tracking import pointers
from axil.base.clutter import is_clutter
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Blocked
from axil.formats.pointer import Pointer
from axil.git.commits import begin_stamp, commit, name_in, stage
from axil.git.refs import BRANCHES, Head
from axil.git.snapshot import begin_snapshot, snapshot_tree
from axil.journal.operations import DataMove, Kept, Operation, RefMove
from axil.pipeline.graph import check_git
from axil.pipeline.load import Params, parse_params
from axil.pipeline.local import load_machine
from axil.pipeline.rehearsal import rehearse
from axil.runs.events import NothingToDo, OnEvent, ignore
from axil.runs.execute import Handles, Outcome, Request, execute

if TYPE_CHECKING:
    from axil.formats.params import Assignment
    from axil.formats.record import Run
    from axil.pipeline.graph import Graph
    from axil.pipeline.planner import Planner
    from axil.project import Project


class RunResult(NamedTuple):
    """What a run came to. `recorded` is false when there was nothing to do, and so no run."""

    run: Run | NothingToDo
    recorded: bool
    committed: str
    """The commit that `message` made, "" for none."""
    left_out: tuple[tuple[str, int], ...]
    """Untracked files (path, bytes) too large to be swept into git: they are not in the snapshot."""
    adopted: tuple[str, ...]
    """Earlier runs found dead and recorded as lost."""
    saved: tuple[str, ...]
    """Outputs with hand-made edits that were put into the store before they were overwritten."""

    @property
    def record(self) -> Run:
        """The run as it is in the journal, or would be if it had not been for nothing."""
        return self.run.record() if isinstance(self.run, NothingToDo) else self.run


def plan(
    project: Project,
    targets: Sequence[str] = (),
    *,
    assignments: Sequence[str] = (),
    force: bool = False,
    sample: int = 0,
) -> tuple[StageStatus, ...]:
    """What `run` with the same arguments would do with each stage, and why; changes nothing.

    With `sample`, what a rehearsal would do.
    """
    chosen = planner_with(project, targets, assignments, force=force, sample=sample)
    return tuple(StageStatus(one.stage, one.action, one.reason, one.fetch) for one in chosen.plan_all(targets))


def planner_with(
    project: Project,
    targets: Sequence[str] = (),
    assignments: Sequence[str] = (),
    *,
    force: bool = False,
    sample: int = 0,
) -> Planner:
    """What plans a run with these arguments; see `plan`."""
    changes = parse_assignments(assignments)
    chosen = _planner(project, targets, parameters.edited(project, changes) if changes else None, force)
    rehearse(chosen, project.journal, sample)
    return chosen


def run(
    project: Project,
    targets: Sequence[str] = (),
    *,
    assignments: Sequence[str] = (),
    message: str = "",
    force: bool = False,
    jobs: int = 1,
    host: str = "",
    on_event: OnEvent = ignore,
    progress: Progress = SILENT,
) -> RunResult:
    """Run the stages that `targets` need (all, if there are none) and record the run with its exact code.

    `assignments` edit the params file first. With `message` everything the snapshot holds is committed on the branch.
    A failing stage raises nothing: the run's state tells. Raises `BadInput` before anything runs if the pipeline or a
    parameter is wrong.
    """
    changes = parse_assignments(assignments)
    if message:
        current(project, "axil run -m")
    adopted = tuple(one.id for one in adopt(project))
    stamp = begin_stamp(project.git)  # git looks while the plan is prepared.
    edit = parameters.edited(project, changes) if changes else None
    chosen = _planner(project, targets, edit, force)
    ignore_outputs = begin_ignore_outputs(project, chosen.graph.written)
    chosen.check(chosen.graph.subset(targets))
    author = name_in(stamp())
    ignore_outputs(lambda in_git: check_git(chosen.graph, in_git))
    # Everything that could be wrong has been looked at; from here on things change.
    trace = Trace(project, edit)
    committed = commit_all(project, trace, message) if message else ""
    left_out: list[tuple[str, int]] = []

    def begin() -> Callable[[], str]:
        snapshot = begin_snapshot(project.git, project.head)

        def tree() -> str:
            taken = snapshot()
            left_out.extend(taken.skipped)
            return taken.tree

        return tree

    head = project.head
    request = Request(project.new_id(), author, host, head.branch or "", head.commit or "", message, tuple(targets))
    handles = handles_of(project, chosen, on_event, progress)
    before = project.index.all_tracked()
    try:
        grace = load_machine(project.root, project.git).grace
        outcome = execute(handles, request, snapshot=begin, jobs=jobs, grace=grace)
    except Blocked:
        # Refused before anything ran: another run writes the same outputs, or a merge is not resolved.
        trace.take_back()
        raise
    trace.finish(_note_outputs(project, outcome, before), outcome)
    saved = tuple(one.path for one in outcome.saved)
    return RunResult(outcome.run, outcome.recorded, committed, tuple(left_out), adopted, saved)


def handles_of(project: Project, chosen: Planner, on_event: OnEvent, progress: Progress) -> Handles:
    """What a run of `project` works with; results of others are fetched from its remotes."""

    def fetch(wanted: Iterable[Pointer]) -> bool:
        from axil.actions.sharing import bring

        return not bring(project, (one.oid for one in wanted), progress=progress)

    return Handles(
        chosen, project.store, project.journal, project.runs_folder, project.clock, on_event, progress, fetch
    )


class Trace:
    """What a run changes besides its record, for `axil undo`: parameters, a commit, outputs.

    It is in the operation log before each change, and completed with what the run made at its end.
    """

    def __init__(self, project: Project, edit: parameters.Edit | None) -> None:
        self._project = project
        self._edit = edit if edit and edit.old != edit.new else None
        self._operation: Operation | None = None
        if self._edit:
            path, old, new = self._edit
            self._operation = log(project, "run", Step(files=file_moves(project, {path: old}, {path: new})))
            parameters.write(project, path, new)

    def committed(self, before: Head, after: Head) -> None:
        """A commit was made on the branch of `after`."""
        ref = RefMove(f"{BRANCHES}{after.branch}", before.commit, after.commit)
        refs = (ref,) if after.branch else ()
        if self._operation:
            self._operation = self._operation._replace(refs=refs, head=(before, after))
            self._project.operations.append(self._operation)
        else:
            self._operation = log(self._project, "run", Step(refs=refs, head=(before, after)))

    def take_back(self) -> None:
        """Undo the edit of the parameters: the run did not begin. A commit stays."""
        if self._edit and self._operation and not self._operation.refs:
            parameters.write(self._project, self._edit.path, self._edit.old)
            self._project.operations.discard(self._operation.id)

    def finish(self, data: tuple[DataMove, ...], outcome: Outcome) -> None:
        """The run is over and has made `data`."""
        kept = tuple(Kept(f"what was in {one.path}", one.pointer.oid.hex()) for one in outcome.saved)
        if self._operation:
            self._project.operations.append(self._operation._replace(data=data, saved=kept))
        elif data:
            log(self._project, "run", Step(data=data, saved=kept))


def parse_assignments(assignments: Sequence[str]) -> list[Assignment]:
    """`KEY=VALUE` texts as changes of parameters. Raises `BadInput` for one that is none."""
    if not assignments:
        return []
    from axil.formats.params import parse_assignment

    return [parse_assignment(text) for text in assignments]


def _planner(project: Project, targets: Sequence[str], edit: parameters.Edit | None, force: bool) -> Planner:
    """The planner of the work tree, with the parameters as `edit` will leave them."""
    known = pointers(project)
    whole = graph(project, known)
    chosen = planner(project, known, whole=whole, force=forced(whole, targets, force))
    if edit:
        chosen.params = Params(edit.path, parse_params(edit.path, edit.new, project.index))
    return chosen


def forced(whole: Graph, targets: Sequence[str], force: bool) -> set[str]:
    """With `force`, the named stages run in any case; all stages if none is named."""
    if not force:
        return set()
    return set(targets) if targets else set(whole.stages)


def commit_all(project: Project, trace: Trace, message: str) -> str:
    """Commit everything a snapshot would hold, with the user's hooks; "" if nothing had changed."""
    from axil.git.worktree import status

    state = status(project.git)
    left_out = {path for path, _ in snapshot_tree(project.git, project.head, status=state).skipped}
    new = [path for path in state.untracked if path not in left_out and not path.endswith("/") and not is_clutter(path)]
    stage(project.git, [entry.path for entry in state.entries] + new)
    before = project.head
    made = commit(project.git, message) or ""
    project.forget()
    if made:
        trace.committed(before, project.head)
    return made


def _note_outputs(project: Project, outcome: Outcome, before: dict[str, Pointer]) -> tuple[DataMove, ...]:
    """Tell the index which outputs the work tree holds now; what changed, for the operation log."""
    from axil.runs.outputs import pointer_of

    moves = []
    lost = {one.path: one.pointer for one in outcome.saved}
    for record in outcome.run.stages:
        for path, out in record.outs.items():
            now = pointer_of(out)
            moves.append((path, lost.get(path, before.get(path)), now))
            if before.get(path) != now:
                project.index.set_tracked(path, now)
    return data_moves(moves)

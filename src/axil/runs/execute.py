"""One run in the user's work tree: plan, run what must run, record everything (docs/architecture.md)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from axil.base.clock import Clock, system_clock
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.formats.pointer import Pointer
from axil.formats.project import Stage
from axil.journal.journal import Journal
from axil.pipeline.planner import Decision, Planner
from axil.runs import stage as stages
from axil.runs.events import NothingToDo, OnEvent, RunEnded, RunStarted, StageFinished, ignore
from axil.runs.outputs import Outputs, SavedPath
from axil.runs.stage import Names

if TYPE_CHECKING:
    from axil.formats.record import Run, RunState
    from axil.formats.runfiles import Spec
    from axil.runs.rundir import RunDir
    from axil.runs.scheduler import Scheduler
    from axil.store import Store


class Request(NamedTuple):
    """What is asked of a run, besides what the planner knows."""

    id: str
    author: str
    host: str
    experiment: str = ""
    """Branch; "" on a detached HEAD."""
    commit: str = ""
    message: str = ""
    targets: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What came of it."""

    run: Run | NothingToDo
    recorded: bool
    """False if there was nothing to do and no message to keep: then the journal has no such run."""
    saved: tuple[SavedPath, ...]
    """Bytes that existed only in the work tree and were overwritten: they are in the store now."""


class Handles(NamedTuple):
    """What a run works with, opened by the caller."""

    planner: Planner
    store: Store
    journal: Journal
    runs: str
    """The folder of run directories."""
    clock: Clock = system_clock
    on_event: OnEvent = ignore
    progress: Progress = SILENT
    fetch: Callable[[Iterable[Pointer]], bool] = lambda wanted: False
    """Brings contents here from a remote; whether all of them are here now."""


def execute(
    handles: Handles, request: Request, *, snapshot: Callable[[], Callable[[], str]], jobs: int = 1, grace: float = 10.0
) -> Outcome:
    """Run the pipeline in the planner's work tree and append the run to the journal.

    `snapshot` begins to look for the git tree of the code, and its answer waits for it; both are called once, just
    before something runs. `jobs` commands run at once. `grace` is how many seconds they get to end after Ctrl-C. Raises
    `BadInput` before anything runs if a stage is wrong, `Blocked` if another run of this work tree writes the same
    outputs. A failing stage raises nothing: the run's state tells.
    """
    plan = handles.planner.plan_all(request.targets)
    if not request.message and all(decision.action == "current" for decision in plan):
        return _nothing_to_do(handles, plan, request)
    tree = snapshot()
    # git looks while what runs stages is loaded.
    import axil.runs.scheduler  # noqa: F401
    from axil.runs import rundir

    spec = _spec(handles, plan, request, tree())
    folder = rundir.create(handles.runs, spec, params_of(handles.planner.params.flat))
    outputs = Outputs(handles.planner.root, handles.planner.index, handles.store, handles.progress)
    try:
        outcome = carry_out(handles, folder, spec, plan, outputs, jobs=jobs, grace=grace)
        folder.remove()
        return outcome
    finally:
        folder.release()


def carry_out(
    handles: Handles,
    folder: RunDir,
    spec: Spec,
    plan: Sequence[Decision],
    outputs: Outputs,
    *,
    protect: Sequence[str] = (),
    jobs: int = 1,
    grace: float = 10.0,
    asked: Callable[[], int] = lambda: 0,
) -> Outcome:
    """Carry out `plan` in the run directory `folder` to the run's record in the journal; the caller removes the folder.

    Commands cannot change the folders `protect`, where the kernel can enforce that. `asked` is the signal by which a
    stop was asked for before this could catch it, 0 if none was. See `execute`.
    """
    from axil.formats.runfiles import Ended
    from axil.runs import environment
    from axil.runs.finish import conclude, snapshots
    from axil.runs.heart import beating
    from axil.runs.interrupt import caught
    from axil.runs.rundir import LOCK, SYSTEM
    from axil.runs.scheduler import Scheduler, StopAsked
    from axil.runs.system import Sampler

    planner, store, on_event = handles.planner, handles.store, handles.on_event
    on_event(RunStarted(spec.id, tuple(decision.stage for decision in plan), folder.path))
    seedless = [] if spec.seed is None else planner.graph.stages.values()
    names = Names(
        folder.path,
        spec.id,
        spec.experiment,
        planner.root,
        tuple(protect),
        frozenset(one.name for one in seedless if not stages.seeded(one, spec.seed_key)),
        spec.source,
        spec.attempt,
        spec.sample,
    )
    clock, fetch = handles.clock, handles.fetch
    scheduler = Scheduler(planner, plan, folder, names, outputs, jobs, grace, clock, on_event, fetch, spec.starts)
    # Caught to the very end: a second Ctrl-C must not keep what ran out of the journal.
    with caught(lambda number: scheduler.inbox.put(StopAsked(number))), beating(folder.file(LOCK)):
        if number := asked():
            scheduler.inbox.put(StopAsked(number))
        with Sampler(folder.file(SYSTEM), planner.root, clock):
            scheduler.run()
        run = conclude(
            folder,
            spec,
            _state(scheduler),
            scheduler.records.values(),
            store=store,
            summary=scheduler.series.finish(),
            environment=environment.record(planner.root, scheduler.traces.all, planner.index),
            ended=handles.clock(),
        )
        folder.record(Ended(run))
        handles.journal.append([run], snapshots=snapshots(run))
    on_event(RunEnded(run, True))
    return Outcome(run, True, tuple(scheduler.saved))


def _state(scheduler: Scheduler) -> RunState:
    states = {record.state for record in scheduler.records.values()}
    if "failed" in states:
        return "failed"
    if "stopped" in states or (scheduler.stopped and "skipped" in states):
        return "stopped"
    return "succeeded"


def _nothing_to_do(handles: Handles, plan: list[Decision], request: Request) -> Outcome:
    """Every output is as its inputs say: no run directory, no snapshot, no record."""
    now = handles.clock()
    current = tuple(map(stages.current, plan))
    for stage in current:
        handles.on_event(StageFinished(stage.name, stage))
    run = NothingToDo(current, lambda: _unrecorded(handles.planner, plan, request, now))
    handles.on_event(RunEnded(run, False))
    return Outcome(run, False, ())


def _unrecorded(planner: Planner, plan: list[Decision], request: Request, now: float) -> Run:
    """What would be recorded of a run that had nothing to do."""
    from axil.formats.record import Run

    records = [stages.reused(planner.graph.stages[one.stage], one, now, 0.0) for one in plan]
    return Run(
        id=request.id,
        time=now,
        author=request.author,
        experiment=request.experiment,
        commit=request.commit,
        state="succeeded",
        targets=list(request.targets),
        ended=now,
        host=request.host,
        exit_code=0,
        stages=records,
        params=dict(planner.params.flat),
        metrics={name: value for record in records for name, value in record.metrics.items()},
    )


def _spec(handles: Handles, plan: list[Decision], request: Request, snapshot: str) -> Spec:
    from axil.base.processes import boot
    from axil.formats.runfiles import Spec

    planner = handles.planner
    stages_ = [planner.graph.stages[decision.stage] for decision in plan]
    return Spec(
        id=request.id,
        time=handles.clock(),
        snapshot=snapshot,
        root=planner.root,
        experiment=request.experiment,
        commit=request.commit,
        author=request.author,
        host=request.host,
        message=request.message,
        targets=list(request.targets),
        outs=[path for one in stages_ for path in (*one.made, *one.checkpoint)],
        checkpoints=checkpoints_of(stages_),
        params=dict(planner.params.flat),
        pid=os.getpid(),
        boot=boot(),
    )


def checkpoints_of(some: Iterable[Stage]) -> dict[str, list[str]]:
    """Stage -> where it keeps its checkpoints, as a run's spec says it."""
    return {stage.name: list(stage.checkpoint) for stage in some if stage.checkpoint}


def params_of(flat: Mapping[str, object]) -> bytes:
    """The parameters as `axil.params` reads them: nested again. A key that is also a table's name stays flat."""
    from axil.formats.runfiles import encode_params

    nested: dict[str, object] = {}
    for key, value in flat.items():
        table, parts = nested, key.split(".")
        for part in parts[:-1]:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                table, parts = nested, [key]
                break
            table = inner
        table[parts[-1]] = value
    return encode_params(nested)

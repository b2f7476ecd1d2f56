"""Carry out a run that was asked for (`submit`): wait for its turn, run it in its own work tree, record it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress

from axil.actions.lost import adopt
from axil.actions.run import handles_of
from axil.actions.submit import planner_of
from axil.base.light import TYPE_CHECKING
from axil.base.processes import identity, start_detached
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError
from axil.formats.machine import Machine
from axil.formats.runfiles import Admitted, Ended, Supervised
from axil.pipeline.earlier import go_on
from axil.pipeline.local import load_machine
from axil.project import open_project
from axil.runs import isolated
from axil.runs.checkouts import Checkouts
from axil.runs.events import OnEvent, ignore
from axil.runs.execute import carry_out
from axil.runs.finish import record_of, snapshots
from axil.runs.heart import beating
from axil.runs.interrupt import caught
from axil.runs.outputs import pointer_of
from axil.runs.queue import admit, changed, places
from axil.runs.rundir import LOCK
from axil.runs.stage import SEED

if TYPE_CHECKING:
    from axil.formats.record import Run, RunState
    from axil.formats.runfiles import Spec
    from axil.journal.rows import StageRow
    from axil.project import Project
    from axil.runs.rundir import RunDir

_LOG = 2
"""Where the words of a command go that is started at the end: to where this process writes its own, its log."""
POLL = 0.1
"""Seconds between two looks whether something changed in the queue."""
_LONGEST = 2.0
"""Seconds after which a waiting run looks at the others though nothing was told: a killed one tells nothing."""


class _Asked(BaseException):
    """A signal asked the run to stop before its first command."""


class _Stops:
    """Signals that ask to stop: while the run waits or its work tree is made they end that, later they are noted."""

    def __init__(self) -> None:
        self.number = 0
        self.preparing = True

    def tell(self, number: int) -> None:
        """The signal `number` came."""
        self.number = number
        if self.preparing:
            self.preparing = False
            raise _Asked


def supervise(
    project: Project,
    folder: RunDir,
    *,
    queue: bool = False,
    on_event: OnEvent = ignore,
    progress: Progress = SILENT,
) -> Run:
    """Run what `folder` asks for, whose lock the caller holds, to its record in the journal; the folder is gone then.

    With `queue` it waits until it is its turn. Told to stop (TERM, INT, HUP) before its first command, it is recorded
    as stopped; if there is no way to its first command, as failed, with the reason. The run's work tree goes when it
    is over, unless it was to be kept. Then the machine's `notify` command is started.
    """
    spec, stops = folder.spec(), _Stops()
    machine = Machine()
    with caught(stops.tell), beating(folder.file(LOCK)):
        try:
            me = identity(os.getpid())
            folder.record(Supervised(os.getpid(), me.ticks if me else 0))
            machine = load_machine(project.root, project.git)
            if queue:
                gpus = _turn(project, folder, machine)
            else:
                folder.record(Admitted(project.clock()))
                gpus = ()
            run = _run(project, folder, spec, gpus, on_event, progress, stops, machine)
        except _Asked:
            run = close(project, folder, "stopped")
        except Exception as error:
            if folder.state().stages:
                raise  # The next command records what it had done.
            run = close(project, folder, "failed", _words(error))
    if not spec.keep:
        isolated.discard(project.git, spec.root)
    folder.remove()
    if queue and machine.notify:
        _notify(project, machine.notify, run)
    return run


def _words(error: Exception) -> str:
    """What went wrong, for the run's record; of a mistake in axil all that helps to find it."""
    if isinstance(error, AxilError | OSError):
        return str(error)
    import traceback

    return "".join(traceback.format_exception(error))


def _notify(project: Project, command: str, run: Run) -> None:
    """Start the user's command about the end of a run; what becomes of it is its own affair."""
    words = {
        "AXIL_RUN": run.id,
        "AXIL_EXPERIMENT": run.experiment,
        "AXIL_STATE": run.state,
        "AXIL_MESSAGE": run.message,
        "AXIL_METRICS": json.dumps(run.metrics),
    }
    with suppress(OSError):
        start_detached(["/bin/sh", "-c", command], project.root, {**project.environ, **words}, _LOG, [])


def close(project: Project, folder: RunDir, state: RunState, error: str = "") -> Run:
    """Record a run that came to no command; the caller, who holds its lock, removes the folder."""
    run = record_of(folder.spec(), state=state, ended=project.clock(), error=error)
    folder.record(Ended(run))
    project.journal.append([run], snapshots=snapshots(run))
    return run


def _turn(project: Project, folder: RunDir, machine: Machine) -> tuple[str, ...]:
    """Wait for the run's turn: the accelerators it gets."""
    runs, seen, due = project.runs_folder, -1, 0.0
    while True:
        if (now := changed(runs)) != seen or time.monotonic() >= due:
            seen = now
            every = places(runs)
            if any(not place.waiting and not place.alive for place in every):
                # Its commands may go on, and are ended before its place is taken.
                with suppress(AxilError):
                    adopt(project)
            gpus = admit(runs, folder, machine, project.clock())
            if gpus is not None:
                return gpus
            # Each looks at all: the more wait, the rarer.
            due = time.monotonic() + max(_LONGEST, len(every) / 10)
        time.sleep(POLL)


def _done_before(project: Project, spec: Spec) -> list[StageRow]:
    """The stages of the earlier attempts of a resumed run, in their order."""
    earlier = [row for row in project.journal.attempts(spec.resumes) if row.attempt < spec.attempt]
    return [stage for row in earlier for stage in project.journal.stages(row.id)]


def _run(
    project: Project,
    folder: RunDir,
    spec: Spec,
    gpus: Iterable[str],
    on_event: OnEvent,
    progress: Progress,
    stops: _Stops,
    machine: Machine,
) -> Run:
    isolated.make(project.git, spec)
    environ = dict(project.environ)
    if spec.gpus:
        environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    if spec.seed is not None:
        environ[SEED] = str(spec.seed)
    inner = open_project(spec.root, environ, project.clock)
    chosen = planner_of(inner, spec.targets, spec.force, spec.experiment, spec.sample)
    if spec.resumes:
        go_on(chosen, _done_before(project, spec))
    copies = Checkouts(isolated.folder_of(spec.source, isolated.DATA), project.store)
    tree = (spec.root, inner.index, project.store, copies, chosen.graph, progress)
    if spec.sample:
        from axil.runs.rehearsal import rehearsal

        outputs: isolated.Isolated = rehearsal(folder, spec.sample, *tree, on_event)
    else:
        outputs = isolated.Isolated(*tree)
    chosen.given = outputs.given
    handles = handles_of(project, chosen, on_event, progress)
    data = {path: pointer_of(out) for path, out in spec.data.items()}
    if absent := [pointer for pointer in data.values() if not project.store.has(pointer.oid)]:
        handles.fetch(absent)
    outputs.lend(data)
    plan = chosen.plan_all(spec.targets)
    stops.preparing = False
    protect = (copies.root,) if machine.protect else ()
    try:
        carry_out(
            handles,
            folder,
            spec,
            plan,
            outputs,
            protect=protect,
            jobs=spec.jobs,
            grace=machine.grace,
            asked=lambda: stops.number,
        )
    finally:
        inner.index.close()
        copies.release()
    run = folder.state().run
    assert run is not None
    return run

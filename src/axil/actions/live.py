"""Runs that wait or go on, and what one does with them from outside: see, follow, stop, wait for, put in order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from axil.actions.detach import detach
from axil.actions.lost import adopt
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.processes import Identity, boot, identity, signal_each
from axil.errors import AxilError, Blocked, NotFound
from axil.pipeline.local import load_machine
from axil.runs import rundir
from axil.runs.queue import places, reorder
from axil.runs.rundir import RunDir

if TYPE_CHECKING:
    from axil.formats.record import Run
    from axil.formats.runfiles import Spec, State
    from axil.journal.rows import RunRow
    from axil.project import Project
    from axil.runs.follow import Watched

POLL = 0.1
GRACE = 30.0
"""Seconds, besides those its commands get, after which a run that was told to stop is worth an error."""
STARTING = 10.0
"""Seconds in which the supervisor of a run has said that it is there."""
_SUFFIX = 4


class LiveRun(NamedTuple):
    """A run that is not over."""

    run: str
    experiment: str
    state: str
    """ "queued" or "running"."""
    time: float
    """When it was asked for, or when it began; seconds since the epoch."""
    stages: tuple[str, ...]
    """The stages under way."""
    done: int
    """How many stages are over."""
    detached: bool
    root: str
    message: str
    host: str
    pid: int
    """Its supervisor; 0 if nobody looks after it: it waits for one."""
    gpus: tuple[str, ...]
    sweep: str = ""
    """The sweep it is a trial of."""
    trial: int = 0
    group: str = ""
    """The replicates it is one of."""
    seed: int | None = None
    sample: int = 0
    """Of a rehearsal: to how many samples its data is cut."""


def ps(project: Project) -> tuple[LiveRun, ...]:
    """The runs that go on, then those that wait, in their order. Dead ones are recorded as lost first."""
    look_after(project)
    return going(project)


def going(project: Project) -> tuple[LiveRun, ...]:
    """`ps` without looking after anything: for what only reads."""
    order = {place.id: number for number, place in enumerate(places(project.runs_folder))}
    found = [_live(project, run) for run in rundir.ids(project.runs_folder)]
    known = [one for one in found if one is not None]
    return tuple(sorted(known, key=lambda one: (one.state == "queued", order.get(one.run, -1), one.run)))


def look_after(project: Project) -> None:
    """Record runs that were killed, and give waiting runs without a supervisor (after a reboot) a new one."""
    adopt(project)
    for place in places(project.runs_folder):
        if place.waiting and not place.alive:
            folder = rundir.take(project.runs_folder, place.id)
            if folder is not None:
                # If that fails the run goes on waiting, and the next command tries again.
                with suppress(AxilError):
                    detach(project, folder)


def find(project: Project, name: str) -> RunDir:
    """The live run that `name` (a unique beginning or end of its id) means. Raises `NotFound` with the candidates."""
    wanted = name.upper()
    ids = rundir.ids(project.runs_folder)
    fits = [run for run in ids if run.startswith(wanted) or (len(wanted) >= _SUFFIX and run.endswith(wanted))]
    if len(fits) == 1:
        return RunDir(os.path.join(project.runs_folder, fits[0]))
    if fits:
        raise NotFound(f"{name} is not unique", ", ".join(short(run) for run in fits), "give more of the id")
    going = ", ".join(short(run) for run in ids) or "none"
    if (over := _over(project, name)) is not None:
        raise NotFound(
            f"run {short(over.id)} is over: {over.state}",
            f"waiting or running here: {going}",
            f"axil show {short(over.id)}; axil logs {short(over.id)}",
        )
    raise NotFound(f"no run {name} is waiting or running here", f"there are: {going}", "axil ps lists them")


def _over(project: Project, name: str) -> RunRow | None:
    """The run in the journal that `name` means."""
    try:
        return project.journal.find(name)
    except AxilError:
        return None


def latest(project: Project, name: str) -> RunDir:
    """`find`; without a name the run of the current experiment that was asked for last, else the last one of all."""
    if name:
        return find(project, name)
    live = ps(project)
    mine = [one for one in live if one.experiment == project.head.branch] or list(live)
    if not mine:
        raise NotFound("no run is waiting or running here", "", "start one: axil run -d")
    return find(project, max(one.run for one in mine))


def follow(project: Project, folder: RunDir, *, tail: int | None = None) -> Iterator[Watched]:
    """What happens in the run until it is over; leaving early changes nothing for the run."""
    from axil.runs.follow import follow

    return follow(folder, lambda: time.sleep(POLL), tail=tail)


def outcome(project: Project, run: str) -> Run:
    """What became of a run that is over; if its supervisor was killed, it is recorded now."""
    adopt(project)
    return project.journal.run(run)


class Stopped(NamedTuple):
    """A run that was told to stop, and the state it ended in."""

    run: str
    state: str


def stop(project: Project, names: Sequence[str], *, now: bool = False) -> tuple[Stopped, ...]:
    """End runs: commands get TERM and time to save, with `now` KILL. Returns when they are recorded.

    Raises `NotFound` before anything is stopped if one of `names` is no live run, `Blocked` if one does not end.
    """
    adopt(project)
    folders = [find(project, name) for name in names]
    for folder in folders:
        tell_to_stop(project, folder, now=now)
    patience = GRACE + load_machine(project.root, project.git).grace
    deadline = time.monotonic() + patience
    for folder in folders:
        while os.path.isdir(folder.path) and rundir.is_live(project.runs_folder, folder.id):
            if time.monotonic() > deadline:
                raise Blocked(
                    f"run {short(folder.id)} does not end",
                    f"it was told to {patience:.0f} s ago",
                    f"kill it: axil stop --now {short(folder.id)}",
                )
            time.sleep(POLL)
    return tuple(Stopped(folder.id, outcome(project, folder.id).state) for folder in folders)


def wait(project: Project, names: Sequence[str], *, timeout: float | None = None) -> tuple[Run, ...]:
    """The records of the runs `names`, once all of them are over. Raises `Blocked` after `timeout` seconds."""
    look_after(project)
    deadline = None if timeout is None else time.monotonic() + timeout
    ids = [_any(project, name) for name in names]
    for run in ids:
        while rundir.is_live(project.runs_folder, run):
            if deadline is not None and time.monotonic() > deadline:
                raise Blocked(
                    f"run {short(run)} is not over", f"after {timeout:g} s", f"axil attach {short(run)} shows it"
                )
            time.sleep(POLL)
    return tuple(outcome(project, run) for run in ids)


def cancel(project: Project, names: Sequence[str]) -> tuple[Stopped, ...]:
    """Take waiting runs out of the queue; they are recorded as stopped. Raises `NotFound` for one that has begun."""
    adopt(project)
    _waiting(project, names, "end it: axil stop {run}")
    return stop(project, names)


def ended(project: Project, name: str) -> Run | None:
    """The run that `name` means, if it is over; None if it is live, or no run."""
    row = _over(project, name) if name else None
    if row is None or rundir.is_live(project.runs_folder, row.id):
        return None
    return project.journal.run(row.id)


def bring_forward(project: Project, names: Sequence[str]) -> tuple[LiveRun, ...]:
    """Put the waiting runs `names` before all others, in this order; the queue after it. Raises `NotFound`."""
    folders = _waiting(project, names, "axil queue lists what waits")
    reorder(project.runs_folder, [folder.id for folder in folders])
    return ps(project)


def _waiting(project: Project, names: Sequence[str], hint: str) -> list[RunDir]:
    """The folders of the waiting runs `names`. Raises `NotFound` with `hint` for one that has begun."""
    folders = [find(project, name) for name in names]
    for folder in folders:
        if folder.state().admitted is not None:
            run = short(folder.id)
            raise NotFound(f"run {run} does not wait", "it has begun", hint.format(run=run))
    return folders


def _any(project: Project, name: str) -> str:
    """The whole id of a run, live or over."""
    try:
        return find(project, name).id
    except NotFound:
        return project.journal.find(name).id


def _live(project: Project, run: str) -> LiveRun | None:
    folder = RunDir(os.path.join(project.runs_folder, run))
    try:
        spec, state = folder.spec(), folder.state()
    except AxilError:
        return None  # It ended meanwhile, or is of a newer axil.
    alive = rundir.is_live(project.runs_folder, run)
    waiting = spec.detached and state.admitted is None
    if (not alive and not waiting) or state.run is not None:
        return None  # Nobody looks after it, or all that is left to do is to tidy up.
    stages = state.stages.values()
    return LiveRun(
        run=run,
        experiment=spec.experiment,
        state="queued" if waiting else "running",
        time=state.admitted.time if state.admitted else spec.time,
        stages=tuple(stage.name for stage in stages if stage.state == "lost"),
        done=sum(stage.state != "lost" for stage in stages),
        detached=spec.detached,
        root=spec.root,
        message=spec.message,
        host=spec.host,
        pid=_supervisor(spec, state).pid if alive else 0,
        gpus=tuple(state.admitted.gpus) if state.admitted else (),
        sweep=spec.sweep,
        trial=spec.trial,
        group=spec.group,
        seed=spec.seed,
        sample=spec.sample,
    )


def _supervisor(spec: Spec, state: State) -> Identity:
    """The process that looks after a live run; its start time 0 if that is not known."""
    return Identity(state.supervisor.pid, state.supervisor.ticks) if state.supervisor else Identity(spec.pid, 0)


def _is_here(spec: Spec, state: State) -> bool:
    """Whether the supervisor that is on record is a process of this machine that still runs."""
    process = _supervisor(spec, state)
    found = identity(process.pid)
    if process.ticks:
        return found == process
    # Of a detached run the pid in the spec is of whoever asked for it.
    return found is not None and spec.boot == boot() and not spec.detached


def tell_to_stop(project: Project, folder: RunDir, *, now: bool = False) -> None:
    """Send the supervisor of a live run the signal to end; a run that waits for one is recorded as stopped here."""
    deadline = time.monotonic() + STARTING
    while not _close(project, folder):
        spec, state = folder.spec(), folder.state()
        process = _supervisor(spec, state)
        if _is_here(spec, state):
            signal_each([process.pid], signal.SIGTERM)
            if now:
                # Another signal, for two equal ones may arrive as one: asked twice, it kills.
                signal_each([process.pid], signal.SIGINT)
            return
        if not spec.detached or time.monotonic() > deadline:
            raise NotFound(
                f"run {short(folder.id)} cannot be told to stop from here",
                f"its supervisor is process {process.pid} on {spec.host or 'another machine'}",
                "stop it there",
            )
        time.sleep(POLL)  # Its supervisor is just being started.


def _close(project: Project, folder: RunDir) -> bool:
    """Record a run that waits for a supervisor as stopped; whether there is nobody any more to be told."""
    taken = rundir.take(project.runs_folder, folder.id)
    if taken is None:
        return not os.path.isdir(folder.path)
    from axil.actions.supervise import close

    try:
        if taken.spec().detached and taken.state().admitted is None:
            close(project, taken, "stopped")
            taken.remove()
    finally:
        taken.release()
    return True

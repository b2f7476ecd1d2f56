"""Make the runs of a sweep or a group, some at a time, until all are over. It may be killed at any moment.

All it knows is in the journal and in the folders of live runs, so whoever drives next goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from axil.actions.detach import detach
from axil.actions.live import look_after, stop
from axil.actions.pruning import Judge, NotLogged
from axil.actions.submit import Base, Marks, Options, make
from axil.actions.sweep import base_of
from axil.actions.trials import UNDER_WAY, Trial, of_row, trials
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.locks import FileLock
from axil.base.processes import start_detached
from axil.errors import AxilError, Blocked
from axil.formats.params import Assignment
from axil.pipeline.local import load_machine
from axil.runs import rundir
from axil.runs.interrupt import caught

if TYPE_CHECKING:
    from axil.formats.record import Sweep
    from axil.project import Project
    from axil.runs.sampling import Sampler

POLL = 0.1


class TrialBegan(NamedTuple):
    """A trial was put into the queue of runs."""

    trial: Trial


class TrialEnded(NamedTuple):
    """A trial is over."""

    trial: Trial
    over: int
    of: int


class Leaving(NamedTuple):
    """A stop was asked for: no trial begins any more, and with `now` those under way are stopped."""

    now: bool
    under_way: int


Event = TrialBegan | TrialEnded | Leaving | NotLogged
OnTrial = Callable[[Event], None]
DRIVER = "AXIL_SWEEP_DRIVER"
"""Set for a driver in the background: who tells it to stop may do so before it has begun."""
_STOP = 2
"""Asked so often, trials under way are stopped, too."""


class How(NamedTuple):
    """How trials are carried out. `jobs` 0 means as many at once as the machine allows."""

    jobs: int = 0
    time_limit: float = 0.0
    """Seconds after which no trial begins any more; 0 for no limit."""
    retry_failed: bool = False
    host: str = ""


def drive(project: Project, sweep: Sweep, how: How, on_trial: OnTrial = lambda event: None) -> dict[int, Trial]:
    """Carry out what is missing of `sweep`; its trials when nothing is under way any more.

    Told to stop (Ctrl-C), it begins no more trials; told again, it stops those under way; HUP and TERM end it at once,
    and trials go on. Raises `Blocked` if another process drives the sweep, `AxilError` if what all trials share failed.
    """
    lock = FileLock(_file(project, sweep, "lock"))
    if not lock.try_acquire():
        hint = f"axil sweep show {short(sweep.id)}"
        raise Blocked(f"sweep {short(sweep.id)} is under way", "another process looks after it", hint)
    try:
        if project.environ.get(DRIVER) != sweep.id:
            _forget_stop(project, sweep)
        look_after(project)
        driver = _Driver(project, sweep, how, on_trial)
        with caught(driver.asked.append):
            driver.run()
        return trials(project, sweep)
    finally:
        lock.release()


def drive_detached(project: Project, sweep: Sweep, how: How) -> int:
    """Have a new process drive the sweep, which outlives this one; its pid."""
    words = ["sweep", "resume", sweep.id]
    if how.jobs:
        words += ["--jobs", str(how.jobs)]
    if how.time_limit:
        words += ["--time-limit", f"{how.time_limit:g}"]
    if how.retry_failed:
        words.append("--retry-failed")
    log = os.open(_file(project, sweep, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        _forget_stop(project, sweep)
        environ = {**project.environ, DRIVER: sweep.id}
        return start_detached((sys.executable, "-m", "axil", *words), project.root, environ, log, [])
    finally:
        os.close(log)


def stop_sweep(project: Project, sweep: Sweep) -> None:
    """Have whoever drives the sweep begin no more trials, now or when it has started, and stop those under way.

    Returns when all are recorded. Raises what `stop` raises.
    """
    with open(_file(project, sweep, "stop"), "wb"):
        pass
    while driven(project, sweep):
        time.sleep(POLL)
    going = [one.run for one in trials(project, sweep).values() if one.state in UNDER_WAY]
    if going:
        stop(project, going)


def _forget_stop(project: Project, sweep: Sweep) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_file(project, sweep, "stop"))


def driven(project: Project, sweep: Sweep) -> bool:
    """Whether a process looks after the sweep now."""
    lock = FileLock(_file(project, sweep, "lock"), shared=True)
    free = lock.try_acquire()
    lock.release()
    return not free


def missing(sweep: Sweep, known: dict[int, Trial], *, retry_failed: bool = False) -> list[int]:
    """The numbers of the trials that are to be run: never begun, lost, or failed if those are wanted again."""
    again = {"lost", *(("failed", "stopped") if retry_failed else ())}
    return [number for number in range(1, sweep.trials + 1) if number not in known or known[number].outcome in again]


class _Driver:
    def __init__(self, project: Project, sweep: Sweep, how: How, on_trial: OnTrial) -> None:
        self.asked: list[int] = []
        """The signals that asked to stop."""
        self._project = project
        self._sweep = sweep
        self._how = how
        self._tell = on_trial
        self._base = base_of(project, sweep)
        self._known = trials(project, sweep)
        self._going = {one.number: one for one in self._known.values() if one.state in UNDER_WAY}
        self._told = 0

    def run(self) -> None:
        from axil.runs.sampling import sampler

        if self._sweep.shared and not self._share():
            return
        todo = deque(missing(self._sweep, self._known, retry_failed=self._how.retry_failed))
        judge = Judge(self._project, self._sweep, self._known.values()) if self._sweep.pruner else None
        curve = judge.curve if judge else lambda number: {}
        choose = sampler(self._sweep, self._known.values(), curve)
        jobs = self._how.jobs or load_machine(self._project.root, self._project.git).jobs
        end = time.monotonic() + self._how.time_limit if self._how.time_limit else float("inf")
        while True:
            while todo and len(self._going) < jobs and not self.asked and time.monotonic() < end:
                self._begin(todo.popleft(), choose)
            if not self._going or self._leave():
                return
            time.sleep(POLL)
            if judge:
                judge.look(self._going.values())
            for one in self._ended():
                if judge and (warning := judge.over(one)):
                    self._tell(warning)
                choose.tell(one.number, one.outcome, one.value, curve(one.number))

    def _share(self) -> bool:
        """Run what all trials share, once; says whether they may begin."""
        before = self._known.get(0)
        if before is None or before.state not in (*UNDER_WAY, "succeeded"):
            self._make(0, (), self._base._replace(targets=tuple(self._sweep.shared)))
        while 0 in self._going:
            if self._leave():
                return False
            time.sleep(POLL)
            self._ended()
        one = self._known[0]
        if one.state != "succeeded" and not self.asked:
            raise AxilError(
                f"no trial could begin: the stages they share {one.state}",
                ", ".join(self._sweep.shared),
                f"axil logs {short(one.run)}; then axil sweep resume {short(self._sweep.id)}",
            )
        return one.state == "succeeded"

    def _begin(self, number: int, choose: Sampler) -> None:
        sweep = self._sweep
        if sweep.seeds:
            changes = [Assignment(sweep.seed_key, sweep.seeds[number - 1])] if sweep.seed_key else []
        else:
            before = self._known.get(number)
            values = choose.again(number, before.params) if before else choose.ask(number)
            changes = [Assignment(key, value) for key, value in values.items()]
        self._make(number, changes, self._base)

    def _make(self, number: int, changes: Sequence[Assignment], base: Base) -> None:
        """Put one run into the queue: from the moment its folder is there, it is this trial's."""
        sweep = self._sweep
        marks = Marks(sweep=sweep.id, trial=number)
        if sweep.seeds:
            seed = sweep.seeds[number - 1] if number else None
            marks = Marks(group=sweep.id, seed=seed, seed_key=sweep.seed_key, trial=number)
        options = Options(detached=True, gpus=sweep.gpus, sample=sweep.sample)
        folder = make(
            self._project,
            base,
            changes=changes,
            message=sweep.message,
            options=options,
            host=self._how.host,
            marks=marks,
        )
        detach(self._project, folder)
        values = {change.key: change.value for change in changes}
        trial = Trial(number, folder.id, "queued", values, None, 0.0, marks.seed, {})
        self._going[number] = self._known[number] = trial
        self._tell(TrialBegan(trial))

    def _ended(self) -> list[Trial]:
        """The trials that ended since the last look."""
        project, found = self._project, []
        for number, one in list(self._going.items()):
            if rundir.is_live(project.runs_folder, one.run):
                continue
            look_after(project)
            if rundir.exists(project.runs_folder, one.run):
                continue  # It waits, and has a new supervisor.
            project.journal.refresh()
            trial = of_row(self._sweep, project.journal.find(one.run))
            del self._going[number]
            self._known[number] = trial
            found.append(trial)
            over = sum(each.state not in UNDER_WAY for each in self._known.values() if each.number)
            self._tell(TrialEnded(trial, over, self._sweep.trials))
        return found

    def _leave(self) -> bool:
        """Do what was asked for by signals; whether to end at once."""
        from signal import SIGINT

        if self._told < _STOP and os.path.exists(_file(self._project, self._sweep, "stop")):
            self.asked += [SIGINT] * (_STOP - len(self.asked))
        if len(self.asked) > self._told:
            self._told = len(self.asked)
            if any(number != SIGINT for number in self.asked):
                return True
            self._tell(Leaving(self._told > 1, len(self._going)))
            if self._told > 1:
                stop(self._project, [one.run for one in self._going.values()], now=self._told > 2)
        return False


def _file(project: Project, sweep: Sweep, kind: str) -> str:
    folder = os.path.join(project.home, "sweeps")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"{sweep.id}.{kind}")


__all__ = ["How", "Leaving", "TrialBegan", "TrialEnded", "drive", "drive_detached", "driven", "missing", "stop_sweep"]

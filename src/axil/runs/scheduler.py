"""Runs the stages of a plan: each when all before it are done, several at once, until all are done or it is stopped.

All decisions, saving and events happen in the calling thread; only the pumping of output has threads of its own.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from axil.base.exits import ending
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError
from axil.formats.pointer import Pointer
from axil.formats.project import Stage
from axil.formats.runfiles import Staged, Started
from axil.formats.span import written_span
from axil.pipeline.graph import covering
from axil.pipeline.keys import StageInputs
from axil.pipeline.planner import GOOD, Decision, Planner
from axil.pipeline.reads import tidied
from axil.runs import limits
from axil.runs import stage as stages
from axil.runs.command import Command, Exited, Inbox, Output
from axil.runs.events import OnEvent, StageFinished, StageLine, StageStarted, Stopping
from axil.runs.limits import Limits
from axil.runs.outputs import Outputs, SavedPath
from axil.runs.rundir import READ, SERIES, RunDir
from axil.runs.series import SeriesFile
from axil.runs.stage import Names
from axil.runs.traces import Traces, reads

if TYPE_CHECKING:
    from axil.base.clock import Clock
    from axil.formats.record import StageRecord
    from axil.formats.runfiles import Start
    from axil.runs.watch import Watch


Fetch = Callable[[Iterable[Pointer]], bool]
"""Brings contents here from a remote; whether all of them are here now."""
_LONGEST = 0.5
"""Seconds after which waiting for something to happen is interrupted though nothing did."""


class StopAsked(NamedTuple):
    """The user (or the system) asks to stop, by this signal."""

    number: int


class _Running(NamedTuple):
    command: Command
    record: StageRecord
    inputs: StageInputs
    seen: tuple[str, ...]
    watch: Watch | None


class Scheduler:
    """One run's stages. `records` holds what became of each, in the order of the plan once `run` returns."""

    def __init__(
        self,
        planner: Planner,
        plan: Sequence[Decision],
        folder: RunDir,
        names: Names,
        outputs: Outputs,
        jobs: int,
        grace: float,
        clock: Clock,
        on_event: OnEvent,
        fetch: Fetch,
        starts: Mapping[str, Start] = {},
    ) -> None:
        self.saved: list[SavedPath] = []
        self.records: dict[str, StageRecord] = {}
        self.series = SeriesFile(folder.file(SERIES))
        self.traces = Traces(folder.file("trace"))
        self.inbox: Inbox = Inbox()
        self._planner = planner
        self._plan = {decision.stage: decision for decision in plan}
        self._fresh = True
        """Nothing has run since the plan was made, so its decisions hold."""
        self._pending = list(self._plan)
        self._running: dict[str, _Running] = {}
        self._folder = folder
        self._names = names
        self._outputs = outputs
        self._jobs = max(1, jobs)
        self._grace = grace
        self._clock = clock
        self._tell = on_event
        self._fetch = fetch
        self._starts = starts
        self._stop = _Stop()
        self._limits = Limits(grace)
        self._tries: dict[str, int] = {}
        """Stage -> how many times its command was started."""

    @property
    def stopped(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop.asked > 0

    def run(self) -> None:
        """Go through all stages. Whatever happens, no command runs any more when this returns or raises."""
        try:
            while self._launch():
                _load()
                self._receive()
        finally:
            for one in self._running.values():
                one.command.signal(signal.SIGKILL)
            for one in self._running.values():
                one.command.join()
                if one.watch is not None:
                    one.watch.stop()
        self.records = {name: self.records[name] for name in self._plan}

    # -- what may start --------------------------------------------------------------------------------------------

    def _launch(self) -> bool:
        """Deal with every stage that is ready; says whether a command is running."""
        again = True
        while again:
            again = False
            for name in list(self._pending):
                above = [self.records.get(other) for other in self._planner.graph.upstream[name]]
                bad = [one.name for one in above if one is not None and one.state not in GOOD]
                if self.stopped or bad:
                    self._skip(name, "the run was stopped" if self.stopped else f"{', '.join(bad)} did not succeed")
                    again = True
                elif None not in above and len(self._running) < self._jobs:
                    self._begin(name)
                    again = True
        return bool(self._running)

    def _skip(self, name: str, reason: str) -> None:
        self._pending.remove(name)
        self._done(stages.skipped(self._stage(name), reason))

    def _begin(self, name: str) -> None:
        self._pending.remove(name)
        stage, started = self._stage(name), self._clock()
        decision = self._plan[name]
        if not self._fresh or decision.inputs is None:
            try:
                decision = self._planner.decide(name)
            except AxilError as error:
                self._refuse(stages.running(stage, decision, started), error)
                return
        if decision.fetch is not None:
            decision = self._fetched(decision)
        if decision.action == "run":
            self._start(decision, started)
            return
        try:
            if decision.action == "restore":
                self.saved += self._outputs.restore(decision.outs)
        except AxilError as error:
            self._refuse(stages.running(stage, decision, started), error)
            return
        self._done(stages.reused(stage, decision, started, self._clock() - started))

    def _fetched(self, decision: Decision) -> Decision:
        """`decision` once what it restores is here; what is to be done instead if it could not be had."""
        try:
            if self._fetch(decision.outs.values()):
                return decision
            why = "not all of it is there any more"
        except AxilError as error:
            why = error.what
        self._planner.elsewhere = None
        self._note(decision.stage, f"the result could not be fetched: {why}")
        self._fresh = False
        return self._planner.decide(decision.stage)

    def _start(self, decision: Decision, started: float) -> None:
        name, stage = decision.stage, self._stage(decision.stage)
        attempt = self._tries[name] = self._tries.get(name, 0) + 1
        start = self._start_of(stage, decision)
        record = stages.running(stage, decision, started, attempt, start)
        if decision.inputs is None:
            raise AssertionError(f"{name}: to run, but its inputs are not known")
        self._fresh = False
        reason = decision.reason if attempt == 1 else f"attempt {attempt} of {stage.retry + 1}"
        self._tell(StageStarted(name, reason, stage.cmd, started))
        watch = None
        try:
            saved = self._outputs.clear(stage)
            if attempt == 1:  # Later it is what the attempt before has left.
                self.saved += saved
            if start:
                self._fetch(start.values())
                self._outputs.lay_checkpoint(start)
            watch = self._watch(stage)
            self._folder.record(Staged(record))
            command = Command(
                name,
                stage.cmd,
                os.path.join(self._planner.root, stage.cwd),
                stages.environment(self._planner.environ, self._names, name, attempt),
                self._folder.log(name),
                self.inbox,
                self._names.protect,
            )
        except (AxilError, OSError) as error:
            if watch is not None:
                watch.stop()
            self._refuse(record, error)
            return
        self._running[name] = _Running(command, record, decision.inputs, decision.seen, watch)
        self._limits.begin(name, stage.timeout)
        self._folder.record(Started(name, *command.identity))

    def _tracked(self, stage: Stage) -> dict[str, Pointer]:
        """The checkpoints that the stage starts from every time."""
        return {path: self._planner.starts[path] for path in stage.checkpoint if path in self._planner.starts}

    def _start_of(self, stage: Stage, decision: Decision) -> dict[str, Pointer]:
        left = self._starts.get(stage.name)
        found = stages.start(decision, self._tracked(stage), left)
        if found is None:
            self._note(stage.name, "it starts anew: the checkpoint of the earlier attempt belongs to other inputs")
        return self._tracked(stage) if found is None else found

    def _watch(self, stage: Stage) -> Watch | None:
        if not stage.series:
            return None
        from axil.runs.watch import Watch

        return Watch(stage, self._planner.root, self._folder.file(SERIES), self._clock)

    def _refuse(self, record: StageRecord, error: Exception) -> None:
        """The stage failed before its command ran."""
        from axil.base.structs import msgspec

        self._note(record.name, str(error))
        tail = stages.tail_of(self._folder.log(record.name))
        self._done(msgspec.structs.replace(record, state="failed", tail=tail, seconds=self._clock() - record.started))

    # -- what arrives ----------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        item = self._stop.next(self.inbox, self._limits.next())
        if isinstance(item, Output):
            for text, done in item.lines:
                self._tell(StageLine(item.stage, text, done))
        elif isinstance(item, Exited):
            one = self._running.pop(item.stage)
            one.command.join()
            self._end(one, item)
            return
        for name, number in self._limits.take():
            self._running[name].command.signal(number)
        if isinstance(item, StopAsked) or self._stop.due:
            now = self._stop.escalate(item, self._grace, [one.command for one in self._running.values()])
            self._tell(Stopping(now))

    def _end(self, one: _Running, exited: Exited) -> None:
        """A command is over: save what it made, and write down what became of it."""
        name, stage, ended = exited.stage, self._stage(exited.stage), self._clock()
        late = self._limits.end(name)
        code = limits.EXIT_CODE if late else exited.code
        good = code == 0
        if exited.trouble:
            self._note(name, exited.trouble)
        if late:
            self._note(name, f"it took longer than {written_span(stage.timeout)} (its timeout) and was ended")
        for problem in one.watch.finish() if one.watch is not None else ():
            self._note(name, problem)
        inputs, seen, read = one.inputs, list(one.seen), one.record.read
        outs: dict[str, Pointer] = {}
        try:
            inputs, seen = self._with_seen(one)
            read = tidied(reads(self._folder.file(READ), name))
            inputs = self._planner.with_read(name, inputs, read)
            if good:
                outs = self._outputs.collect(stage)
        except AxilError as error:
            good = False
            self._note(name, str(error))
        if not good and not self.stopped and self._tries[name] <= stage.retry:
            self._again(name, code)
            return
        checkpoint: dict[str, Pointer] = {}
        if not good:
            outs = self._outputs.collect_partial(stage)
            try:
                checkpoint = self._outputs.collect_checkpoint(stage)
            except AxilError as error:
                self._note(name, f"the checkpoint could not be saved: {error}")
        if start := self._tracked(stage):
            # In the work tree is what git says is there; what this run left is saved.
            with suppress(AxilError):
                self._outputs.restore(start)
        metrics, problems = stages.metrics_of(stage, self._planner.root)
        for problem in problems:
            self._note(name, problem)
        self._done(
            stages.finished(
                one.record,
                "succeeded" if good else "stopped" if self.stopped and code and not late else "failed",
                inputs=inputs,
                seen=seen,
                read=read,
                outs=outs,
                checkpoint=checkpoint,
                metrics={**self.series.catch_up().final(name), **metrics},
                ended=ended,
                exit_code=code,
                tail="" if good else stages.tail_of(self._folder.log(name)),
            )
        )

    def _again(self, name: str, code: int) -> None:
        """Let a stage that failed begin once more: its inputs are looked at again, its log goes on."""
        count = f"attempt {self._tries[name]} of {self._stage(name).retry + 1}"
        self._note(name, f"{count} failed ({ending(code)}): again" if code else f"{count} failed: again")
        self._pending.insert(0, name)

    def _with_seen(self, one: _Running) -> tuple[StageInputs, list[str]]:
        """The stage's inputs completed by the modules its processes loaded that nobody could have foreseen."""
        name, inputs = one.record.name, one.inputs
        self.traces.collect()
        makers, foreign = self._planner.graph.makers, self._planner.finder.foreign
        fresh = [
            path
            for path in self.traces.modules(name)
            if path not in inputs.code and covering(path, makers) is None and not foreign(path)
        ]
        seen = sorted({*one.seen, *fresh})
        if fresh:
            inputs = self._planner.with_seen(name, inputs, seen, one.record.started)
        return inputs, seen

    def _done(self, record: StageRecord) -> None:
        self.records[record.name] = record
        self._folder.record(Staged(record))
        self._tell(StageFinished(record.name, record))

    def _note(self, name: str, text: str) -> None:
        """Words of axil's own in the stage's log."""
        lines = [f"axil: {line}" for line in text.splitlines()]
        with suppress(OSError), open(self._folder.log(name), "a", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(line + "\n" for line in lines)
        for line in lines:
            self._tell(StageLine(name, line))

    def _stage(self, name: str) -> Stage:
        return self._planner.graph.stages[name]


def _load() -> None:
    """Load what the end of a run needs, while a command runs."""
    import axil.formats.metrics
    import axil.git.fastimport
    import axil.journal.tree
    import axil.runs.environment
    import axil.runs.finish
    import axil.store.batch
    import axil.version  # noqa: F401


class _Stop:
    """How a run is brought to its end: asked, told to terminate, killed."""

    def __init__(self) -> None:
        self.asked = 0
        self._steps: list[tuple[float, int]] = []
        """(moment, signal) to send next if commands are still running."""

    @property
    def due(self) -> bool:
        """Whether it is the moment to send a stronger signal."""
        return bool(self._steps) and self._steps[0][0] <= time.monotonic()

    def next(self, inbox: Inbox, limit: float | None) -> object:
        """The next item of the inbox; None at the moment `limit`, when a stronger signal is due, or now and then."""
        from queue import Empty

        # A signal that comes just before the wait does not end it: Python tells of it only when the wait is over.
        moments = [time.monotonic() + _LONGEST, *(moment for moment, _ in self._steps[:1])]
        if limit is not None:
            moments.append(limit)
        try:
            return inbox.get(timeout=max(0.0, min(moments) - time.monotonic()))
        except Empty:
            return None

    def escalate(self, item: object, grace: float, commands: Sequence[Command]) -> bool:
        """Send what is due to `commands`; says whether that was the kill."""
        now = time.monotonic()
        if isinstance(item, StopAsked):
            self.asked += 1
            number = item.number
            if self.asked == 1:
                # Scripts save their state on Ctrl-C more often than on TERM, so it is passed on as it is at first.
                gentle = [(now + grace / 2, int(signal.SIGTERM))] if number == signal.SIGINT else []
                self._steps = [*gentle, (now + grace, int(signal.SIGKILL))]
                number = number if number == signal.SIGINT else signal.SIGTERM
            else:
                self._steps, number = [], signal.SIGKILL
        else:
            number = self._steps.pop(0)[1]
        for command in commands:
            command.signal(number)
        return number == signal.SIGKILL

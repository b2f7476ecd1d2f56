"""Runs whose supervisor vanished (killed, power cut): found by their free lock, recorded with all they had."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from axil.base.clock import Clock
from axil.base.light import TYPE_CHECKING
from axil.errors import AxilError, Damaged, GitFailed
from axil.runs import rundir
from axil.runs.heart import heard

if TYPE_CHECKING:
    from axil.formats.record import Output, Run, StageRecord
    from axil.formats.runfiles import Spec, Started, State
    from axil.journal.journal import Journal
    from axil.runs.environment import Cache
    from axil.runs.rundir import RunDir
    from axil.runs.series import SeriesFile
    from axil.store import Store

GRACE = 5.0
"""Seconds that commands left behind get to end by themselves."""


Discard = Callable[[str], object]


def adopt_lost(
    runs: str,
    journal: Journal,
    store: Store,
    cache: Cache,
    clock: Clock,
    grace: float = GRACE,
    discard: Discard = lambda root: None,
) -> list[Run]:
    """Record every run in `runs` that nobody supervises any more; returns their records, already in the journal.

    A detached run that has not begun is not lost: it goes on waiting. `discard` takes a run's own work tree away.

    Stages that had finished count in full, so their results are used by later runs. Commands still running are ended
    first. A run that had just ended gets the record it was about to get. Of several processes that try, one does it.
    Without lost runs this is one listing and a look at each live run's lock.
    """
    adopted = []
    for run in rundir.ids(runs):
        folder = rundir.take(runs, run)
        if folder is not None:
            try:
                if _elsewhere(folder, clock()):
                    continue
                record = _adopt(folder, journal, store, cache, grace, discard)
                if record is not None:
                    adopted.append(record)
            except Damaged:
                continue  # Of a newer axil, or not a run at all: left for whoever understands it.
            finally:
                folder.release()
    if adopted:
        rundir.sweep(runs, clock())
    return adopted


def _elsewhere(folder: RunDir, now: float) -> bool:
    """Whether the run seems to be alive on another machine, whose locks are not seen here."""
    host = folder.spec().host
    return host not in ("", os.uname().nodename) and heard(folder.file(rundir.LOCK), now)


def _adopt(folder: RunDir, journal: Journal, store: Store, cache: Cache, grace: float, discard: Discard) -> Run | None:
    """The record of one run, appended; None if the journal had it already, or if the run still waits."""
    spec, state = folder.spec(), folder.state()
    run = state.run
    if run is None:
        if spec.detached and state.admitted is None:
            return None
        for name, process in state.processes.items():
            if state.stages[name].state == "lost":
                _end(folder, process, grace)
        run = _record(folder, spec, folder.state(), store, cache)
    new = _append(journal, run)
    if spec.source and not spec.keep:
        discard(spec.root)
    folder.remove()
    return run if new else None


def _record(folder: RunDir, spec: Spec, state: State, store: Store, cache: Cache) -> Run:
    from axil.runs import environment
    from axil.runs.finish import conclude
    from axil.runs.series import SeriesFile
    from axil.runs.stage import tail_of
    from axil.runs.traces import Traces

    series = SeriesFile(folder.file(rundir.SERIES))
    summary = series.finish()
    traces = Traces(folder.file(rundir.TRACE))
    traces.collect()
    partial = _partial(folder, spec, state, store) if spec.source else {}
    left = _checkpoints(folder, spec, state, store)
    stages = [
        _last_words(folder, stage, series, partial.get(stage.name, {}), left.get(stage.name, {}))
        for stage in state.stages.values()
    ]
    return conclude(
        folder,
        spec,
        "lost",
        stages,
        store=store,
        summary=summary,
        environment=environment.record(spec.root, traces.all, cache),
        ended=_last_sign(folder),
        error=tail_of(folder.file(rundir.SUPERVISOR)),
    )


def _partial(folder: RunDir, spec: Spec, state: State, store: Store) -> dict[str, dict[str, Output]]:
    """What the stages that were cut off have made so far, saved from the run's own work tree, which goes."""
    from axil.data.index import WorkTreeIndex
    from axil.formats.project import FILE, parse
    from axil.runs.outputs import Outputs
    from axil.runs.stage import output

    found: dict[str, dict[str, Output]] = {}
    with suppress(OSError, ValueError, AxilError), open(os.path.join(spec.root, FILE), encoding="utf-8") as file:
        stages = parse(file.read()).stages
        index = WorkTreeIndex(folder.file("partial.db"))
        try:
            outputs = Outputs(spec.root, index, store)
            for name, record in state.stages.items():
                if record.state == "lost" and name in stages:
                    made = outputs.collect_partial(stages[name])
                    found[name] = {path: output(pointer) for path, pointer in made.items()}
        finally:
            index.close()
    return found


def _checkpoints(folder: RunDir, spec: Spec, state: State, store: Store) -> dict[str, dict[str, Output]]:
    """Stage -> the checkpoints of those that were cut off, saved from the run's work tree."""
    from axil.data.index import WorkTreeIndex
    from axil.runs.outputs import save_some
    from axil.runs.stage import output

    cut = [name for name, stage in state.stages.items() if stage.state == "lost" and name in spec.checkpoints]
    if not cut or not os.path.isdir(spec.root):
        return {}
    # The index of that work tree may be in use, or gone.
    index = WorkTreeIndex(folder.file("adopted.db"), store.clock)
    try:
        return {
            name: {
                path: output(found)
                for path, found in save_some(index, store, spec.root, spec.checkpoints[name]).items()
            }
            for name in cut
        }
    finally:
        index.close()


def _last_words(
    folder: RunDir,
    stage: StageRecord,
    series: SeriesFile,
    partial: dict[str, Output],
    checkpoint: dict[str, Output],
) -> StageRecord:
    """The record of a stage; of one that was cut off, with what it had logged."""
    from axil.base.structs import msgspec
    from axil.runs.stage import tail_of

    if stage.state != "lost":
        return stage
    return msgspec.structs.replace(
        stage,
        outs=partial,
        tail=tail_of(folder.log(stage.name)),
        metrics=series.summary.final(stage.name),
        checkpoint=checkpoint,
        seconds=max(0.0, _last_sign(folder) - stage.started),
    )


def _last_sign(folder: RunDir) -> float:
    """When the run was last seen to do something: the newest change of its files."""
    paths = [folder.file(rundir.STATE), folder.file(rundir.SERIES)]
    times = []
    with suppress(FileNotFoundError):
        paths += [folder.file(rundir.LOGS, name) for name in os.listdir(folder.file(rundir.LOGS))]
    for path in paths:
        with suppress(FileNotFoundError):
            times.append(os.stat(path).st_mtime)
    return max(times, default=0.0)


def _end(folder: RunDir, process: Started, grace: float) -> None:
    from axil.base.processes import Identity, end_session

    end_session(Identity(process.pid, process.ticks), {"AXIL_RUN": folder.id, "AXIL_RUN_DIR": folder.path}, grace)


def _append(journal: Journal, run: Run) -> bool:
    """Append the record; without its snapshot if git has thrown that away meanwhile. Says whether it was new."""
    from axil.base.structs import msgspec
    from axil.runs.finish import snapshots

    try:
        return bool(journal.append([run], snapshots=snapshots(run)))
    except GitFailed as error:
        if not run.snapshot:
            raise
        bare = msgspec.structs.replace(run, snapshot="")
        try:
            return bool(journal.append([bare]))
        except AxilError:
            raise error from None

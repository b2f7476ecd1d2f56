"""What the stages of a run wrote, while it runs and afterwards."""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError, NotFound

if TYPE_CHECKING:
    from axil.formats.record import Run, StageRecord
    from axil.project import Project


class StageLog(NamedTuple):
    """The output of one stage."""

    stage: str
    state: str
    text: str
    """Bytes that are no UTF-8 are replaced."""
    source: str = ""
    """The run that wrote it, if this run took its result."""
    problem: str = ""
    """Why there is no text, or only its end."""


class RunLogs(NamedTuple):
    """The logs of a run, in the order of its stages."""

    run: str
    experiment: str
    state: str
    stages: tuple[StageLog, ...]


def logs(project: Project, name: str, stage: str = "", *, tail: int | None = None) -> RunLogs:
    """The logs of the run `name`, of one `stage` or all; the last `tail` lines of each.

    Of an experiment those of its latest run, also of one that goes on. Raises `NotFound` for an unknown run or stage.
    """
    from axil.actions.targets import choose

    project.store  # noqa: B018 (a broken axil.toml is said once, not of every stage)
    chosen = choose(project, name, succeeded=False)
    run = chosen.run if chosen.why == "named" else _going(project, chosen.experiment) or chosen.run
    if run is None:
        raise NotFound(f"experiment {chosen.experiment} has no run yet", "", "axil run makes the first one")
    records = [record for record in run.stages if stage in ("", record.name)]
    if not records and stage:
        known = ", ".join(record.name for record in run.stages)
        raise NotFound(f"run {run.id} has no stage {stage}", f"it has: {known}" if known else "it has no stages")
    found = (_log(project, run, record) for record in records)
    return RunLogs(run.id, run.experiment, run.state, tuple(_cut(log, tail) for log in found))


def _going(project: Project, experiment: str) -> Run | None:
    """The run of the experiment that began last, if it goes on."""
    from axil.actions.live import going
    from axil.actions.targets import in_progress

    ids = [one.run for one in going(project) if one.experiment == experiment and one.state == "running"]
    return in_progress(project, max(ids)) if ids else None


def _log(project: Project, run: Run, record: StageRecord) -> StageLog:
    from axil.runs.rundir import RunDir

    blank = StageLog(record.name, record.state, "", record.source)
    try:
        with open(RunDir(os.path.join(project.runs_folder, run.id)).log(record.name), "rb") as file:
            return blank._replace(text=file.read().decode("utf-8", "replace"))
    except FileNotFoundError:
        pass  # The run's folder goes when it has ended.
    oid = record.log
    if not oid and record.source:
        source = next((each for each in project.journal.stages(record.source) if each.name == record.name), None)
        oid = source.log if source else ""
    if not oid:
        return blank._replace(text=record.tail, problem="" if record.tail else "no log was recorded")
    try:
        if project.shared:
            from axil.actions.sharing import bring

            bring(project, [bytes.fromhex(oid)])
        return blank._replace(text=project.store.read(bytes.fromhex(oid)).decode("utf-8", "replace"))
    except AxilError as error:
        return blank._replace(text=record.tail, problem=error.what)


def _cut(log: StageLog, tail: int | None) -> StageLog:
    return log if tail is None else log._replace(text="".join(log.text.splitlines(keepends=True)[-tail:]))

"""What a user names: an experiment by its branch, a run by the beginning of its id."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError, NotFound

if TYPE_CHECKING:
    from axil.formats.record import Run
    from axil.journal.rows import Experiment
    from axil.project import Project


class Target(NamedTuple):
    """An experiment (then `run` is None) or a run (then `experiment` is None)."""

    experiment: Experiment | None
    run: Run | None


class Chosen(NamedTuple):
    """The run that stands for what the user named."""

    name: str
    """As it was named."""
    experiment: str
    run: Run | None
    """None if the experiment has no run yet."""
    why: str
    """Why this run: "named", "latest succeeded", "latest", "no run yet"."""
    tip: str
    """For an experiment without a run: the commit of its branch."""


def adopt_quietly(project: Project) -> None:
    """Record runs that were killed, so that they can be named too; where that cannot be written, reading goes on."""
    import contextlib

    from axil.actions.lost import adopt

    with contextlib.suppress(AxilError, OSError):
        adopt(project)


def resolve(project: Project, name: str) -> Target:
    """What `name` is: an experiment first, then a run; "" or "." is the experiment of the work tree.

    Raises `NotFound` with close names for anything else, and for a detached HEAD where "" was given.
    """
    from axil.actions.experiments import experiments

    adopt_quietly(project)
    if name in ("", ".", "HEAD"):
        if project.head.branch is None:
            raise NotFound(
                "no experiment is checked out",
                "HEAD is detached: it points at a commit, not at a branch",
                "name an experiment or a run, or go to one: axil switch EXP",
            )
        name = project.head.branch
    known = experiments(project)
    if name in known:
        return Target(known[name], None)
    run = find_run(project, name) if looks_like_run(name) else None
    if run is not None:
        return Target(None, run)
    import difflib

    close = difflib.get_close_matches(name, known, 3, 0.5)
    why = f"did you mean {' or '.join(close)}?" if close else ""
    raise NotFound(f"there is no experiment or run {name}", why, "axil tree lists experiments, axil runs lists runs")


def looks_like_run(name: str) -> bool:
    """Whether `name` can be the beginning of a run id."""
    from axil.base.ids import ALPHABET, LENGTH

    return 0 < len(name) <= LENGTH and all(char in ALPHABET for char in name.upper())


def find_run(project: Project, text: str) -> Run | None:
    """The run whose id begins (or ends) with `text`, in progress or recorded; None if there is none.

    Raises `NotFound` naming the candidates if there are several.
    """
    from axil.runs import rundir

    wanted = text.upper()
    running = [run for run in rundir.ids(project.runs_folder) if run.startswith(wanted) or run.endswith(wanted)]
    if len(running) == 1 and (run := in_progress(project, running[0])) is not None:
        return run
    try:
        _, found = project.journal.resolve(wanted)
    except NotFound as error:
        if "several" in error.what:
            raise
        return None
    return project.journal.run(found)


def in_progress(project: Project, run: str) -> Run | None:
    """The record, as far as it goes, of a run that has not ended; None if it has ended meanwhile."""
    import os

    from axil.runs.finish import record_of
    from axil.runs.rundir import RunDir, is_live

    folder = RunDir(os.path.join(project.runs_folder, run))
    try:
        spec, state = folder.spec(), folder.state()
    except NotFound:
        return None
    if state.run is not None:
        return state.run
    now = "running" if is_live(project.runs_folder, run) else "lost"
    metrics = {name: value for stage in state.stages.values() for name, value in stage.metrics.items()}
    return record_of(spec, state=now, stages=list(state.stages.values()), metrics=metrics)


def choose(project: Project, name: str, *, succeeded: bool = True) -> Chosen:
    """The run for `name`: itself if it is a run; of an experiment the latest, if `succeeded` the latest that did so."""
    target = resolve(project, name)
    if target.run is not None:
        return Chosen(name, target.run.experiment, target.run, "named", "")
    assert target.experiment is not None
    experiment = target.experiment
    journal = project.journal
    row = journal.latest(experiment.name, "succeeded") if succeeded else None
    why = "latest succeeded" if row else "latest"
    row = row or journal.latest(experiment.name, None)
    if row is None:
        return Chosen(name or experiment.name, experiment.name, None, "no run yet", experiment.tip)
    return Chosen(name or experiment.name, experiment.name, journal.run(row.id), why, experiment.tip)

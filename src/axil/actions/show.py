"""Everything about one experiment or one run, in one value."""

from __future__ import annotations

import contextlib
import math

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError, NotFound

if TYPE_CHECKING:
    from axil.actions.compare import Comparison
    from axil.actions.replicates import Replicates
    from axil.actions.sweeps import SweepView
    from axil.formats.record import Run
    from axil.journal.rows import Experiment, NoteRow, RunRow
    from axil.project import Project

POINTS = 200
"""A curve is thinned out to so many values."""


class RunView(NamedTuple):
    """A run with what others wrote about it, and the curves of what it logged step by step."""

    run: Run
    notes: tuple[NoteRow, ...]
    directions: dict[str, str]
    """Metric -> "max" or "min", as the project declares."""
    curves: dict[str, tuple[float, ...]]
    """Metric -> its values in the order of the steps, at most 200 of them."""
    artifacts: dict[str, int]
    """Path -> size in bytes, of the files its stages logged."""
    attempts: tuple[RunRow, ...] = ()
    """All attempts of the run, if there are several."""
    replicates: Replicates | None = None
    """The group it is one of, taken together."""


class ExperimentView(NamedTuple):
    """An experiment: where it comes from, what it came to, and what differs from its parent."""

    experiment: Experiment
    current: bool
    children: tuple[str, ...]
    notes: tuple[NoteRow, ...]
    states: dict[str, int]
    """State -> how many of its runs are in it."""
    latest: RunRow | None
    best: RunRow | None
    """Of its succeeded runs, by the headline metric; single replicates do not count."""
    directions: dict[str, str]
    changes: Comparison | None
    """The parent against this experiment, only what differs; None for a baseline."""
    replicates: Replicates | None = None
    """The replicates, taken together, that its latest result is one of."""


def show(project: Project, name: str = "") -> ExperimentView | RunView | SweepView:
    """The experiment, run, sweep or group of replicates called `name`; the experiment of the work tree without one.

    Raises `NotFound`.
    """
    from axil.actions.targets import resolve

    try:
        target = resolve(project, name)
    except NotFound:
        if (sweep := _sweep(project, name)) is None:
            raise
        return sweep
    if target.run is not None:
        return show_run(project, target.run)
    assert target.experiment is not None
    return show_experiment(project, target.experiment)


def _sweep(project: Project, name: str) -> SweepView | None:
    """The sweep or group whose id begins or ends with `name`; None if there is none, or several."""
    from axil.actions.sweeps import view
    from axil.actions.targets import looks_like_run

    if looks_like_run(name):
        with contextlib.suppress(NotFound):
            return view(project, name)
    return None


def show_run(project: Project, run: Run) -> RunView:
    """The view of `run`; curves that are not on this machine are left out."""
    attempts = tuple(project.journal.attempts(run.id))
    ids = [row.id for row in attempts] or [run.id]
    notes = tuple(note for one in ids for note in project.journal.notes(one))
    several = attempts if len(attempts) > 1 else ()
    directions = dict(project.file.metrics)
    group = None
    if run.group:
        from axil.actions.replicates import replicates

        group = replicates(project, run.group)
    return RunView(run, notes, directions, curves(project, run), artifacts(project, run), several, group)


def artifacts(project: Project, run: Run) -> dict[str, int]:
    """Path -> size of what `run` logged as figures, tables and files; of a run in progress what is there by now."""
    import os

    if run.artifacts is not None:
        from axil.actions.get import files_in

        return {path: entry.size for path, entry in files_in(project, bytes.fromhex(run.artifacts.oid))}
    from axil.runs.artifacts import Found
    from axil.runs.rundir import ARTIFACTS

    if run.ended:
        return {}
    sizes = {}
    for path, full in Found(os.path.join(project.runs_folder, run.id, ARTIFACTS)).all():
        with contextlib.suppress(OSError):  # the run has ended meanwhile
            sizes[path] = os.stat(full).st_size
    return sizes


def curves(project: Project, run: Run) -> dict[str, tuple[float, ...]]:
    """Metric -> values over the steps, thinned out; of a run in progress as far as it has come."""
    from axil.actions.series import points_of
    from axil.runs.rundir import SERIES

    found: dict[tuple[str, str], list[float]] = {}
    for point in points_of(project, run.id, run.series, SERIES):
        found.setdefault((point.stage, point.name), []).append(point.value)
    names = [name for _, name in found]
    return {
        name if names.count(name) == 1 else f"{stage}/{name}": _thinned(values)
        for (stage, name), values in found.items()
    }


def _thinned(values: list[float]) -> tuple[float, ...]:
    """At most `POINTS` of `values`, evenly spread, the first and the last among them."""
    if len(values) <= POINTS:
        return tuple(values)
    last = len(values) - 1
    return tuple(values[round(number * last / (POINTS - 1))] for number in range(POINTS))


def show_experiment(project: Project, experiment: Experiment) -> ExperimentView:
    """The view of `experiment`."""
    from axil.actions.experiments import experiments

    name = experiment.name
    journal = project.journal
    directions = dict(project.file.metrics)
    rows = journal.runs(experiment=name) if name in journal.experiments() else []
    states: dict[str, int] = {}
    for row in rows:
        states[row.state] = states.get(row.state, 0) + 1
    return ExperimentView(
        experiment,
        name == project.head.branch,
        tuple(sorted(each.name for each in experiments(project).values() if each.parent == name)),
        tuple(journal.notes(name)),
        states,
        rows[0] if rows else None,
        _best(rows, directions),
        directions,
        _changes(project, experiment),
        _latest_replicates(project, rows),
    )


def _latest_replicates(project: Project, rows: list[RunRow]) -> Replicates | None:
    group = next((row.group for row in rows if row.state == "succeeded"), "")
    if not group:
        return None
    from axil.actions.replicates import replicates

    return replicates(project, group)


def _best(rows: list[RunRow], directions: dict[str, str]) -> RunRow | None:
    metric, direction = next(iter(directions.items()), ("", ""))
    succeeded = [row for row in rows if row.state == "succeeded" and not row.group]
    candidates = [row for row in succeeded if not math.isnan(row.metrics.get(metric, math.nan))]
    if not candidates:
        return None
    return (max if direction == "max" else min)(candidates, key=lambda row: row.metrics[metric])


def _changes(project: Project, experiment: Experiment) -> Comparison | None:
    from axil.actions.compare import compare_chosen
    from axil.actions.targets import choose

    if experiment.parent is None or not experiment.tip:
        return None
    try:
        sides = [choose(project, experiment.parent), choose(project, experiment.name)]
        return compare_chosen(project, sides, only_changed=True)
    except AxilError:
        # The parent was deleted, or its history is not in this clone: the rest of the view stands without it.
        return None

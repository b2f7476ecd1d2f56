"""The list of runs: newest first or sorted, filtered, with the columns worth showing; replicates as one if wanted."""

from __future__ import annotations

from axil.actions.targets import adopt_quietly
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import NotFound
from axil.journal.rows import RunRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from axil.actions.live import LiveRun
    from axil.actions.replicates import Replicates
    from axil.project import Project

UNSUCCESSFUL = ("failed", "stopped", "lost")


class RunList(NamedTuple):
    """Runs, and which of their metrics and parameters make good columns, the most telling first."""

    runs: tuple[RunRow, ...]
    metrics: tuple[str, ...]
    """Those the project declares first, then the others by how many runs have them."""
    params: tuple[str, ...]
    """Those whose values differ among the runs (or were asked for)."""
    directions: dict[str, str]
    """Metric -> "max" or "min", as the project declares."""
    more: bool
    """There are more runs than were asked for."""
    groups: dict[str, Replicates] = {}
    """Id -> the replicates taken together, of the groups that any of the runs is a part of."""
    folded: bool = False
    """Each of `groups` is one of `runs`: the newest, with the means of them all."""


def runs(
    project: Project,
    *,
    experiment: str = "",
    states: Sequence[str] = (),
    where: str = "",
    sort: str = "",
    descending: bool | None = None,
    limit: int | None = None,
    params: str = "",
    metrics: str = "",
    only_changed: bool = False,
    fold: bool = False,
    samples: bool = False,
) -> RunList:
    """The runs of `experiment` (of all, without one), at most `limit` of them; with `fold` replicates are one.

    A group of replicates is in the list if any of them is wanted. `params` and `metrics` are patterns like `train.*`
    that choose the columns; with `only_changed` metrics that are the same in every run are no columns either. With
    `samples` rehearsals are listed, too. Raises `NotFound` for an experiment that never was, `BadInput` for a bad
    condition or an unknown name to sort by.
    """
    adopt_quietly(project)
    directions = project.file.metrics
    known = not experiment or _has_record(project, experiment)

    def ask(most: int | None) -> list[RunRow]:
        if not known:
            return []
        return project.journal.runs(
            experiment=experiment or None,
            states=tuple(states) or None,
            where=where or None,
            sort=sort or None,
            descending=descending,
            limit=most,
            samples=samples,
            directions=directions,
            together=fold,
        )

    found = _enough(ask, None if limit is None else limit + 1, fold)
    if not (where or sort or descending is not None):
        found = _with_live(project, found, experiment, states, samples)
    found, groups = _grouped(project, found, limit, fold)
    shown = found if limit is None else found[:limit]
    return RunList(
        tuple(shown),
        metric_columns(shown, directions, metrics, only_changed),
        param_columns(shown, params),
        dict(directions),
        len(found) > len(shown),
        groups,
        fold,
    )


def _enough(ask: Callable[[int | None], list[RunRow]], wanted: int | None, fold: bool) -> list[RunRow]:
    """Rows for `wanted` lines, and all of the runs behind them where replicates share one."""
    most = wanted
    while True:
        rows = ask(most)
        if wanted is None or most is None or not fold or len(rows) < most:
            return rows
        if len({row.group or row.id for row in rows}) >= wanted:
            return rows
        most *= 4


def _grouped(
    project: Project, rows: list[RunRow], limit: int | None, fold: bool
) -> tuple[list[RunRow], dict[str, Replicates]]:
    """The lines of `rows`, and the groups of replicates among the first `limit` of them."""
    if not any(row.group for row in rows):
        return rows, {}
    from axil.actions.replicates import folded, groups_of

    if not fold:
        return rows, groups_of(project, rows[:limit])
    groups = groups_of(project, rows)
    return folded(rows, groups), groups


def metric_columns(
    rows: Sequence[RunRow], declared: Iterable[str], pattern: str = "", only_changed: bool = False
) -> tuple[str, ...]:
    """The metrics of `rows` in the order of their weight; those that match `pattern` if one is given."""
    counts: dict[str, int] = {}
    for row in rows:
        for name in row.metrics:
            counts[name] = counts.get(name, 0) + 1
    first = [name for name in declared if name in counts]
    rest = sorted(counts.keys() - set(first), key=lambda name: (-counts[name], name))
    names = _matching([*first, *rest], pattern)
    if only_changed:
        names = [name for name in names if len({row.metrics.get(name) for row in rows}) > 1]
    return tuple(names)


def param_columns(rows: Sequence[RunRow], pattern: str = "") -> tuple[str, ...]:
    """The parameters whose values differ among `rows`, or, with a `pattern`, all those that match it."""
    first: dict[str, object] = {}
    count: dict[str, int] = {}
    differing: set[str] = set()
    for row in rows:
        for key, value in row.params.items():
            count[key] = count.get(key, 0) + 1
            # 1 and true are equal in Python, and not the same setting.
            if key in first and (value != first[key] or type(value) is not type(first[key])):
                differing.add(key)
            first.setdefault(key, value)
    if pattern:
        return tuple(_matching(list(first), pattern))
    return tuple(key for key in first if key in differing or count[key] < len(rows))


def _matching(names: list[str], pattern: str) -> list[str]:
    if not pattern:
        return names
    from fnmatch import fnmatchcase

    patterns = [part.strip() for part in pattern.split(",") if part.strip()]
    return [name for name in names if any(fnmatchcase(name, part) for part in patterns)]


def _with_live(
    project: Project, found: list[RunRow], experiment: str, states: Sequence[str], samples: bool
) -> list[RunRow]:
    """`found` with the runs in progress on this machine before them: the journal gets a run when it has ended."""
    if states and not {"running", "queued"} & set(states):
        return found
    from axil.runs import rundir

    if not rundir.ids(project.runs_folder):
        return found
    from axil.actions.live import going
    from axil.runs.rundir import live

    known = {row.id for row in found}
    running = [
        _row(run)
        for run in going(project)
        if samples or not run.sample
        if run.run not in known and experiment in ("", run.experiment) and (not states or run.state in states)
    ]
    resumed = {run.resumes for run in live(project.runs_folder)} - {""}
    found = [row for row in found if row.id not in resumed and row.resumes not in resumed]
    return sorted([*running, *found], key=lambda row: row.id, reverse=True) if running else found


def _row(run: LiveRun) -> RunRow:
    row = RunRow(run.run, run.experiment, run.state, run.time, 0.0, run.message, "", {}, {})
    return row._replace(sweep=run.sweep, trial=run.trial, group=run.group, seed=run.seed, sample=run.sample)


def _has_record(project: Project, experiment: str) -> bool:
    """Whether the journal knows `experiment`; a branch it does not know just has no runs. Raises `NotFound`."""
    from axil.actions.experiments import experiments

    names = set(project.journal.experiments())
    if experiment in names:
        return True
    names |= set(experiments(project))
    if experiment in (*names, project.head.branch):
        return False
    import difflib

    close = difflib.get_close_matches(experiment, names, 3, 0.5)
    why = f"did you mean {' or '.join(close)}?" if close else ""
    raise NotFound(f"there is no experiment {experiment}", why, "axil tree --all lists them")

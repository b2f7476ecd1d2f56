"""Replicates taken together: runs that differ in nothing but their seed are one result, a mean with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from axil.actions.trials import Trial, trials
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.statistics import Interval, interval
from axil.journal.rows import RunRow

if TYPE_CHECKING:
    from axil.formats.record import Sweep
    from axil.project import Project

_WORST_FIRST = ("running", "queued", "failed", "lost", "stopped")


class Replicates(NamedTuple):
    """A group of replicates as one result."""

    group: str
    experiment: str
    state: str
    """ "running" or "queued" as long as one of them is, "succeeded" if all did, else what became of the others."""
    time: float
    """When they were asked for; seconds since the epoch."""
    seconds: float
    """How long all of them took together."""
    message: str
    seeds: tuple[int, ...]
    """Those asked for, in order."""
    seed_key: str
    """The parameter that holds the seed, "" for none."""
    succeeded: int
    of: int
    runs: tuple[str, ...]
    """The latest run of each that was begun, in the order of the seeds."""
    metrics: dict[str, Interval]
    """Mean and 95 % interval (Student's t) over those that succeeded."""


def replicates(project: Project, group: str, *, known: Sequence[Sweep] | None = None) -> Replicates:
    """The group with the whole id `group`, of which at least one run was begun.

    `known` are the journal's sweeps, for who asks about several groups.
    """
    known = project.journal.sweeps() if known is None else known
    sweep = next((one for one in known if one.id == group), None) or _unrecorded(project, group)
    begun = trials(project, sweep)
    mine = [one for one in begun.values() if one.number]
    good = [one for one in mine if one.state == "succeeded"]
    rows = project.journal.members(group)
    return Replicates(
        group,
        rows[0].experiment if rows else sweep.experiment,
        _state(begun.values(), sweep.trials),
        sweep.time,
        sum(one.seconds for one in mine),
        sweep.message,
        tuple(sweep.seeds),
        sweep.seed_key,
        len(good),
        sweep.trials,
        tuple(one.run for one in mine),
        statistics(good),
    )


def statistics(good: Sequence[Trial]) -> dict[str, Interval]:
    """Metric -> mean and interval over the replicates `good`."""
    names = dict.fromkeys(name for one in good for name in one.metrics)
    return {name: interval([one.metrics[name] for one in good if name in one.metrics]) for name in names}


def groups_of(project: Project, rows: Iterable[RunRow]) -> dict[str, Replicates]:
    """Id -> group, of the groups that any of `rows` is a part of."""
    return taken_together(project, (row.group for row in rows if row.group))


def taken_together(project: Project, wanted: Iterable[str]) -> dict[str, Replicates]:
    """Whole id -> group."""
    known: list[Sweep] | None = None
    found: dict[str, Replicates] = {}
    for group in wanted:
        if group not in found:
            known = project.journal.sweeps() if known is None else known
            found[group] = replicates(project, group, known=known)
    return found


def folded(rows: Iterable[RunRow], groups: dict[str, Replicates]) -> list[RunRow]:
    """`rows` with one row for each of `groups`, where its first one stood: the means are its metrics."""
    found: dict[str, RunRow] = {}
    for row in rows:
        if row.group not in groups:
            found[row.id] = row
        elif row.group not in found:
            found[row.group] = _one_row(row, groups[row.group])
    return list(found.values())


def _one_row(row: RunRow, group: Replicates) -> RunRow:
    return row._replace(
        state=group.state,
        time=group.time,
        ended=group.time + group.seconds,
        message=group.message,
        params={key: value for key, value in row.params.items() if key != group.seed_key},
        metrics={name: one.mean for name, one in group.metrics.items()},
        trial=0,
        seed=None,
    )


def _state(known: Iterable[Trial], asked: int) -> str:
    states = [one.state for one in known]
    worst = next((state for state in _WORST_FIRST if state in states), "succeeded")
    return "stopped" if worst == "succeeded" and len([one for one in known if one.number]) < asked else worst


def _unrecorded(project: Project, group: str) -> Sweep:
    """What can be said of a group whose own record is not in this clone: what its runs tell."""
    from axil.formats.record import Sweep

    rows = [row for row in project.journal.members(group) if row.trial]
    seeds = list(dict.fromkeys(row.seed for row in rows if row.seed is not None))
    first = min((row.time for row in rows), default=0.0)
    return Sweep(id=group, time=first, seeds=seeds, sampler="seeds", trials=len({row.trial for row in rows}))

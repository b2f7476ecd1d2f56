"""What sweeps and groups of replicates came to: the list of them, and one with its trials, the best first."""

from __future__ import annotations

import math
from collections.abc import Iterable

from axil.actions.drive import driven, missing
from axil.actions.lost import adopt
from axil.actions.replicates import statistics
from axil.actions.trials import UNDER_WAY, Trial, find, trials
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.statistics import Interval
from axil.runs.sampling import importance

if TYPE_CHECKING:
    from axil.formats.record import Sweep
    from axil.project import Project


class SweepRow(NamedTuple):
    """One sweep in short."""

    sweep: str
    experiment: str
    time: float
    state: str
    """ "running", "unfinished" or "finished"."""
    trials: int
    over: int
    sampler: str
    goal: str
    direction: str
    best: float | None
    best_run: str
    space: dict[str, str]


class SweepView(NamedTuple):
    """One sweep or group of replicates in full."""

    sweep: str
    experiment: str
    commit: str
    time: float
    state: str
    sampler: str
    goal: str
    direction: str
    space: dict[str, str]
    seeds: list[int]
    trials: tuple[Trial, ...]
    """The best first, then those without the goal; that of the shared stages last."""
    best: Trial | None
    importance: dict[str, float]
    """Parameter -> its share in what moves the goal, the greatest first; {} where that cannot be said."""
    measure: str
    """What the importance is measured by."""
    statistics: dict[str, Interval]
    """Metric -> mean and interval over the trials that succeeded; of replicates only."""
    pruner: str = ""
    """Who ends trials early, "" for nobody."""
    sample: int = 0
    """Its runs are rehearsals on so many samples."""


def listed(project: Project) -> tuple[SweepRow, ...]:
    """All sweeps, the newest first."""
    adopt(project)
    return tuple(_row(project, one) for one in reversed(project.journal.sweeps()) if not one.seeds)


def view(project: Project, name: str = "") -> SweepView:
    """The sweep or group that `name` means; without one the latest sweep. Raises `NotFound`."""
    adopt(project)
    sweep = find(project, name, replicates=bool(name))
    known = trials(project, sweep)
    best = _best(sweep, known.values())
    found = importance(sweep, known.values())
    succeeded = [one for one in known.values() if one.number and one.state == "succeeded"]
    return SweepView(
        sweep.id,
        sweep.experiment,
        sweep.commit,
        sweep.time,
        _state(project, sweep, known),
        sweep.sampler,
        sweep.goal,
        sweep.direction,
        sweep.space,
        sweep.seeds,
        tuple(sorted(known.values(), key=lambda one: _place(sweep, one))),
        best,
        found,
        "PED-ANOVA" if found else "",
        statistics(succeeded) if sweep.seeds else {},
        sweep.pruner,
        sweep.sample,
    )


def _row(project: Project, sweep: Sweep) -> SweepRow:
    known = trials(project, sweep)
    best = _best(sweep, known.values())
    over = sum(one.state not in UNDER_WAY for one in known.values() if one.number)
    return SweepRow(
        sweep.id,
        sweep.experiment,
        sweep.time,
        _state(project, sweep, known),
        sweep.trials,
        over,
        sweep.sampler,
        sweep.goal,
        sweep.direction,
        best.value if best else None,
        best.run if best else "",
        sweep.space,
    )


def _state(project: Project, sweep: Sweep, known: dict[int, Trial]) -> str:
    if any(one.state in UNDER_WAY for one in known.values()) or driven(project, sweep):
        return "running"
    return "unfinished" if missing(sweep, known) else "finished"


def _good(one: Trial) -> bool:
    return one.number > 0 and one.state == "succeeded" and one.value is not None and math.isfinite(one.value)


def _best(sweep: Sweep, known: Iterable[Trial]) -> Trial | None:
    return min((one for one in known if _good(one)), key=lambda one: _place(sweep, one), default=None)


def _place(sweep: Sweep, one: Trial) -> tuple[object, ...]:
    if not _good(one) or one.value is None:
        return one.number == 0, True, 0.0, one.number
    return False, False, -one.value if sweep.direction == "max" else one.value, one.number

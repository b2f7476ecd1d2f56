"""How far a sweep or a group of replicates has come: its trials, those under way and those that are over."""

from __future__ import annotations

import os

from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError, NotFound
from axil.journal.rows import RunRow, Value
from axil.runs import rundir
from axil.runs.rundir import RunDir

if TYPE_CHECKING:
    from axil.formats.record import Sweep
    from axil.project import Project

UNDER_WAY = ("queued", "running")


class Trial(NamedTuple):
    """One run of a sweep, from 1 on; 0 is the run of the stages that all share."""

    number: int
    run: str
    state: str
    params: dict[str, Value]
    """The values of the parameters that the sweep varies."""
    value: float | None
    """The goal."""
    seconds: float
    seed: int | None
    metrics: dict[str, float]
    pruned: int | None = None
    """The step at which it was ended early, for it was clearly worse than others."""

    @property
    def outcome(self) -> str:
        """The state, or "pruned"."""
        return self.state if self.pruned is None else "pruned"


def trials(project: Project, sweep: Sweep) -> dict[int, Trial]:
    """The latest run of each trial that was begun, by number."""
    # Live ones first: a run that ends between the two looks is in both, never in none.
    live = {one.number: one for one in _live(project, sweep)}
    project.journal.refresh()
    found: dict[int, Trial] = {}
    for row in project.journal.members(sweep.id):
        found[row.trial] = of_row(sweep, row)
    for number, one in live.items():
        if number not in found or found[number].run < one.run:
            found[number] = one
    return dict(sorted(found.items()))


def of_row(sweep: Sweep, row: RunRow) -> Trial:
    """The trial that `row` is the run of."""
    keys = sweep.space or ([sweep.seed_key] if sweep.seed_key else [])
    values = {key: row.params[key] for key in keys if row.trial and key in row.params}
    seconds = max(0.0, row.ended - row.time)
    value = row.metrics.get(sweep.goal)
    return Trial(row.trial, row.id, row.state, values, value, seconds, row.seed, dict(row.metrics), row.pruned)


def find(project: Project, name: str, *, replicates: bool = True) -> Sweep:
    """The sweep that `name` (a beginning or end of its id) means; the latest without one. Raises `NotFound`."""
    known = [one for one in project.journal.sweeps() if replicates or not one.seeds]
    wanted = name.upper()
    fits = [one for one in known if one.id.startswith(wanted) or (len(wanted) >= 4 and one.id.endswith(wanted))]
    if wanted and len(fits) > 1:
        raise NotFound(f"{name} may be any of several sweeps", ", ".join(short(one.id) for one in fits), "type more")
    if not fits:
        why = f"there are: {', '.join(short(one.id) for one in known[-10:])}" if known else "there is none yet"
        raise NotFound(f"there is no sweep {name}".rstrip(), why, "axil sweep list")
    return fits[-1]


def _live(project: Project, sweep: Sweep) -> list[Trial]:
    found = []
    for run in rundir.ids(project.runs_folder):
        folder = RunDir(os.path.join(project.runs_folder, run))
        try:
            spec = folder.spec()
            if sweep.id in (spec.sweep, spec.group):
                state = "queued" if folder.state().admitted is None else "running"
                values = {key: value for key, value in spec.params.items() if key in sweep.space}
                found.append(Trial(spec.trial, run, state, values, None, 0.0, spec.seed, {}))
        except AxilError:
            continue  # It ended meanwhile: then the journal has it.
    return found

"""The early end of trials: what those under way log is watched, and the sweep's pruner judges it.

A decision is written into the trial's folder before it is told to stop, so it survives whoever made it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress

from axil.actions.live import tell_to_stop
from axil.actions.series import points_of
from axil.actions.trials import UNDER_WAY, Trial
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError
from axil.formats.runfiles import Pruned
from axil.runs.pruning import Pruner, Watch, steps_of
from axil.runs.rundir import SERIES, RunDir

if TYPE_CHECKING:
    from axil.formats.record import Run, Sweep
    from axil.formats.series import Point
    from axil.project import Project


class NotLogged(NamedTuple):
    """A trial succeeded and never logged the goal, so nothing can be pruned; `logged` is what it logged instead."""

    goal: str
    logged: tuple[str, ...]


class Judge:
    """Ends trials of `sweep` early; `known` are those begun before."""

    def __init__(self, project: Project, sweep: Sweep, known: Iterable[Trial]) -> None:
        self._project = project
        self._goal = sweep.goal
        self._pruner = Pruner(sweep)
        self._watches: dict[str, Watch] = {}
        self._ended: set[str] = set()
        self._warned = False
        for one in sorted(known, key=lambda one: one.number):
            if one.number and one.state not in UNDER_WAY:
                self._over(one)

    def look(self, going: Iterable[Trial]) -> None:
        """Read on in what the trials under way log, and tell those to stop that are clearly worse."""
        for one in going:
            if not one.number or one.run in self._ended:
                continue
            folder = RunDir(os.path.join(self._project.runs_folder, one.run))
            watch = self._watches.get(one.run)
            decided = None
            try:
                if watch is None:
                    watch = self._watches[one.run] = Watch(folder.file(SERIES), self._goal)
                    decided = folder.state().pruned
                step = self._pruner.hear(one.number, watch.new())
                if decided is None and step is not None:
                    folder.record(Pruned(step))
                if decided is not None or step is not None:
                    self._ended.add(one.run)
                    tell_to_stop(self._project, folder)
            except (AxilError, OSError):
                continue  # It ended meanwhile.

    def over(self, one: Trial) -> NotLogged | None:
        """Hear what became of a trial; a warning if nothing can be pruned for want of a series, once."""
        self._watches.pop(one.run, None)
        run, logged = self._over(one)
        if self._warned or one.state != "succeeded" or self.curve(one.number) or run is None:
            return None
        if all(stage.state == "cached" for stage in run.stages):
            return None  # Nothing ran that could have logged.
        self._warned = True
        return NotLogged(self._goal, logged)

    def curve(self, number: int) -> Mapping[int, float]:
        """The goal of a trial over its steps."""
        return self._pruner.curve(number)

    def _over(self, one: Trial) -> tuple[Run | None, tuple[str, ...]]:
        """Tell the pruner of a trial that is over; its record, and the names of all that it logged."""
        points: list[Point] = []
        run = None
        with suppress(AxilError):
            run = self._project.journal.run(one.run)
            points = list(points_of(self._project, one.run, run.series, SERIES)) if run.series else []
        self._pruner.over(one.number, one.outcome, one.value, steps_of(points, self._goal))
        return run, tuple(dict.fromkeys(point.name for point in points))

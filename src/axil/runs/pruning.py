"""Which trials of a sweep are ended early, for they do clearly worse than others at the same step: Optuna's pruners.

Like a sampler, a pruner is made anew from what the journal knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from axil.base.light import TYPE_CHECKING, Any
from axil.formats.series import Point, Reader
from axil.runs.follow import Growing
from axil.runs.sampling import optuna

if TYPE_CHECKING:
    from axil.formats.record import Sweep

PRUNERS = ("median", "halving")
"""Hyperband is none of them: what it decides depends on what was known when, which no journal tells."""
_FIRST = 5
"""So many trials have to succeed before `median` judges."""


class Pruner:
    """Hears what trials log of the goal, and judges those under way by those that are over."""

    def __init__(self, sweep: Sweep) -> None:
        library = optuna()
        self._states = library.trial.TrialState
        # The first step is never judged: scripts log a last value without a step too.
        halving = library.pruners.SuccessiveHalvingPruner(min_resource=1)
        median = library.pruners.MedianPruner(n_startup_trials=_FIRST, n_warmup_steps=1)
        self._by_rungs = sweep.pruner == "halving"
        self._study = library.create_study(
            direction="maximize" if sweep.direction == "max" else "minimize",
            sampler=library.samplers.RandomSampler(seed=0),
            pruner=halving if self._by_rungs else median,
        )
        self._trials: dict[int, Any] = {}
        self._curves: dict[int, dict[int, float]] = {}

    def hear(self, number: int, points: Iterable[tuple[int, float]]) -> int | None:
        """More of what the trial `number` logged: the step at which it is to be ended, None to let it go on."""
        trial, curve = self._trial(number), self._curves[number]
        verdict = last = None
        for step, value in points:
            place = coarse(step)
            if place in curve:
                continue
            curve[place] = value
            last = step
            trial.report(value, place)
            # A rung is climbed or not at its own step; the median counts where the trial is now.
            if self._by_rungs and trial.should_prune() and verdict is None:
                verdict = step
        if last is not None and not self._by_rungs and trial.should_prune():
            return last
        return verdict

    def over(self, number: int, outcome: str, value: float | None, points: Iterable[tuple[int, float]]) -> None:
        """What became of a trial, and all it logged. Trials that neither succeeded nor were pruned do not count."""
        if outcome not in ("succeeded", "pruned"):
            return
        self.hear(number, points)
        trial = self._trials.pop(number)
        if outcome == "succeeded" and value is not None and math.isfinite(value):
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=self._states.PRUNED if outcome == "pruned" else self._states.FAIL)

    def curve(self, number: int) -> Mapping[int, float]:
        """The goal of a trial over its steps, as far as it was heard."""
        return self._curves.get(number, {})

    def _trial(self, number: int) -> Any:
        if number not in self._trials:
            self._trials[number] = self._study.ask()
            self._curves[number] = {}
        return self._trials[number]


def coarse(step: int) -> int:
    """`step` with its two leading digits: the pruner's work must not grow with the number of points."""
    unit = int("1".ljust(len(str(step)) - 1, "0"))
    return step // unit * unit


def steps_of(points: Iterable[Point], goal: str) -> list[tuple[int, float]]:
    """The goal by whole steps, from 0."""
    return [
        (int(point.step), point.value)
        for point in points
        if point.name == goal and point.step >= 0 and math.isfinite(point.step)
    ]


class Watch:
    """The goal's series of a run under way, read as it grows."""

    def __init__(self, path: str, goal: str) -> None:
        self._file = Growing(path)
        self._reader = Reader()
        self._goal = goal

    def new(self) -> list[tuple[int, float]]:
        """The steps since the last call."""
        lines = self._file.lines()
        return steps_of(self._reader.feed(b"".join(line + b"\n" for line in lines)), self._goal) if lines else []

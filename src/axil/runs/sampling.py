"""Which parameters the next trial of a sweep gets: the next point of a grid, or what Optuna proposes.

A sampler is made anew from what the journal knows, so it holds nothing that could be lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from axil.base.light import TYPE_CHECKING, Any, Protocol
from axil.base.quickjson import canonical
from axil.errors import AxilError
from axil.formats import space as spaces
from axil.formats.space import Dimension, Space
from axil.journal.rows import Value

if TYPE_CHECKING:
    from axil.formats.record import Sweep

UNDER_WAY = ("queued", "running")
FEWEST = 4
"""Of fewer trials nobody can tell which parameter matters."""
Curve = Mapping[int, float]


class Known(Protocol):
    """What a sampler asks of a trial that was begun."""

    @property
    def number(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def params(self) -> Mapping[str, Value]: ...
    @property
    def value(self) -> float | None: ...


class Sampler(Protocol):
    """Proposes parameters for trials by number, from 1, and hears what came of them."""

    def ask(self, number: int) -> dict[str, Value]:
        """The parameters of a trial that was never begun."""

    def again(self, number: int, params: Mapping[str, Value]) -> dict[str, Value]:
        """The parameters of a trial that is run once more."""

    def tell(self, number: int, outcome: str, value: float | None, curve: Curve) -> None:
        """What became of a trial: its state or "pruned", the goal, and of a pruned one the goal over its steps."""


def sampler(sweep: Sweep, known: Iterable[Known], curve: Callable[[int], Curve] = lambda number: {}) -> Sampler:
    """The sampler of `sweep`, which has come as far as the trials `known`.

    `curve` tells the goal over the steps of a trial by its number.
    """
    if sweep.sampler in ("grid", "seeds"):
        return Grid(spaces.of_record(sweep.space, sweep.keys))
    return Study(sweep, known, curve)


def importance(sweep: Sweep, known: Iterable[Known]) -> dict[str, float]:
    """Parameter -> how much it decides whether a trial is among the best, the greatest first; together 1.

    By PED-ANOVA (Watanabe, Bansal and Hutter 2023, as in Optuna). Empty if that cannot be told: without Optuna, or of
    too few trials that succeeded.
    """
    import warnings

    from axil.base.structs import msgspec

    good = [one for one in known if one.number and one.state == "succeeded" and one.value is not None]
    if len(good) < FEWEST or not sweep.space:
        return {}
    try:
        measure = optuna().importance
    except AxilError:
        return {}
    # Whoever proposed the trials, they are only counted here.
    study = Study(msgspec.structs.replace(sweep, sampler="random"), good, lambda number: {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return study.importance(measure.PedAnovaImportanceEvaluator())


class Grid:
    """Every point, in order; the last parameter changes fastest."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def ask(self, number: int) -> dict[str, Value]:
        return spaces.grid_point(self._space, number - 1)

    def again(self, number: int, params: Mapping[str, Value]) -> dict[str, Value]:
        point = self.ask(number)
        return {key: params.get(key, value) for key, value in point.items()}

    def tell(self, number: int, outcome: str, value: float | None, curve: Curve) -> None:
        pass


def optuna() -> Any:
    """Optuna. Raises `AxilError` naming what to install if it is not there."""
    try:
        import optuna
    except ImportError:
        raise AxilError(
            "this sampler needs Optuna",
            "it is not installed in axil's environment",
            "pip install 'axil[sweep]', or take --sampler grid",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Study:
    """An Optuna study in memory, rebuilt from the trials that are known."""

    def __init__(self, sweep: Sweep, known: Iterable[Known], curve: Callable[[int], Curve]) -> None:
        self._optuna = optuna()
        self._sweep = sweep
        self._space = spaces.of_record(sweep.space, sweep.keys)
        self._distributions = {key: self._distribution(one) for key, one in self._space.items()}
        direction = "maximize" if sweep.direction == "max" else "minimize"
        self._study = self._optuna.create_study(direction=direction, sampler=self._sampler(0))
        self._open: dict[int, Any] = {}
        # What CMA-ES learns it keeps in the trials it proposed: it sees each of them asked and told again.
        self._replays = sweep.sampler == "cmaes"
        for one in sorted(known, key=lambda one: one.number):
            if one.number:
                self._remember(one, curve(one.number) if one.outcome == "pruned" else {})

    def ask(self, number: int) -> dict[str, Value]:
        if not self._replays:
            # Of its number, so that what a trial gets does not depend on how often the driver was interrupted.
            self._study.sampler = self._sampler(number)
        trial = self._open[number] = self._study.ask(self._distributions)
        return {key: self._value(self._space[key], trial.params[key]) for key in self._space}

    def again(self, number: int, params: Mapping[str, Value]) -> dict[str, Value]:
        self._study.enqueue_trial(self._inner(params))
        self._open[number] = self._study.ask(self._distributions)
        return {key: params[key] for key in self._space}

    def tell(self, number: int, outcome: str, value: float | None, curve: Curve) -> None:
        trial, states = self._open.pop(number), self._optuna.trial.TrialState
        if outcome == "succeeded" and value is not None and math.isfinite(value):
            self._study.tell(trial, value)
        elif outcome == "pruned" and curve:
            for step, reached in curve.items():
                trial.report(reached, step)
            self._study.tell(trial, state=states.PRUNED)
        else:
            self._study.tell(trial, state=states.FAIL)

    def importance(self, evaluator: Any) -> dict[str, float]:
        """What `evaluator` says of the parameters; {} if the trials do not differ in the goal."""
        if len({trial.value for trial in self._study.trials}) < 2:
            return {}
        found = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {key: float(share) for key, share in found.items()}

    def _remember(self, one: Known, curve: Curve) -> None:
        if any(key not in one.params or not self._space[key].holds(one.params[key]) for key in self._space):
            return
        if one.state in UNDER_WAY:
            self.again(one.number, one.params)
        elif self._replays:
            self.again(one.number, one.params)
            self.tell(one.number, one.outcome, one.value, curve)
        elif one.state == "succeeded" and one.value is not None and math.isfinite(one.value):
            frozen = self._optuna.trial.create_trial(
                params=self._inner(one.params), distributions=self._distributions, value=one.value
            )
            self._study.add_trial(frozen)
        elif curve:
            last = curve[max(curve)]
            frozen = self._optuna.trial.create_trial(
                state=self._optuna.trial.TrialState.PRUNED,
                params=self._inner(one.params),
                distributions=self._distributions,
                intermediate_values=dict(curve),
                value=last if math.isfinite(last) else None,
            )
            self._study.add_trial(frozen)

    def _sampler(self, number: int) -> Any:
        import warnings

        samplers, seed = self._optuna.samplers, self._sweep.seed + number
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self._sweep.sampler == "tpe":
                # Trials under way count as bad ones, so that those at work at the same time look elsewhere.
                return samplers.TPESampler(seed=seed, constant_liar=True)
            if self._sweep.sampler == "cmaes":
                return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
            return samplers.RandomSampler(seed=seed)

    def _distribution(self, one: Dimension) -> Any:
        kinds = self._optuna.distributions
        if one.kind == "choice":
            return kinds.CategoricalDistribution([canonical(choice) for choice in one.choices])
        if one.kind in ("int", "logint"):
            low, high = int(one.low), int(one.high)
            high -= (high - low) % one.step
            return kinds.IntDistribution(low, high, log=one.kind == "logint", step=one.step)
        return kinds.FloatDistribution(one.low, one.high, log=one.kind == "log")

    def _inner(self, params: Mapping[str, Value]) -> dict[str, Any]:
        """The parameters as Optuna has them: a choice is its JSON text, since lists are choices too."""
        choices = {key for key, one in self._space.items() if one.kind == "choice"}
        return {key: canonical(params[key]) if key in choices else params[key] for key in self._space}

    @staticmethod
    def _value(one: Dimension, inner: Any) -> Value:
        return next(choice for choice in one.choices if canonical(choice) == inner) if one.kind == "choice" else inner

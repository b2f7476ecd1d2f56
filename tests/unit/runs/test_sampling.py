"""Samplers, rebuilt from what is known as often as anybody likes."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from axil.actions.trials import Trial
from axil.formats.record import Sweep
from axil.runs.sampling import FEWEST, importance, sampler

SPACE = {"lr": "log(1e-4,1e-1)", "model": "mlp,cnn", "layers": "int(1,4)"}
ID = "01M8BMKAKV26PNYMFVJ8R8P8QD"


@pytest.mark.parametrize(("name", "needs"), [("random", "optuna"), ("tpe", "optuna"), ("cmaes", "cmaes")])
def test_a_study_is_rebuilt_at_every_trial(name, needs):
    pytest.importorskip("optuna")
    pytest.importorskip(needs)
    sweep = Sweep(id=ID, time=0.0, space=SPACE, sampler=name, trials=9, seed=3, goal="f1")
    known: list[Trial] = []
    for number in range(1, 14):
        params: Any = sampler(sweep, known).ask(number)
        if name in ("random", "tpe"):
            assert params == sampler(sweep, known).ask(number)
        assert params["model"] in ("mlp", "cnn") and 1e-4 <= params["lr"] <= 1e-1 and params["layers"] in (1, 2, 3, 4)
        state = ("succeeded", "failed", "lost", "running")[number % 4]
        known.append(Trial(number, ID, state, params, params["lr"] if state == "succeeded" else None, 1.0, None, {}))
    assert len({one.params["lr"] for one in known}) > 5


def test_a_grid_needs_nothing():
    grid = sampler(Sweep(id=ID, time=0.0, space={"a": "1,2", "b": "x,y"}, trials=4), [])
    found = [tuple(grid.ask(number).values()) for number in (1, 2, 3, 4)]
    assert found == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def _done(sweep: Sweep, count: int, goal: Any) -> list[Trial]:
    asked = sampler(Sweep(id=ID, time=0.0, space=sweep.space, sampler="random", seed=1, goal="f1"), [])
    found = []
    for number in range(1, count + 1):
        params: Any = asked.ask(number)
        found.append(Trial(number, ID, "succeeded", params, goal(params), 1.0, None, {}))
    return found


@pytest.mark.parametrize("name", ["random", "tpe", "cmaes", "grid"])
def test_the_parameter_that_matters_is_the_most_important(name):
    pytest.importorskip("optuna")
    sweep = Sweep(id=ID, time=0.0, space=SPACE, sampler=name, trials=40, goal="f1")
    known = _done(sweep, 40, lambda params: -abs(params["lr"] - 0.01) + 0.001 * params["layers"])
    found = importance(sweep, known)
    assert next(iter(found)) == "lr" and found["lr"] > 0.5 and sum(found.values()) == pytest.approx(1)
    alone = Sweep(id=ID, time=0.0, space={"lr": "log(1e-4,1e-1)"}, sampler=name, trials=7, goal="f1")
    assert importance(alone, _done(alone, 7, lambda params: params["lr"])) == {"lr": 1.0}


def test_of_what_nothing_can_be_told(monkeypatch):
    pytest.importorskip("optuna")
    sweep = Sweep(id=ID, time=0.0, space=SPACE, sampler="random", trials=9, goal="f1")
    known = _done(sweep, 9, lambda params: params["lr"])
    assert importance(sweep, known) and not importance(sweep, known[: FEWEST - 1])
    assert importance(sweep, [one._replace(value=0.5) for one in known]) == {}
    assert importance(sweep, [one._replace(state="failed") for one in known]) == {}
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert importance(sweep, known) == {}

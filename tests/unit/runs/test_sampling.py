"""Samplers, rebuilt from what is known as often as anybody likes."""

from __future__ import annotations

from typing import Any

import pytest

from axil.actions.trials import Trial
from axil.formats.record import Sweep
from axil.runs.sampling import sampler

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

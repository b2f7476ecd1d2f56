"""Pruners, rebuilt from what is known as often as anybody likes."""

from __future__ import annotations

from typing import Any

import pytest

from axil.actions.trials import Trial
from axil.formats.record import Sweep
from axil.formats.series import Point
from axil.runs.pruning import Pruner, Watch, coarse, steps_of
from axil.runs.sampling import sampler

pytest.importorskip("optuna")
ID = "01M8BMKAKV26PNYMFVJ8R8P8QD"


def sweep(pruner="median", direction="max", **more):
    return Sweep(id=ID, time=0.0, space={"lr": "uniform(0,1)"}, trials=9, direction=direction, pruner=pruner, **more)


def line(slope, steps=10):
    return [(step, slope * step) for step in range(steps)]


def after(pruner, *slopes):
    made = Pruner(pruner)
    for number, slope in enumerate(slopes, 1):
        made.over(number, "succeeded", slope * 10, line(slope))
    return made


@pytest.mark.parametrize(("direction", "worse", "better"), [("max", 0.5, 9.0), ("min", 9.0, 0.5)])
def test_the_median_ends_what_is_worse_at_the_same_step(direction, worse, better):
    pruner = after(sweep(direction=direction), 1, 2, 3, 4, 5)
    assert pruner.hear(6, [(0, -1.0 if direction == "max" else 99.0)]) is None, "the first step says nothing"
    assert pruner.hear(6, [(1, worse), (2, worse * 2)]) == 2
    assert pruner.hear(7, line(better)) is None


def test_nobody_is_judged_by_too_few():
    assert after(sweep(), 1, 2, 3, 4).hear(5, line(0.1)) is None
    assert after(sweep("halving"), 4).hear(2, line(0.1)) == 1


def test_a_diverged_trial_is_ended():
    assert after(sweep(), 1, 2, 3, 4, 5).hear(6, [(0, 1.0), (1, float("nan"))]) == 1


@pytest.mark.parametrize("kind", ["median", "halving"])
def test_a_pruner_made_anew_decides_the_same(kind):
    """At every point of every trial: one that heard all, and one that is made anew from the trials that are over."""
    slopes = [3, 5, 1, 4, 2, 2.5, 6, 0.5, 4.5, 3.5]
    lasting = Pruner(sweep(kind))
    over: list[tuple[int, str, float | None, list[tuple[int, float]]]] = []
    decided = []
    for number, slope in enumerate(slopes, 1):
        heard: list[tuple[int, float]] = []
        verdict = None
        for point in line(slope):
            heard.append(point)
            again = Pruner(sweep(kind))
            for known in over:
                again.over(*known)
            verdict = lasting.hear(number, [point])
            assert again.hear(number, heard) == verdict
            if verdict is not None:
                break
        decided.append(verdict)
        outcome = "succeeded" if verdict is None else "pruned"
        over.append((number, outcome, slope * 10 if verdict is None else None, heard))
        lasting.over(*over[-1])
    assert decided[:2] == [None, None] and any(decided)


def test_steps_are_whole_and_few():
    points = [Point("s", name, step, 0.0, 1.0) for name in ("f1", "x") for step in (-1.0, 0.0, 1.5, float("inf"), 7.0)]
    assert [step for step, _ in steps_of(points, "f1")] == [0, 1, 7]
    assert [coarse(step) for step in (0, 9, 42, 99, 123, 98765)] == [0, 9, 42, 99, 120, 98000]
    assert len({coarse(step) for step in range(100_000)}) == 370


def test_a_series_is_watched_as_it_grows(tmp_path):
    path = tmp_path / "series.jsonl"
    watch = Watch(str(path), "f1")
    assert watch.new() == []
    path.write_text('{"metrics":{"f1":0.5,"loss":1},"step":0}\n{"metrics":{"f1"')
    assert watch.new() == [(0, 0.5)]
    with path.open("a") as file:
        file.write(':0.6},"step":1}\n')
    path.unlink()
    assert watch.new() == [(1, 0.6)]


def test_the_sampler_learns_from_pruned_trials():
    """Told while it happens or read from the journal afterwards: the next proposal is the same."""
    asked = sweep(sampler="tpe", seed=3)
    live = sampler(asked, [])
    curves = {}
    known = []
    for number in range(1, 13):
        params: Any = live.ask(number)
        pruned = number % 2 == 0
        curves[number] = dict(line(params["lr"], 4)) if pruned else {}
        value = None if pruned else params["lr"]
        live.tell(number, "pruned" if pruned else "succeeded", value, curves[number])
        state = "stopped" if pruned else "succeeded"
        known.append(Trial(number, ID, state, params, value, 1.0, None, {}, 3 if pruned else None))
    proposed = live.ask(13)
    assert sampler(asked, known, curves.__getitem__).ask(13) == proposed
    assert sampler(asked, known, lambda number: {}).ask(13) != proposed

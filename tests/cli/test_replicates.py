"""Replicates are one result wherever results are shown: a mean with its interval."""

from __future__ import annotations

from functools import partial

import pytest

from axil.base.ids import new_id
from axil.formats import record as r


@pytest.fixture
def group(lab):
    """Makes replicates of an experiment from their values of f1 (None: failed), the newest results of all."""

    def make(experiment, *values, age=60.0):
        seeds = list(range(1, len(values) + 1))
        fields = {"sampler": "seeds", "seeds": seeds, "seed_key": "train.seed", "trials": len(values)}
        made = lab.append(r.Sweep, age, experiment=experiment, commit=lab.base, message="again", **fields)
        for seed, value in zip(seeds, values, strict=True):
            when = float(lab.now - age + seed)
            metrics = {} if value is None else {"f1": value, "loss": 0.3}
            run = r.Run(
                id=new_id(partial(float, when)),
                time=when,
                ended=when + 2,
                author="Ann Lee <ann@example.com>",
                experiment=experiment,
                commit=lab.base,
                snapshot=lab.base_tree,
                state="failed" if value is None else "succeeded",
                params={"train.lr": 0.1, "train.epochs": 30, "train.seed": seed},
                metrics=metrics,
                group=made,
                seed=seed,
                trial=seed,
            )
            lab.journal.append([run])
        return made

    return make


def test_runs_lists_them_as_one_line(lab, axil, group):
    made = group("digits", 0.90, 0.91, 0.92, 0.93, 0.94)
    lines = axil("runs").out.splitlines()
    assert len(lines) == 1 + 5
    assert lines[1].split()[:5] == [made[-7:], "5", "seeds", "✓", "digits"]
    assert "0.92 ± 0.02 " in lines[1] and "0.3 ± 0" in lines[1] and lines[1].endswith("again")
    assert "f1  0.92 ± 0.02  (n = 5)" in axil("show", made[-7:]).out, "the shown id names it"
    assert axil("show", made, "--json").json["sweep"] == made
    assert len(axil("runs", "--each").out.splitlines()) == 1 + 9
    assert len(axil("runs", "-n", "2").out.splitlines()) == 1 + 2


def test_json_keeps_single_runs_and_adds_the_group(lab, axil, group):
    made = group("digits", 0.90, None, 0.94)
    value = axil("runs", "--json").json
    assert [run["seed"] for run in value["runs"][:3]] == [3, 2, 1] and len(value["runs"]) == 7
    (found,) = value["groups"].values()
    assert (found["group"], found["state"], found["succeeded"], found["of"]) == (made, "failed", 2, 3)
    assert found["seeds"] == [1, 2, 3] and len(found["runs"]) == 3
    f1 = found["metrics"]["f1"]
    assert (f1["mean"], f1["n"]) == (pytest.approx(0.92), 2) and f1["half"] == pytest.approx(12.7062 * 0.02)
    assert "2 of 3 seeds" in axil("runs").out


def test_they_are_sorted_by_their_mean_and_found_by_any(lab, axil, group):
    made = group("digits", 0.80, 0.99, 0.80)
    assert [line.split()[0] for line in axil("runs", "--sort", "f1").out.splitlines()[1:]] == [
        lab.third[-7:],
        lab.second[-7:],
        lab.first[-7:],
        made[-7:],
        lab.failed[-7:],
    ]
    assert [line.split()[0] for line in axil("runs", "--where", "f1 > 0.98").out.splitlines()[1:]] == [made[-7:]]


def test_tree_has_the_mean_of_the_latest_result(lab, axil, group):
    made = group("digits_decay", 0.91, 0.93, 0.95, None)
    nodes = {node["name"]: node for node in axil("tree", "--json").json["nodes"]}
    node = nodes["digits_decay"]
    assert (node["group"], node["seeds"], node["of"]) == (made, 3, 4)
    assert node["value"] == pytest.approx(0.93) and node["half"] == pytest.approx(4.3027 * 0.02 / 3**0.5)
    assert (node["within_noise"], node["better"]) == (True, None)
    assert nodes["digits"]["half"] is None
    out = axil("tree", "--color").out
    assert "0.93 ± 0.05 (3 of 4 seeds)" in out and "\x1b[2m+0.01 within noise" in out


def test_a_single_replicate_is_never_the_best(lab, axil, group):
    group("digits", 0.70, 0.99, 0.70, age=86400 * 2.5)
    nodes = {node["name"]: node for node in axil("tree", "--json").json["nodes"]}
    assert (nodes["digits"]["value"], nodes["digits"]["run"], nodes["digits"]["group"]) == (0.92, lab.second, "")
    assert axil("show", "digits", "--json").json["best"]["id"] == lab.second


def test_show_says_what_they_come_to(lab, axil, group):
    made = group("digits", 0.90, 0.92, None)
    view = axil("show", "digits", "--json").json
    assert (view["replicates"]["group"], view["replicates"]["succeeded"]) == (made, 2)
    assert view["best"]["id"] == lab.second
    out = axil("show", "digits").out
    assert "2 of 3 seeds" in out and "f1 0.91 ± 0.13" in out
    run = view["replicates"]["runs"][0]
    out = axil("show", run).out
    assert "replicate 1 (seed 1); 2 of 3 seeds" in out and "0.91 ± 0.13 (2 seeds)" in out
    assert axil("show", run, "--json").json["replicates"]["metrics"]["f1"]["n"] == 2


def test_compare_marks_what_may_be_chance(lab, axil, group):
    group("digits", 0.90, 0.91, 0.92)
    group("digits_decay", 0.91, 0.92, 0.93)
    row = axil("compare", "digits", "digits_decay", "--json").json["metrics"][0]
    assert row["values"] == {"digits": pytest.approx(0.91), "digits_decay": pytest.approx(0.92)}
    assert (row["within_noise"], row["better"]) == ({"digits_decay": True}, {"digits_decay": None})
    assert row["intervals"]["digits"]["n"] == 3
    out = axil("compare", "digits", "digits_decay", "--color").out
    assert "0.91 ± 0.025" in out and "\x1b[2m+0.01 within noise" in out and "\x1b[32m+" not in out
    assert "3 seeds" in out
    assert "+0.01 within noise" in axil("compare", "digits", "digits_decay", "--md").out
    assert "f1 ±" in axil("compare", "digits", "digits_decay", "--csv").out


def test_compare_knows_a_real_difference(lab, axil, group):
    group("digits", 0.90, 0.91, 0.92)
    group("digits_decay", 0.95, 0.96, 0.97)
    value = axil("compare", "digits", "digits_decay", "--json").json
    row = value["metrics"][0]
    assert (row["within_noise"], row["better"]) == ({"digits_decay": False}, {"digits_decay": True})
    seeds = next(row for row in value["params"] if row["key"] == "train.seed")
    assert (seeds["values"]["digits"], seeds["changed"]) == ([1, 2, 3], False)
    assert (value["sides"][1]["seeds"], value["sides"][1]["of"]) == (3, 3)


def test_a_run_that_is_named_stands_for_itself(lab, axil, group):
    group("digits", 0.90, 0.91, 0.92)
    run = axil("show", "digits", "--json").json["replicates"]["runs"][2]
    row = axil("compare", run, "digits_decay", "--json").json["metrics"][0]
    assert row["values"][run] == 0.92 and row["intervals"] == {}


def test_a_group_without_its_own_record_is_what_its_runs_say(lab, axil, group):
    made = group("digits", 0.90, 0.92)
    lab.append(r.Retract, 1, target=made)
    assert "2 seeds" in axil("runs").out

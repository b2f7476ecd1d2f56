"""Sweeps and replicates as real processes; the driver may be killed."""

from __future__ import annotations

import signal

import pytest
from tests.cli.detached import gated, until


@pytest.fixture
def lab(tmp_path):
    with gated(tmp_path) as made:
        yield made


def test_a_killed_driver_loses_no_trial_and_repeats_none(lab):
    driver = lab.begin("sweep", "lr=0.1,0.2,0.3", "--jobs", "2")
    until(lambda: len(list(lab.gates.glob("*.began"))) == 2, "two trials begin")
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=120)
    assert list(lab.live().values()) == ["running", "running"]
    lab.let()
    lab.axil("sweep", "resume")
    view = lab.axil("sweep", "show", "--json").json
    assert view["state"] == "finished"
    found = [(one["number"], one["params"].get("lr"), one["value"]) for one in view["trials"]]
    assert found == [(3, 0.3, 0.6), (2, 0.2, 0.4), (1, 0.1, 0.2), (0, None, None)]
    assert sorted(row["trial"] for row in lab.axil("runs", "--json").json["runs"]) == [0, 1, 2, 3]
    stages = lab.axil("show", view["best"]["run"], "--json").json["run"]["stages"]
    assert (stages[0]["state"], stages[0]["source"]) == ("cached", view["trials"][-1]["run"])
    lab.axil("fork", "winner", "--from", view["best"]["run"])
    assert lab.read("params.yaml") == "lr: 0.3\n"
    lab.clean()


def test_a_resumed_grid_keeps_the_order_in_which_it_was_typed(lab):
    """Also where that is not the order of the names: each point is run once, and a failed one again as it was."""
    toml = lab.read("axil.toml").replace('["lr"]', '["lr", "depth"]')
    train = lab.read("train.py") + "assert (axil.params.lr, axil.params.depth) != (0.1, 2)\n"
    lab.write({"params.yaml": "lr: 0.25\ndepth: 1\n", "axil.toml": toml, "train.py": train})
    driver = lab.begin("sweep", "lr=0.1,0.2", "depth=1,2", "--jobs", "2")
    until(lambda: len(list(lab.gates.glob("*.began"))) == 2, "two trials begin")
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=120)
    lab.let()
    for words in ((), ("--retry-failed",)):
        lab.axil("sweep", "resume", *words, code=1)
        trials = lab.axil("sweep", "show", "--json").json["trials"]
        points = {one["number"]: (one["params"]["lr"], one["params"]["depth"]) for one in trials if one["number"]}
        assert points == {1: (0.1, 1), 2: (0.1, 2), 3: (0.2, 1), 4: (0.2, 2)}
        assert [one["number"] for one in trials if one["state"] == "failed"] == [2]


def test_replicates_differ_in_their_seed_and_share_the_rest(lab):
    train = lab.read("train.py").replace("lr * 2", 'lr * int(os.environ["AXIL_SEED"])')
    toml = lab.read("axil.toml").replace('["lr"]', '["lr", "seed"]')
    lab.write({"params.yaml": "lr: 0.25\nseed: 0\n", "axil.toml": toml, "train.py": train})
    lab.let()
    assert "0.5 ± 3.2" in lab.axil("run", "--seeds", "1,3").out
    rows = lab.axil("runs", "--json").json["runs"]
    assert sorted((row["trial"], row["seed"], row["params"]["seed"]) for row in rows) == [
        (0, None, 0),
        (1, 1, 1),
        (2, 3, 3),
    ]
    assert len({row["group"] for row in rows}) == 1


def test_replicates_are_one_line_from_the_first_moment_and_say_if_one_failed(lab):
    train = lab.read("train.py").replace("lr * 2", "lr * axil.params.seed") + "assert axil.params.seed != 2\n"
    toml = lab.read("axil.toml").replace('["lr"]', '["lr", "seed"]')
    lab.write({"params.yaml": "lr: 0.25\nseed: 0\n", "axil.toml": toml, "train.py": train})
    driver = lab.begin("run", "--seeds", "1,2,3")
    until(lambda: len(list(lab.gates.glob("*.began"))) == 2, "two replicates begin")
    (line,) = lab.axil("runs").out.splitlines()[1:]
    assert "0 of 3 seeds" in line
    lab.let()
    driver.communicate(timeout=120)
    (line,) = lab.axil("runs").out.splitlines()[1:]
    assert "2 of 3 seeds" in line and "0.5 ± 3.2" in line
    assert "0.5 ± 3.2 (2 of 3 seeds)" in lab.axil("tree").out
    (group,) = lab.axil("runs", "--json").json["groups"].values()
    assert (group["state"], group["succeeded"], group["of"], len(group["runs"])) == ("failed", 2, 3, 3)


def test_a_dry_run_tells_the_trials_and_begins_none(lab):
    value = lab.axil("sweep", "-n", "lr=0.1,0.2,0.3", "--goal", "min:loss", "--json").json
    assert (value["sampler"], value["trials"], value["goal"], value["direction"]) == ("grid", 3, "loss", "min")
    assert (value["shared"], value["stages"]) == (["prepare"], ["train"])
    assert value["points"] == [{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}]
    lines = lab.axil("sweep", "-n", "lr=int(1,30)").out.splitlines()
    assert lines[:3] == ["30 trials  grid, for max:f1", "once      prepare", "in each   train"]
    assert lines[3].split() == ["1", "lr", "1"] and len(lines) == 3 + 20
    assert "lr in log(1e-4,1e-1)" in lab.axil("sweep", "-n", "lr=log(1e-4,1e-1)", "--trials", "7").out
    assert "other" in lab.axil("sweep", "-n", "other=1,2", code=1).err
    assert lab.axil("sweep", "list", "--json").json == [] and lab.axil("runs", "--json").json["runs"] == []
    assert not lab.runs.exists()
    assert "--dry-run goes with a new sweep" in lab.axil("sweep", "-n", "show", code=2).err


def test_a_dry_run_of_replicates_says_what_runs_for_each_seed(lab):
    toml = lab.read("axil.toml").replace('["lr"]', '["lr", "seed"]')
    lab.write({"params.yaml": "lr: 0.25\nseed: 0\n", "axil.toml": toml})
    assert "2 times, for the seeds 1, 3: train" in lab.axil("run", "-n", "--seeds", "1,3").err
    assert "2 times, for the seeds 1, 3: train" in lab.axil("run", "-n", "--seeds", "1,3", "--sample", "2").err
    said = lab.axil("run", "--seeds", "1,3", "--set", "seed=7", code=1).err
    assert said.splitlines()[0] == "error: `seed` is what the seeds are"
    assert lab.axil("runs", "--json").json["runs"] == []


def test_what_is_wrong_is_said_before_anything_happens(lab):
    assert "nothing depends on the seed" in lab.axil("run", "--seeds", "2", code=None).err
    assert "there is no parameter" in lab.axil("sweep", "rl=1,2", code=None).err
    lab.write({"params.yaml": "lr: 0.25\nunread: 1\n"})
    assert "no stage reads `unread`" in lab.axil("sweep", "unread=1,2", "-m", "never", code=1).err
    assert "never" not in lab.run("log", "--format=%s")
    assert "no end" in lab.axil("sweep", "lr=log(0.1,1)", "--sampler", "grid", code=None).err
    assert lab.axil("sweep", "list", "--json").json == []


@pytest.mark.parametrize("options", [(), ("--jobs", "1", "--time-limit", "1h", "--retry-failed")])
def test_a_sweep_in_the_background(lab, options):
    lab.let()
    sweep = lab.axil("sweep", "lr=0.1,0.2", "-d", *options).out.strip()
    view = until(lambda: _finished(lab, sweep), "the sweep ends")
    assert [one["state"] for one in view["trials"]] == ["succeeded"] * 3


def _finished(lab, sweep):
    view = lab.axil("sweep", "show", sweep, "--json").json
    return view if view["state"] == "finished" else None


def test_a_sweep_in_the_background_is_stopped(lab):
    sweep = lab.axil("sweep", "-d", "lr=0.1,0.2,0.3", "--jobs", "2").out.strip()
    until(lambda: len(list(lab.gates.glob("*.began"))) == 2, "two trials begin")
    said = lab.axil("sweep", "stop", sweep)
    states = [one["state"] for one in lab.axil("sweep", "show", "--json").json["trials"] if one["number"]]
    assert states == ["stopped", "stopped"], said
    lab.let()
    lab.axil("sweep", "resume", "--retry-failed")
    assert lab.axil("sweep", "show", "--json").json["state"] == "finished"
    lab.clean()


def test_a_sweep_told_to_stop_before_its_driver_began_begins_no_trial(lab):
    lab.let()
    sweep = lab.axil("sweep", "-d", "lr=0.1,0.2,0.3").out.strip()
    lab.axil("sweep", "stop", sweep)
    until(lambda: not lab.live(), "all is over")
    assert len([one for one in lab.axil("sweep", "show", "--json").json["trials"] if one["number"]]) < 3


def test_the_end_of_the_time_is_told_and_no_interruption(lab):
    lab.let()
    said = lab.axil("sweep", "lr=0.1,0.2,0.3,0.4,0.5,0.6", "--jobs", "1", "--time-limit", "0.01")
    assert "the time is over" in said.err and "axil sweep resume" in said.err


def test_a_goal_that_no_trial_has_is_told(lab):
    lab.let()
    assert "no trial has the metric acc" in lab.axil("sweep", "lr=0.1,0.2", "--goal", "acc").err
    assert "it names no metric" in lab.axil("sweep", "lr=0.1,0.2", "--goal", "min:", code=1).err

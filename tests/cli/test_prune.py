"""Trials that are ended early, as real processes; the driver may be killed."""

from __future__ import annotations

import json
import signal

import pytest
from tests.cli.detached import Lab, until

pytest.importorskip("optuna")
TRAIN = """\
import json, os, time
from pathlib import Path
import axil

lr = axil.params.lr
gates = Path(os.environ["GATES"])
if lr < 0.5:
    (gates / f"{os.environ['AXIL_RUN']}.bad").touch()
    while not (gates / "bad.go").exists():
        time.sleep(0.01)
step = 0
while step < 50_000 or lr < 0.5:
    axil.log(f1=lr * step, step=step)
    step += 1
    if lr < 0.5:
        time.sleep(0.05)
axil.flush()
Path("model.txt").write_text(str(lr))
Path("metrics.json").write_text(json.dumps({"f1": lr}))
"""
SPACE = "lr=0.5,0.6,0.7,0.8,0.9,0.1"


@pytest.fixture
def lab(tmp_path):
    made = Lab.founded(tmp_path / "project")
    yield made
    made.let()
    for run in made.live():
        made.axil("stop", "--now", run, code=None)


@pytest.fixture
def endless(lab):
    """A project whose bad trials log for ever, once their gate is open."""
    lab.write({"train.py": TRAIN})
    return lab


def pruned(lab):
    """The trial that was ended early; asserts that there is one, and that the others came to their end."""
    view = lab.axil("sweep", "show", "--json").json
    assert (view["state"], view["pruner"], view["best"]["params"]) == ("finished", "median", {"lr": 0.9})
    by_number = {one["number"]: one for one in view["trials"] if one["number"]}
    assert [one["state"] for _, one in sorted(by_number.items())] == ["succeeded"] * 5 + ["stopped"]
    return by_number[6]


def test_a_trial_that_does_clearly_worse_is_ended(endless):
    lab = endless
    lab.let("bad")
    said = lab.axil("sweep", "--prune", SPACE, "--jobs", "2")
    one = pruned(lab)
    assert one["pruned"] >= 1 and f"(pruned at step {one['pruned']})" in said.out
    assert f"pruned at step {one['pruned']}" in lab.axil("sweep", "show").out
    run = lab.axil("show", one["run"], "--json").json["run"]
    assert (run["state"], run["pruned"], run["error"]) == (
        "stopped",
        one["pruned"],
        f"pruned at step {one['pruned']}",
    )
    assert run["summary"]["f1"]["count"] > 1
    (row,) = lab.axil("runs", "--state", "stopped", "--json").json["runs"]
    assert row["pruned"] == one["pruned"]
    # It is over: not even those who want failed trials again get it.
    lab.axil("sweep", "resume", "--retry-failed")
    assert pruned(lab)["run"] == one["run"]
    lab.clean()


def test_a_driver_that_was_killed_is_followed_by_one_that_decides_the_same(endless):
    lab = endless
    driver = lab.begin("sweep", "--prune", SPACE, "--jobs", "2")
    until(lambda: list(lab.gates.glob("*.bad")) and len(lab.live()) == 1, "only the bad trial is left")
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=120)
    (bad,) = lab.live()
    lab.let("bad")
    lab.axil("sweep", "resume")
    assert pruned(lab)["run"] == bad
    assert len([row for row in lab.axil("runs", "--json").json["runs"] if row["trial"]]) == 6


@pytest.mark.parametrize("killed", [False, True], ids=["driver", "driver and supervisor"])
def test_a_decision_outlives_whoever_made_it(endless, killed):
    """Killed between the decision and the signal; and before its supervisor could record the end."""
    lab = endless
    driver = lab.begin("sweep", "--prune", SPACE, "--jobs", "2")
    until(lambda: list(lab.gates.glob("*.bad")) and len(lab.live()) == 1, "only the bad trial is left")
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=120)
    (bad,) = lab.live()
    with (lab.runs / bad / "state.jsonl").open("a") as file:
        file.write(json.dumps({"event": "pruned", "step": 3}) + "\n")
    if killed:
        import os

        os.kill(lab.supervisor(bad), signal.SIGKILL)
    lab.axil("sweep", "resume")
    view = lab.axil("sweep", "show", "--json").json
    (one,) = [one for one in view["trials"] if one["pruned"] is not None]
    assert (one["run"], one["pruned"], one["state"]) == (bad, 3, "lost" if killed else "stopped")
    assert view["state"] == "finished"


def test_a_goal_that_nobody_logs_is_told_once(lab):
    lab.let()
    said = lab.axil("sweep", "--prune", "lr=0.1,0.2,0.3", "--jobs", "1")
    assert said.err.count("f1 is not logged step by step: trials log loss") == 1
    assert "another --goal" in said.err


def test_what_is_wrong_is_said_before_anything_happens(lab):
    toml = lab.read("axil.toml").replace('metrics = { f1 = "max" }\n', "")
    lab.write({"axil.toml": toml})
    assert "--prune needs a goal" in lab.axil("sweep", "--prune", "lr=1,2", code=None).err
    assert lab.axil("sweep", "list", "--json").json == []

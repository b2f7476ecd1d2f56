"""Checkpoints and `axil resume`: a training that is cut off goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.cli.detached import PREPARE, Lab, until

TOML = """\
[project]
metrics = { loss = "min" }

[stages.prepare]
cmd = "python prepare.py"
deps = ["data/raw"]
outs = ["clean.txt"]
always = true

[stages.train]
cmd = "python train.py"
deps = ["clean.txt"]
params = ["lr"]
outs = ["model.txt"]
checkpoint = "ckpt/"
"""
STEPS = 8
TRAIN = """\
import json, os, signal, time
from pathlib import Path
import axil

gates = Path(os.environ["GATES"])
state = Path("ckpt/state.json")
lr = axil.params.lr
step, x = json.loads(state.read_text()) if state.exists() else (0, 1.0)
(gates / f"{os.environ['AXIL_RUN']}.from{step}").touch()
print(f"attempt {os.environ['AXIL_ATTEMPT']} from {step}", flush=True)

def save(*_):
    state.parent.mkdir(exist_ok=True)
    new = state.with_suffix(".new")
    new.write_text(json.dumps([step, x]))
    new.rename(state)
    if _:
        raise SystemExit(3)

signal.signal(signal.SIGTERM, save)
while step < 8:
    hold = gates / "hold"
    while hold.exists() and int(hold.read_text() or 99) == step:
        axil.flush()
        (gates / f"{os.environ['AXIL_RUN']}.at{step}").touch()
        time.sleep(0.01)
    x = x * 0.9 + lr * step + len(Path("clean.txt").read_text())
    axil.log(loss=x, step=step)
    step += 1
    if step % 2 == 0:
        save()
Path("model.txt").write_text(repr(x))
"""


class Gym(Lab):
    """A lab whose training can be held at a step."""

    def hold(self, step: int) -> None:
        new = self.gates / "hold.new"
        new.write_text(str(step))
        new.rename(self.gates / "hold")

    def free(self) -> None:
        (self.gates / "hold").unlink(missing_ok=True)

    def at(self, run: str, step: int) -> None:
        until((self.gates / f"{run}.at{step}").exists, f"run {run} is at step {step}")

    def stopped(self, step: int) -> str:
        """A run that was stopped at a step."""
        self.hold(step)
        run = self.detach()
        self.at(run, step)
        self.axil("stop", run)
        self.free()
        return run

    def started_from(self, run: str) -> int:
        (found,) = self.gates.glob(f"{run}.from*")
        return int(found.name.partition(".from")[2])

    def resume(self, run: str, *words: str) -> str:
        return self.axil("resume", "-d", run, *words).out.strip()

    def curve(self, run: str) -> list[float]:
        return list(self.axil("show", run, "--json").json["curves"]["loss"])


def expected(raw: str = "ab", lr: float = 0.25) -> list[float]:
    x, curve = 1.0, []
    for step in range(STEPS):
        x = x * 0.9 + lr * step + len(raw)
        curve.append(x)
    return curve


def gym_at(path: Path) -> Gym:
    made = Gym.founded(path)
    assert isinstance(made, Gym)
    made.commit({"axil.toml": TOML, "train.py": TRAIN, "prepare.py": PREPARE}, "train")
    return made


@pytest.fixture
def gym(tmp_path):
    made = gym_at(tmp_path / "project")
    yield made
    made.free()
    for run in made.live():
        made.axil("stop", "--now", run, code=None)


def test_a_stopped_run_saves_and_goes_on_as_if_nothing_had_happened(gym):
    gym.hold(5)
    first = gym.detach()
    gym.at(first, 5)
    gym.axil("stop", first)
    record = gym.record(first)
    assert record["state"] == "stopped"
    assert record["stages"][1]["checkpoint"]["ckpt"]["kind"] == "tree"
    gym.hold(6)
    gym.write({"train.py": "raise SystemExit(1)\n", "params.yaml": "lr: 9\n", "data/raw/a.txt": "changed"})
    second = gym.resume(first)
    gym.at(second, 6)
    gym.axil("stop", second)
    gym.free()
    third = gym.resume(first)
    record = gym.record(third)
    assert (record["state"], record["attempt"], record["resumes"]) == ("succeeded", 3, first)
    assert [stage["state"] for stage in record["stages"]] == ["cached", "succeeded"]
    assert gym.started_from(second) == 5 and gym.started_from(third) == 6
    assert record["metrics"]["loss"] == expected()[-1]
    assert record["summary"]["loss"]["count"] == STEPS
    assert gym.curve(third) == expected()
    assert [row["id"] for row in gym.axil("runs", "--json").json["runs"]] == [third]
    assert [row["id"] for row in gym.axil("show", first, "--json").json["attempts"]] == [first, second, third]
    assert "attempt 3 from 6" in gym.axil("logs", third).out
    gym.axil("get", f"{third}:model.txt", "-o", str(gym.gates / "model.txt"))
    assert (gym.gates / "model.txt").read_text() == repr(expected()[-1])
    gym.clean()


@pytest.mark.parametrize("victim", ["supervisor", "command", "both"])
@pytest.mark.parametrize("step", [1, 3, 6])
def test_a_killed_run_is_resumed_from_what_it_had_saved(gym, victim, step):
    gym.hold(step)
    first = gym.detach()
    gym.at(first, step)
    command = next(event["pid"] for event in reversed(gym.events(first)) if event["event"] == "process")
    if victim != "command":
        os.kill(gym.supervisor(first), signal.SIGKILL)
    if victim != "supervisor":
        os.killpg(command, signal.SIGKILL)
    assert gym.record(first)["state"] in ("failed", "lost")
    gym.free()
    second = gym.resume(first)
    record = gym.record(second)
    assert record["state"] == "succeeded"
    # A supervisor that dies leaves a command that is told to end, and saves.
    assert gym.started_from(second) == (step if victim == "supervisor" else step // 2 * 2)
    assert gym.curve(second) == expected()
    gym.clean()


def test_a_run_in_the_users_work_tree_is_resumed_too(gym):
    gym.hold(4)
    process = gym.begin("run")
    until(lambda: list(gym.gates.glob("*.at4")), "the run is at step 4")
    gym.write({"data/raw/a.txt": "a"})
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    gym.free()
    first = gym.axil("runs", "--json").json["runs"][0]["id"]
    said = gym.axil("resume", first)
    assert "succeeded" in said.out
    second = gym.axil("runs", "--json").json["runs"][0]["id"]
    assert gym.curve(second) == expected()
    assert gym.started_from(second) == 4
    # A fresh run starts from nothing, and finds the result.
    gym.axil("run")
    assert gym.read("model.txt") == repr(expected()[-1])
    gym.axil("run", "--force", "train")
    newest = gym.axil("runs", "--json").json["runs"][0]["id"]
    assert gym.started_from(newest) == 0


def test_edited_data_come_along_with_resume_and_fork(gym):
    gym.write({"data/raw/a.txt": "aaaa"})
    gym.hold(3)
    first = gym.detach()
    gym.at(first, 3)
    gym.axil("stop", first)
    gym.write({"data/raw/a.txt": "other"})
    gym.free()
    second = gym.resume(first)
    assert gym.record(second)["state"] == "succeeded"
    assert gym.curve(second) == expected("aaaab")
    gym.axil("add", "data/raw")
    gym.run("commit", "-qam", "other data")
    gym.axil("fork", "again", "--from", first)
    assert gym.read("data/raw/a.txt") == "aaaa"
    assert "data/raw" not in gym.axil("status", "--json").out or gym.run("status", "--porcelain") == ""


def test_a_fork_starts_from_the_checkpoint_every_time(gym):
    first = gym.stopped(5)
    gym.axil("fork", "tuned", "--from", first, "--checkpoint")
    assert gym.read("ckpt/state.json").startswith("[5,")
    gym.axil("run")
    run = gym.axil("runs", "tuned", "--json").json["runs"][0]["id"]
    assert gym.started_from(run) == 5
    stage = gym.record(run)["stages"][1]
    assert stage["deps"]["ckpt"] == stage["start"]["ckpt"]
    assert "ckpt" in stage["reason"]
    assert gym.read("ckpt/state.json").startswith("[5,")
    assert gym.run("status", "--porcelain") == ""
    gym.axil("run", "--force", "train")
    run = gym.axil("runs", "tuned", "--json").json["runs"][0]["id"]
    assert gym.started_from(run) == 5
    run = gym.detach("--force", "train")
    assert gym.record(run)["state"] == "succeeded"
    assert gym.started_from(run) == 5
    gym.axil("gc", "--yes", code=None)
    gym.axil("verify")
    gym.run("switch", "-q", "main")


def test_a_fork_with_a_checkpoint_replaces_one_that_another_run_left(gym):
    """What a stopped run left in the work tree is kept with its record: it is no edit that would be lost."""
    first = gym.stopped(4)
    gym.hold(6)
    other = gym.begin("run", "-f", "--set", "lr=0.5")
    (run,) = until(lambda: [one for one in gym.live() if one != first], "the other run is there")
    gym.at(run, 6)
    other.send_signal(signal.SIGINT)
    other.communicate(timeout=60)
    gym.free()
    assert (gym.path / "ckpt/state.json").exists()
    gym.run("checkout", "-q", "params.yaml")
    gym.axil("fork", "tuned", "--from", first, "--checkpoint")
    assert (gym.path / "ckpt/state.json").read_text().startswith("[4,")
    (gym.path / "ckpt/state.json").write_text("edited by hand")
    assert "ckpt" in gym.axil("fork", "again", "--from", run, "--checkpoint", code=1).err


def test_fork_with_a_checkpoint_is_taken_back_by_undo(gym):
    gym.hold(5)
    first = gym.detach()
    gym.at(first, 5)
    gym.axil("stop", first)
    gym.axil("fork", "tuned", "--from", first, "--checkpoint")
    gym.axil("undo")
    assert not (gym.path / "ckpt").exists() and not (gym.path / "ckpt.axil").exists()
    assert gym.run("branch", "--show-current").strip() == "main"


def test_a_run_is_resumed_in_another_clone(gym, tmp_path):
    first = gym.stopped(5)
    gym.axil("remote", "add", "origin", str(tmp_path / "storage"))
    gym.run("add", "-A")
    gym.run("commit", "-qm", "remote")
    gym.run("init", "-q", "--bare", str(tmp_path / "hub.git"))
    gym.run("remote", "add", "origin", str(tmp_path / "hub.git"))
    gym.axil("push", "--git", "origin")
    gym.axil("clone", str(tmp_path / "hub.git"), str(tmp_path / "other"))
    other = Gym(tmp_path / "other", "Bob")
    other.gates = gym.gates
    other.env["GATES"] = str(gym.gates)
    second = other.resume(first)
    assert other.record(second)["state"] == "succeeded"
    assert other.started_from(second) == 5
    assert other.curve(second) == expected()
    other.axil("push", "--git", "origin")
    gym.axil("fetch")
    assert [row["id"] for row in gym.axil("runs", "--json").json["runs"]] == [second]


def test_a_checkpoint_that_was_not_pushed_is_named(gym, tmp_path):
    first = gym.stopped(5)
    gym.run("clone", "-q", str(gym.path), str(tmp_path / "other"))
    other = Gym(tmp_path / "other", "Bob")
    other.run("fetch", "-q", "origin", "+refs/axil/*:refs/axil/*")
    said = other.axil("resume", first, code=None)
    assert "ckpt" in said.err and "there is no remote" in said.err


def test_what_cannot_be_resumed_says_why(gym):
    gym.hold(2)
    run = gym.detach()
    gym.at(run, 2)
    assert "is not over" in gym.axil("resume", run, code=None).err
    gym.free()
    assert gym.record(run)["state"] == "succeeded"
    assert "succeeded" in gym.axil("resume", run, code=None).err
    assert "no checkpoint" in gym.axil("fork", "x", "--from", run, "--checkpoint", code=None).err
    assert "--from" in gym.axil("fork", "x", "--checkpoint", code=None).err

"""Runs that go on by themselves in a work tree of their own: `axil run -d`, ps, queue, attach, stop, wait."""

from __future__ import annotations

import os
import signal

import pytest
from tests.cli.detached import gated, until

from axil.base import landlock


@pytest.fixture
def lab(tmp_path):
    with gated(tmp_path) as made:
        yield made


def test_a_detached_run_uses_what_was_there_when_it_was_asked_for(lab):
    run = lab.detach("--set", "lr=0.5")
    lab.write({"train.py": "raise SystemExit(1)\n", "params.yaml": "lr: 9\n", "data/raw/a.txt": "changed"})
    lab.run("switch", "-q", "-c", "elsewhere")
    lab.began(run)
    lab.let(run)
    record = lab.record(run)
    assert record["state"] == "succeeded"
    assert record["metrics"] == {"f1": 1.0, "loss": 1 / 3}
    assert record["experiment"] == "main"
    assert lab.read("params.yaml") == "lr: 9\n"
    lab.clean()


def test_uncommitted_code_and_edited_data_are_part_of_it(lab):
    lab.write(
        {"data/raw/a.txt": "edited", "extra.py": "x = 1\n", "prepare.py": lab.read("prepare.py") + "import extra\n"}
    )
    lab.let()
    record = lab.record(lab.detach())
    assert record["state"] == "succeeded"
    lab.axil("run")
    assert lab.read("clean.txt") == "bedited"
    # The run in the user's work tree found the results of the detached one.
    assert lab.states() == ["cached", "cached"]


def test_two_slots_three_runs_and_one_is_brought_forward(lab):
    first, second, third, fourth = (lab.detach("--set", f"lr=0.{number}") for number in (1, 2, 3, 4))
    lab.began(first)
    lab.began(second)
    assert list(lab.live().items()) == [
        (first, "running"), (second, "running"), (third, "queued"), (fourth, "queued"),
    ]  # fmt: skip
    lab.axil("queue", "--first", fourth[-6:])
    assert [one["run"] for one in lab.axil("queue", "--json").json] == [fourth, third]
    lab.let(first)
    lab.began(fourth)
    assert lab.live()[third] == "queued"
    assert "it has begun" in lab.axil("queue", "--cancel", fourth, code=1).err
    lab.axil("queue", "--cancel", third)
    assert lab.record(third)["state"] == "stopped"
    lab.let()
    assert [lab.record(run)["state"] for run in (first, second, fourth)] == ["succeeded"] * 3
    lab.clean()


def test_logs_are_those_of_the_run_that_goes_on(lab):
    lab.let()
    lab.record(lab.detach())
    assert "trained" in lab.axil("logs").out
    (lab.gates / "all.go").unlink()
    lab.write({"train.py": lab.read("train.py").replace("while not", "print('begun', flush=True)\nwhile not", 1)})
    run = lab.detach("--set", "lr=0.7")
    lab.began(run)
    until(lambda: "begun" in lab.axil("logs").out, "what it prints is there")
    assert "trained" not in lab.axil("logs").out
    lab.let()
    assert lab.record(run)["state"] == "succeeded"
    lab.clean()


def test_stop_keeps_what_was_logged(lab):
    run = lab.detach()
    lab.began(run)
    assert "stopped" in lab.axil("stop", run[-5:]).out
    record = lab.record(run)
    assert record["state"] == "stopped"
    assert record["stages"][1]["metrics"]["loss"] == pytest.approx(1 / 3)
    lab.axil("wait", run, code=130)
    lab.clean()


def test_attach_shows_output_and_steps_and_ends_with_the_run(lab):
    run = lab.detach()
    lab.began(run)
    process = lab.begin("attach", run)
    line = process.stdout.readline()
    assert "prepare" in line
    lab.let(run)
    out, _ = process.communicate(timeout=60)
    assert "step 2" in out and "trained" in out and "succeeded" in out
    assert process.returncode == 0


def test_leaving_attach_does_not_stop_the_run(lab):
    run = lab.detach()
    lab.began(run)
    process = lab.begin("attach", run)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert lab.live() == {run: "running"}
    lab.let(run)
    assert lab.record(run)["state"] == "succeeded"


def test_a_run_whose_supervisor_is_killed_is_lost_with_what_it_had_logged(lab):
    run = lab.detach()
    lab.began(run)
    os.kill(lab.supervisor(run), signal.SIGKILL)
    record = lab.record(run)
    assert record["state"] == "lost"
    assert record["stages"][1]["metrics"]["loss"] == pytest.approx(1 / 3)
    lab.clean()


def test_a_waiting_run_whose_supervisor_is_killed_goes_on_waiting(lab):
    first, second, third = (lab.detach("--set", f"lr=0.{number}") for number in (1, 2, 3))
    lab.began(second)
    old = lab.supervisor(third)
    os.kill(old, signal.SIGKILL)
    os.waitpid(old, 0)
    assert lab.live()[third] == "queued"
    lab.let()
    assert lab.record(third)["state"] == "succeeded"
    assert lab.record(first)["state"] == "succeeded"


def test_data_cannot_be_changed_by_a_run(lab):
    lab.commit({"prepare.py": "open('data/raw/a.txt', 'w').write('spoiled')\n"}, "spoil")
    record = lab.record(lab.detach("prepare"))
    assert record["state"] == "failed"
    assert "ermission denied" in record["stages"][0]["tail"]
    assert lab.read("data/raw/a.txt") == "a"
    assert "all is well" in lab.axil("verify").out


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("protect", [True, False])
def test_the_kernel_protects_data_unless_told_not_to(lab, protect):
    lab.write({"axil.local.toml": f"[machine]\nprotect = {str(protect).lower()}\n"})
    # What Landlock restricts can gain no privileges, so a command that needs them (sudo) has to do without it.
    lab.commit({"prepare.py": "print(open('/proc/self/status').read())\nopen('clean.txt', 'w').close()\n"}, "status")
    run = lab.detach("prepare")
    assert lab.record(run)["state"] == "succeeded"
    assert f"NoNewPrivs:\t{int(protect)}" in lab.axil("logs", run, "prepare").out


def test_isolated_in_the_foreground(lab):
    lab.let()
    said = lab.axil("run", "--isolated")
    assert "succeeded" in said.out
    assert not (lab.path / "model.txt").exists()
    lab.clean()
    lab.axil("run")
    assert (lab.path / "model.txt").exists()


def test_keep_leaves_the_work_tree(lab):
    lab.let()
    run = lab.detach("--keep")
    assert lab.record(run)["state"] == "succeeded"
    assert (lab.path / ".axil/runs" / run / "model.txt").exists()

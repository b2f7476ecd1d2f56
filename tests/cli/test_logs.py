"""`axil logs`: from the store, from the run a result was taken from, and while the run goes on."""

from __future__ import annotations

import os
import shutil

from axil.base.ids import new_id
from axil.cli.commands.logs import _settled
from axil.formats.record import StageRecord
from axil.formats.runfiles import Spec, Staged
from axil.runs.rundir import create


def test_the_latest_run_of_the_current_experiment(lab, axil):
    out = axil("logs").out
    assert out == (
        f"── prepare  ↺ cached  (result of run {lab.first[-7:]})\nepoch 1\nepoch 2\nepoch 3\n"
        "\n── train  ✗ failed\nepoch 1\nepoch 2\nepoch 3\n"
    )


def test_one_stage_is_only_its_text(lab, axil):
    assert axil("logs", lab.third, "train").out == "epoch 1\nepoch 2\nepoch 3\n"
    assert axil("logs", "digits", "train", "-n", "1").out == "epoch 3\n"


def test_json(lab, axil):
    value = axil("logs", lab.third, "--json").json
    assert value["run"] == lab.third
    assert [(log["stage"], log["source"]) for log in value["stages"]] == [("prepare", lab.first), ("train", "")]


def test_a_log_that_is_not_here_leaves_its_last_lines(lab, axil):
    shutil.rmtree(f"{lab.root}/.git/axil/store")
    answer = axil("logs", lab.failed, "train")
    assert answer.out.endswith("FloatingPointError: loss is nan\n")
    assert "these are its last lines" in answer.err


def test_a_run_in_progress(lab, axil):
    spec = Spec(id=new_id(lambda: lab.now), time=lab.now, root=lab.root, experiment="digits")
    folder = create(os.path.join(lab.root, ".git/axil/runs"), spec, b"{}")
    try:
        folder.record(Staged(StageRecord(name="train", state="lost", reason="", cmd="x")))
        with open(folder.log("train"), "wb") as file:
            file.write(b"so far \xff\n")
        assert axil("logs", spec.id).out == "so far \ufffd\n"
    finally:
        folder.remove()


def test_mistakes_are_explained(lab, axil):
    assert "has no stage tain\n  it has: prepare, train" in axil("logs", lab.third, "tain", code=1).err
    lab.repo.run("branch", "fresh")
    assert "experiment fresh has no run yet" in axil("logs", "fresh", code=1).err
    assert "there is no experiment or run x" in axil("logs", "x", code=1).err


def test_progress_bars_are_shown_as_they_ended():
    assert _settled("a\r 10%\r100%\nb\r\n") == "100%\nb\n"

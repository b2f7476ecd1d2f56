"""What `axil run` records of series files and of params that a script logs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
from tests.unit.formats.test_tfevents import event, record, simple

from axil.formats.series import points

STAGE = f"""\
[project]
metrics = {{ loss = "min" }}

[stages.train]
cmd = "{sys.executable} train.py"
series = ["history.csv", "tb"]
"""
EVENTS = [record(event(simple("f1", epoch), step=epoch)).hex() for epoch in range(3)]
TRAIN = (
    f"EVENTS = {EVENTS}\n"
    + """\
import os
os.mkdir("tb")
with open("history.csv", "w") as table, open("tb/events.out.tfevents.1", "wb") as events:
    table.write("epoch,loss\\n")
    for epoch in range(3):
        table.write(f"{epoch},{1 / (epoch + 1)}\\n")
        events.write(bytes.fromhex(EVENTS[epoch]))
    table.write("no,1\\n")
import axil
axil.log_params(optimizer="adam", net={"depth": 3})
axil.log(own=1)
"""
)


@pytest.fixture
def project(repo, axil, monkeypatch):
    monkeypatch.chdir(repo.path)
    repo.commit({"axil.toml": STAGE, "train.py": TRAIN, "params.yaml": "lr: 0.1\n"})
    return repo


def newest(axil):
    run = axil("runs", "--json").json["runs"][0]["id"]
    return axil("show", run, "--json").json["run"]


def test_values_of_files_are_recorded_like_logged_ones(project, axil):
    answer = axil("run")
    run = newest(axil)
    assert run["summary"]["history/loss"] == {"count": 3, "last": 1 / 3, "min": 1 / 3, "max": 1.0, "last_step": 2.0}
    assert run["summary"]["tb/f1"]["last"] == 2.0
    assert run["metrics"] == {"history/loss": 1 / 3, "tb/f1": 2.0, "own": 1.0}
    (stage,) = run["stages"]
    assert stage["metrics"] == run["metrics"]
    assert sorted(stage["outs"]) == ["history.csv", "tb"]
    assert "history.csv: 1 line or records could not be read" in answer.out + answer.err
    assert "history.csv: 1 line" in axil("logs", run["id"]).out


def test_files_that_are_restored_bring_their_metrics(project, axil):
    axil("run")
    (project.path / "history.csv").unlink()
    axil("run", "-m", "again")
    (stage,) = newest(axil)["stages"]
    assert (stage["state"], stage["metrics"]["history/loss"]) == ("cached", 1 / 3)
    assert (project.path / "history.csv").read_text().startswith("epoch,loss\n")


def test_params_that_a_script_logs_are_params_of_the_run(project, axil):
    axil("run")
    run = newest(axil)
    assert run["params"] == {"lr": 0.1, "logged.optimizer": "adam", "logged.net.depth": 3}
    assert "logged.optimizer" in axil("show", run["id"]).out
    assert run["stages"][0].get("params", {}) == {}


def test_logged_names_and_texts_that_are_hostile(project, axil):
    script = (
        "import axil, os\naxil.log_params({'\\udc80': '\\ud800', 'a\\x1b[31m': 'red\\x1b[0m', 'x' * 999: 1, '': 2})\n"
        "open(os.environ['AXIL_RUN_DIR'] + '/logged.jsonl', 'ab').write(b'\\xff{oops\\n')\naxil.log_params(good=1)\n"
        "open('history.csv', 'w')\n"
    )
    project.commit({"train.py": script, "axil.toml": STAGE.replace(', "tb"', "")})
    axil("run")
    run = newest(axil)
    assert run["params"]["logged.good"] == 1
    assert len(run["params"]) == 4
    assert "\x1b[31m" not in axil("show", run["id"]).out


def test_a_series_that_is_not_made_fails_the_stage(project, axil):
    project.commit({"train.py": "pass\n"})
    answer = axil("run", code=1)
    assert "did not make history.csv, tb" in answer.out + answer.err


def test_stage_add_and_the_list_know_series(project, axil):
    axil("stage", "add", "fit", "--series", "runs/tb", "--series", "log.jsonl", "--", "python", "fit.py")
    assert 'series = ["runs/tb", "log.jsonl"]' in (project.path / "axil.toml").read_text()
    assert "runs/tb log.jsonl" in axil("stage", "list").out


def test_a_killed_axil_leaves_what_was_read(project, axil):
    slow = "import time\nopen('history.csv', 'w').write('epoch,loss\\n0,5\\n')\nopen('ready', 'w')\ntime.sleep(60)\n"
    project.commit({"train.py": slow, "axil.toml": STAGE.replace(', "tb"', "")})
    process = subprocess.Popen([sys.executable, "-m", "axil", "run"], stdout=subprocess.DEVNULL)
    try:
        runs = project.path / ".git/axil/runs"
        while not any(list(points(path.read_bytes())) for path in runs.glob("*/series.jsonl")):
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    axil("status")
    run = newest(axil)
    assert (run["state"], run["metrics"]) == ("lost", {"loss": 5.0})


def test_of_very_many_logged_params_some_are_shown(project, axil):
    script = "import axil; axil.log_params({f'p{n:03}': n for n in range(300)})\nopen('history.csv', 'w')\n"
    project.commit({"train.py": script, "axil.toml": STAGE.replace(', "tb"', "")})
    axil("run")
    run = newest(axil)["id"]
    short = axil("show", run).out
    assert "logged.p019" in short and "logged.p020" not in short
    assert "and 280 more logged params (-v shows them)" in short
    assert "logged.p299" in axil("show", run, "-v").out


def test_mlflow_in_a_script_logs_to_the_run(project, axil):
    if find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed")
    script = (
        "import mlflow\nwith mlflow.start_run(): mlflow.log_metric('loss', 0.5, step=3); mlflow.log_param('c', 2)\n"
    )
    project.commit({"train.py": script, "axil.toml": STAGE.replace('series = ["history.csv", "tb"]', "")})
    axil("run")
    run = newest(axil)
    assert run["summary"]["loss"] == {"count": 1, "last": 0.5, "min": 0.5, "max": 0.5, "last_step": 3.0}
    assert run["params"] == {"lr": 0.1, "logged.c": 2}
    assert not [path.name for path in project.path.iterdir() if path.name.startswith("mlruns") or path.suffix == ".db"]


def test_a_logged_name_cannot_steer_the_terminal(project, axil):
    script = "import axil\naxil.log({'weird\\n\\x1b[31m': 3})\nopen('history.csv', 'w')\n"
    project.commit({"train.py": script, "axil.toml": STAGE.replace(', "tb"', "")})
    axil("run")
    assert "\x1b[31m" not in axil("show", newest(axil)["id"], "--series").out


def test_curves_of_a_result_that_was_taken_from_another_run(project, axil):
    stage = f"[stages.{{0}}]\ncmd = '\"{sys.executable}\" {{0}}.py'\n"
    toml = stage.format("train") + stage.format("other") + "always = true\n"
    train = "import axil\nfor step in range(3): axil.log(loss=step, step=step)\n"
    project.commit({"train.py": train, "other.py": train.replace("loss=step", "loss=9"), "axil.toml": toml})
    axil("run")
    axil("run")
    run = newest(axil)
    assert [stage["state"] for stage in run["stages"]].count("succeeded") == 1
    curves = axil("show", run["id"], "--series", "--json").json["series"]
    assert {(one["stage"], tuple(one["values"])) for one in curves} == {("train", (0, 1, 2)), ("other", (9, 9, 9))}
    (one,) = axil("show", run["id"], "--series", "train/loss", "--json").json["series"]
    assert one["values"] == [0, 1, 2]

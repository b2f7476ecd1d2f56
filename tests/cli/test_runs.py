"""`axil runs`: which runs, in which order, with which columns."""

from __future__ import annotations

import csv
import io
import json
import os

import pytest

from axil.base.ids import new_id
from axil.runs.rundir import create

METRICS = ["f1", "loss", "accuracy"]


def ids(lab, *names):
    return [getattr(lab, name) for name in names]


def test_newest_first_with_metrics_and_what_differs(lab, axil):
    lines = axil("runs").out.splitlines()
    assert lines[0].split() == ["run", "experiment", "age", "time", *METRICS, "train.decay", "train.lr", "message"]
    assert [line.split()[0] for line in lines[1:]] == [
        run[-7:] for run in ids(lab, "failed", "third", "second", "first")
    ]
    assert lines[1].split() == [lab.failed[-7:], "✗", "digits_decay", "1", "h", "14", "s", "0.9", "10.0", "too", "fast"]
    assert lines[4].split() == [lab.first[-7:], "✓", "digits", "3", "d", "14", "s", "0.91", "0.31", "0.92", "0.1"]


def test_the_shown_id_names_the_run(lab, axil):
    shown = axil("runs").out.splitlines()[2].split()[0]
    assert axil("show", shown, "--json").json["run"]["id"] == lab.third


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ["failed", "third", "second", "first"]),
        (["digits"], ["second", "first"]),
        (["--sort", "f1"], ["third", "second", "first", "failed"]),
        (["--sort", "f1", "--asc"], ["first", "second", "third", "failed"]),
        (["--sort", "loss"], ["third", "second", "first", "failed"]),
        (["--sort", "loss", "--desc"], ["first", "second", "third", "failed"]),
        (["--asc"], ["first", "second", "third", "failed"]),
        (["--sort", "train.lr", "--desc", "-n", "1"], ["failed"]),
        (["--failed"], ["failed"]),
        (["--state", "succeeded", "-n", "1"], ["third"]),
        (["--where", "f1 > 0.915"], ["third", "second"]),
        (["--where", "f1 > 0.9 and train.lr < 0.1"], ["second"]),
        (["digits_decay", "--where", "state = failed"], ["failed"]),
        (["--state", "running"], []),
    ],
)  # fmt: skip
def test_choosing_and_sorting(lab, axil, words, expected):
    assert [run["id"] for run in axil("runs", "--json", *words).json["runs"]] == ids(lab, *expected)


def test_json_has_everything_of_a_run(lab, axil):
    value = axil("runs", "--json", "-n", "1").json
    assert value["more"] is True
    assert value["directions"] == {"f1": "max", "loss": "min"}
    run = value["runs"][0]
    assert run["params"] == {"train.lr": 10.0, "train.epochs": 30, "train.decay": 0.9}
    assert (run["state"], run["message"], run["experiment"]) == ("failed", "too fast", "digits_decay")


def test_csv_has_all_params_and_full_numbers(lab, axil):
    rows = list(csv.DictReader(io.StringIO(axil("runs", "--csv").out)))
    assert list(rows[0])[:6] == ["run", "experiment", "state", "started", "seconds", "message"]
    assert rows[1]["run"] == lab.third
    assert (rows[1]["f1"], rows[1]["train.epochs"], rows[1]["seconds"]) == ("0.93", "30", "13.5")
    assert rows[0]["f1"] == ""
    assert rows[3]["train.decay"] == ""
    assert rows[0]["started"].endswith("Z")


def test_markdown(lab, axil):
    lines = axil("runs", "--md", "-n", "1", "--sort", "f1").out.splitlines()
    assert lines[0].startswith("| run | experiment | state |")
    assert set(lines[1]) == set("|- :")
    assert len(lines) == 3
    assert lab.third in lines[2]


def test_columns_are_chosen_by_pattern(lab, axil):
    head = axil("runs", "--params", "train.e*,train.l*", "--metrics", "loss").out.splitlines()[0].split()
    assert head == ["run", "experiment", "age", "time", "loss", "train.epochs", "train.lr", "message"]


def test_the_experiment_column_goes_when_there_is_only_one(lab, axil):
    assert "experiment" not in axil("runs", "digits").out.splitlines()[0]


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_it_fits_the_terminal(lab, axil, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = axil("runs").out.splitlines()
    assert max(len(line) for line in lines) <= columns
    assert "f1" in lines[0].split()
    assert len(lines) == 5


def test_the_best_value_is_marked(lab, axil):
    out = axil("runs", "--color").out
    assert "\x1b[32m0.93\x1b[0m" in out
    assert "\x1b[32m0.92\x1b[0m" not in out
    assert "\x1b[32m0.28\x1b[0m" in out


def test_no_runs_is_said_on_stderr(repo, axil, monkeypatch):
    repo.commit({"axil.toml": ""})
    monkeypatch.chdir(repo.path)
    answer = axil("runs")
    assert answer.out == ""
    assert "no runs yet" in answer.err
    assert axil("runs", "--json").json["runs"] == []
    assert axil("runs", "-q").err == ""


def test_a_branch_without_runs_is_known(lab, axil):
    lab.repo.run("branch", "fresh")
    assert axil("runs", "fresh", "--json").json["runs"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digit"], "there is no experiment digit\n  did you mean digits or digits_decay?"),
        (["--sort", "f2"], "no run has a metric or parameter `f2`"),
        (["--where", "f1 >"], "the condition is not valid"),
        (["--where", "f2 > 1"], "did you mean `f1`?"),
    ],
)
def test_mistakes_are_explained(lab, axil, words, message):
    assert message in axil("runs", *words, code=1).err


def test_a_name_from_another_clone_cannot_steer_the_terminal(lab, axil):
    lab.run("digits", 0.5, 1.0, age=10, message="a\x1b[2Jb\u202etxt\nsecond line")
    line = axil("runs").out.splitlines()[1]
    assert "second line" not in line
    assert not {"\x1b", "\u202e"} & set(line)


def test_a_run_in_progress_is_listed(lab, axil):
    from axil.formats.runfiles import Spec

    spec = Spec(id=new_id(lambda: lab.now), time=lab.now - 5, root=lab.root, experiment="digits_decay")
    folder = create(os.path.join(lab.root, ".git/axil/runs"), spec, b"{}")
    try:
        runs = axil("runs", "--json").json["runs"]
        assert (runs[0]["id"], runs[0]["state"]) == (spec.id, "running")
        assert [run["id"] for run in axil("runs", "--json", "--state", "running").json["runs"]] == [spec.id]
        assert spec.id not in json.dumps(axil("runs", "digits", "--json").json)
        assert axil("show", spec.id, "--json").json["run"]["state"] == "running"
        assert "▶ running" in axil("show", spec.id[-7:]).out
    finally:
        folder.remove()


def test_a_run_that_was_killed_is_recorded_as_lost(lab, axil):
    from axil.formats.runfiles import Spec

    spec = Spec(id=new_id(lambda: lab.now), time=lab.now - 5, root=lab.root, experiment="digits")
    create(os.path.join(lab.root, ".git/axil/runs"), spec, b"{}").release()
    runs = axil("runs", "--json", "--failed").json["runs"]
    assert [(run["id"], run["state"]) for run in runs] == [(spec.id, "lost"), (lab.failed, "failed")]
    assert axil("show", spec.id, "--json").json["run"]["state"] == "lost"


def test_a_diverged_run_is_not_the_best(lab, axil):
    lab.run("digits", float("nan"), float("nan"), age=1)
    out = axil("runs", "--color", "digits").out
    assert "nan" in out
    assert "\x1b[32m0.92\x1b[0m" in out
    assert axil("runs", "--json", "-n", "1").json["runs"][0]["metrics"]["f1"] == "NaN"
    assert axil("show", "digits", "--json").json["best"]["id"] == lab.second

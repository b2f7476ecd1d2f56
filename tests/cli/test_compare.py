"""`axil compare`: one answer with everything that differs."""

from __future__ import annotations

import csv
import io

import pytest


def rows(answer):
    return {row["name"]: row for row in answer["params"]}, {row["name"]: row for row in answer["metrics"]}


@pytest.fixture
def value(lab, axil):
    return axil("compare", "digits", "digits_decay", "--json").json


def test_it_says_which_runs_stand_for_the_experiments(lab, value):
    assert [(side["label"], side["run"], side["why"]) for side in value["sides"]] == [
        ("digits", lab.second, "latest succeeded"),
        ("digits_decay", lab.third, "latest succeeded"),
    ]


def test_metrics_have_deltas_and_direction(value):
    metrics = {row["name"]: row for row in value["metrics"]}
    assert list(metrics) == ["f1", "loss", "accuracy"]
    assert metrics["f1"]["deltas"]["digits_decay"] == pytest.approx(0.01)
    assert metrics["f1"]["better"] == {"digits_decay": True}
    assert metrics["loss"]["deltas"]["digits_decay"] == pytest.approx(-0.02)
    assert metrics["loss"]["better"] == {"digits_decay": True}
    assert metrics["accuracy"]["better"] == {"digits_decay": None}


def test_params(value):
    params = {row["key"]: row for row in value["params"]}
    assert params["train.lr"] == {"key": "train.lr", "values": {"digits": 0.05, "digits_decay": 0.1}, "changed": True}
    assert params["train.epochs"]["changed"] is False
    assert params["train.decay"]["values"] == {"digits_decay": 0.9}
    assert params["train.decay"]["changed"] is True


def test_code_has_files_and_lines_without_pointers_and_params(value):
    (code,) = value["code"]
    assert {file["path"]: (file["kind"], file["added"], file["removed"]) for file in code["files"]} == {
        "src/decay.py": ("added", 1, 0),
        "src/train.py": ("changed", 2, 1),
    }
    assert (code["added"], code["removed"], code["problem"]) == (3, 1, "")


def test_data_and_outputs_have_counts_of_files(value):
    (data,) = value["data"]
    (change,) = data["paths"]
    assert (change["path"], change["state"]) == ("data/raw", "changed")
    assert (change["added"], change["removed"], change["changed"]) == (3, 0, 5)
    assert change["files"][0] == {"path": "data/raw/0000.png", "kind": "changed", "old_size": 1, "new_size": 4}
    outputs = {change["path"]: change["state"] for change in value["outputs"][0]["paths"]}
    assert outputs == {"data/prepared": "changed", "models/digits.npz": "same"}


def test_environment(value):
    facts = {row["name"]: row for row in value["environment"]}
    assert facts["python"]["values"] == {"digits": "CPython 3.11.4", "digits_decay": "CPython 3.12.1"}
    assert facts["python"]["changed"] is True
    assert facts["numpy"]["changed"] is False


def test_only_changed(lab, axil):
    value = axil("compare", "digits", "digits_decay", "--only-changed", "--json").json
    assert [row["key"] for row in value["params"]] == ["train.lr", "train.decay"]
    assert [row["name"] for row in value["environment"]] == ["python"]
    assert [change["path"] for change in value["outputs"][0]["paths"]] == ["data/prepared"]


def test_what_is_the_same_on_one_side_stays_when_another_differs(lab, axil):
    value = axil("compare", lab.first, lab.third, lab.second, "--only-changed", "--json").json
    assert [[change["state"] for change in diff["paths"]] for diff in value["data"]] == [["changed"], ["same"]]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table(lab, axil, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = axil("compare", "digits", "digits_decay").out.splitlines()
    assert max(len(line) for line in lines) <= columns
    assert lines[0].split() == ["digits", "digits_decay"]
    assert [line for line in lines if line and not line.startswith(" ")] == [
        *(line for line in lines[1:4]), "metrics", "params", "code", "data", "outputs", "environment",
    ]  # fmt: skip
    assert any(line.split() == ["f1", "0.92", "0.93", "+0.01"] for line in lines)
    assert any("+3 ~5 files" in line for line in lines)


def test_good_and_bad_are_coloured_by_direction(lab, axil):
    out = axil("compare", "digits_decay", "digits", "--color").out
    assert "\x1b[31m−0.01\x1b[0m" in out  # f1 fell
    assert "\x1b[31m+0.02\x1b[0m" in out  # loss rose


def test_csv_has_numbers_for_programs(lab, axil):
    table = list(csv.DictReader(io.StringIO(axil("compare", "digits", "digits_decay", "--csv").out)))
    found = {(row["section"], row["name"]): row for row in table}
    assert float(found["metrics", "f1"]["change of digits_decay"]) == pytest.approx(0.01)
    assert found["params", "train.decay"]["digits"] == ""
    assert found["run", "id"]["digits"] == lab.second


def test_markdown(lab, axil):
    lines = axil("compare", "digits", "digits_decay", "--md").out.splitlines()
    assert lines[0] == "| section | name | digits | digits_decay | change of digits_decay |"
    assert "| metrics | f1 | 0.92 | 0.93 | +0.01 |" in lines


def test_without_names_the_parent_is_compared(lab, axil):
    assert axil("compare", "--json").json == axil("compare", "digits", "digits_decay", "--json").json


def test_one_name_is_compared_with_the_current_experiment(lab, axil):
    labels = [side["label"] for side in axil("compare", lab.first, "--json").json["sides"]]
    assert labels == [lab.first, "digits_decay"]


def test_the_same_name_twice(lab, axil):
    value = axil("compare", "digits", "digits", "--json").json
    assert [side["label"] for side in value["sides"]] == ["digits", "digits#2"]
    assert not any(row["changed"] for row in value["metrics"])
    assert "no differences" in axil("compare", "digits", "digits", "--only-changed").err


def test_a_branch_without_runs_is_compared_by_its_files(lab, axil):
    lab.repo.run("switch", "-qc", "fresh", "digits")
    lab.repo.commit({"params.yaml": "train:\n  lr: 3\n", "src/new.py": "x\n"})
    value = axil("compare", "digits", "fresh", "--json").json
    assert value["sides"][1]["why"] == "no run yet"
    assert [file["path"] for file in value["code"][0]["files"]] == ["src/new.py"]
    assert {row["key"]: row["values"] for row in value["params"]}["train.lr"] == {"digits": 0.05, "fresh": 3}
    assert "no run yet" in axil("compare", "digits", "fresh").out


def test_content_that_is_not_here_is_said_to_differ(lab, axil):
    import shutil

    shutil.rmtree(f"{lab.root}/.git/axil/store")
    value = axil("compare", "digits", "digits_decay", "--json").json
    (change,) = value["data"][0]["paths"]
    assert change["state"] == "changed"
    assert change["problem"]
    assert "changed (not here)" in axil("compare", "digits", "digits_decay").out


def test_a_snapshot_that_is_not_here_leaves_the_rest(lab, axil):
    lost = lab.run("digits", 0.5, 0.5, age=5)
    record = lab.journal.run(lost)
    assert record.snapshot
    lab.base_tree = "1" * 40
    gone = lab.run("digits", 0.6, 0.5, age=1)
    answer = axil("compare", gone, "digits_decay", "--json").json
    assert "not in this clone" in answer["code"][0]["problem"]
    assert answer["metrics"][0]["values"][gone] == 0.6


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["digits", "nope"], 1, "there is no experiment or run nope"),
        (["digits_decay"], 2, "nothing to compare with"),
        (["digits", "01"], 1, "01 may be any of several runs"),
    ],
)
def test_mistakes_are_explained(lab, axil, words, code, message):
    assert message in axil("compare", *words, code=code).err


def test_a_baseline_has_no_parent_to_compare_with(lab, axil):
    lab.repo.run("switch", "-q", "digits")
    assert "digits is a baseline" in axil("compare", code=2).err


def test_on_a_detached_head(lab, axil):
    lab.repo.run("switch", "-q", "--detach")
    assert "HEAD is detached" in axil("compare", code=1).err
    assert axil("compare", "digits", "digits_decay", "--json").json["sides"]


def test_packages_of_a_stage_taken_over_are_those_of_its_run(lab, axil):
    lab.packages = {"numpy": "2.4.6", "pillow": "13.0"}
    source = lab.run("digits", 0.5, 0.5, age=100)
    lab.packages = {"numpy": "2.4.6"}
    lab.first = source
    taken = lab.run("digits", 0.6, 0.5, age=50, decay=0.9)
    value = axil("compare", source, taken, "--json").json
    facts = {row["name"]: row for row in value["environment"]}
    assert facts["pillow"]["changed"] is False

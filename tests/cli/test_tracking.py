"""What a script logs, from the command line: series, artifacts, usage, and that they travel and are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.sharing import Person, Place

LOGGING = """
import axil
for step in range(3):
    axil.log({"loss": 1 / (step + 1), "val/f1": step / 2, "bad": float("nan")}, step=step)
axil.log_table("tables/confusion", [{"is": 1, "said": 2}])
axil.log_artifact("params.yaml", "used.yaml")
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def ann(place: Place) -> Person:
    ann = place.found()
    ann.write({"train.py": ann.read("train.py") + LOGGING})
    ann.axil("run", "-q", "-m", "log")
    return ann


def newest(person: Person) -> str:
    return str(person.axil("runs", "--json").json["runs"][0]["id"])


def test_the_points_of_a_run(ann):
    run = newest(ann)
    value = ann.axil("show", run, "--series", "--json").json
    assert list(value) == ["run", "experiment", "state", "series"]
    curves = {curve["name"]: curve for curve in value["series"]}
    assert list(curves["loss"]) == ["name", "stage", "steps", "times", "values"]
    assert curves["val/f1"]["steps"] == [0, 1, 2] and curves["val/f1"]["values"] == [0, 0.5, 1]
    assert curves["bad"]["values"] == ["NaN"] * 3 and curves["loss"]["stage"] == "train"
    some = ann.axil("show", run, "--series", "val/*", "--json").json["series"]
    assert [curve["name"] for curve in some] == ["val/f1"]
    out = ann.axil("show", run, "--series", "loss").out.splitlines()
    assert [line.split() for line in out] == [["step", "loss"], ["0", "1.0"], ["1", "0.5"], ["2", "0.3333"]]
    said = ann.axil("show", run, "--series", "acc", code=1)
    assert "logged no acc" in said.err and "it has: bad, loss, val/f1" in said.err


def test_artifacts_are_listed_and_copied(ann):
    run = newest(ann)
    out = ann.axil("show", run).out
    assert "artifacts\n  train/tables/confusion.csv  12 B\n" in out
    assert ann.axil("show", run, "--json").json["artifacts"]["train/tables/confusion.csv"] == 12
    items = {item["path"]: item["kind"] for item in ann.axil("get", f"{run}:", "--json").json["items"]}
    assert items["artifacts/train/used.yaml"] == "artifact"
    got = ann.axil("get", f"{run}:artifacts/train/tables/confusion.csv", "--json").json
    assert (got["kind"], got["files"], got["size"]) == ("artifact", 1, 12)
    assert ann.read("confusion.csv") == "is,said\n1,2\n"
    ann.axil("get", "main:artifacts/train", "-o", "all")
    assert ann.read("all/used.yaml") == "lr: 0.1\n"
    said = ann.axil("get", f"{run}:artifacts/train/tables/confusoin.csv", code=1)
    assert "did you mean artifacts/train/tables/confusion.csv" in said.err


def test_a_folder_of_the_project_goes_before(ann):
    ann.write({"artifacts/train/used.yaml": "code"})
    ann.axil("run", "-q", "-f", "-m", "same name")
    ann.axil("get", "main:artifacts/train/used.yaml", "-o", "x")
    assert ann.read("x") == "code"


def test_they_travel_with_a_push(ann, place):
    run = newest(ann)
    ann.axil("push")
    bob = place.join("Bob")
    assert bob.axil("show", run, "--json").json["run"]["artifacts"]["files"] == 2
    assert len(bob.axil("show", run, "--series", "loss", "--json").json["series"][0]["values"]) == 3
    items = {item["path"] for item in bob.axil("get", f"{run}:", "--json").json["items"]}
    assert "artifacts/train/used.yaml" in items
    bob.axil("get", f"{run}:artifacts/train/used.yaml", "-o", "used")
    assert bob.read("used") == "lr: 0.1\n"


def test_gc_keeps_them(ann):
    run = newest(ann)
    ann.axil("gc", "--grace", "0s") if "--grace" in ann.axil("gc", "--help").out else ann.axil("gc")
    assert not ann.axil("verify", "--json").json.get("faults")
    ann.axil("get", f"{run}:artifacts/train/used.yaml", "-o", "used")
    assert len(ann.axil("show", run, "--series", "--json").json["series"]) == 3


def test_an_undeclared_parameter_that_is_read_is_a_reason(place):
    ann = place.found()
    ann.write({"train.py": ann.read("train.py") + "import axil\naxil.params.wd\n", "params.yaml": "lr: 0.1\nwd: 1\n"})
    ann.axil("run", "-q", "-m", "read")
    assert ann.axil("show", newest(ann), "--json").json["run"]["stages"][0]["read"] == ["wd"]
    said = ann.axil("run", "-n", "--set", "wd=2").out
    assert "params.wd 1 → 2" in said

"""Metrics and plots that are named at the top of dvc.yaml."""

from __future__ import annotations

from typing import Any

from axil.formats.project import Stage
from axil.imports.dvc.expand import Template
from axil.imports.dvc.sections import Sections

STAGES = {"t": Stage("t", "x", outs=("eval", "m.json", "roc.csv", "score.txt"), plots=("p",)), "u": Stage("u", "y")}


def sections(data: dict[str, Any], folder: str = "") -> Sections:
    made = Sections()
    made.read(Template(data, folder, lambda _: None), "dvc.yaml")
    return made


def words(made: Sections) -> str:
    return "\n".join(f"{row.source}: {' '.join(row.remarks)}" for row in made.rows)


def test_outputs_become_what_they_are_named():
    made = sections({"metrics": ["m.json", "score.txt"], "plots": ["p", {"ROC": {"x": "a", "y": {"roc.csv": "b"}}}]})
    found = made.applied(STAGES, lambda _: None)["t"]
    assert found.outs == ("eval", "score.txt")
    assert (found.metrics, found.plots) == (("m.json",), ("p", "roc.csv"))
    assert "not carried over: x" in words(made)


def test_a_folder_with_metrics_is_named_part_by_part():
    made = sections({"metrics": ["eval/m.json", "eval/deep/n.json"]})
    files = ["m.json", "deep/n.json", "deep/o/1", "deep/o/2", "plots/a", "plots/b"]
    found = made.applied(STAGES, lambda path: files if path == "eval" else None)["t"]
    assert found.outs == ("m.json", "roc.csv", "score.txt", "eval/deep/o", "eval/plots")
    assert found.metrics == ("eval/m.json", "eval/deep/n.json")
    assert "named part by part" in words(made)


def test_what_cannot_be_placed_is_told():
    made = sections({"metrics": ["eval/m.json", "nobody.json", "../up"], "artifacts": {"a": {}}, "datasets": [1, 2]})
    assert made.applied(STAGES, lambda _: None) == STAGES
    for part in ("inside eval, one output of stage t", "no stage makes it", "leads out", "artifacts: a", "datasets: 2"):
        assert part in words(made)


def test_sections_that_are_no_lists_are_told():
    made = sections({"metrics": 1, "plots": {"roc.csv": {"x": "a"}}})
    assert "`metrics` is not a list" in words(made)
    assert made.paths == {"roc.csv": "plots"}

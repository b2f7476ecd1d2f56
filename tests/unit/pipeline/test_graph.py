"""The graph: order, edges by containment, mistakes, drawings."""

from __future__ import annotations

import time

import pytest

from axil.errors import BadInput, NotFound
from axil.formats.project import Stage
from axil.pipeline import draw
from axil.pipeline.graph import Graph, build, check_git, check_tracked, covering, reach


def stage(name: str, deps: str = "", outs: str = "", line: int = 0, metrics: str = "") -> Stage:
    return Stage(name, "x", tuple(deps.split()), outs=tuple(outs.split()), metrics=tuple(metrics.split()), line=line)


def graph(*stages: Stage) -> Graph:
    return build({one.name: one for one in stages})


DIGITS = (
    stage("evaluate", "models/d.npz data/prepared", metrics="metrics.json"),
    stage("prepare", "data/raw", "data/prepared"),
    stage("train", "data/prepared/train.csv", "models/d.npz"),
    stage("pack", "models", "all.zip"),
    stage("other"),
)


def test_edges_are_found_when_a_dep_equals_lies_in_or_holds_an_output():
    found = graph(*DIGITS)
    assert list(found.stages) == ["prepare", "train", "evaluate", "pack", "other"]
    assert found.upstream == {
        "prepare": (),
        "train": ("prepare",),
        "evaluate": ("train", "prepare"),
        "pack": ("train",),
        "other": (),
    }
    assert found.downstream["train"] == ("evaluate", "pack")
    assert found.sources("models") == ("models/d.npz",)
    assert found.sources("data/prepared/x/y") == ("data/prepared",)
    assert found.sources("data/raw") == ()


def test_names_that_only_begin_alike_are_no_edge():
    assert graph(stage("a", outs="data/x"), stage("b", "data/x2 data/x.csv")).upstream["b"] == ()


def test_targets_take_what_they_need():
    found = graph(*DIGITS)
    assert found.subset(["train"]) == ["prepare", "train"]
    assert found.subset(["./models/d.npz"]) == ["prepare", "train"]
    assert found.subset([]) == list(found.stages)
    assert reach(["train"], found.downstream) == {"train", "evaluate", "pack"}
    with pytest.raises(NotFound, match=r"did you mean `train`"):
        found.subset(["trian"])
    with pytest.raises(NotFound):
        found.subset(["../x"])


def test_a_circle_is_shown():
    with pytest.raises(BadInput, match=r"line 3: stages wait for each other: a → b → c → a"):
        graph(stage("a", "z", "x", 3), stage("b", "x", "y", 6), stage("c", "y", "z", 9), stage("d", "z", "q"))
    with pytest.raises(BadInput, match="a → a"):
        graph(stage("a", "x", "x"))


def test_each_output_has_one_maker():
    with pytest.raises(BadInput, match=r"(?s)stages a and b both make x.*line 1, axil\.toml line 5"):
        graph(stage("a", outs="x", line=1), stage("b", metrics="x", line=5))
    with pytest.raises(BadInput, match=r"x/y/z \(stage b\) lies inside x \(stage a\)"):
        graph(stage("a", outs="x"), stage("b", outs="x/y/z"))
    with pytest.raises(BadInput, match=r"x/y \(stage a\) lies inside x \(stage b\)"):
        graph(stage("a", outs="x/y"), stage("b", outs="x"))


def test_outputs_and_tracked_data_do_not_overlap():
    found = graph(stage("a", outs="data/x", line=4))
    check_tracked(found, {"data/y", "data/x2"})
    for tracked in ("data/x", "data", "data/x/inner"):
        with pytest.raises(BadInput, match=r"axil\.toml line 4: stage a makes data/x, which is tracked data") as caught:
            check_tracked(found, {tracked})
        assert f"{tracked}.axil" in caught.value.why


def test_outputs_are_not_in_git_but_metrics_may_be():
    found = graph(stage("a", outs="out", metrics="metrics.json"))
    check_git(found, ["metrics.json", "src/x.py", "out2"])
    with pytest.raises(BadInput, match=r"git rm -r --cached out"):
        check_git(found, ["out/deep/file"])


def test_covering():
    assert covering("a/b/c", {"a/b"}) == "a/b"
    assert covering("a/b", {"a/b"}) == "a/b"
    assert covering("a/bc", {"a/b"}) is None


def test_drawings():
    found = graph(*DIGITS)
    assert draw.text(found) == ("prepare\n└─ train\n   ├─ evaluate   (also after prepare)\n   └─ pack\nother\n")
    assert '"train" -> "pack";' in draw.dot(found)
    assert "s1 --> s3" in draw.mermaid(found)
    strange = graph(Stage('a"b', "x", outs=("o",)), Stage("end", "x", deps=("o",)))
    assert '"a\\"b" -> "end";' in draw.dot(strange)
    assert 's0["a#34;b"]' in draw.mermaid(strange)


def test_a_thousand_stages_are_fast():
    stages = {f"s{n}": stage(f"s{n}", f"d/{n - 1} base" if n else "base", f"d/{n}") for n in range(1000)}
    stages["all"] = stage("all", "d", "z")
    start = time.perf_counter()
    found = build(stages)
    assert len(found.subset(["all"])) == 1001
    assert time.perf_counter() - start < 1
    assert len(draw.text(found).splitlines()) == 1001

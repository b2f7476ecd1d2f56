"""`axil stage` and `axil graph`: the pipeline in axil.toml."""

from __future__ import annotations

import os
import tomllib

import pytest


def stages(lab):
    return tomllib.loads(lab.repo.read("axil.toml"))["stages"]


def test_list_in_running_order(lab, axil):
    lines = axil("stage", "list").out.splitlines()
    assert lines[0].split() == ["stage", "command", "reads", "makes"]
    assert [line.split()[0] for line in lines[1:]] == ["prepare", "train"]
    assert axil("stage", "list", "--json").json[1]["params"] == ["train"]


def test_add_writes_one_table_and_keeps_the_rest(lab, axil):
    before = lab.repo.read("axil.toml")
    answer = axil(
        "stage", "add", "evaluate", "-d", "models/digits.npz", "-m", "scores.json", "--plots", "roc.csv",
        "-p", "eval.k,train", "-e", "SEED", "--always", "--keep", "--", "python", "eval.py", "--k", "two words",
    )  # fmt: skip
    assert answer.out == "added stage evaluate, after train\n"
    assert "the params file has no eval.k" in answer.err
    assert lab.repo.read("axil.toml").startswith(before)
    assert stages(lab)["evaluate"] == {
        "cmd": "python eval.py --k 'two words'",
        "deps": ["models/digits.npz"],
        "params": ["eval.k", "train"],
        "metrics": ["scores.json"],
        "plots": ["roc.csv"],
        "keep": True,
        "env": ["SEED"],
        "always": True,
    }


def test_one_word_is_a_shell_line(lab, axil):
    axil("stage", "add", "x", "--", "a | b > c")
    assert stages(lab)["x"]["cmd"] == "a | b > c"


def test_in_a_subfolder_paths_and_command_are_taken_from_there(lab, axil, monkeypatch):
    monkeypatch.chdir(os.path.join(lab.root, "src"))
    axil("stage", "add", "x", "-d", "train.py", "-o", "../out", "--", "python train.py")
    assert stages(lab)["x"] == {"cmd": "python train.py", "deps": ["src/train.py"], "outs": ["out"], "cwd": "src"}
    axil("stage", "add", "y", "--cwd", "..", "--", "true")
    assert "cwd" not in stages(lab)["y"]


def test_through_a_link_to_the_project(lab, axil, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(lab.root)
    axil("stage", "add", "x", "-d", str(link / "src" / "train.py"), "--", "true")
    assert stages(lab)["x"]["deps"] == ["src/train.py"]


def test_a_dep_that_is_not_there_is_warned_about(lab, axil):
    assert "data/none does not exist yet" in axil("stage", "add", "x", "-d", "data/none", "--", "true").err


def test_json(lab, axil):
    value = axil("stage", "add", "x", "-o", "o", "--json", "--", "true").json
    assert value["stage"]["name"] == "x"
    assert value["replaced"] is False


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["x"], 2, "missing the command"),
        (["x", "--"], 2, "missing the command"),
        (["train", "--", "true"], 1, "there is a stage train already\n  it is in axil.toml, line 10"),
        (["a b", "--", "true"], 1, "'a b' cannot be the name of a stage"),
        (["x", "-d", "../up", "--", "true"], 1, "a path in deps cannot be used"),
        (["x", "-o", ".git/x", "--", "true"], 1, "belongs to git or axil"),
        (["x", "-o", "data/prepared/in", "--", "true"], 1, "lies inside data/prepared"),
        (["x", "-o", "models/digits.npz", "--", "true"], 1, "both make models/digits.npz"),
        (["x", "-d", "models/digits.npz", "-o", "data/raw", "--", "true"], 1, "stages wait for each other"),
        (["x", "--", " "], 1, "stage x has no command"),
    ],
)  # fmt: skip
def test_what_cannot_be_added_changes_nothing(lab, axil, words, code, message):
    before = lab.repo.read("axil.toml")
    assert message in axil("stage", "add", *words, code=code).err
    assert lab.repo.read("axil.toml") == before


def test_force_replaces(lab, axil):
    assert axil("stage", "add", "train", "-f", "-o", "m", "--", "true").out == "replaced stage train\n"
    assert stages(lab)["train"] == {"cmd": "true", "outs": ["m"]}


def test_options_of_the_command_are_not_ours(lab, axil):
    axil("stage", "add", "x", "--", "tool", "--json", "-C", "/nowhere", "--no-color", "--")
    assert stages(lab)["x"]["cmd"] == "tool --json -C /nowhere --no-color --"


def test_graph(lab, axil):
    assert axil("graph").out == "prepare\n└─ train\n"
    assert axil("graph", "prepare").out == "prepare\n"
    assert axil("graph", "--dot").out.startswith("digraph")
    assert axil("graph", "--mermaid").out.startswith("flowchart")
    assert axil("graph", "--json").json["stages"][1] == {
        "stage": "train",
        "after": ["prepare"],
        "deps": ["data/prepared"],
        "outs": ["models/digits.npz", "metrics.json"],
    }


def test_graph_of_nothing(repo, axil, monkeypatch):
    repo.write({"axil.toml": ""})
    monkeypatch.chdir(repo.path)
    assert axil("graph").out == ""
    assert "axil stage add" in axil("graph").err
    assert "axil stage add" in axil("stage", "list").err


def test_graph_of_an_unknown_stage(lab, axil):
    assert "there is no stage `tain`" in axil("graph", "tain", code=1).err


def test_a_circle_is_shown(lab, axil):
    lab.repo.write(
        {"axil.toml": '[stages.a]\ncmd="x"\ndeps=["q"]\nouts=["p"]\n[stages.b]\ncmd="x"\ndeps=["p"]\nouts=["q"]\n'}
    )
    assert "stages wait for each other: a → b → a" in axil("graph", code=1).err

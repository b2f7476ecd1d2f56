"""Stages of DVC in axil's words, and what is said about the rest."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from axil.imports.dvc.expand import Resolved
from axil.imports.dvc.stages import InGit, Params, Translated, command, free_name, translate

NOTHING = InGit((), ())


def made(
    definition: dict[str, Any], folder: str = "", params: Params | None = None, git: InGit = NOTHING
) -> Translated:
    found = params or Params("params.yaml", {"a.b": 1, "a.c": 2, "l": [1, 2]})
    return translate(Resolved("t", {"cmd": "x", **definition}, {}), folder, "t", found, git)


def stage(*arguments: Any, **options: Any) -> Any:
    found = made(*arguments, **options).stage
    assert found is not None
    return found


def test_everything_axil_has_a_word_for():
    found = stage(
        {
            "cmd": "python train.py",
            "deps": ["data", "src/"],
            "params": ["a", "a.b"],
            "outs": ["model", {"big": {"persist": True, "cache": True}}],
            "metrics": [{"m.json": {"cache": False}}],
            "plots": ["roc.csv"],
            "always_changed": True,
        }
    )
    assert found.deps == ("data", "src") and found.params == ("a", "a.b")
    assert (found.outs, found.metrics, found.plots) == (("model", "big"), ("m.json",), ("roc.csv",))
    assert found.keep == ("big",) and found.always


def test_paths_start_at_wdir():
    found = stage({"wdir": "deep", "deps": ["../x"], "outs": ["y"]}, "sub")
    assert (found.cwd, found.deps, found.outs) == ("sub/deep", ("sub/x",), ("sub/deep/y",))


@pytest.mark.parametrize("wdir", ["/tmp", "../.."])
def test_a_work_folder_outside_is_refused(wdir: str):
    found = made({"wdir": wdir}, "sub")
    assert found.stage is None and "wdir" in found.remarks[0]


def test_paths_outside_are_left_out_and_told():
    found = made({"deps": ["s3://b/k", "ok"], "outs": ["/abs", "../up", "fine"]})
    assert found.stage is not None
    assert (found.stage.deps, found.stage.outs) == (("ok",), ("fine",))
    assert [text.split(":")[0] for text in found.remarks] == [
        "left out of outs",
        "left out of outs",
        "left out of deps",
    ]


def test_outputs_behind_a_link_are_left_out():
    found = made({"outs": ["assets/m", "n"]}, git=InGit(["assets"], ["assets"]))
    assert found.stage is not None and found.stage.outs == ("n",)
    assert "assets is a link" in found.remarks[0]


def test_params_that_axil_cannot_express():
    found = made({"params": ["l[0]", "gone", {"other.json": ["x"]}, {"params.yaml": None}, {"/abs.yaml": ["y"]}]})
    assert found.stage is not None
    assert (found.stage.params, found.stage.deps) == (("l",), ("other.json", "params.yaml"))
    words = "\n".join(found.remarks)
    for part in (
        "part of a list",
        "gone is not in params.yaml",
        "other.json counts as a whole instead of x",
        "/abs.yaml",
    ):
        assert part in words


def test_what_axil_has_no_word_for_is_told():
    found = made(
        {
            "frozen": True,
            "desc": "two\nlines",
            "meta": {"who": "me"},
            "new_key": 1,
            "outs": [{"o": {"remote": "r", "push": False, "checkpoint": True}}],
            "metrics": ["score.txt"],
            "plots": [{"p.csv": {"template": "t", "x": "a"}}],
        },
        git=InGit(["o/part"], ()),
    )
    words = "\n".join(found.remarks)
    for part in (
        "frozen",
        "new_key",
        "remote (r)",
        "push",
        "checkpoints",
        "template, x",
        "score.txt",
        "in git until now",
    ):
        assert part in words
    assert found.comments == ("two", "lines", 'meta: {"who": "me"}')
    assert found.stage is not None and found.stage.outs == ("o", "score.txt")


@pytest.mark.parametrize(
    ("commands", "wanted"),
    [
        (["true", "echo two"], "two\n"),
        (["cd /", "pwd > /dev/null; echo $PWD"], None),
        (["false || true", "echo # comment", "echo end"], "\nend\n"),
        (["exit 0", "echo on"], "on\n"),
        (["false", "echo never"], ""),
    ],
)
def test_several_commands_run_one_after_the_other(commands: list[str], wanted: str | None, tmp_path: Any):
    done = subprocess.run(["/bin/sh", "-c", command(commands)], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == (f"{tmp_path}\n" if wanted is None else wanted)
    assert (done.returncode == 0) == (commands[0] != "false")


def test_stages_without_a_command_or_with_an_error_are_not_translated():
    assert made({"cmd": ""}).stage is None
    assert made({"cmd": []}).stage is None
    assert translate(Resolved("t", {}, {}, "because"), "", "t", Params("", {}), NOTHING) == Translated(
        None, ("because",)
    )


def test_names_are_made_of_allowed_characters_and_unlike_others():
    assert free_name("train@us-1.5", ()) == "train@us-1.5"
    assert free_name("train@a/b c", ["train@a_b_c"]) == "train@a_b_c_2"
    assert free_name("@x", ()) == "_@x"
    assert len(free_name("x" * 300, ["x" * 100])) <= 100

"""`axil show`: one experiment or one run on a page."""

from __future__ import annotations

import pytest


def test_an_experiment(lab, axil):
    out = axil("show").out
    for piece in (
        "digits_decay  (current)\n",
        "  decay stops the late divergence\n",
        "fork of digits at ",
        "by Ann Lee, 23 h ago",
        "2 runs (1 failed, 1 succeeded)",
        f"best    {lab.third[-7:]}  ✓",
        f"latest  {lab.failed[-7:]}  ✗",
        "against digits  (run ",
        "train.lr       0.05 → 0.1",
        "src/train.py   +2 −1",
        "data/raw       +3 ~5 files",
        "    looks good\n    merge it?\n",
    ):
        assert piece in out, f"{piece!r} is not in\n{out}"


def test_a_baseline_names_its_children(lab, axil):
    out = axil("show", "digits").out
    assert "  baseline\n  forked to digits_decay\n" in out
    assert "against" not in out


def test_an_experiment_as_json(lab, axil):
    value = axil("show", "digits_decay", "--json").json
    assert value["experiment"]["parent"] == "digits"
    assert value["states"] == {"failed": 1, "succeeded": 1}
    assert (value["best"]["id"], value["latest"]["id"]) == (lab.third, lab.failed)
    assert value["changes"]["params"][0]["key"] == "train.lr"
    assert value["notes"][0]["text"] == "looks good\nmerge it?"


def test_a_failed_run(lab, axil):
    out = axil("show", lab.failed[:20].lower()).out
    for piece in (
        f"✗ failed  run {lab.failed}  digits_decay\n",
        "  too fast\n",
        "took 14 s, by Ann Lee on box",
        f"↺  prepare  cached  result of run {lab.first[-7:]}: nothing changed",
        "✗  train      12 s  exit code 1; params.train.lr 0.1 → 10.0",
        "train.lr      10.0",
        "CPython 3.12.1, Linux-6.1 x86_64, 2 CPUs, 1 package",
        "the last lines of train\n  │ Traceback",
        "FloatingPointError: loss is nan",
    ):
        assert piece in out, f"{piece!r} is not in\n{out}"
    assert "metrics" not in out


def test_a_good_run_has_curves(lab, axil):
    out = axil("show", lab.third).out
    line = next(line for line in out.splitlines() if line.startswith("  loss"))
    assert "█" in line
    assert line.endswith("30 steps, best 0.28")
    assert "models/digits.npz  500 B" in out
    assert "data/prepared      1.0 KB, 50 files" in out
    assert "numpy" not in out
    assert "numpy  2.4.6" in axil("show", "-v", lab.third).out


def test_a_run_as_json(lab, axil):
    value = axil("show", lab.third, "--json").json
    assert value["run"] == {"kind": "run", **lab.record(lab.third)} | value["run"]
    assert value["run"]["stages"][1]["outs"]["models/digits.npz"]["size"] == 500
    assert value["curves"]["loss"][:2] == [2.0, 1.0]
    assert len(value["curves"]["loss"]) == 30


def test_the_end_of_an_id_is_enough(lab, axil):
    assert axil("show", lab.first[-7:].lower(), "--json").json["run"]["id"] == lab.first


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("target", ["digits_decay", "failed", "third"])
def test_it_fits_the_terminal(lab, axil, monkeypatch, columns, target):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = axil("show", getattr(lab, target, target)).out.splitlines()
    tables = [line for line in lines if line.startswith("  ") and "by Ann Lee" not in line]
    assert max(len(line) for line in tables) <= columns


def test_unknown_names(lab, axil):
    err = axil("show", "digits_dekay", code=1).err
    assert "there is no experiment or run digits_dekay\n  did you mean digits_decay" in err
    assert "several runs" in axil("show", "01", code=1).err


def test_an_experiment_named_like_a_run_id_is_the_experiment(lab, axil):
    name = lab.first[:10].lower()
    lab.repo.run("branch", name)
    assert axil("show", name, "--json").json["experiment"]["name"] == name


def test_on_a_detached_head(lab, axil):
    lab.repo.run("switch", "-q", "--detach")
    assert "HEAD is detached" in axil("show", code=1).err


def test_on_an_unborn_branch(repo, axil, monkeypatch):
    repo.write({"axil.toml": ""})
    monkeypatch.chdir(repo.path)
    assert axil("show").out.startswith("main  (current)\n")

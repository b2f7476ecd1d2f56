"""Parameters that a stage reads without declaring them are part of what its result depends on."""

from __future__ import annotations

import os

import pytest

ONE = """
[stages.train]
cmd = "python train.py"
params = ["declared"]
outs = ["m.out"]
"""
PARAMS = "declared: 1\ntrain:\n  lr: 0.1\n  opt: {name: sgd, wd: 0}\nunused: 5\n"
SCRIPT = "import axil\nopen('m.out', 'w').write(str(%s))\n"


def reason(bench):
    (decision,) = bench.planner().plan_all()
    return decision.reason if decision.action == "run" else decision.action


def test_a_key_that_was_read_counts_from_then_on(bench):
    bench.write(axil_toml=ONE, params_yaml=PARAMS, train_py=SCRIPT % "axil.params.train.lr")
    (stage,) = bench.run().run.stages
    assert stage.read == ["train.lr"]
    assert stage.params == {"declared": 1, "train.lr": 0.1}
    assert reason(bench) == "current"
    bench.write(params_yaml=PARAMS.replace("unused: 5", "unused: 6").replace("wd: 0", "wd: 1"))
    assert reason(bench) == "current"
    bench.write(params_yaml=PARAMS.replace("0.1", "0.2"))
    assert reason(bench).startswith("params.train.lr 0.1 → 0.2 since run ")
    bench.run()
    bench.write(params_yaml=PARAMS)
    assert reason(bench) == "restore"
    bench.run()
    assert bench.stages()["train"].read == ["train.lr"]
    assert reason(bench) == "current"


@pytest.mark.parametrize(
    ("expression", "read", "changed"),
    [
        ("dict(axil.params.train.opt)", ["train.opt"], "train.opt.wd"),
        ("sorted(axil.params)", [""], "train.opt.wd"),
        ("axil.params.get('train.momentum', 0.9)", ["train.momentum"], ""),
        ("[axil.params.train.opt.name, {**axil.params.train}]", ["train"], "train.opt.wd"),
    ],
)
def test_tables_and_what_was_not_there(bench, expression, read, changed):
    bench.write(axil_toml=ONE, params_yaml=PARAMS, train_py=SCRIPT % expression)
    assert bench.run().run.stages[0].read == read
    assert reason(bench) == "current"
    bench.write(params_yaml=PARAMS.replace("wd: 0", "wd: 1").replace("unused: 5", "unused: 6") + "new: 1\n")
    assert reason(bench).startswith(f"params.{changed} ") if changed else reason(bench) == "current"


def test_what_was_missing_and_is_there_now_is_a_reason(bench):
    bench.write(axil_toml=ONE, params_yaml=PARAMS, train_py=SCRIPT % "axil.params.get('train.momentum', 0.9)")
    bench.run()
    bench.write(params_yaml=PARAMS.replace("train:", "train:\n  momentum: 0.5"))
    assert reason(bench).startswith("params.train.momentum new: 0.5")


def test_code_that_reads_it_no_longer_is_free_of_it(bench):
    bench.write(axil_toml=ONE, params_yaml=PARAMS, train_py=SCRIPT % "axil.params.train.lr")
    bench.run()
    bench.write(train_py=SCRIPT % "axil.params.unused")
    assert bench.run().run.stages[0].read == ["unused"]
    bench.write(params_yaml=PARAMS.replace("0.1", "0.2"))
    assert reason(bench) == "current"


def test_a_killed_process_leaves_what_it_had_read(bench):
    script = "import axil, os, signal\naxil.params.train.lr\nos.kill(os.getpid(), signal.SIGKILL)\n"
    bench.write(axil_toml=ONE, params_yaml=PARAMS, train_py=script)
    (stage,) = bench.run().run.stages
    assert (stage.state, stage.read) == ("failed", ["train.lr"])


def test_other_languages_write_the_same_line(bench):
    bench.write(
        axil_toml=ONE.replace(
            "python train.py",
            """echo '{\\"stage\\":\\"train\\",\\"key\\":\\"unused\\"}' >> $AXIL_RUN_DIR/read.jsonl; echo rubbish """
            """>> $AXIL_RUN_DIR/read.jsonl; touch m.out""",
        ),
        params_yaml=PARAMS,
    )
    (stage,) = bench.run().run.stages
    assert (stage.read, stage.params) == (["unused"], {"declared": 1, "unused": 5})


def test_nothing_of_it_stays_in_the_way(bench):
    bench.write(axil_toml=ONE, params_yaml=PARAMS, train_py=SCRIPT % "1")
    (stage,) = bench.run().run.stages
    assert (stage.read, stage.params) == ([], {"declared": 1})
    assert os.listdir(bench.runs) == ["admission.lock"]

"""runs.execute: whole runs of small pipelines with real commands."""

from __future__ import annotations

import json
import os
import time

import pytest

from axil.base import processes
from axil.errors import BadInput, Blocked
from axil.runs import rundir
from axil.runs.events import NothingToDo, RunEnded, RunStarted, StageLine, StageStarted

CHAIN = """
[stages.a]
cmd = "cat data.txt > a.out"
deps = ["data.txt"]
outs = ["a.out"]

[stages.b]
cmd = "tr a-z A-Z < a.out > b.out; echo done"
deps = ["a.out"]
outs = ["b.out"]
"""


def states(bench):
    return {name: record.state for name, record in bench.stages().items()}


def test_first_run_makes_everything_and_is_recorded(bench):
    bench.write(axil_toml=CHAIN, data_txt="hello")
    outcome = bench.run(message="first")
    assert outcome.recorded and outcome.saved == ()
    assert (bench.root / "b.out").read_text() == "HELLO"
    (run,) = bench.recorded()
    assert run == outcome.run
    assert (run.state, run.exit_code, run.message, run.experiment) == ("succeeded", 0, "first", "main")
    assert [(stage.name, stage.state) for stage in run.stages] == [("a", "succeeded"), ("b", "succeeded")]
    assert run.stages[1].outs["b.out"].size == 5
    assert bench.store.read(bytes.fromhex(run.stages[1].outs["b.out"].oid)) == b"HELLO"
    assert bench.store.read(bytes.fromhex(run.stages[1].log)) == b"done\n"
    assert run.stages[0].log == ""
    kinds = [type(event) for event in bench.events]
    assert kinds[0] is RunStarted and kinds[-1] is RunEnded and kinds.count(StageStarted) == 2
    assert StageLine("b", "done") in bench.events


def test_a_run_with_nothing_to_do_leaves_no_trace(bench):
    bench.write(axil_toml=CHAIN, data_txt="hello")
    bench.run()
    outcome = bench.run()
    assert not outcome.recorded
    assert states(bench) == {"a": "current", "b": "current"}
    assert len(bench.recorded()) == 1
    assert isinstance(outcome.run, NothingToDo)
    assert outcome.run.record().stages[0].source == bench.recorded()[0].id


def test_a_message_makes_a_record_even_then(bench):
    bench.write(axil_toml=CHAIN, data_txt="hello")
    bench.run()
    assert bench.run(message="keep").recorded
    assert [run.message for run in bench.recorded()] == ["keep", ""]


def test_early_cutoff(bench):
    bench.write(axil_toml=CHAIN.replace("cat data.txt", "head -c 1 data.txt"), data_txt="hello")
    bench.run()
    bench.write(data_txt="hi")
    bench.run()
    assert states(bench) == {"a": "succeeded", "b": "current"}


def test_failure_skips_what_depends_on_it_and_nothing_else(bench):
    bench.write(
        axil_toml="""
[stages.bad]
cmd = "echo partial > bad.out; for i in $(seq 30); do echo line $i; done; exit 3"
outs = ["bad.out", "never.out"]
[stages.after]
cmd = "cp bad.out after.out"
deps = ["bad.out"]
outs = ["after.out"]
[stages.beside]
cmd = "echo ok > beside.out"
outs = ["beside.out"]
"""
    )
    run = bench.run().run
    assert (run.state, run.exit_code) == ("failed", 3)
    bad, after, beside = (bench.stages()[name] for name in ("bad", "after", "beside"))
    assert (bad.state, bad.exit_code, after.state, beside.state) == ("failed", 3, "skipped", "succeeded")
    assert after.reason == "bad did not succeed"
    assert bad.tail == "\n".join(f"line {number}" for number in range(11, 31))
    assert list(bad.outs) == ["bad.out"]
    assert bench.store.read(bytes.fromhex(bad.outs["bad.out"].oid)) == b"partial\n"
    assert bench.recorded() == [run]
    bench.run()
    assert {name: record.state for name, record in bench.stages().items()} == {
        "bad": "failed", "after": "skipped", "beside": "current",
    }  # fmt: skip


def test_an_output_that_was_not_made_is_a_failure_that_names_stage_path_and_line(bench):
    bench.write(axil_toml='\n[stages.a]\ncmd = "true"\nouts = ["out/x", "out/y"]\n')
    run = bench.run().run
    (stage,) = run.stages
    assert (run.state, stage.state, stage.exit_code) == ("failed", "failed", 0)
    assert "stage a did not make out/x, out/y" in stage.tail
    assert "axil.toml line 2" in stage.tail
    assert stage.tail in bench.store.read(bytes.fromhex(stage.log)).decode()


def test_metrics_come_from_files_and_from_logging_and_files_win(bench):
    bench.write(
        axil_toml="""
[stages.train]
cmd = "python train.py"
metrics = ["m.json", "broken.json"]
outs = ["model.out"]
""",
        train_py="""
import axil, json, helper
for step in axil.track(range(3)):
    axil.log(loss=1 / (step + 1), acc=0.1)
json.dump({"acc": 0.9, "val": {"f1": 0.5}}, open("m.json", "w"))
open("broken.json", "w").write("{")
open("model.out", "w").write("x")
""",
        helper_py="",
    )
    run = bench.run().run
    assert run.state == "succeeded"
    assert run.metrics == run.stages[0].metrics == {"loss": 1 / 3, "acc": 0.9, "val.f1": 0.5}
    assert (run.summary["loss"].count, run.summary["loss"].max, run.summary["loss"].last_step) == (3, 1.0, 2.0)
    assert b"broken.json is no valid metrics file" in bench.store.read(bytes.fromhex(run.stages[0].log))
    assert set(run.stages[0].outs) == {"m.json", "broken.json", "model.out"}
    (bench.root / "model.out").unlink()
    again = bench.run().run
    assert again.stages[0].state == "cached"
    assert again.metrics == run.metrics
    assert again.stages[0].log == run.stages[0].log


def test_environment_has_what_was_imported_and_no_values_of_variables(bench, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "hunter2-secret")
    bench.write(
        axil_toml='[stages.a]\ncmd = "python a.py"\nenv = ["MY_TOKEN"]\nouts = ["a.out"]\n',
        a_py="import numpy, os\nopen('a.out', 'w').write('x')\n",
        requirements_txt="numpy\n",
    )
    run = bench.run().run
    assert run.environment.packages["numpy"]
    assert run.environment.implementation == "cpython" and run.environment.cpus > 0
    assert list(run.environment.locks) == ["requirements.txt"]
    assert "hunter2" not in repr(run)
    for path in (bench.root / ".git").rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes()
    assert not bench.run().recorded
    monkeypatch.setenv("MY_TOKEN", "other")
    bench.run()
    assert "MY_TOKEN changed" in bench.stages()["a"].reason


def settle(path):
    """Return when `path` has been as it is for so long that a run cannot take it for changed meanwhile."""
    while time.time() - path.stat().st_ctime < 0.05:
        time.sleep(0.005)


def test_modules_only_seen_at_run_time_count_from_then_on(bench):
    bench.write(
        axil_toml='[stages.a]\ncmd = "python a.py"\nouts = ["a.out"]\n',
        a_py="name = 'plug' + 'in'\nmodule = __import__(name)\nopen('a.out', 'w').write(module.TEXT)\n",
        plugin_py="from deep import TEXT\n",
        deep_py="TEXT = 'one'\n",
    )
    settle(bench.root / "deep.py")
    stage = bench.run().run.stages[0]
    assert stage.seen == ["deep.py", "plugin.py"]
    assert set(stage.code) == {"a.py", "deep.py", "plugin.py"}
    assert not bench.run().recorded
    bench.write(deep_py="TEXT = 'another'\n")
    settle(bench.root / "deep.py")
    bench.run()
    assert "deep.py changed" in bench.stages()["a"].reason
    assert (bench.root / "a.out").read_text() == "another"
    assert not bench.run().recorded


def test_a_result_from_before_is_put_back(bench):
    bench.write(
        axil_toml='''
[stages.make]
cmd = """
mkdir -p out/d/sub && cp params.yaml out/d/sub/p && ln -s sub/p out/d/link
cp params.yaml out/f && chmod +x out/f"""
params = ["n"]
outs = ["out/d", "out/f"]
''',
        params_yaml="n: 1\n",
    )
    first = bench.run().run
    bench.write(params_yaml="n: 2\n")
    bench.run()
    assert (bench.root / "out/d/link").read_text() == "n: 2\n"
    bench.write(params_yaml="n: 1\n")
    outcome = bench.run()
    (stage,) = outcome.run.stages
    assert (stage.state, stage.source, stage.outs) == ("cached", first.id, first.stages[0].outs)
    assert outcome.saved == ()
    assert (bench.root / "out/d/link").is_symlink()
    assert (bench.root / "out/d/link").read_text() == (bench.root / "out/f").read_text() == "n: 1\n"
    assert (bench.root / "out/f").stat().st_mode & 0o111
    assert not bench.run().recorded


def test_restoring_saves_edits_and_removes_what_is_not_of_the_result(bench):
    bench.write(axil_toml='[stages.a]\ncmd = "mkdir -p out/d && echo 1 > out/d/x"\nouts = ["out/d"]\n')
    bench.run()
    (bench.root / "out/d/x").write_text("edited by hand")
    (bench.root / "out/d/new").write_text("mine")
    outcome = bench.run()
    assert bench.stages()["a"].state == "cached"
    (saved,) = outcome.saved
    assert saved.path == "out/d"
    held = {entry.name: bench.store.read(entry.oid) for entry in bench.store.entries(saved.pointer.oid)}
    assert held == {b"x": b"edited by hand", b"new": b"mine"}
    assert [path.name for path in (bench.root / "out/d").iterdir()] == ["x"]
    assert (bench.root / "out/d/x").read_text() == "1\n"


def test_bytes_that_exist_nowhere_else_are_saved_before_a_stage_removes_them(bench):
    bench.write(
        axil_toml='[stages.a]\ncmd = "ls out > listing.out; echo new > out/x"\nouts = ["out/x", "listing.out"]\n'
    )
    (bench.root / "out").mkdir()
    (bench.root / "out/x").write_text("precious")
    outcome = bench.run()
    (saved,) = outcome.saved
    assert (saved.path, bench.store.read(saved.pointer.oid)) == ("out/x", b"precious")
    assert (bench.root / "listing.out").read_text() == ""
    assert bench.run(force=("a",)).saved == ()


def test_keep_leaves_an_output_where_it_is(bench):
    bench.write(axil_toml='[stages.a]\ncmd = "echo more >> log.out"\nouts = ["log.out"]\nkeep = true\n')
    bench.run()
    bench.run(force=("a",))
    assert (bench.root / "log.out").read_text() == "more\nmore\n"


def test_an_output_that_is_a_link_or_a_pipe_is_refused(bench, tmp_path):
    (tmp_path / "elsewhere").write_text("x")
    bench.write(
        axil_toml=f"""
[stages.link]
cmd = "ln -s {tmp_path}/elsewhere link.out"
outs = ["link.out"]
[stages.pipe]
cmd = "mkfifo pipe.out"
outs = ["pipe.out"]
"""
    )
    bench.run()
    link, pipe = bench.stages()["link"], bench.stages()["pipe"]
    assert (link.state, pipe.state) == ("failed", "failed")
    assert "link.out is a symbolic link" in link.tail
    assert "pipe.out: a device, socket or pipe" in pipe.tail
    bench.run()
    assert (tmp_path / "elsewhere").read_text() == "x"


def test_two_stages_run_at_once(bench):
    # Each waits for the other to open the pipe: alone, neither would end.
    bench.write(
        axil_toml="""
[stages.left]
cmd = "echo hi > fifo; echo l > left.out"
outs = ["left.out"]
[stages.right]
cmd = "cat fifo > right.out"
outs = ["right.out"]
"""
    )
    os.mkfifo(bench.root / "fifo")
    (bench.root / ".git/info/exclude").write_text("fifo\n")
    assert bench.run(jobs=2).run.state == "succeeded"
    assert (bench.root / "right.out").read_text() == "hi\n"


def test_what_a_stage_sees(bench):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "pwd; env | grep ^AXIL_ | sort; cat; echo err >&2; cat $AXIL_RUN_DIR/params.json > ../a.out"
cwd = "deep"
outs = ["a.out"]
params = ["train"]
""",
        params_yaml="train:\n  lr: 0.1\n  opt: {name: sgd}\nlayers: [1, 2]\n",
        deep__x_txt="",
    )
    run = bench.run().run
    lines = bench.store.read(bytes.fromhex(run.stages[0].log)).decode().splitlines()
    assert lines[0] == str(bench.root / "deep")
    assert lines[-1] == "err"
    seen = dict(line.split("=", 1) for line in lines[1:-1])
    assert seen.pop("AXIL_RUN_DIR") == os.path.join(bench.runs, run.id)
    assert seen == {
        "AXIL_RUN": run.id, "AXIL_EXPERIMENT": "main", "AXIL_STAGE": "a", "AXIL_ATTEMPT": "1",
        "AXIL_ROOT": str(bench.root),
    }  # fmt: skip
    nested = json.loads((bench.root / "a.out").read_text())
    assert nested == {"train": {"lr": 0.1, "opt": {"name": "sgd"}}, "layers": [1, 2]}
    assert run.params == {"train.lr": 0.1, "train.opt.name": "sgd", "layers": [1, 2]}


def test_processes_left_behind_are_ended_and_named(bench):
    bench.write(axil_toml='[stages.a]\ncmd = "sleep 1000 & echo $! > a.out"\nouts = ["a.out"]\n')
    run = bench.run().run
    assert run.state == "succeeded"
    assert processes.environment(int((bench.root / "a.out").read_text())) == {}
    log = bench.store.read(bytes.fromhex(run.stages[0].log))
    assert log == b"axil: ended 1 background process the command left behind\n"


def test_mistakes_are_told_before_anything_runs(bench):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "touch a.out"
outs = ["a.out"]
[stages.b]
cmd = "true"
deps = ["nothing.txt"]
"""
    )
    with pytest.raises(BadInput, match=r"nothing\.txt"):
        bench.run()
    assert not (bench.root / "a.out").exists()
    assert bench.recorded() == [] and rundir.ids(bench.runs) == []


def test_only_what_a_target_needs_is_run(bench):
    bench.write(axil_toml=CHAIN, data_txt="hello")
    run = bench.run("a").run
    assert [stage.name for stage in run.stages] == ["a"] and run.targets == ["a"]


def test_a_second_run_may_not_write_the_same_outputs(bench, supervise):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "echo begun; cat fifo > a.out"
outs = ["a.out"]
[stages.b]
cmd = "echo b > b.out"
outs = ["b.out"]
"""
    )
    os.mkfifo(bench.root / "fifo")
    (bench.root / ".git/info/exclude").write_text("fifo\n")
    process = supervise(targets=["a"])
    for line in process.stdout:
        if line == "StageLine a begun\n":
            break
    (other,) = rundir.ids(bench.runs)
    with pytest.raises(Blocked, match=other) as caught:
        bench.run()
    assert caught.value.paths == ("a.out",)
    assert bench.run("b").run.state == "succeeded"
    (bench.root / "fifo").write_text("done")
    assert process.wait(30) == 0
    assert [run.state for run in bench.recorded()] == ["succeeded", "succeeded"]


def test_a_face_that_breaks_leaves_no_command_running(bench):
    bench.write(axil_toml='[stages.a]\ncmd = "echo $$; sleep 1000"\nouts = ["a.out"]\n')
    pids = []

    def break_down(event):
        if isinstance(event, StageLine):
            pids.append(int(event.text))
            raise RuntimeError("the face broke")

    with pytest.raises(RuntimeError, match="the face broke"):
        bench.run(on_event=break_down)
    assert processes.session(pids[0]) == []

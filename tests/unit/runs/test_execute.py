"""runs.execute: whole runs of small pipelines with real commands."""

from __future__ import annotations

from axil.runs.events import RunEnded, RunStarted, StageLine, StageStarted

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
    assert outcome.run.stages[0].source == bench.recorded()[0].id


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

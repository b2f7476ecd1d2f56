"""Commands that take too long, and commands that fail and are started again."""

from __future__ import annotations

import time

from axil.base import processes
from axil.runs.events import StageStarted


def log(bench, run, name="a"):
    stage = next(stage for stage in run.stages if stage.name == name)
    return bench.store.read(bytes.fromhex(stage.log)).decode()


def test_a_command_that_takes_too_long_is_ended_with_all_it_started(bench):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "sleep 1000 & echo $! > pid; echo begun; wait"
outs = ["a.out"]
timeout = 0.5
"""
    )
    (stage,) = bench.run().run.stages
    assert (stage.state, stage.exit_code) == ("failed", 124)
    assert "axil: it took longer than 0.5s (its timeout) and was ended" in stage.tail
    assert "begun" in stage.tail
    assert processes.environment(int((bench.root / "pid").read_text())) == {}


def test_a_command_that_ignores_the_first_signal_is_killed(bench):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "trap '' TERM; while :; do sleep 0.05; done"
timeout = 0.2
"""
    )
    (stage,) = bench.run(grace=0.3).run.stages
    assert (stage.state, stage.exit_code) == ("failed", 124)


def test_one_that_saves_and_ends_well_has_failed_all_the_same(bench):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "trap 'echo saved; exit 0' TERM; while :; do sleep 0.05; done"
timeout = "0.3s"
"""
    )
    (stage,) = bench.run().run.stages
    assert (stage.state, stage.exit_code) == ("failed", 124)
    assert "saved" in stage.tail


def test_the_limit_of_one_stage_leaves_the_others_alone(bench):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "sleep 1000"
timeout = 0.2
[stages.b]
cmd = "sleep 0.6; echo b > b.out"
outs = ["b.out"]
"""
    )
    started = time.monotonic()
    states = {stage.name: stage.state for stage in bench.run(jobs=2).run.stages}
    assert states == {"a": "failed", "b": "succeeded"}
    assert time.monotonic() - started < 60


RETRIED = """
[stages.a]
cmd = "echo attempt $AXIL_ATTEMPT; echo $AXIL_ATTEMPT > a.out; test $AXIL_ATTEMPT -ge 3"
outs = ["a.out"]
retry = {retry}
[stages.b]
cmd = "cat a.out > b.out"
deps = ["a.out"]
outs = ["b.out"]
"""


def test_a_failed_command_is_started_again_until_it_succeeds(bench):
    bench.write(axil_toml=RETRIED.format(retry=5))
    run = bench.run().run
    assert [(stage.state, stage.tries) for stage in run.stages] == [("succeeded", 3), ("succeeded", 1)]
    assert log(bench, run) == (
        "attempt 1\naxil: attempt 1 of 6 failed (exit code 1): again\n"
        "attempt 2\naxil: attempt 2 of 6 failed (exit code 1): again\n"
        "attempt 3\n"
    )
    assert (bench.root / "b.out").read_text() == "3\n"
    assert [event.reason for event in bench.events if isinstance(event, StageStarted)][1] == "attempt 2 of 6"
    assert bench.run().recorded is False


def test_not_more_often_than_it_says(bench):
    bench.write(axil_toml=RETRIED.format(retry=1))
    run = bench.run().run
    assert [(stage.state, stage.tries) for stage in run.stages] == [("failed", 2), ("skipped", 1)]
    assert run.stages[0].outs["a.out"].size == 2
    assert "again" not in log(bench, run).splitlines()[-1]


def test_what_was_not_made_counts_as_failed_and_the_code_is_read_anew(bench):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "test $AXIL_ATTEMPT = 1 || echo made > a.out"
outs = ["a.out"]
retry = 1
"""
    )
    (stage,) = bench.run().run.stages
    assert (stage.state, stage.tries) == ("succeeded", 2)


def test_a_timeout_is_for_each_attempt(bench):
    bench.write(
        axil_toml="""
[stages.a]
cmd = "test $AXIL_ATTEMPT = 2 || sleep 1000"
timeout = 0.3
retry = 1
"""
    )
    (stage,) = bench.run().run.stages
    assert (stage.state, stage.tries, stage.exit_code) == ("succeeded", 2, 0)

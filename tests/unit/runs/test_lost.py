"""runs.lost: a supervisor killed at the worst moment loses nothing that was done."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from tests.unit.runs.bench import Bench

from axil.base import processes
from axil.base.clock import system_clock
from axil.formats.record import Run
from axil.journal.journal import Journal
from axil.runs import rundir
from axil.runs.lost import adopt_lost

PIPELINE = """
[stages.first]
cmd = "echo one > first.out; echo said by first"
outs = ["first.out"]

[stages.second]
cmd = "python log.py; echo $$ > pid; echo begun; cat < fifo > second.out"
deps = ["first.out"]
outs = ["second.out"]

[stages.third]
cmd = "cp second.out third.out"
deps = ["second.out"]
outs = ["third.out"]
"""
LOG = "import axil\nfor i in range(3): axil.log(loss=1 / (i + 1))\n"


def adopt(bench: Bench) -> list[Run]:
    return adopt_lost(bench.runs, bench.journal, bench.store, bench.index, system_clock)


def wait_for(process, line):
    for text in process.stdout:
        if text.rstrip() == line:
            return
    raise AssertionError(f"the run ended without saying {line!r}")


def start(bench, supervise):
    """A run that hangs in its second stage; gives the supervisor and the pid of that stage's command."""
    bench.write(axil_toml=PIPELINE, log_py=LOG)
    os.mkfifo(bench.root / "fifo")
    (bench.root / ".git/info/exclude").write_text("fifo\npid\n")
    process = supervise()
    wait_for(process, "StageLine second begun")
    return process, int((bench.root / "pid").read_text())


def kill(process):
    process.kill()
    process.wait()


def test_a_killed_run_is_recorded_with_all_it_had(bench, supervise):
    process, child = start(bench, supervise)
    (run_id,) = rundir.ids(bench.runs)
    assert adopt(bench) == []
    assert [live.id for live in rundir.live(bench.runs, str(bench.root))] == [run_id]
    kill(process)
    assert processes.identity(child) is not None
    (run,) = adopt(bench)
    assert processes.session(child) == []
    assert (run.id, run.state, run.exit_code) == (run_id, "lost", None)
    assert [(stage.name, stage.state) for stage in run.stages] == [("first", "succeeded"), ("second", "lost")]
    assert run.snapshot and bench.recorded() == [run]
    first, second = run.stages
    assert bench.store.read(bytes.fromhex(first.outs["first.out"].oid)) == b"one\n"
    assert bench.store.read(bytes.fromhex(first.log)) == b"said by first\n"
    assert second.tail == "begun" and second.seconds >= 0
    assert bench.store.read(bytes.fromhex(second.log)) == b"begun\n"
    assert second.metrics == run.metrics == {"loss": 1 / 3}
    assert run.summary["loss"].count == 3
    assert bench.store.read(bytes.fromhex(run.series)).count(b"\n") == 3
    assert run.environment.python
    assert run.ended >= run.time
    assert rundir.ids(bench.runs) == [] and os.listdir(bench.runs) == ["admission.lock"]
    assert adopt(bench) == []


def test_finished_stages_of_a_lost_run_are_not_run_again(bench, supervise):
    process, _ = start(bench, supervise)
    kill(process)
    adopt(bench)
    bench.write(axil_toml=PIPELINE.replace("cat < fifo", "echo two"))
    bench.run()
    states = {name: record.state for name, record in bench.stages().items()}
    assert states == {"first": "current", "second": "succeeded", "third": "succeeded"}


def test_of_many_adopters_one_records(bench, supervise):
    process, _ = start(bench, supervise)
    kill(process)
    found: list[Run] = []
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        found.extend(adopt(Bench(bench.root)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert len(bench.recorded()) == 1


def test_a_stranger_with_the_old_pid_is_left_alone(bench, supervise):
    process, child = start(bench, supervise)
    kill(process)
    os.killpg(child, signal.SIGKILL)
    (run_id,) = rundir.ids(bench.runs)
    # The record names a process that is alive, but of another run: this one.
    state = Path(bench.runs, run_id, rundir.STATE)
    mine = processes.identity(os.getpid())
    assert mine is not None
    state.write_bytes(state.read_bytes().replace(b'"pid":%d' % child, b'"pid":%d' % mine.pid))
    (run,) = adopt(bench)
    assert run.state == "lost"


def test_a_run_killed_after_its_end_gets_its_own_record(bench, monkeypatch):
    bench.write(axil_toml=PIPELINE.replace("cat < fifo", "echo two"), log_py=LOG)

    class Died(BaseException):
        pass

    def die(*_, **__):
        raise Died

    monkeypatch.setattr(Journal, "append", die)
    with pytest.raises(Died):
        bench.run(message="last words")
    monkeypatch.undo()
    (run,) = adopt(bench)
    assert (run.state, run.message, len(run.stages)) == ("succeeded", "last words", 3)


def test_a_run_killed_after_its_record_only_loses_its_folder(bench, monkeypatch):
    bench.write(axil_toml=PIPELINE.replace("cat < fifo", "echo two"), log_py=LOG)
    monkeypatch.setattr(rundir.RunDir, "remove", lambda self: self.release())
    bench.run()
    monkeypatch.undo()
    assert len(rundir.ids(bench.runs)) == 1
    assert adopt(bench) == []
    assert len(bench.recorded()) == 1 and rundir.ids(bench.runs) == []


def test_a_folder_that_is_no_run_stops_nobody(bench):
    folder = Path(bench.runs, "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    folder.mkdir(parents=True)
    assert adopt(bench) == []
    (folder / "spec.json").write_text('{"version": 99, "id": "x", "time": 1, "root": "/"}')
    assert adopt(bench) == []
    assert folder.exists()


def test_a_snapshot_git_has_thrown_away_does_not_keep_the_run_out(bench, supervise):
    process, _ = start(bench, supervise)
    kill(process)
    (run_id,) = rundir.ids(bench.runs)
    spec = Path(bench.runs, run_id, rundir.SPEC)
    tree = rundir.RunDir(str(spec.parent)).spec().snapshot
    spec.write_text(spec.read_text().replace(tree, "0123456789" * 4))
    (run,) = adopt(bench)
    assert bench.recorded()[0].id == run.id == run_id

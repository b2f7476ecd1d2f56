"""What a run and the machine use is measured beside the run, and never in its way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from axil.base import usage
from axil.formats.series import points
from axil.runs import system
from axil.runs.system import Meter, Sampler, summary

needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc")
BUSY = "import time\nblock = bytearray(50 << 20)\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch):
    ours = usage.sessions
    others = ours(usage.processes(), os.getpid())  # servers that other tests of this process started
    monkeypatch.setattr(
        usage, "sessions", lambda *asked: {one: pids for one, pids in ours(*asked).items() if one not in others}
    )
    process = subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True)
    yield process
    process.kill()
    process.wait()


@needs_proc
def test_the_processes_of_a_command_and_what_they_use(busy):
    meter = Meter("/", time.time())
    end = time.monotonic() + 30
    found: dict[str, float] = {}
    while time.monotonic() < end and not (found.get("memory", 0) > 50 << 20 and found["cpu"] > 0):
        time.sleep(0.2)
        found = meter.measure(time.time())
    assert 0 < found["cpu"] < 2
    assert 50 << 20 < found["memory"] < 200 << 20
    assert found["machine.memory"] > found["memory"] and 0 < found["machine.cpu"] <= 1 and found["disk.free"] > 0
    busy.kill()
    busy.wait()
    after = meter.measure(time.time())
    assert (after["memory"], after["cpu"]) == (0, 0)


@needs_proc
def test_children_count_and_strangers_do_not():
    table = {
        10: usage.Process(1, 10, 1.0, 0),
        11: usage.Process(10, 11, 1.0, 0),  # a command
        12: usage.Process(11, 11, 1.0, 0),  # its child
        13: usage.Process(12, 13, 1.0, 0),  # a daemon below it
        14: usage.Process(1, 11, 1.0, 0),  # an orphan in its session
        15: usage.Process(10, 10, 1.0, 0),  # git, which axil runs for itself
        16: usage.Process(1, 16, 1.0, 0),
    }
    assert {leader: sorted(pids) for leader, pids in usage.sessions(table, 10).items()} == {11: [11, 12, 13, 14]}
    assert usage.sessions({}, 10) == {}


@needs_proc
def test_lines_come_while_it_runs(tmp_path: Path, busy):
    path = tmp_path / "system.jsonl"
    with Sampler(str(path), str(tmp_path), time.time, first=0.05, pause=0.05):
        end = time.monotonic() + 30
        while time.monotonic() < end and (not path.exists() or path.read_bytes().count(b"\n") < 3):
            time.sleep(0.02)
    names = {point.name for point in points(path.read_bytes())}
    assert {"cpu", "memory", "read", "written", "machine.cpu", "machine.memory", "disk.free"} <= names
    assert summary(str(path))["memory"] > 0


def test_a_short_run_is_not_measured(tmp_path: Path):
    with Sampler(str(tmp_path / "system.jsonl"), str(tmp_path), time.time):
        pass
    assert list(tmp_path.iterdir()) == [] and summary(str(tmp_path / "system.jsonl")) == {}


def test_without_proc_or_with_a_full_disk_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(usage, "machine", lambda: None)
    assert Meter("/", 0.0).measure(1.0) == {}
    monkeypatch.undo()
    with monkeypatch.context() as patched:
        patched.setattr(system.Sampler, "_append", full)
        with Sampler(str(tmp_path / "system.jsonl"), str(tmp_path), time.time, first=0.01, pause=0.01):
            time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []


def test_the_summary_weighs_by_time_and_trusts_nothing(tmp_path: Path):
    path = tmp_path / "system.jsonl"
    path.write_text(
        '{"step":1,"metrics":{"cpu":4,"memory":10,"gpu.0":1,"gpu.0.memory":5}}\n'
        '{"step":5,"metrics":{"cpu":1,"memory":30,"gpu.0":0.5}}\nrubbish\n{"step":6,"metrics":{"cpu":"nan"}}\n'
    )
    assert summary(str(path)) == {"cpu": 1.6, "memory": 30.0, "gpu": 0.6}


@needs_proc
def test_the_record_names_it(bench):
    bench.write(axil_toml='[stages.a]\ncmd = "sleep 1.6; touch a.out"\nouts = ["a.out"]')
    run = bench.run().run
    assert {point.name for point in points(bench.store.read(bytes.fromhex(run.system)))} >= {"cpu", "memory"}
    assert run.usage["memory"] > 0 and "cpu" in run.usage
    assert ("system", run.system) in {(one.role, one.oid.hex()) for one in bench.journal.outputs()}

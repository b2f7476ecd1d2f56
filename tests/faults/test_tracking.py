"""Processes that log, killed or without room on the disk: what had been logged is there, the run goes on."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from tests.conftest import Repo
from tests.unit.runs.bench import Bench

from axil.base.clock import system_clock
from axil.formats.record import Run
from axil.formats.series import points
from axil.runs.execute import Outcome
from axil.runs.lost import adopt_lost
from axil.store.verify import verify

ONE = """
[stages.train]
cmd = "exec python train.py"
outs = ["m.out"]
"""


@pytest.fixture
def bench(repo: Repo) -> Bench:
    repo.commit({".gitignore": "*.out\n", "axil.toml": ONE, "params.yaml": "lr: 1\n"})
    return Bench(repo.path)


def ended(outcome: Outcome) -> Run:
    assert isinstance(outcome.run, Run)
    return outcome.run


def test_a_script_killed_while_it_logs(bench: Bench) -> None:
    bench.write(
        train_py="import axil, os, signal, time\nfor i in range(5):\n    axil.log(loss=i + axil.params.lr)\n"
        "    axil.log_table('t', [[i]], step=i)\ntime.sleep(1.2)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = ended(bench.run())
    (stage,) = run.stages
    assert (run.state, stage.exit_code, stage.read) == ("failed", -signal.SIGKILL, ["lr"])
    assert [point.value for point in points(bench.store.read(bytes.fromhex(run.series)))] == [1, 2, 3, 4, 5]
    assert run.artifacts is not None and run.artifacts.files == 5


def test_a_script_killed_at_any_moment_of_keeping_an_artifact(bench: Bench) -> None:
    """What is there is whole: each version of the file has one letter, and one length."""
    bench.write(
        train_py="import axil, os, threading, signal, random\n"
        "threading.Timer(0.2 + random.random() / 3, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()\n"
        "while True:\n  for letter in 'abc':\n    open('big.out', 'w').write(letter * 300_000)\n"
        "    axil.log_artifact('big.out')\n"
    )
    for _ in range(4):
        run = ended(bench.run(force=("train",)))
        if run.artifacts is not None:
            assert (run.artifacts.files, run.artifacts.size) == (1, 300_000)
            (entry,) = bench.store.entries(bench.store.entries(bytes.fromhex(run.artifacts.oid))[0].oid)
            assert len(set(bench.store.read(entry.oid))) == 1


def test_a_disk_without_room_for_the_script_fails_nothing(bench: Bench) -> None:
    """A limit on the size of files is a disk that is full for this process, whatever it writes."""
    bench.write(
        train_py="import axil, resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))\n"
        "for i in axil.track(range(3000)):\n    axil.log(loss=i * axil.params.lr)\n    axil.log_table('t', [[i]])\n"
        "axil.flush()\nresource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\nopen('m.out', 'w')\n"
        "axil.params.lr\n"
    )
    run = ended(bench.run())
    assert run.state == "succeeded"
    assert len(list(points(bench.store.read(bytes.fromhex(run.series))))) == 3000
    assert (run.artifacts, run.stages[0].read) == (None, ["lr"])


def test_the_supervisor_killed_while_the_script_logs(bench: Bench) -> None:
    bench.write(
        train_py="import axil, time\naxil.params.lr\nfor i in range(10_000):\n    axil.log(loss=i)\n"
        "    if i % 100 == 0: axil.log_table('t', [[i]], step=i)\n    time.sleep(0.002)\n"
    )
    pid = os.fork()
    if not pid:
        bench.run()
        os._exit(0)
    end = time.monotonic() + 60
    while time.monotonic() < end and not list(Path(bench.runs).glob("*/series.jsonl")):
        time.sleep(0.05)
    time.sleep(1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    (run,) = adopt_lost(bench.runs, bench.journal, bench.store, bench.index, system_clock, grace=2.0)
    found = [point.value for point in points(bench.store.read(bytes.fromhex(run.series)))]
    assert run.state == "lost" and len(found) > 50 and found == [float(i) for i in range(len(found))]
    assert run.artifacts is not None and run.artifacts.files >= 1
    assert not verify(bench.store).faults


def test_many_processes_and_threads_of_one_run(bench: Bench) -> None:
    bench.write(
        train_py="import axil, multiprocessing as m, os, threading\n"
        "def many(n):\n"
        "    def work(t):\n"
        "        for i in range(300): axil.log({f'p{n}.t{t}': float(i)}, step=i)\n"
        "        axil.log_table(f'p{n}/t{t}', [[t]])\n"
        "        axil.log_table('same', [[n, t]])\n"
        "    ts = [threading.Thread(target=work, args=(t,)) for t in range(4)]\n"
        "    [t.start() for t in ts]; [t.join() for t in ts]\n"
        "if __name__ == '__main__':\n"
        "    axil.log(begin=1)\n"
        "    for method in ('fork', 'spawn'):\n"
        "        ps = [m.get_context(method).Process(target=many, args=(f'{method}{n}',)) for n in range(3)]\n"
        "        [p.start() for p in ps]; [p.join() for p in ps]\n"
        "    open('m.out', 'w')\n"
    )
    run = ended(bench.run())
    assert run.state == "succeeded", run.stages[0].tail
    found: dict[str, list[float]] = {}
    for point in points(bench.store.read(bytes.fromhex(run.series))):
        found.setdefault(point.name, []).append(point.value)
    names = [f"p{method}{n}.t{t}" for method in ("fork", "spawn") for n in range(3) for t in range(4)]
    assert found == {"begin": [1.0], **{name: [float(i) for i in range(300)] for name in names}}
    assert run.artifacts is not None and run.artifacts.files == len(names) + 1

"""axil killed at any moment of a run: the run is recorded, finished stages stay finished, the store verifies."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Repo
from tests.unit.runs.bench import Bench

from axil.base.clock import system_clock
from axil.runs import rundir
from axil.runs.lost import adopt_lost
from axil.store.verify import verify

PIPELINE = """
[stages.a]
cmd = "echo a >> ran; mkdir -p a.out && cp data.txt a.out/x && echo said"
deps = ["data.txt"]
outs = ["a.out"]
[stages.b]
cmd = "echo b >> ran; cp a.out/x b.out"
deps = ["a.out"]
outs = ["b.out"]
"""
DIE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
left = int(sys.argv[2])
def count(event, args):
    # Every call that changes something on the disk, of axil's own process, threads included.
    global left
    if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "subprocess.Popen") or (
        event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    ):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
from tests.unit.runs.bench import Bench
bench = Bench(Path(sys.argv[1]))
sys.addaudithook(count)
bench.run()
os._exit(0)
"""


@pytest.mark.parametrize("first", range(4))
def test_killed_at_any_change_of_the_disk(make_repo: Callable[..., Repo], first: int) -> None:
    root = str(Path(__file__).parents[2])
    for moment in range(first, 400, 4):
        repo = make_repo(f"at{moment}")
        repo.commit({".gitignore": "*.out\nran\n", "data.txt": "data", "axil.toml": PIPELINE})
        died = subprocess.run([sys.executable, "-c", DIE, str(repo.path), str(moment), root], check=False)
        bench = Bench(repo.path)
        adopt_lost(bench.runs, bench.journal, bench.store, bench.index, system_clock)
        assert rundir.ids(bench.runs) == []
        done = {stage.name for run in bench.recorded() for stage in run.stages if stage.state == "succeeded"}
        ran = (repo.path / "ran").read_text().split() if (repo.path / "ran").exists() else []
        assert len(bench.recorded()) == 1 if ran else True
        again = bench.run().run
        assert again.state == "succeeded"
        assert (repo.path / "b.out").read_text() == "data"
        ran = (repo.path / "ran").read_text().split()
        assert all(ran.count(name) == 1 for name in done)
        assert not verify(bench.store).faults
        if died.returncode == 0:
            assert done == {"a", "b"}
            return
        assert died.returncode == -signal.SIGKILL
    raise AssertionError("the run changes the disk more often than expected")

"""A disk that fills up at any write of a run: clear words, no command left over, nothing finished is done again."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import Repo
from tests.unit.runs.bench import Bench

from axil.base.clock import system_clock
from axil.errors import AxilError
from axil.runs import rundir
from axil.runs.lost import adopt_lost
from axil.store.verify import verify

PIPELINE = """
[stages.a]
cmd = "echo a >> ran; cp data.txt a.out; echo said"
deps = ["data.txt"]
outs = ["a.out"]
[stages.b]
cmd = "echo b >> ran; cp a.out b.out"
deps = ["a.out"]
outs = ["b.out"]
"""


@pytest.mark.parametrize("call", ["write", "pwrite", "fsync", "rename", "replace", "makedirs"])
def test_a_disk_that_fills_up_at_any_call(
    make_repo: Callable[..., Repo], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real: Callable[..., Any] = getattr(os, call)
    for allowed in range(60):
        repo = make_repo(f"{call}{allowed}")
        repo.commit({".gitignore": "*.out\nran\n", "data.txt": "data", "axil.toml": PIPELINE})
        bench = Bench(repo.path)
        left = [allowed]

        def full(*args: Any, left: list[int] = left, **options: Any) -> Any:
            if call == "write" and stat.S_ISFIFO(os.fstat(args[0]).st_mode):
                return real(*args)  # to git: a pipe is never full in this way
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **options)

        monkeypatch.setattr(os, call, full)
        try:
            state = str(bench.run().run.state)
        except AxilError as error:
            state = str(error)
        finally:
            monkeypatch.setattr(os, call, real)
        adopted = adopt_lost(bench.runs, bench.journal, bench.store, bench.index, system_clock)
        assert rundir.ids(bench.runs) == []
        assert len(adopted) <= 1
        done = [stage.name for run in bench.recorded() for stage in run.stages if stage.state == "succeeded"]
        assert bench.run().run.state == "succeeded"
        assert (repo.path / "b.out").read_text() == "data"
        ran = (repo.path / "ran").read_text().split()
        assert all(ran.count(name) == 1 for name in done), (state, done, ran)
        assert not verify(bench.store).faults
        if left[0] >= 0:
            assert state == "succeeded"
            return
    raise AssertionError("the run makes more calls than expected")

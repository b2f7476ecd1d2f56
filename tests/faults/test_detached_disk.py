"""A disk that is full from any write of a run's supervisor on: a true state, nothing left over, nothing damaged."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.cli.detached import Lab

from axil.actions.live import look_after
from axil.actions.submit import Options, submit
from axil.actions.supervise import supervise
from axil.base.clock import system_clock
from axil.errors import AxilError
from axil.project import open_project
from axil.runs import rundir

TRAIN = """\
import json
from pathlib import Path
import axil

axil.log(loss=axil.params.lr, step=0)
print("trained")
Path("model.txt").write_text(Path("clean.txt").read_text() + str(axil.params.lr))
Path("metrics.json").write_text(json.dumps({"f1": axil.params.lr * 2}))
"""
FINAL = {"succeeded", "failed", "lost"}


@pytest.mark.parametrize("call", ["write", "pwrite", "fsync", "rename", "replace", "makedirs", "link", "symlink"])
def test_a_disk_that_is_full_from_any_call_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    lab = Lab.founded(tmp_path / "project")
    lab.commit({"train.py": TRAIN}, "no gate")
    for name, value in lab.env.items():
        monkeypatch.setenv(name, value)
    real = getattr(os, call)
    states = []
    for allowed in range(200):
        project = open_project(str(lab.path), os.environ, clock=system_clock)
        folder, asked = submit(project, assignments=[f"lr={allowed + 1}"], options=Options(detached=True))
        left = [allowed]

        def full(*args: Any, left: list[int] = left, **options: Any) -> Any:
            if call == "write" and not stat.S_ISREG(os.fstat(args[0]).st_mode):
                return real(*args)  # pipes to git are never full in this way
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args, **options)

        with monkeypatch.context() as patch, contextlib.suppress(AxilError, OSError):
            patch.setattr(os, call, full)
            supervise(project, folder)
        folder.release()  # The process of a supervisor ends.
        project = open_project(str(lab.path), os.environ, clock=system_clock)
        look_after(project)  # One that could not even begin waits, and gets a process of its own.
        lab.axil("wait", asked.run, code=None)
        assert rundir.ids(project.runs_folder) == [], allowed
        run = project.journal.find(asked.run)
        states.append(run.state)
        assert run.state in FINAL, (allowed, run)
        lab.clean()
        if left[0] >= 0:
            break
    assert states[-1] == "succeeded", states
    assert "all is well" in lab.axil("verify").out

"""axil killed while it imports a DVC project: the old branch stays, and the same or another command goes on."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_import import Dvc
from tests.conftest import Repo
from tests.faults.test_actions_kill import DIE

from axil.cli.main import main


def test_import_killed_at_any_moment(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dvc = Dvc(repo)
    (repo.path / "one.csv").unlink()
    for moment in range(0, 400, 4):
        place = tmp_path / "copy"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(repo.path, place, symlinks=True)
        command = [sys.executable, "-c", DIE, str(moment), "-C", str(place), "import", "dvc"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        copy = Repo(place)
        (place / ".git/index.lock").unlink(missing_ok=True)
        assert copy.run("rev-parse", "main") == dvc.base
        assert copy.read("data/raw/sub/2.txt") == "two\n"
        if copy.run("branch", "--show-current") == "main":
            assert copy.run("status", "--porcelain") == ""
            assert main(["-C", str(place), "import", "dvc", "--branch", "again"]) == 0
        else:
            assert main(["-C", str(place), "materialise"]) == 0
        assert copy.read("one.csv") == "single"
        assert copy.run("status", "--porcelain") == ""
        assert main(["-C", str(place), "verify"]) == 0
        if done.returncode == 0:
            return
    raise AssertionError("never came to an end")

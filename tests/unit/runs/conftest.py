"""Fixtures of the run tests: a project to run in, and a supervisor that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Repo
from tests.unit.runs.bench import Bench

HERE = Path(__file__).parents[3]


@pytest.fixture
def bench(make_repo: Callable[..., Repo]) -> Bench:
    """An empty project that ignores the folder `out` and files `*.out`."""
    repo = make_repo("project")
    repo.commit({".gitignore": "/out\n*.out\n__pycache__\n", "README": "x"})
    return Bench(repo.path)


Supervisor = subprocess.Popen[str]


@pytest.fixture
def supervise(bench: Bench) -> Iterator[Callable[..., Supervisor]]:
    """Starts a run of `bench` in another process; its stdout tells the events."""
    started: list[Supervisor] = []

    def start(**options: Any) -> Supervisor:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.runs.bench", str(bench.root), json.dumps(options)],
            cwd=HERE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()

"""Scripts that use a library and axil's integration of it, run as a stage's process would be."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from axil.formats import logged
from axil.formats.series import points


class Came(NamedTuple):
    """What a script left: its output, the points of each metric, the params it logged."""

    done: subprocess.CompletedProcess[str]
    series: dict[str, list[tuple[float, float]]]
    params: dict[str, Any]


Script = Callable[..., Came]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Runs Python code as a process of the stage `train` that must succeed. Skips without the packages it `needs`."""

    def run(code: str, *, needs: str = "", inside: bool = True, **env: str) -> Came:
        for package in needs.split():
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed")
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        names = {name: value for name, value in os.environ.items() if not name.startswith(("AXIL", "MLFLOW"))}
        # Two threads are enough, and many libraries take all cores else.
        names |= {"OMP_NUM_THREADS": "2", "KERAS_BACKEND": "torch", "HF_HUB_OFFLINE": "1", **env}
        if inside:
            names |= {"AXIL_RUN_DIR": str(folder), "AXIL_STAGE": "train", "AXIL_RUN": "01K", "AXIL_EXPERIMENT": "big"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=names, cwd=tmp_path, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stderr
        series: dict[str, list[tuple[float, float]]] = {}
        if (folder / "series.jsonl").exists():
            for point in points((folder / "series.jsonl").read_bytes()):
                assert point.stage == "train"
                series.setdefault(point.name, []).append((point.step, point.value))
        file = folder / "logged.jsonl"
        params = logged.parse(file.read_bytes()) if file.exists() else {}
        return Came(done, series, {name.removeprefix("logged."): value for name, value in params.items()})

    return run


@pytest.fixture
def artifacts(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """What a script (that began with `KEEPING`) has handed over as artifacts."""
    return lambda: [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]


KEEPING = """
import json
from axil import tracking
def _keep(kind):
    def keep(*args, **more):
        with open("kept.jsonl", "a") as file:
            print(json.dumps([kind, *map(str, args), *more.values()]), file=file)
    return keep
for kind in ("log_artifact", "log_image", "log_table", "log_figure"):
    setattr(tracking, kind, _keep(kind))
"""
"""Makes a script note what it hands over, whatever axil does with it."""

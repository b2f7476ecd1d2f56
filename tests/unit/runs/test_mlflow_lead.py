"""When a stage's Python processes find MLFLOW_TRACKING_URI set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from axil.runs.traces import FOLDER

ENTRY = "[mlflow.tracking_store]\naxil = axil.integrations.mlflow:open_store\n"


@pytest.fixture
def uri(tmp_path: Path) -> Any:
    """What a process finds there, that has `files` among its packages."""

    def uri(files: dict[str, str], **env: str) -> str:
        for name, text in files.items():
            path = tmp_path / "site" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        names = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
        names |= {"AXIL_RUN_DIR": str(tmp_path), "PYTHONPATH": f"{FOLDER}{os.pathsep}{tmp_path}/site", **env}
        code = "import os; print(repr(os.environ.get('MLFLOW_TRACKING_URI')))"
        # Without the packages of this environment, in which both may be installed.
        done = subprocess.run(
            [getattr(sys, "_base_executable", sys.executable), "-s", "-c", code],
            env=names, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.strip()

    return uri


BOTH = {"mlflow/__init__.py": "", "axil-1.0.dist-info/entry_points.txt": ENTRY}


def test_mlflow_is_led_to_the_run(uri: Any) -> None:
    assert uri(BOTH) == "'axil:'"


def test_what_the_user_says_stays(uri: Any) -> None:
    assert uri(BOTH, MLFLOW_TRACKING_URI="http://localhost:5000") == "'http://localhost:5000'"
    assert uri(BOTH, MLFLOW_TRACKING_URI="") == "''"


def test_where_this_python_has_no_axil_nothing_changes(uri: Any) -> None:
    assert uri({"mlflow/__init__.py": ""}) == "None"
    assert uri({"mlflow/__init__.py": "", "axil-0.1.dist-info/entry_points.txt": "[other]\n"}) == "None"


def test_where_there_is_no_mlflow_nothing_changes(uri: Any) -> None:
    assert uri({"axil-1.0.dist-info/entry_points.txt": ENTRY}) == "None"


def test_outside_a_run_nothing_changes(uri: Any) -> None:
    assert uri(BOTH, AXIL_RUN_DIR="x") == "'axil:'"
    names = {name: value for name, value in os.environ.items() if name != "AXIL_RUN_DIR"}
    code = "import os; print('MLFLOW_TRACKING_URI' in os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**names, "PYTHONPATH": FOLDER}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"

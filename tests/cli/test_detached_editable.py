"""A project installed in editable mode, by pip and for real: a detached run imports the code it was asked for with."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv

import pytest
from tests.cli.detached import gated

BACKENDS = {
    "hatchling": 'requires = ["hatchling"]\nbuild-backend = "hatchling.build"',
    "setuptools": 'requires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    '[tool.setuptools]\npackages = ["gated_model"]\npackage-dir = {{ gated_model = "{layout}" }}',
}
PROJECT = '[project]\nname = "{name}"\nversion = "1"\n[build-system]\n{backend}\n'
TRAIN = """\
import json, os, time
from pathlib import Path

gates, me = Path(os.environ["GATES"]), os.environ["AXIL_RUN"]
(gates / f"{me}.began").touch()
while not (gates / f"{me}.go").exists():
    time.sleep(0.01)
import gated_model

Path("model.txt").write_text(gated_model.NAME)
Path("metrics.json").write_text(json.dumps({"f1": len(gated_model.NAME)}))
"""


@pytest.mark.parametrize("layout", ["src/gated_model", "gated_model"])
@pytest.mark.parametrize("backend", list(BACKENDS))
def test_an_editable_install(tmp_path, backend, layout):
    with gated(tmp_path) as lab:
        files: dict[str, str | bytes] = {
            f"{layout}/__init__.py": "NAME = 'asked for'\n",
            "pyproject.toml": PROJECT.format(name="gated_model", backend=BACKENDS[backend].format(layout=layout)),
            "train.py": TRAIN,
            ".gitignore": "/axil.local.toml\n/.venv\n*.egg-info\nbuild\n",
        }
        lab.commit(files, "a package")
        python = _venv(lab.path / ".venv")
        _install(python, str(lab.path))
        lab.env["PATH"] = f"{os.path.dirname(python)}{os.pathsep}{os.environ['PATH']}"
        run = lab.detach()
        lab.began(run)
        lab.write({f"{layout}/__init__.py": "NAME = 'edited meanwhile'\n"})
        lab.let(run)
        record = lab.record(run)
        assert record["state"] == "succeeded", record
        assert record["metrics"]["f1"] == len("asked for")
        assert subprocess.check_output([python, "-c", "import gated_model; print(gated_model.NAME)"], cwd=tmp_path) == (
            b"edited meanwhile\n"
        )


def _venv(path) -> str:
    """A virtual environment without pip that sees what this one has; its interpreter."""
    venv.create(path, symlinks=True)
    python = str(path / "bin/python")
    site = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    with open(os.path.join(site.strip(), "shared.pth"), "w", encoding="utf-8") as file:
        file.write(sysconfig.get_path("purelib") + "\n" + os.path.dirname(os.path.dirname(_axil())) + "\n")
    return python


def _axil() -> str:
    import axil

    return os.path.abspath(axil.__file__)


def _install(python: str, project: str) -> None:
    words = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*words, "--no-deps", "-e", project], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

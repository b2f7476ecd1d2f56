"""axil.log_params in real processes: what is written, and that it never gets in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from axil.formats import logged


def params(tmp_path: Path, code: str, **env: str) -> tuple[dict[str, Any], str]:
    names = {name: value for name, value in os.environ.items() if not name.startswith("AXIL")}
    names |= {"AXIL_RUN_DIR": str(tmp_path), "AXIL_STAGE": "train", **env}
    done = subprocess.run([sys.executable, "-c", code], env=names, capture_output=True, text=True, check=True)
    file = tmp_path / "logged.jsonl"
    found = logged.parse(file.read_bytes()) if file.exists() else {}
    return {name.removeprefix("logged."): value for name, value in found.items()}, done.stderr


def test_values_and_nested_names(tmp_path: Path) -> None:
    code = """
import axil, pathlib
class Item:
    def item(self): return 5
axil.log_params({"a": 1, "b": {"c": 0.5, "d": {"e": True}}, "n": None}, path=pathlib.Path("x"), item=Item(), l=[1, 2])
axil.log_params(a=2, big=1 << 80, bad=float("nan"), long="y" * 9999, odd="\\udc80")
"""
    found, said = params(tmp_path, code)
    assert said == ""
    assert found.pop("long") == "y" * 500
    assert found == {
        "a": 2, "b.c": 0.5, "b.d.e": True, "n": None, "path": "x", "item": 5, "l": "[1, 2]",
        "big": str(1 << 80), "bad": "nan", "odd": "?",
    }  # fmt: skip


def test_nothing_raises(tmp_path: Path) -> None:
    code = """
import axil
class Bad:
    def items(self): raise RuntimeError("no")
    def __str__(self): raise RuntimeError("no")
axil.log_params(a=Bad()); axil.log_params(Bad()); axil.log_params(3)
loop = {}; loop["loop"] = loop; axil.log_params(loop)
axil.log_params(good=1)
"""
    found, said = params(tmp_path, code)
    assert found["good"] == 1
    assert said.count("could not log params") == 3
    found, said = params(tmp_path, "import axil; axil.log_params(a=1)", AXIL_RUN_DIR=str(tmp_path / "gone"))
    assert "could not log params" in said


def test_outside_a_run_nothing_is_written(tmp_path: Path) -> None:
    assert params(tmp_path, "import axil; axil.log_params(a=1)", AXIL_RUN_DIR="") == ({}, "")

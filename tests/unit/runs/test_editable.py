"""Packages installed in editable mode come from the run's work tree: .pth entries and the finders of setuptools."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from axil.runs.traces import FOLDER

FINDER = """\
import sys
MAPPING = {{"mapped": {0!r} + "/lib/mapped", "single": {0!r} + "/lib/single"}}
NAMESPACES = {{}}
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        import os
        from importlib.util import spec_from_file_location
        if name in MAPPING:
            for file in (MAPPING[name] + "/__init__.py", MAPPING[name] + ".py"):
                if os.path.exists(file):
                    return spec_from_file_location(name, file)
def install():
    sys.meta_path.append(Finder)
"""


@pytest.fixture
def imported(tmp_path):
    """Says from where a module is imported in a run of `root` that was asked for in `source`."""
    source, root = tmp_path / "the project", tmp_path / "the project" / ".axil/runs/R"
    for top in (source, root):
        for name in ("src/pack/__init__.py", "lib/mapped/__init__.py", "lib/single.py"):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text("")
    (source / "sub").mkdir()
    (root / "sub").mkdir()
    (source / "sub/module.py").write_text("")
    site = tmp_path / "site"
    site.mkdir()
    (site / "__editable___project_1_finder.py").write_text(FINDER.format(str(source)))
    (site / "project.pth").write_text(
        f"{source}/src\n{source}/sub\nimport __editable___project_1_finder; __editable___project_1_finder.install()\n"
    )
    # What Python does at its start with the folders of installed packages, before sitecustomize.
    start = (
        f"import site; site.addsitedir({str(site)!r}); import sys; sys.path.insert(0, {FOLDER!r}); "
        "sys.modules.pop('sitecustomize', None); import sitecustomize; import importlib; "
        "print(importlib.import_module(sys.argv[1]).__file__)"
    )

    def where(name: str, *, isolated: bool = True) -> str:
        env = {**os.environ, "AXIL_ROOT": str(root)} | ({"AXIL_SOURCE": str(source)} if isolated else {})
        command = [sys.executable, "-c", start, name]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
        return os.path.relpath(done.stdout.strip(), source)

    return where


@pytest.mark.parametrize("module", ["src/pack/__init__.py", "lib/mapped/__init__.py", "lib/single.py"])
def test_it_is_the_runs_own(imported, module):
    name = module.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")[2]
    assert imported(name) == f".axil/runs/R/{module}"
    assert imported(name, isolated=False) == module


def test_a_submodule_is_not_there_and_stays(imported):
    assert imported("module") == "sub/module.py"

"""The code closure: what a command leads to, in projects of every common shape."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from axil.pipeline.closure import Closure, Finder
from axil.pipeline.sources import Sources


class Memory:
    """A cache that counts."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, bytes], bytes] = {}

    def cached(self, kind: str, key: bytes) -> bytes | None:
        return self.values.get((kind, key))

    def remember(self, kind, values) -> None:
        self.values.update({(kind, key): value for key, value in values.items()})

    def parsed(self) -> int:
        return sum("stats" not in kind for kind, _ in self.values)


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = Memory()
        self.data: set[str] = set()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            self.file(name.replace("__", "/") + ".py", text)

    def file(self, path: str, text: str = "") -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def closure(self, command: str, cwd: str = "", seen: tuple[str, ...] = ()) -> Closure:
        sources = Sources(str(self.root), self.cache, time.time)
        found = Finder(str(self.root), sources).find(command, cwd, self.data.__contains__, seen)
        sources.save()
        return found

    def code(self, command: str, cwd: str = "") -> list[str]:
        return list(self.closure(command, cwd).code)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_imports_are_followed_through_modules_and_packages(project):
    for path, text in {
        "src/train.py": "import numpy, util\nfrom pkg import model, CONST\ndef f():\n    import lazy.deep.x\n",
        "src/util.py": "",
        "src/unused.py": "",
        "src/pkg/__init__.py": "CONST = 1",
        "src/pkg/model.py": "from .base import B\nfrom . import helper\nfrom .sub import *",
        "src/pkg/base.py": "",
        "src/pkg/helper.py": "import pkg.sub.deep",
        "src/pkg/sub/__init__.py": "__all__ = ['one']",
        "src/pkg/sub/one.py": "",
        "src/pkg/sub/two.py": "",
        "src/pkg/sub/deep.py": "from ... import nothing",
        "lazy/deep/x.py": "",
    }.items():
        project.file(path, text)
    found = project.closure("python src/train.py --lr 1")
    assert list(found.code) == [
        "lazy/deep/x.py",
        "src/pkg/__init__.py",
        "src/pkg/base.py",
        "src/pkg/helper.py",
        "src/pkg/model.py",
        "src/pkg/sub/__init__.py",
        "src/pkg/sub/deep.py",
        "src/pkg/sub/one.py",
        "src/train.py",
        "src/util.py",
    ]
    assert found.via["src/train.py"] == ""
    assert found.via["src/pkg/model.py"] == "src/train.py"
    assert found.via["src/pkg/base.py"] == "src/pkg/model.py"


@pytest.mark.parametrize(
    "command",
    [
        "python src/train.py",
        "uv run python3 -u src/train.py",
        "uv run src/train.py",
        "torchrun --nproc_per_node 2 src/train.py",
        "accelerate launch --mixed_precision fp16 src/train.py --x",
        "mkdir -p out && PYTHONHASHSEED=0 python src/train.py | tee log",
        "cd src && python train.py",
        "bash -c 'python src/train.py'",
        "python -c 'import train'",
        "python -m train",
        "bash run.sh",
        "./run.sh",
        "train-it --fast",
        "jupyter nbconvert --execute book.ipynb",
    ],
)
def test_scripts_are_found_behind_wrappers(project, command):
    project.file("src/train.py", "import util")
    project.file("src/util.py")
    project.file("run.sh", "set -e\n# comment\npython src/train.py \\\n  --x > out.py\n")
    project.file("pyproject.toml", '[project.scripts]\ntrain-it = "train:main"\n')
    project.file("book.ipynb", '{"cells": [{"cell_type": "code", "source": ["import train"]}]}')
    assert {"src/train.py", "src/util.py"} <= set(project.code(command))
    assert not {"log", "out.py", "pyproject.toml"} & set(project.code(command))


def test_packages_start_at_their_main(project):
    project.write(app____init__="", app____main__="from app import core", app__core="")
    project.file("app/__init__.py")
    project.file("app/__main__.py", "from app import core")
    expected = ["app/__init__.py", "app/__main__.py", "app/core.py"]
    assert project.code("python -m app") == expected
    assert project.code("python app")[-2:] == expected[-2:]


def test_the_work_folder_counts(project):
    project.file("sub/train.py", "import near")
    project.file("sub/near.py")
    project.file("near.py")
    assert project.code("python train.py", cwd="sub") == ["sub/near.py", "sub/train.py"]
    assert project.code("python ../near.py", cwd="sub") == ["near.py"]


def test_a_package_wins_over_a_module_and_both_over_a_namespace(project):
    project.file("a.py", "import both, space.inner, only")
    project.file("both.py")
    project.file("both/__init__.py")
    project.file("space/inner.py")
    project.file("src/space/other.py")
    project.file("only/data.csv")
    assert project.code("python a.py") == ["a.py", "both/__init__.py", "space/inner.py"]


def test_circles_and_missing_modules_do_no_harm(project):
    project.write(a="import b", b="import a\nfrom a import b\nimport missing.module\nfrom .... import x")
    assert project.code("python a.py") == ["a.py", "b.py"]


def test_nothing_outside_the_project_or_in_an_environment_counts(project, tmp_path):
    project.file(".venv/bin/tool.py")
    project.file("env/pyvenv.cfg")
    project.file("env/lib/python3/site.py")
    project.file("lib/site-packages/p.py")
    outside = tmp_path.parent / f"{tmp_path.name}-outside.py"
    outside.write_text("")
    command = f".venv/bin/tool.py env/lib/python3/site.py lib/site-packages/p.py ../{outside.name} {outside} ~/x.py"
    assert project.code(command) == []


def test_declared_data_is_no_code_but_python_is(project):
    project.file("conf.json", "{}")
    project.file("data.csv")
    project.file("train.py")
    project.data = {"data.csv", "train.py"}
    assert project.code("python train.py --config conf.json data.csv") == ["conf.json", "train.py"]


def test_only_code_is_followed_out_of_a_shell_script(project):
    project.file("run.sh", "python a.py results.json\nsh inner.sh\n")
    project.file("inner.sh", "python b.py\nbash run.sh")
    project.write(a="", b="")
    project.file("results.json")
    assert project.code("sh run.sh") == ["a.py", "b.py", "inner.sh", "run.sh"]


def test_modules_seen_at_run_time_join_with_their_imports(project):
    project.write(a="", plugin="import helper", helper="")
    found = project.closure("python a.py", seen=("plugin.py", "gone.py"))
    assert list(found.code) == ["a.py", "helper.py", "plugin.py"]


def test_special_files_are_not_read(project):
    os.mkfifo(project.root / "pipe.py")
    assert project.code("python pipe.py") == []


def test_only_changed_files_are_parsed_again(project):
    project.write(a="import b", b="x = 1")
    before = project.closure("python a.py").code
    assert project.cache.parsed() == 2
    project.write(b="x = 2")
    after = project.closure("python a.py").code
    assert project.cache.parsed() == 3
    assert [path for path in before if before[path] != after[path]] == ["b.py"]
    project.write(b="x = 1")
    assert project.closure("python a.py").code == before
    assert project.cache.parsed() == 3


def test_an_edit_in_the_same_instant_is_seen(project):
    project.write(a="x = 1")
    stamp = os.stat(project.root / "a.py")
    first = project.closure("python a.py").code
    project.write(a="x = 2")
    os.utime(project.root / "a.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert project.closure("python a.py").code != first


def test_a_large_file_named_by_a_command_counts_by_content(project):
    project.file("big.bin", "x" * (9 << 20))
    first = project.closure("tool big.bin").code
    project.file("big.bin", "x" * (9 << 20) + "y")
    assert project.closure("tool big.bin").code != first


def test_the_cost_follows_the_change_in_a_project_of_many_modules(project):
    project.file("big/__init__.py")
    for number in range(300):
        project.file(f"big/m{number}.py", f"from big.m{number + 1} import f\nx = {number}\n")
    assert len(project.code("python -m big.m0")) == 301
    parsed = project.cache.parsed()
    project.file("big/m7.py", "from big.m8 import f\nx = -7\n")
    project.code("python -m big.m0")
    assert project.cache.parsed() == parsed + 1

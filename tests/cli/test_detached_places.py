"""Isolated runs in odd projects: strange names, links, executables, linked work trees, SHA-256, no commit yet."""

from __future__ import annotations

import os

import pytest
from tests.cli.detached import Lab
from tests.cli.sharing import Person

READ = """\
import os
from pathlib import Path
top = Path("data dir/ünï raw")
names = sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())
assert os.access(top / "tool.sh", os.X_OK) and (top / "link.txt").is_symlink()
Path("out.txt").write_text("\\n".join(names) + Path("single file.bin").read_text() + Path("local.cfg").read_text())
Path("state.txt").write_text(Path("state.txt").read_text() + "+" if Path("state.txt").exists() else "first")
"""
TOML = """\
[stages.read]
cmd = "python read.py"
deps = ["data dir/ünï raw", "single file.bin", "local.cfg"]
outs = ["out.txt", "state.txt"]
keep = ["state.txt"]
always = true
"""
WANTED = "a b.txt\nlink.txt\ntool.shonecfg"


@pytest.fixture
def lab(tmp_path):
    def found(*options):
        (tmp_path / "project").mkdir()
        made = Lab(tmp_path / "project", "Ada")
        made.gates = tmp_path
        made.run("init", "-q", *options)
        made.axil("init")
        made.write(
            {"data dir/ünï raw/a b.txt": "a", "data dir/ünï raw/tool.sh": "#!/bin/sh\n", "single file.bin": "one"}
        )
        (made.path / "data dir/ünï raw/tool.sh").chmod(0o755)
        (made.path / "data dir/ünï raw/link.txt").symlink_to("a b.txt")
        made.axil("add", "data dir/ünï raw", "single file.bin")
        made.write({"axil.toml": TOML, "read.py": READ, "local.cfg": "cfg", ".gitignore": "/local.cfg\n"})
        return made

    return found


def check(lab, person=None):
    who = person or lab
    run = who.axil("run", "-d").out.strip()
    who.axil("wait", run)
    out = lab.gates / f"{run}.txt"
    assert who.axil("show", run, "--json").json["run"]["state"] == "succeeded"
    who.axil("get", f"{run}:out.txt", "-o", str(out))
    assert out.read_text() == WANTED
    assert list((who.path / ".axil/runs").iterdir()) == []


@pytest.mark.parametrize("options", [(), ("--object-format=sha256",)])
def test_with_and_without_a_commit(lab, options):
    made = lab(*options)
    check(made)
    made.commit({}, "first")
    check(made)


def test_a_linked_work_tree_as_the_project(lab, tmp_path):
    made = lab()
    made.commit({}, "first")
    made.run("worktree", "add", "-q", str(tmp_path / "other place"), "-b", "other")
    there = Person(tmp_path / "other place", "Ada")
    there.axil("materialise", code=None)
    there.write({"local.cfg": "cfg"})
    check(made, there)
    assert not (made.path / ".axil").exists()


def test_kept_outputs_go_on_from_what_was_there(lab):
    made = lab()
    made.commit({}, "first")
    made.axil("run")
    assert made.read("state.txt") == "first"
    run = made.axil("run", "-d").out.strip()
    made.axil("wait", run)
    made.axil("get", f"{run}:state.txt", "-o", str(made.gates / "state"))
    assert (made.gates / "state").read_text() == "first+"
    assert made.read("state.txt") == "first"


def test_submodules_are_left_alone(lab, tmp_path):
    made = lab()
    (tmp_path / "sub").mkdir()
    sub = Person(tmp_path / "sub", "Ada")
    sub.run("init", "-q")
    sub.commit({"code.py": "x = 1\n"}, "sub")
    made.run("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "sub"), "sub")
    made.commit({}, "first")
    check(made)
    assert os.path.exists(made.path / "sub/code.py")

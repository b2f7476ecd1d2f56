"""A DVC project becomes an axil project on a new branch; the old branch and what is not DVC's stay as they are."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Answer
from tests.conftest import Repo

from axil.actions import switch
from axil.errors import AxilError

DVC_YAML = """\
stages:
  prepare:
    desc: Count the rows
    cmd: cat data/raw/*.txt > prepared.txt
    deps: [data/raw]
    params: [prepare.seed]
    outs: [prepared.txt]
  train:
    foreach: [us, eu]
    do:
      cmd: echo ${item} ${train.lr} > model-${item}.txt
      deps: [prepared.txt]
      outs: ["model-${item}.txt"]
  evaluate:
    cmd: mkdir -p eval && echo '{"f1":0.5}' | tee score.json > eval/metrics.json && echo x > eval/more.txt
    deps: [model-us.txt, one.csv]
    outs: [eval]
    metrics: [score.json: {cache: false}]
    frozen: true
metrics: [eval/metrics.json]
"""
WANTED = """\
[project]
name = "project"
# Which way is better? The first metric is the headline.
# metrics = { "f1" = "max" }

# Count the rows
[stages.prepare]
cmd = "cat data/raw/*.txt > prepared.txt"
deps = ["data/raw"]
params = ["prepare.seed"]
outs = ["prepared.txt"]

[stages."train@us"]
cmd = "echo us 0.1 > model-us.txt"
deps = ["prepared.txt"]
outs = ["model-us.txt"]

[stages."train@eu"]
cmd = "echo eu 0.1 > model-eu.txt"
deps = ["prepared.txt"]
outs = ["model-eu.txt"]

[stages.evaluate]
cmd = "mkdir -p eval && echo '{\\"f1\\":0.5}' | tee score.json > eval/metrics.json && echo x > eval/more.txt"
deps = ["model-us.txt", "one.csv"]
outs = ["eval/more.txt"]
metrics = ["score.json", "eval/metrics.json"]

[remotes.up]
url = "s3://bucket/dvc/axil"

[remotes.near]
url = "../near/axil"
"""
CONFIG = """\
[core]
    remote = up
['remote "up"']
    url = s3://bucket/dvc
['remote "near"']
    url = ../../near
"""


class Dvc:
    """A small DVC project written as DVC 3 writes it, committed on `main`."""

    def __init__(self, repo: Repo) -> None:
        self.repo, self.path = repo, repo.path
        self.cache = repo.path / ".dvc/cache"
        raw = {"1.txt": b"one\r\n", "sub/2.txt": b"two\n"}
        folder = self.folder({name: self.put(data) for name, data in raw.items()})
        one = self.put(b"single")
        evaluated = self.folder({"metrics.json": self.put(b'{"f1":0.5}\n'), "more.txt": self.put(b"x\n")})
        repo.write({f"data/raw/{name}": data for name, data in raw.items()})
        repo.write({"one.csv": b"single", "score.json": b'{"f1": 0.5}'})
        (self.path / "one.csv").chmod(0o755)
        repo.write(
            {
                ".dvc/config": CONFIG,
                ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
                ".dvc/config.local": "['remote \"up\"']\n    secret_access_key = hush\n",
                ".dvcignore": "# nothing\n",
                ".gitignore": "/one.csv\n*.pyc\n/prepared.txt\n",
                "data/.gitignore": "/raw\n",
                "data/raw.dvc": f"outs:\n- md5: {folder}.dir\n  nfiles: 2\n  hash: md5\n  path: raw\n",
                "one.csv.dvc": f"outs:\n- md5: {one}\n  size: 6\n  isexec: true\n  hash: md5\n  path: one.csv\n",
                "dvc.yaml": DVC_YAML,
                "dvc.lock": "schema: '2.0'\nstages:\n  evaluate:\n    cmd: x\n    outs:\n"
                f"    - path: eval\n      hash: md5\n      md5: {evaluated}.dir\n",
                "params.yaml": "prepare: {seed: 1}\ntrain: {lr: 0.1}\n",
                "notes.txt": "mine",
            }
        )
        self.base = repo.commit(message="dvc")

    def put(self, data: bytes, ending: str = "") -> str:
        md5 = hashlib.md5(data).hexdigest()
        self.repo.write({f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}{ending}": data})
        return md5

    def folder(self, files: dict[str, str]) -> str:
        entries = [{"md5": files[name], "relpath": name} for name in sorted(files)]
        return self.put(json.dumps(entries, sort_keys=True).encode(), ".dir")

    def state(self) -> dict[str, Any]:
        """Everything that a refused or undone import must leave alone."""
        files = {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file() and path.relative_to(self.path).parts[0] != ".git"
        }
        refs = self.repo.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")
        return {"files": files, "refs": refs, "index": self.repo.run("ls-files", "-s"), "head": self.repo.run("status")}


@pytest.fixture
def dvc(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Dvc:
    monkeypatch.chdir(repo.path)
    return Dvc(repo)


Axil = Callable[..., Answer]


def test_a_whole_project(dvc: Dvc, axil: Axil):
    before = (dvc.path / "data/raw/1.txt").stat().st_mtime_ns
    value = axil("import", "dvc", "--json").json
    assert value["branch"] == "main_axil" and value["before"] == "main" and not value["missing"]
    assert dvc.repo.run("branch", "--show-current") == "main_axil"
    assert dvc.repo.run("rev-parse", "main") == dvc.base
    assert dvc.repo.run("status", "--porcelain") == ""
    assert dvc.repo.read("axil.toml") == WANTED
    names = set(dvc.repo.run("ls-files").splitlines())
    assert {"data/raw.axil", "one.csv.axil", "notes.txt", ".dvc/.gitignore", "params.yaml"} <= names
    assert not names & {"data/raw.dvc", "one.csv.dvc", "dvc.yaml", "dvc.lock"}
    assert dvc.repo.read(".gitignore") == "*.pyc\n\n# data kept by axil\n/one.csv\n/prepared.txt\n"
    assert dvc.repo.read("data/.gitignore") == "# data kept by axil\n/raw\n"
    assert "executable = true" in dvc.repo.read("one.csv.axil")
    assert (dvc.path / "data/raw/1.txt").stat().st_mtime_ns == before, "data that is there is left alone"
    assert "clean" in axil("status").out
    axil("verify")
    axil("run", "-q")
    assert dvc.repo.read("model-eu.txt") == "eu 0.1\n" and dvc.repo.read("prepared.txt") == "one\n"


def test_what_is_said(dvc: Dvc, axil: Axil):
    out = axil("import", "dvc").out
    for part in (
        "dvc.yaml: train@eu",
        "data/raw.axil",
        "frozen: axil has no word for it",
        "written out: train.lr = 0.1",
        "named part by part, as it was when DVC last ran evaluate: eval/metrics.json, eval/more.txt",
        "never copied: up.secret_access_key",
    ):
        assert part in out
    assert "hush" not in out
    assert "hush" not in dvc.repo.run("log", "-p", "--all")


def test_a_dry_run_changes_nothing(dvc: Dvc, axil: Axil):
    before = dvc.state()
    out = axil("import", "dvc", "-n", "--branch", "other").out
    assert "the branch other would be made; nothing was changed" in out
    assert dvc.state() == before


def test_undo_takes_it_back(dvc: Dvc, axil: Axil):
    before = dvc.state()
    axil("import", "dvc")
    axil("-C", "data", "undo")
    assert dvc.state() == before


def test_it_can_be_done_from_a_subfolder_under_a_name(dvc: Dvc, axil: Axil):
    axil("-C", "data", "import", "dvc", "--branch", "fresh")
    assert dvc.repo.run("branch", "--show-current") == "fresh"
    assert axil("tree", "--json").json


def test_data_comes_from_the_cache(dvc: Dvc, axil: Axil):
    (dvc.path / "data/raw/1.txt").unlink()
    (dvc.path / "one.csv").unlink()
    axil("import", "dvc")
    assert (dvc.path / "data/raw/1.txt").read_bytes() == b"one\r\n"
    assert os.access(dvc.path / "one.csv", os.X_OK)
    assert dvc.repo.run("status", "--porcelain") == ""


def test_data_that_is_nowhere_stays_dvcs(dvc: Dvc, axil: Axil):
    (dvc.path / "one.csv").unlink()
    for path in dvc.cache.rglob("*"):
        if path.is_file():
            path.unlink()
    answer = axil("import", "dvc")
    assert "one.csv.dvc: it is neither in the work tree nor in DVC's cache" in answer.out
    assert "data of 1 .dvc file is not here" in answer.err
    names = dvc.repo.run("ls-files").splitlines()
    assert "one.csv.dvc" in names and "data/raw.axil" in names, "the folder is whole without its list of files"
    assert "/one.csv\n" in dvc.repo.read(".gitignore")


def test_fetch_reads_a_remote_that_is_a_folder(dvc: Dvc, axil: Axil):
    near = dvc.path.parent / "near"
    dvc.cache.rename(near)
    (dvc.path / "one.csv").unlink()
    assert axil("import", "dvc", "-n", "--json").json["missing"] == ["one.csv.dvc"]
    assert not axil("import", "dvc", "--fetch", "--json").json["missing"]
    assert dvc.repo.read("one.csv") == "single"


def fake_dvc(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "bin" / "dvc"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def test_fetch_asks_dvc_for_the_rest(dvc: Dvc, axil: Axil, monkeypatch: pytest.MonkeyPatch):
    dvc.cache.rename(dvc.path.parent / "far")
    (dvc.path / "one.csv").unlink()
    fake_dvc(dvc.path.parent, 'echo "$@" > ../said; cp -r ../far .dvc/cache', monkeypatch)
    assert not axil("import", "dvc", "--fetch", "--json").json["missing"]
    assert (dvc.path.parent / "said").read_text() == "fetch -- one.csv.dvc\n"


def test_a_fetch_that_fails_changes_nothing(dvc: Dvc, axil: Axil, monkeypatch: pytest.MonkeyPatch):
    for path in dvc.cache.rglob("*"):
        if path.is_file():
            path.unlink()
    (dvc.path / "one.csv").unlink()
    fake_dvc(dvc.path.parent, "echo no credentials >&2; exit 3", monkeypatch)
    before = dvc.state()
    assert "no credentials" in axil("import", "dvc", "--fetch", code=1).err
    assert dvc.state() == before


def test_without_dvc_what_folders_have_comes(dvc: Dvc, axil: Axil, monkeypatch: pytest.MonkeyPatch):
    for path in dvc.cache.rglob("*"):
        if path.is_file():
            path.unlink()
    (dvc.path / "one.csv").unlink()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    said = axil("import", "dvc", "--fetch")
    assert "dvc is not installed" in said.err and "one.csv.dvc" in said.out


def refused(dvc: Dvc, axil: Axil, *words: str) -> str:
    before = dvc.state()
    err = axil("import", "dvc", *words, code=1).err
    assert dvc.state() == before
    return err


def test_uncommitted_changes_are_refused(dvc: Dvc, axil: Axil):
    dvc.repo.write({"notes.txt": "edited"})
    assert "git stash" in refused(dvc, axil)
    dvc.repo.run("checkout", "notes.txt")
    dvc.repo.write({"new.csv.dvc": "outs: []\n"})
    assert "git add new.csv.dvc" in refused(dvc, axil)


@pytest.mark.parametrize("where", ["carry", "check_out", "update_refs", "log"])
def test_a_failure_on_the_way_leaves_everything_as_it_was(
    dvc: Dvc, axil: Axil, where: str, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any, **__: Any) -> Any:
        raise AxilError("no space left")

    before = dvc.state()
    with monkeypatch.context() as patch:
        patch.setattr(switch, where, fail)
        assert "no space left" in axil("import", "dvc", code=1).err
    assert dvc.state() == before
    axil("import", "dvc")
    axil("verify")


def test_edited_data_is_refused(dvc: Dvc, axil: Axil):
    dvc.repo.write({"data/raw/1.txt": "edited"})
    assert "dvc commit" in refused(dvc, axil)


def test_a_file_that_dvc_does_not_know_stays_as_an_edit(dvc: Dvc, axil: Axil):
    dvc.repo.write({"data/raw/new.txt": "more"})
    axil("import", "dvc")
    assert dvc.repo.read("data/raw/new.txt") == "more"
    assert "new.txt" in axil("status", "-v").out + axil("diff").out


def test_links_into_the_cache_are_refused(dvc: Dvc, axil: Axil):
    (dvc.path / "one.csv").unlink()
    (dvc.path / "one.csv").symlink_to(dvc.path / "notes.txt")
    assert "checkout --relink" in refused(dvc, axil)


def test_other_refusals(dvc: Dvc, axil: Axil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dvc.repo.run("branch", "main_axil")
    assert "main_axil already" in refused(dvc, axil)
    dvc.repo.run("branch", "-D", "main_axil")
    dvc.repo.run("checkout", "-q", "--detach")
    assert "git switch" in refused(dvc, axil)
    dvc.repo.run("checkout", "-q", "main")
    axil("import", "dvc")
    assert "axil.toml already" in axil("import", "dvc", code=1).err


def test_a_repository_without_dvc(repo: Repo, axil: Axil, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(repo.path)
    repo.commit({"a": "1"})
    assert "no DVC project" in axil("import", "dvc", code=1).err


def test_a_hostile_project_reaches_nothing_outside(dvc: Dvc, axil: Axil):
    secret = dvc.path.parent / "secret"
    secret.write_text("mine")
    md5 = hashlib.md5(b"mine").hexdigest()
    outside = dvc.folder({"../../secret": md5})
    dvc.repo.write(
        {
            "a.dvc": f"outs: [{{path: ../secret, md5: {md5}}}]\n",
            "b.dvc": f"outs: [{{path: {secret}, md5: {md5}}}]\n",
            "d.dvc": f"outs: [{{path: out/x, md5: {md5}}}]\n",
            "e.dvc": f"outs: [{{path: .git/hooks/post-checkout, md5: {md5}}}]\n",
            "g.dvc": "outs: [{path: g, md5: ../../../../../etc/passwd}]\n",
            "sub/dvc.yaml": "stages:\n  evil:\n    cmd: x\n    outs: [../../up]\n    deps: [/etc/passwd]\n",
        }
    )
    (dvc.path / "out").symlink_to("..")
    (dvc.path / "h.dvc").symlink_to("../secret")
    dvc.repo.commit()
    rows = {row["source"]: row for row in axil("import", "dvc", "--json").json["rows"]}
    for name in ("a.dvc", "b.dvc", "d.dvc", "e.dvc", "g.dvc", "h.dvc"):
        assert not rows[name]["became"] and rows[name]["remarks"], name
    assert tomllib.loads(dvc.repo.read("axil.toml"))["stages"]["evil"] == {"cmd": "x", "cwd": "sub"}
    assert secret.read_text() == "mine"
    axil("undo")
    dvc.repo.write({"f.dvc": f"outs: [{{path: f, md5: {outside}.dir}}]\n"})
    dvc.repo.commit()
    assert "leads out of the folder" in axil("import", "dvc", code=1).err


def test_outputs_in_git_leave_it_on_the_new_branch(dvc: Dvc, axil: Axil):
    dvc.repo.write({"dvc.yaml": "stages:\n  t:\n    cmd: echo 1 > table.txt\n    outs: [table.txt: {cache: false}]\n"})
    dvc.repo.commit({"table.txt": "1\n"})
    axil("import", "dvc")
    assert "table.txt" not in dvc.repo.run("ls-files").splitlines()
    axil("run", "-q")
    assert dvc.repo.run("status", "--porcelain") == ""


def test_several_pipelines_and_old_stage_files(repo: Repo, axil: Axil, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(repo.path)
    repo.commit(
        {
            "a/dvc.yaml": "stages:\n  t: {cmd: echo a > o, outs: [o], params: [lr]}\n  only: {cmd: x}\n",
            "a/params.yaml": "lr: 1\n",
            "b/dvc.yaml": "stages:\n  t: {cmd: echo b > o, outs: [o]}\n",
            "old.dvc": "cmd: echo 1 > m.json\nouts: [{path: m.json, metric: true}]\ndeps: [{path: a/o, md5: 0}]\n",
        }
    )
    axil("import", "dvc")
    found = tomllib.loads(repo.read("axil.toml"))
    assert found["project"]["params"] == "a/params.yaml"
    assert list(found["stages"]) == ["a.t", "only", "b.t", "old"]
    assert found["stages"]["a.t"] == {"cmd": "echo a > o", "params": ["lr"], "outs": ["a/o"], "cwd": "a"}
    assert found["stages"]["old"] == {"cmd": "echo 1 > m.json", "deps": ["a/o"], "metrics": ["m.json"]}
    assert not [name for name in repo.run("ls-files").splitlines() if name.endswith(("dvc.yaml", ".dvc"))]

"""A meeting place for tests: a bare git repository, a folder as storage remote, and people with clones of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import Repo

from axil.cli.main import main

TOML = """\
[project]
name = "small"
metrics = { f1 = "max" }

[stages.train]
cmd = "python train.py"
deps = ["data/raw"]
params = ["lr"]
outs = ["model"]
metrics = ["metrics.json"]
"""
TRAIN = """\
import json
from pathlib import Path
lr = float(next(line for line in Path("params.yaml").read_text().splitlines() if line.startswith("lr")).split()[1])
data = sorted(path.name for path in Path("data/raw").rglob("*.txt"))
Path("model").mkdir(exist_ok=True)
Path("model/weights.txt").write_text(f"{lr} {data}" * 50)
Path("metrics.json").write_text(json.dumps({"f1": lr * 2}))
with open(".git/ran", "a") as log:
    log.write("train\\n")
"""


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Person(Repo):
    """Somebody with a clone; commands run as real processes."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(path)
        inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "TERM", "CLICOLOR")}
        self.env = {
            **inherited,
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": f"{name.lower()}@example.org",
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": f"{name.lower()}@example.org",
            "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        }

    def run(self, *args: str, check: bool = True, cwd: Path | None = None) -> str:
        done = subprocess.run(["git", *args], cwd=cwd or self.path, env=self.env, capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"git {' '.join(args)}: {os.fsdecode(done.stderr)}")
        return os.fsdecode(done.stdout).removesuffix("\n")

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """`axil WORDS`, started."""
        return subprocess.Popen(
            [sys.executable, "-m", "axil", *words],
            cwd=self.path,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def axil(self, *words: str, code: int | None = 0) -> Said:
        """`axil WORDS`, ended with `code` (None: any); in this process, which is quicker than one of its own."""
        out, err = io.StringIO(), io.StringIO()
        before, where = dict(os.environ), os.getcwd()
        os.environ.clear()
        os.environ.update(self.env)
        os.chdir(self.path)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                done = main(words)
        finally:
            os.chdir(where)
            os.environ.clear()
            os.environ.update(before)
        said = Said(done, out.getvalue(), err.getvalue())
        assert code in (None, done), f"axil {' '.join(words)} gave {done}\n{said.out}\n{said.err}"
        return said

    def ran(self) -> int:
        """How often the stage has run in this clone."""
        log = self.path / ".git/ran"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def head(self) -> str:
        return self.run("rev-parse", "HEAD")


class Place:
    """Where people meet: `hub` (git) and `store` (objects), below a folder with a name that is hard to handle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hub = folder / "hub ü.git"
        self.store = folder / "store ö"
        subprocess.run(["git", "init", "-q", "--bare", str(self.hub)], check=True)

    def found(self, name: str = "Ann", *, push: bool = True) -> Person:
        """The founder's project, with one run, shared."""
        person = Person(self.folder / name.lower(), name)
        person.path.mkdir()
        person.run("init", "-q")
        raw = {f"data/raw/{number} ä.txt": f"{number}" for number in (1, 2, 3)}
        person.write({"axil.toml": TOML, "train.py": TRAIN, "params.yaml": "lr: 0.1\n", "uv.lock": "", **raw})
        person.axil("add", "data/raw")
        person.axil("remote", "add", "origin", str(self.store))
        person.commit(message="start")
        person.axil("run", "-q", "-m", "baseline")
        person.run("remote", "add", "origin", str(self.hub))
        if push:
            person.axil("push")
        return person

    def join(self, name: str) -> Person:
        """A colleague's clone."""
        starting = Person(self.folder, name)
        starting.axil("clone", str(self.hub), name.lower())
        return Person(self.folder / name.lower(), name)

    def branch(self, name: str) -> str:
        """Where a branch is in the hub."""
        return Repo(self.hub).run("rev-parse", f"refs/heads/{name}")

    def packs(self) -> dict[str, int]:
        """The packs of the store with their sizes."""
        return {path.name: path.stat().st_size for path in (self.store / "packs").rglob("*") if path.is_file()}

"""A way to call the program in this process, and a project whose journal has something to look at."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest
from tests.conftest import Repo

from axil.base.ids import new_id
from axil.cli.main import main
from axil.formats import pointer
from axil.formats import record as r
from axil.formats.tree import FILE, Entry
from axil.journal.journal import Journal
from axil.store import Store

PROJECT = """\
[project]
name = "digits"
metrics = { f1 = "max", loss = "min" }

[stages.prepare]
cmd = "python src/prepare.py"
deps = ["data/raw"]
outs = ["data/prepared"]

[stages.train]
cmd = "python src/train.py"
deps = ["data/prepared"]
params = ["train"]
outs = ["models/digits.npz"]
metrics = ["metrics.json"]
"""


class Answer(NamedTuple):
    """What one call of the program left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def axil(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Calls `axil WORDS` in the current folder; `code` is the exit code it must have."""
    for name in ("COLUMNS", "TERM", "CLICOLOR", "CLICOLOR_FORCE", "_ARGCOMPLETE"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str, code: int = 0) -> Answer:
        capsys.readouterr()
        result = main(words)
        out, err = capsys.readouterr()
        assert result == code, f"axil {' '.join(words)} gave {result}\n{out}\n{err}"
        return Answer(result, out, err)

    return call


class Lab:
    """A project with two experiments, made by writing records: `digits` (two runs) and its fork `digits_decay`."""

    def __init__(self, repo: Any) -> None:
        self.repo = repo
        self.root = str(repo.path)
        self.now = time.time()
        self.packages = {"numpy": "2.4.6"}
        self.store = Store(f"{self.root}/.git/axil/store")
        self.raw = self._tree(50, 0)
        self.more = self._tree(53, 5)
        files: dict[str, str | bytes] = {"axil.toml": PROJECT, "src/prepare.py": "x = 1\n", "data/.gitignore": "/raw\n"}
        files["data/raw.axil"] = self._pointer(self.raw, 50)
        repo.run("switch", "-qc", "digits")
        self.base = repo.commit({**files, "params.yaml": "train:\n  lr: 0.1\n", "src/train.py": "a = 1\nb = 2\n"})
        self.base_tree = repo.run("rev-parse", "HEAD^{tree}")
        self.journal = Journal(repo.git, f"{self.root}/.git/axil/journal.db")
        with self.store.batch() as batch:
            self.log = batch.put_bytes(b"epoch 1\nepoch 2\nepoch 3\n")
            self.model = batch.put_bytes(b"m" * 500)
            points = [{"metrics": {"loss": 2 / (n + 1)}, "step": n, "stage": "train"} for n in range(30)]
            self.series = batch.put_bytes("".join(json.dumps(point) + "\n" for point in points).encode())
            batch.commit()
        self.first = self.run("digits", 0.91, 0.31, age=3 * 86400)
        self.second = self.run("digits", 0.92, 0.30, age=2 * 86400, lr=0.05, message="half the rate")
        repo.run("switch", "-qc", "digits_decay")
        changed = {"src/train.py": "a = 1\nc = 3\nd = 4\n", "src/decay.py": "pass\n"}
        changed["params.yaml"] = "train:\n  lr: 0.1\n  decay: 0.9\n"
        repo.commit({**changed, "data/raw.axil": self._pointer(self.more, 53)})
        self.fork_tree = repo.run("rev-parse", "HEAD^{tree}")
        self.append(
            r.Fork,
            86000,
            name="digits_decay",
            parent="digits",
            commit=self.base,
            hypothesis="decay stops the late divergence",
        )
        self.append(r.Note, 80000, target="digits_decay", text="looks good\nmerge it?")
        self.third = self.run("digits_decay", 0.93, 0.28, age=7200, decay=0.9)
        tail = "Traceback (most recent call last):\nFloatingPointError: loss is nan"
        self.failed = self.run("digits_decay", age=3600, lr=10.0, decay=0.9, message="too fast", tail=tail)

    def append(self, kind: type[r.Record], age: float, **fields: Any) -> str:
        """Write a record made `age` seconds ago; returns its id."""
        when = self.now - age
        record = kind(id=new_id(lambda: when), time=when, author="Ann Lee <ann@example.com>", **fields)
        self.journal.append([record])  # type: ignore[list-item]
        return record.id

    def run(
        self,
        experiment: str,
        f1: float | None = None,
        loss: float = 0.0,
        *,
        age: float,
        lr: float = 0.1,
        decay: float | None = None,
        message: str = "",
        tail: str = "",
    ) -> str:
        """Write a run's record; without `f1` it failed."""
        tree, data = (self.base_tree, self.raw) if decay is None else (self.fork_tree, self.more)
        metrics = {} if f1 is None else {"f1": f1, "loss": loss, "accuracy": f1 + 0.01}
        state: Any = "failed" if f1 is None else "succeeded"
        environment = r.Environment(
            python="3.11.4" if decay is None else "3.12.1",
            implementation="CPython",
            platform="Linux-6.1",
            machine="x86_64",
            cpus=2,
            packages=self.packages,
        )
        prepare = r.StageRecord(
            name="prepare",
            state="cached" if decay else "succeeded",
            reason="nothing changed" if decay else "never ran",
            cmd="python src/prepare.py",
            outs={"data/prepared": r.Output("tree", data.hex(), 1000, 50)},
            source=self.first if decay else "",
            log="" if decay else self.log.hex(),
        )
        train = r.StageRecord(
            name="train",
            state=state,
            reason=f"params.train.lr 0.1 → {lr}",
            cmd="python src/train.py",
            outs={} if f1 is None else {"models/digits.npz": r.Output("file", self.model.hex(), 500)},
            metrics=metrics,
            seconds=12.4,
            exit_code=1 if f1 is None else 0,
            log=self.log.hex(),
            tail=tail,
        )
        params: dict[str, Any] = {"train.lr": lr, "train.epochs": 30}
        if decay is not None:
            params["train.decay"] = decay
        return self.append(
            r.Run,
            age,
            experiment=experiment,
            commit=self.base,
            snapshot=tree,
            state=state,
            message=message,
            ended=self.now - age + 13.5,
            host="box",
            stages=[prepare, train],
            params=params,
            metrics=metrics,
            summary={} if f1 is None else {"loss": r.Series(30, loss, loss, 2.0, 29)},
            series="" if f1 is None else self.series.hex(),
            environment=environment,
        )

    def _tree(self, files: int, changed: int) -> bytes:
        with self.store.batch() as batch:
            entries = []
            for number in range(files):
                data = f"{number}{'new' if number < changed else ''}".encode()
                entries.append(Entry(b"%04d.png" % number, FILE[0], len(data), batch.put_bytes(data)))
            oid = batch.put_tree(entries)
            batch.commit()
        return oid

    def _pointer(self, oid: bytes, files: int) -> bytes:
        return pointer.render(pointer.Pointer("tree", oid, 1234, files))

    def record(self, run: str) -> dict[str, Any]:
        """A run's record in builtins."""
        value: dict[str, Any] = msgspec.to_builtins(self.journal.run(run))
        return value


@pytest.fixture
def lab(repo: Any, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The current folder is a project on the experiment `digits_decay`."""
    made = Lab(repo)
    monkeypatch.chdir(repo.path)
    return made


SMALL = """\
[project]
name = "small"
metrics = { f1 = "max" }

[stages.train]
cmd = "python train.py"
deps = ["data/raw"]
params = ["lr"]
outs = ["model.txt"]
metrics = ["metrics.json"]
"""
TRAIN = """\
import json
from pathlib import Path
lr = float(next(line for line in Path("params.yaml").read_text().splitlines() if line.startswith("lr")).split()[1])
data = sorted(path.read_text() for path in Path("data/raw").glob("*.txt"))
Path("model.txt").write_text(f"{lr} {data}")
Path("metrics.json").write_text(json.dumps({"f1": lr * 2}))
with open(".git/ran", "a") as log:
    log.write("train\\n")
"""


class Small:
    """A project made by commands: `data/raw` tracked, one stage, everything committed on `main`, the stage run."""

    def __init__(self, repo: Repo, axil: Callable[..., Answer]) -> None:
        self.repo = repo
        self.path = repo.path
        self.axil = axil

    def ran(self) -> int:
        """How often the stage's command has run, in all."""
        log = self.path / ".git/ran"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def data(self) -> dict[str, str]:
        """The files of data/raw: name -> content."""
        folder = self.path / "data/raw"
        return {path.name: path.read_text() for path in sorted(folder.iterdir())} if folder.exists() else {}

    def head(self) -> str:
        return self.repo.run("branch", "--show-current")

    def commit(self, message: str = "change", **files: str) -> str:
        return self.repo.commit(dict(files), message)

    def state(self) -> dict[str, Any]:
        """Everything a refused command must leave alone: files, branches, git's index, the store's objects."""
        files = {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in self.path.rglob("*")
            if path.is_file() and not path.is_symlink() and ".git" not in path.relative_to(self.path).parts
        }
        refs = self.repo.run("for-each-ref", "--format=%(refname) %(objectname)")
        return {"files": files, "refs": refs, "index": self.repo.run("ls-files", "--stage"), "head": self.head()}


@pytest.fixture
def small(repo: Repo, axil: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> Small:
    """The current folder is a project on `main` whose one stage has run."""
    monkeypatch.chdir(repo.path)
    made = Small(repo, axil)
    raw = {f"data/raw/{number}.txt": f"{number}" for number in (1, 2, 3)}
    repo.write({"axil.toml": SMALL, "train.py": TRAIN, "params.yaml": "# rates\nlr: 0.1  # start\nother: 1\n", **raw})
    axil("add", "data/raw")
    repo.commit(message="start")
    axil("run", "-m", "baseline")
    return made

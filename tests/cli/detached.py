"""A project whose stage waits at a gate that the test opens, and runs that go on without the test."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.cli.sharing import Person, Said

PATIENCE = 60.0
TOML = """\
[project]
name = "gate"
metrics = { f1 = "max" }

[stages.prepare]
cmd = "python prepare.py"
deps = ["data/raw"]
outs = ["clean.txt"]

[stages.train]
cmd = "python train.py"
deps = ["clean.txt", "data/raw"]
params = ["lr"]
outs = ["model.txt"]
metrics = ["metrics.json"]
"""
PREPARE = """\
from pathlib import Path
Path("clean.txt").write_text("".join(sorted(path.read_text() for path in Path("data/raw").rglob("*.txt"))))
"""
TRAIN = """\
import json, os, sys, time
from pathlib import Path
import axil

lr = axil.params.lr
gates = Path(os.environ["GATES"])
me = os.environ["AXIL_RUN"]
for epoch in range(3):
    axil.log(loss=1 / (epoch + 1), step=epoch)
axil.flush()
(gates / f"{me}.began").touch()
while not (gates / f"{me}.go").exists() and not (gates / "all.go").exists():
    time.sleep(0.01)
print("trained", flush=True)
Path("model.txt").write_text(Path("clean.txt").read_text() + str(lr))
Path("metrics.json").write_text(json.dumps({"f1": lr * 2}))
"""


def until(true: Callable[[], object], what: str = "") -> Any:
    """What `true()` gives as soon as that is something."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := true()):
        assert time.monotonic() < deadline, f"never: {what or true}"
        time.sleep(0.01)
    return answer


class Lab(Person):
    """One project; `gates` is a folder outside of it."""

    gates: Path

    @classmethod
    def founded(cls, path: Path, *, jobs: int = 2) -> Lab:
        path.mkdir()
        lab = cls(path, "Ada")
        lab.gates = path.parent / "gates"
        lab.gates.mkdir()
        lab.env["GATES"] = str(lab.gates)
        lab.run("init", "-q")
        lab.axil("init")
        lab.write({"data/raw/a.txt": "a", "data/raw/deep/b.txt": "b"})
        lab.axil("add", "data/raw")
        files: dict[str, str | bytes] = {"axil.toml": TOML, "prepare.py": PREPARE, "train.py": TRAIN}
        files["params.yaml"] = "lr: 0.25\n"
        files["axil.local.toml"] = f"[machine]\njobs = {jobs}\n"
        files[".gitignore"] = "/axil.local.toml\n"
        lab.commit(files, "start")
        return lab

    @property
    def runs(self) -> Path:
        return self.path / ".git/axil/runs"

    def detach(self, *words: str) -> str:
        """Starts `axil run -d WORDS`; the run's id."""
        return self.axil("run", "-d", *words).out.strip()

    def began(self, run: str) -> None:
        """Waits until the run's train stage has reached its gate; says what became of the run if it never does."""
        gate = self.gates / f"{run}.began"
        try:
            until(lambda: gate.exists() or run not in self.going())
            assert gate.exists()
        except AssertionError:
            shown = [self.axil(*words, code=None) for words in (["ps"], ["show", run], ["logs", run])]
            raise AssertionError(f"run {run} never began: {self.events(run)}\n{shown}\n{self.told()}") from None

    def going(self) -> list[str]:
        """The runs that have a folder."""
        return [path.name for path in self.runs.iterdir() if path.is_dir()]

    def told(self) -> str:
        """What the supervisors wrote to their own logs."""
        return "\n".join(path.read_text() for path in self.runs.rglob("supervisor.log"))

    def let(self, *runs: str) -> None:
        """Opens the gate of `runs` (without any: of all)."""
        for run in runs or ("all",):
            (self.gates / f"{run}.go").touch()

    def record(self, run: str) -> Any:
        """The run's record; waits for its end."""
        self.axil("wait", run, code=None)
        return self.axil("show", run, "--json").json["run"]

    def states(self) -> list[str]:
        """The states of the stages of the latest run."""
        latest = self.axil("runs", "--json").json["runs"][0]["id"]
        return [stage["state"] for stage in self.record(latest)["stages"]]

    def events(self, run: str) -> list[Any]:
        """What happened in a run that goes on."""
        try:
            text = (self.runs / run / "state.jsonl").read_text()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def supervisor(self, run: str) -> int:
        """The pid of the run's supervisor, once there is one."""

        def pid() -> int:
            return next((event["pid"] for event in self.events(run) if event["event"] == "supervised"), 0)

        return int(until(pid, f"run {run} has a supervisor"))

    def live(self) -> dict[str, str]:
        """Run id -> state of the runs that are not over, in order."""
        return {one["run"]: one["state"] for one in self.axil("ps", "--json").json}

    def clean(self) -> None:
        """Asserts that runs left nothing behind."""
        until(lambda: not [path for path in self.runs.iterdir() if path.is_dir()], "the folders of runs are gone")
        assert list(self.path.glob(".axil/runs/*")) == []
        assert self.run("worktree", "list", "--porcelain").count("worktree ") == 1


@contextlib.contextmanager
def gated(folder: Path) -> Iterator[Lab]:
    """A lab in `folder` whose runs are ended afterwards."""
    lab = Lab.founded(folder / "project")
    yield lab
    lab.let()
    for run in lab.live():
        lab.axil("stop", "--now", run, code=None)


__all__ = ["Lab", "Said", "gated", "until"]

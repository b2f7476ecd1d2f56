"""A small project on disk with a journal in memory, for tests of the planner: it "runs" stages by writing files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from axil.data.content import content_of, save
from axil.data.index import WorkTreeIndex
from axil.formats.project import parse
from axil.journal.rows import OutputRow, StageRow
from axil.pipeline.graph import build
from axil.pipeline.keys import key as key_of
from axil.pipeline.load import load_params
from axil.pipeline.planner import Decision, Planner
from axil.store import Store


class Journal:
    """Stage records in memory, newest last; counts the questions."""

    def __init__(self) -> None:
        self.rows: list[StageRow] = []
        self.asked = 0

    def cached(self, key: str) -> StageRow | None:
        self.asked += 1
        return next((row for row in reversed(self.rows) if row.key == key and row.state == "succeeded"), None)

    def last_stage(self, name: str, experiment: str | None) -> StageRow | None:
        rows = [row for row in reversed(self.rows) if row.name == name and row.state != "skipped"]
        return next((row for row in rows if row.experiment == experiment), rows[0] if rows else None)


class World:
    """A project in `root`; every look uses fresh objects, as another process would."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.root.mkdir()
        self.journal = Journal()
        self.store = Store(str(root / "store"))
        self.database = str(root / "worktree.db")
        self.experiment = "main"
        self.environ: dict[str, str] = {}
        self.runs = 0

    def write(self, path: str, text: str = "") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def index(self) -> WorkTreeIndex:
        return WorkTreeIndex(self.database)

    def planner(self, **options: object) -> Planner:
        index = self.index()
        file = parse((self.root / "axil.toml").read_text())
        params = load_params(str(self.root), file, index)
        options = {"experiment": self.experiment, "environ": self.environ, **options}
        return Planner(
            str(self.root),
            file,
            build(file.stages),
            params,
            index,
            self.store,
            self.journal,
            **options,  # type: ignore[arg-type]
        )

    def plan(self, targets: Iterable[str] = (), **options: object) -> dict[str, Decision]:
        return {decision.stage: decision for decision in self.planner(**options).plan_all(targets)}

    def actions(self, targets: Iterable[str] = (), **options: object) -> dict[str, str]:
        return {name: decision.action for name, decision in self.plan(targets, **options).items()}

    def run(
        self, outputs: Mapping[str, str], targets: Iterable[str] = (), *, fail: str = "", **options: object
    ) -> dict[str, str]:
        """Go through the stages as an executor does; a stage that runs writes `outputs[path]`. What was done."""
        self.runs += 1
        run = f"01RUNXXXXXXXXXXXXXX{self.runs:07d}"
        planner = self.planner(**options)
        done: dict[str, str] = {}
        for name in planner.graph.subset(targets):
            decision = planner.decide(name)
            done[name] = decision.action
            stage = planner.graph.stages[name]
            state = "succeeded"
            if decision.action == "run":
                for path in stage.made:
                    self.write(path, outputs[path])
                state = "failed" if name == fail else state
            elif decision.action == "restore":
                for path, pointer in decision.outs.items():
                    data = self.store.read(pointer.oid)
                    (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                    (self.root / path).write_bytes(data)
                state = "cached"
            else:
                state = "current"
            self.record(run, decision, state, stage.made)
            if state == "failed":
                break
        return done

    def record(self, run: str, decision: Decision, state: str, made: Iterable[str], seen: Iterable[str] = ()) -> None:
        inputs = decision.inputs
        assert inputs is not None
        saved = save(self.index(), self.store, str(self.root), list(made))
        outs = {path: OutputRow(p.kind, p.oid.hex(), p.size, p.files, p.executable) for path, p in saved.items()}
        self.journal.rows.append(
            StageRow(
                decision.stage, state, decision.reason, inputs.cmd, inputs.cwd, key_of(inputs), inputs.deps,
                inputs.params, inputs.code, list(seen), inputs.env, outs, {}, run, "Ann <ann@x>", 1.0, self.experiment,
                exit_code=3 if state == "failed" else 0,
                source=(decision.hit.source or decision.hit.run) if decision.hit else "",
            )
        )  # fmt: skip

    def oid(self, path: str) -> str:
        found = content_of(self.index(), str(self.root), path)
        assert found is not None
        return found.oid.hex()

    def remove(self, path: str) -> None:
        os.unlink(self.root / path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty project."""
    return World(tmp_path)

"""A small project with real git, store, journal and index, and runs of it in this process."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axil.base.clock import system_clock
from axil.base.ids import new_id
from axil.data.index import WorkTreeIndex
from axil.formats.record import Run, StageRecord
from axil.git.process import Git
from axil.git.refs import head
from axil.git.snapshot import snapshot_tree
from axil.journal.journal import Journal
from axil.pipeline.graph import build
from axil.pipeline.load import load_params, load_project
from axil.pipeline.planner import Planner
from axil.runs.events import CurrentStage, RunEvent, StageFinished, ignore
from axil.runs.execute import Handles, Outcome, Request, execute
from axil.store import Store


class Bench:
    """A project in `root`; `run()` is one `axil run`, with everything opened anew."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / ".git" / "axil"
        self.home.mkdir(parents=True, exist_ok=True)
        self.runs = str(self.home / "runs")
        self.events: list[RunEvent] = []

    @property
    def store(self) -> Store:
        return Store(str(self.home / "store"))

    @property
    def index(self) -> WorkTreeIndex:
        return WorkTreeIndex(str(self.home / "worktree.db"))

    @property
    def journal(self) -> Journal:
        return Journal(Git(str(self.root)), str(self.home / "journal.db"))

    def write(self, **files: str) -> None:
        """Write files; `__` in a name is a slash, the last `_` before the ending a dot: src__train_py."""
        for name, content in files.items():
            folder, _, last = name.replace("__", "/").rpartition("/")
            path = self.root / folder / ".".join(last.rsplit("_", 1))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def planner(self, force: tuple[str, ...] = ()) -> Planner:
        index = self.index
        file = load_project(str(self.root), index)
        params = load_params(str(self.root), file, index)
        environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        graph = build(file.stages)
        return Planner(
            str(self.root), file, graph, params, index, self.store, self.journal,
            experiment="main", environ=environ, force=force,
        )  # fmt: skip

    def handles(self, on_event: Callable[[RunEvent], None] = ignore, force: tuple[str, ...] = ()) -> Handles:
        planner = self.planner(force)
        store, journal = planner.store, planner.journal
        assert isinstance(store, Store) and isinstance(journal, Journal)

        def tell(event: RunEvent) -> None:
            self.events.append(event)
            on_event(event)

        return Handles(planner, store, journal, self.runs, on_event=tell)

    def run(
        self,
        *targets: str,
        message: str = "",
        force: tuple[str, ...] = (),
        on_event: Callable[[RunEvent], None] = ignore,
        **options: Any,
    ) -> Outcome:
        self.events = []
        git = Git(str(self.root))
        request = Request(
            new_id(system_clock), "Ada <ada@example.org>", os.uname().nodename, "main", "", message, targets
        )
        handles = self.handles(on_event, force)
        return execute(handles, request, snapshot=lambda: lambda: snapshot_tree(git, head(git)).tree, **options)

    def stages(self) -> dict[str, StageRecord | CurrentStage]:
        """What the last run's events said became of each stage."""
        return {event.stage: event.record for event in self.events if isinstance(event, StageFinished)}

    def recorded(self) -> list[Run]:
        """Every run in the journal, newest first."""
        journal = self.journal
        return [journal.run(row.id) for row in journal.runs()]


def main() -> None:
    """A supervisor in a process of its own: `ROOT OPTIONS-AS-JSON`; prints a line per event."""
    faulthandler.dump_traceback_later(60, exit=True)
    root, options = sys.argv[1], json.loads(sys.argv[2])

    def tell(event: RunEvent) -> None:
        if not getattr(event, "done", True):
            return
        stage = getattr(event, "stage", "")
        print(type(event).__name__, stage, getattr(event, "text", ""), flush=True)

    outcome = Bench(Path(root)).run(*options.pop("targets", ()), on_event=tell, **options)
    print("outcome", outcome.run.state, flush=True)


if __name__ == "__main__":
    main()

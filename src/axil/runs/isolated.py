"""A run's own work tree: the files of its snapshot, and what git does not keep, linked in (docs/formats/isolated.md).

Data and results of other runs are laid in when a command starts, as links to read-only copies that all runs share. What
a stage's dependency holds beside other things is laid in as real files, since such a folder is hashed as a whole.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

from axil.base.light import TYPE_CHECKING
from axil.base.progress import SILENT, Progress
from axil.data.index import WorkTreeIndex
from axil.data.materialise import Target, materialise
from axil.formats.pointer import Pointer
from axil.formats.project import Stage
from axil.git.linked import add_worktree, forget_worktree
from axil.git.process import Git
from axil.pipeline.graph import Graph, covering
from axil.runs.checkouts import Checkouts, remove
from axil.runs.outputs import Outputs, SavedPath
from axil.store import Store

if TYPE_CHECKING:
    from axil.formats.runfiles import Spec

FOLDER = ".axil"
"""In the project, ignored by git: work trees of runs and copies of data. It may be deleted while no run goes on."""
RUNS, DATA = "runs", "data"
KEPT = ".kept"
"""Ending of the empty file beside a work tree that stays when its run is over."""
_BORROWED = ("axil.local.toml", ".venv", "venv")
"""What git ignores and a command may need all the same: linked to the user's own."""


def folder_of(project: str, *names: str) -> str:
    """A path in the project's `FOLDER`, which is made, ignored by git, if it is missing."""
    top = os.path.join(project, FOLDER)
    if not os.path.isdir(top):
        os.makedirs(top, exist_ok=True)
        with open(os.path.join(top, ".gitignore"), "w", encoding="ascii") as file:
            file.write("*\n")
    return os.path.join(top, *names)


def make(git: Git, spec: Spec) -> None:
    """Make the work tree of the run `spec` from its snapshot; one that is to be kept is marked before."""
    path = spec.root
    remove(path)
    forget_worktree(git, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if spec.keep:
        with open(path + KEPT, "wb"):
            pass
    add_worktree(git, path, spec.commit, spec.snapshot)
    for name in _BORROWED:
        theirs, here = os.path.join(spec.source, name), os.path.join(path, name)
        if os.path.lexists(theirs) and not os.path.lexists(here):
            os.symlink(theirs, here)


def discard(git: Git, path: str) -> None:
    """Take a run's work tree away; nothing happens if it is gone already."""
    remove(path)
    forget_worktree(git, path)


def leftovers(project: str) -> list[str]:
    """Work trees of runs below `project`, and marks of kept ones that are gone; kept work trees are left out.

    Ask before looking which runs go on: a run is in sight before its work tree is.
    """
    top = os.path.join(project, FOLDER, RUNS)
    try:
        names = set(os.listdir(top))
    except (FileNotFoundError, NotADirectoryError):
        return []
    stale = {name for name in names if name.endswith(KEPT) and name.removesuffix(KEPT) not in names}
    trees = {name for name in names if not name.endswith(KEPT) and name + KEPT not in names}
    return [os.path.join(top, name) for name in sorted(trees | stale)]


class Isolated(Outputs):
    """The outputs of a run's own work tree, and its inputs.

    `given` is what paths hold, laid in or not; the planner of the run knows it too.
    """

    def __init__(
        self,
        root: str,
        index: WorkTreeIndex,
        store: Store,
        checkouts: Checkouts,
        graph: Graph,
        progress: Progress = SILENT,
    ) -> None:
        super().__init__(root, index, store, progress)
        self.given: dict[str, Pointer] = {}
        self._checkouts = checkouts
        self._graph = graph
        self._laid: set[str] = set()

    def lend(self, data: Mapping[str, Pointer]) -> None:
        """Give the run `data`: what is hashed as a part of something larger now, the rest when a command starts."""
        kept = {path for stage in self._graph.stages.values() for path in stage.keep}
        own = {path for stage in self._graph.stages.values() for path in stage.checkpoint}
        data = {path: pointer for path, pointer in data.items() if path not in own}
        real = [path for path in data if path in kept or self._is_part(path)]
        self._lay_real({path: data[path] for path in real})
        self.given |= {path: pointer for path, pointer in data.items() if path not in kept}

    def clear(self, stage: Stage) -> list[SavedPath]:
        """See `Outputs.clear`; and what the stage may read is there when this returns."""
        for path, pointer in self.given.items():
            if path not in self._laid and path not in stage.made:
                self._link(path, pointer)
        for path in stage.made:
            self.given.pop(path, None)
            self._laid.discard(path)
        return super().clear(stage)

    def restore(self, outs: Mapping[str, Pointer]) -> list[SavedPath]:
        """Results of earlier runs: known from now on, laid in when a command starts."""
        self.lend(outs)
        return []

    def _is_part(self, path: str) -> bool:
        """Whether a dependency of some stage is a folder above `path`."""
        above = path.rpartition("/")[0]
        deps = {dep for stage in self._graph.stages.values() for dep in stage.deps}
        return covering(above, deps) is not None

    def _lay_real(self, data: Mapping[str, Pointer]) -> None:
        self._make_room(data)
        targets = [Target(path, None, pointer) for path, pointer in data.items()]
        if targets:
            materialise(self._index, self._store, self.root, targets, force=True, progress=self._progress)
        self._laid.update(data)

    def _link(self, path: str, pointer: Pointer) -> None:
        source = self._checkouts.provide(pointer, self._progress)
        self._make_room([path])
        full = os.path.join(self.root, path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(full)
        os.symlink(source, full)
        self._laid.add(path)

    def _make_room(self, paths: Iterable[str]) -> None:
        for path in paths:
            os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)

"""What a rehearsal would do: each stage, and to what the data of each path is cut. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from axil.actions.run import plan
from axil.actions.status import StageStatus
from axil.actions.tracking import pointers
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.git.worktree import ignored
from axil.pipeline.graph import build
from axil.runs.rehearsal import choose, deps_in_git, files_below, files_stored, is_data, planned

if TYPE_CHECKING:
    from axil.project import Project


class DataPart(NamedTuple):
    """What a rehearsal is given of the data at `path`, in words."""

    path: str
    words: str


class RehearsalPlan(NamedTuple):
    """What a rehearsal on `sample` samples would do."""

    sample: int
    stages: tuple[StageStatus, ...]
    data: tuple[DataPart, ...]


def plan_rehearsal(
    project: Project, sample: int, targets: Sequence[str] = (), *, assignments: Sequence[str] = (), force: bool = False
) -> RehearsalPlan:
    """What `run` with `sample` would do; how data is cut is told by the names of files alone."""
    stages = plan(project, targets, assignments=assignments, force=force, sample=sample)
    return RehearsalPlan(sample, stages, tuple(_data(project, sample)))


def _data(project: Project, sample: int) -> Iterable[DataPart]:
    graph = build(project.file.stages)
    known = pointers(project)
    in_git = deps_in_git(graph, known)
    unkept = ignored(project.git, in_git)
    own = {path for stage in graph.stages.values() for path in stage.checkpoint}
    for path in sorted({*known, *in_git} - own):
        full = project.path(path)
        names: Iterable[str] = ()
        if os.path.lexists(full):
            names = files_below(full)
        elif path in known and project.store.has(known[path].oid):
            names = (name for name, _ in files_stored(project.store, known[path]))
        beside = path in known or path in unkept
        choice = choose(
            path, (name for name in names if beside or not _tracked(path, name, known)), sample, in_git=not beside
        )
        if beside or any(is_data(name or path) for name in choice.files):
            yield DataPart(path, planned(choice, sample) if choice.files else "not here")


def _tracked(folder: str, name: str, known: Iterable[str]) -> bool:
    """Whether a file of a folder in git belongs to tracked data in it, which is told for itself."""
    path = f"{folder}/{name}"
    return any(path == one or path.startswith(one + "/") for one in known)

"""What changed in code and data since they were last saved, and what `axil run` would do."""

from __future__ import annotations

import os
from collections import Counter

from axil.actions.lost import adopt
from axil.actions.tracking import begin_pointer_files, read_pointers
from axil.base.clutter import is_clutter
from axil.base.light import TYPE_CHECKING, Literal, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import BadInput, NotFound
from axil.git.status import begin_status

if TYPE_CHECKING:
    from axil.data.diff import Change
    from axil.formats.pointer import Pointer
    from axil.project import Project

SHOWN = 20


class CodeChange(NamedTuple):
    """A file that git sees as changed: `code` is git's XY, "??" for a new one."""

    path: str
    code: str


class DataStatus(NamedTuple):
    """Tracked data in the work tree against its pointer; `paths` are the first few that differ."""

    path: str
    state: Literal["clean", "changed", "missing", "outdated"]
    """"outdated": it is what another version's pointer says, as after `git checkout`, or a kill left it half-way."""
    size: int
    files: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    paths: tuple[tuple[str, str], ...] = ()


class StageStatus(NamedTuple):
    """What `axil run` would do with a stage ("run", "restore", "current", "waits"), and why."""

    name: str
    action: str
    reason: str
    fetch: int | None = None
    """Bytes to fetch from a remote before the outputs can be restored; None for none."""


class Trouble(NamedTuple):
    """What is wrong in a file of the project, why, and what to do."""

    what: str
    why: str
    hint: str


class ProjectStatus(NamedTuple):
    """The whole answer. `experiment` is None on a detached HEAD, `commit` None before the first commit."""

    experiment: str | None
    commit: str | None
    parent: str | None
    hypothesis: str
    code: tuple[CodeChange, ...]
    conflicts: tuple[str, ...]
    data: tuple[DataStatus, ...]
    stages: tuple[StageStatus, ...]
    adopted: tuple[str, ...]
    """Runs found dead and recorded as lost by this very command."""
    problem: Trouble | None = None
    """What keeps the pipeline from being planned, or data from being looked at."""


def status(project: Project, *, progress: Progress = SILENT) -> ProjectStatus:
    """The state of the work tree; reads no unchanged file and changes nothing but records runs found dead."""
    # git's processes run while the modules for the rest are loaded, so those are imported where they are used.
    finish_status = begin_status(project.git, untracked="normal")
    finish_files = begin_pointer_files(project.git)
    adopted = tuple(run.id for run in adopt(project))
    known = _origin(project)
    data: list[DataStatus] = []
    stages: tuple[StageStatus, ...] = ()
    problem = None
    try:
        pointers = read_pointers(project, finish_files())
        for path, pointer in pointers.items():
            data.append(_data(project, path, pointer, progress))
        stages = _stages(project, pointers)
    except (BadInput, NotFound) as error:
        # Whoever asks for the status is often looking for just this; the rest is told all the same.
        problem = Trouble(error.what, error.why, error.hint)
    code = finish_status()
    entries = [CodeChange(entry.path, entry.code) for entry in code.entries if not entry.conflict]
    entries += [CodeChange(path, "??") for path in code.untracked if not is_clutter(path)]
    return ProjectStatus(
        project.head.branch,
        project.head.commit,
        *known,
        tuple(entries),
        code.conflicts,
        tuple(data),
        stages,
        adopted,
        problem,
    )


def _origin(project: Project) -> tuple[str | None, str]:
    experiment = project.journal.experiments().get(project.head.branch or "")
    return (experiment.parent, experiment.hypothesis) if experiment else (None, "")


def _stages(project: Project, pointers: dict[str, Pointer]) -> tuple[StageStatus, ...]:
    if not project.file.stages:
        return ()
    from axil.actions.planning import graph, planner

    whole = graph(project, pointers)
    decisions = planner(project, whole=whole).plan_all()
    return tuple(StageStatus(one.stage, one.action, one.reason, one.fetch) for one in decisions)


def _data(project: Project, path: str, pointer: Pointer, progress: Progress) -> DataStatus:
    from axil.data.status import changes
    from axil.formats.pointer import SUFFIX

    if not os.path.lexists(project.path(path)):
        return DataStatus(path, "missing", pointer.size, pointer.files)
    try:
        found = changes(project.index, project.store, project.root, path, pointer, progress=progress)
    except NotFound as error:
        from shlex import quote

        hint = f"`axil pull` brings it if a remote has it; an edited pointer: git checkout -- {quote(path + SUFFIX)}"
        raise NotFound(f"the data that {path}{SUFFIX} names is not here", error.what, hint) from None
    if not found:
        return DataStatus(path, "clean", pointer.size, pointer.files)
    from axil.data.materialise import interrupted

    if interrupted(project.index, path):
        return DataStatus(path, "outdated", pointer.size, pointer.files, *count(found), shown(found))
    last = project.index.tracked(path)
    as_before = last is not None and last.oid != pointer.oid
    if as_before and not changes(project.index, project.store, project.root, path, last, progress=progress):
        return DataStatus(path, "outdated", pointer.size, pointer.files)
    return DataStatus(path, "changed", pointer.size, pointer.files, *count(found), shown(found))


def count(found: list[Change]) -> tuple[int, int, int]:
    """How many paths were added, removed, changed."""
    kinds = Counter(change.kind for change in found)
    return kinds["added"], kinds["removed"], kinds["changed"] + kinds["mode"]


def shown(found: list[Change]) -> tuple[tuple[str, str], ...]:
    """(path, kind) of the first few changes."""
    return tuple((change.path, change.kind) for change in found[:SHOWN])

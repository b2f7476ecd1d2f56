"""Bring tracked data in the work tree in line with its pointers, as after `git checkout`, `git merge` or a clone."""

from __future__ import annotations

from collections.abc import Sequence

from axil.actions.add import project_path
from axil.actions.operation import Step, data_moves, log
from axil.actions.tracking import pointers
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.materialise import apply, check
from axil.data.plan import plan_switch
from axil.errors import NotFound
from axil.journal.operations import Kept

if TYPE_CHECKING:
    from axil.project import Project


class Materialised(NamedTuple):
    """How many files were written and removed, and which edits `--force` put into the store first."""

    paths: tuple[str, ...]
    written: int
    removed: int
    saved: tuple[Kept, ...]


def materialise(
    project: Project, paths: Sequence[str] = (), *, force: bool = False, progress: Progress = SILENT
) -> Materialised:
    """Make the tracked data at the absolute `paths` (all, if there are none) what its pointers say.

    Raises `Blocked`, listing paths, before anything
    is touched if edits would be lost and not `force`.
    """
    known = pointers(project)
    here = project.index.all_tracked()
    names = list(dict.fromkeys(project_path(project, path) for path in paths)) or list(known)
    for name in names:
        if name not in known:
            raise NotFound(f"{name} is not tracked", "it has no pointer", "axil status lists what is tracked")
    plans = [
        plan_switch(project.index, project.store, project.root, name, here.get(name), known[name], progress=progress)
        for name in names
    ]
    if not force:
        check(plans)
    moves = data_moves((plan.path, plan.old, plan.new) for plan in plans if not plan.empty)
    saved: list[Kept] = []
    if moves:
        log(project, "materialise " + " ".join(names), Step(data=moves))
    written = removed = 0
    for plan in plans:
        done = apply(project.index, project.store, project.root, plan, force=force, progress=progress)
        written, removed = written + done.written, removed + done.removed
        saved += [Kept(f"edits in {one.path}", one.content.oid.hex()) for one in done.saved]
    return Materialised(tuple(names), written, removed, tuple(saved))

"""Bring tracked data in the work tree in line with its pointers, as after `git checkout`, `git merge` or a clone."""

from __future__ import annotations

from collections.abc import Sequence

from axil.actions.add import project_path
from axil.actions.moving import Moves, carry, plan_moves, plan_repair, refuse_during_run, saved
from axil.actions.operation import Step, log
from axil.actions.tracking import pointers
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.materialise import Target
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

    Files that were removed by hand come back too. Raises `Blocked`, listing paths, before anything is touched if
    edits would be lost and not `force`.
    """
    known = pointers(project)
    here = project.index.all_tracked()
    names = list(dict.fromkeys(project_path(project, path) for path in paths)) or list(known)
    for name in names:
        if name not in known:
            raise NotFound(f"{name} is not tracked", "it has no pointer", "axil status lists what is tracked")
    refuse_during_run(project, "materialising data")
    targets = [Target(name, here.get(name), known[name]) for name in names]
    moves = plan_moves(project, targets, force=force, progress=progress)
    # What was materialised as the pointer says and is damaged now: those paths are compared with the disk.
    settled = [plan.path for plan in moves.plans if plan.empty and not plan.unsaved]
    mending = Moves(tuple(plan_repair(project, settled, known, force=force, progress=progress)))
    plans = (*moves.plans, *mending.plans)
    kept = saved(project, plans, progress)
    if moves.logged or kept:
        log(project, "materialise " + " ".join(names), Step(data=moves.logged, saved=kept))
    done = carry(project, moves, progress), carry(project, mending, progress)
    return Materialised(tuple(names), sum(one[0] for one in done), sum(one[1] for one in done), kept)

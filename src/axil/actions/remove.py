"""Stop tracking data: the pointer and its `.gitignore` line go; the bytes stay in the store until `axil gc`."""

from __future__ import annotations

from collections.abc import Sequence

from axil.actions.add import project_path
from axil.actions.moving import Moves, carry, plan_moves, refuse_during_run, saved
from axil.actions.operation import Step, data_moves, file_moves, log, read_file
from axil.actions.tracking import pointers
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data import save
from axil.data.materialise import Target
from axil.errors import NotFound
from axil.git.worktree import stage
from axil.journal.operations import Kept
from axil.pipeline.graph import covering

if TYPE_CHECKING:
    from axil.project import Project


class Removed(NamedTuple):
    """A path that is tracked no more; `kept` says whether its files are still there, now known to git as untracked."""

    path: str
    kept: bool
    saved: tuple[Kept, ...] = ()
    """Edits that `force` put into the store before they were removed."""


def remove(
    project: Project, paths: Sequence[str], *, keep: bool = False, force: bool = False, progress: Progress = SILENT
) -> tuple[Removed, ...]:
    """Untrack the absolute `paths` and remove their files (not with `keep`).

    Raises `NotFound` for a path that is not tracked, `Blocked` if files with unsaved edits would go and not `force`.
    """
    known = pointers(project)
    names = list(dict.fromkeys(project_path(project, path) for path in paths))
    for name in names:
        if name not in known:
            outer = covering(name, known)
            why = f"it is part of {outer}: remove the file, then axil add {outer}" if outer else ""
            raise NotFound(f"{name} is not tracked", why, "axil status lists what is")
    refuse_during_run(project, f"removing {', '.join(names)}")
    here = project.index.all_tracked()
    targets = [Target(name, here.get(name, known[name]), None) for name in names]
    moves = Moves() if keep else plan_moves(project, targets, force=force, progress=progress)
    kept = saved(project, moves.plans, progress)
    before = {file: read_file(project, file) for name in names for file in save.files_of(name)}
    for name in names:
        save.untrack(project.index, project.root, name)
    after = {file: read_file(project, file) for file in before}
    step = Step(files=file_moves(project, before, after), data=data_moves(targets), saved=kept, keeps_data=keep)
    log(project, "rm " + " ".join(names), step)
    carry(project, moves, progress)
    stage(project.git, [file for file in before if before[file] != after[file]], force=True)
    edits = {plan.path: [one] for plan, one in zip((plan for plan in moves.plans if plan.unsaved), kept, strict=True)}
    return tuple(Removed(name, keep, tuple(edits.get(name, ()))) for name in names)

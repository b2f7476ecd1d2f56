"""How data and outputs in the work tree move: planned and checked, then logged by the action, then carried out.

Edits of tracked data block a move. Outputs that were edited or left half-made are put into the store instead, as a
run does, because the pipeline can make them again. Where git itself has files at a path before or after the move (the
data was put under axil's care in between), they are git's to write and to remove.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from axil.actions.operation import data_moves
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, Blocked, NotFound
from axil.journal.operations import DataMove, Kept

# What plans moves and carries them out is imported where there is something to move: most forks move nothing.
if TYPE_CHECKING:
    from axil.data.materialise import Target
    from axil.data.plan import Plan
    from axil.formats.pointer import Pointer
    from axil.project import Project

EDITS = {"file": "edit of the file ", "exec": "edit of the executable ", "tree": "edits in the folder "}
"""How a `Kept` of data begins; the path follows."""


class Moves(NamedTuple):
    """What is going to move, checked but not begun."""

    plans: tuple[Plan, ...] = ()
    unavailable: tuple[str, ...] = ()
    """Outputs whose bytes are not in the store any more, and data never brought here; they stay as they are."""
    shared: frozenset[str] = frozenset()
    """Paths at which git has files before or after: planned anew once git is done."""
    made: tuple[str, ...] = ()
    """The outputs that will be there."""

    @property
    def logged(self) -> tuple[DataMove, ...]:
        """The moves as the operation log keeps them."""
        return data_moves((plan.path, plan.old, plan.new) for plan in self.plans)

    @property
    def idle(self) -> bool:
        """Whether everything is as it should be already."""
        return all(plan.empty and not plan.unsaved for plan in self.plans)


def plan_moves(
    project: Project,
    targets: Iterable[Target],
    *,
    outputs: Collection[str] = (),
    commit: str | None = None,
    force: bool = False,
    progress: Progress = SILENT,
) -> Moves:
    """Plan all `targets`; `outputs` are those of them that stages make, `commit` is where HEAD is going, if it moves.

    What is not in the store is fetched first, if the project has a remote. Raises `Blocked`, listing paths, for unsaved
    edits of tracked data unless `force`, and `NotFound` for tracked data that is nowhere. Such outputs are left out and
    named.
    """
    from axil.data.materialise import check
    from axil.data.plan import plan_switch

    wanted = list(targets)
    shared = _shared(project, [one for one in wanted if one.old is None or one.new is None], commit) if commit else {}
    plans: list[Plan] = []
    absent: dict[str, NotFound] = {}
    for number in range(2):
        again = [one for one in wanted if not number or one.path in absent]
        absent = {}
        for path, old, new in again:
            try:
                plan = plan_switch(project.index, project.store, project.root, path, old, new, progress=progress)
            except NotFound as error:
                absent[path] = error
                continue
            mine = shared.get(path, set())
            plans.append(plan._replace(unsaved=[one for one in plan.unsaved if os.fsdecode(one) not in mine]))
        if number or not _fetched(project, [one for one in again if one.path in absent], outputs, progress):
            break
    lost = [error for path, error in absent.items() if path not in outputs]
    if lost:
        raise lost[0]
    if not force:
        check([plan for plan in plans if plan.path not in outputs])
    made = tuple(plan.path for plan in plans if plan.path in outputs and plan.new is not None)
    return Moves(tuple(plans), tuple(absent), frozenset(shared), made)


def _fetched(project: Project, targets: Sequence[Target], outputs: Collection[str], progress: Progress) -> bool:
    """Bring what `targets` need from the project's remotes; whether there is a point in planning them again.

    That outputs cannot be had is no failure: the pipeline makes them again.
    """
    if not targets or not project.remotes:
        return False
    from axil.actions.sharing import bring

    tracked_data = [one.new.oid for one in targets if one.new is not None and one.path not in outputs]
    made = [one.new.oid for one in targets if one.new is not None and one.path in outputs]
    sizes = {one.new.oid: one.new.size for one in targets if one.new is not None}
    older = {one.new.oid: one.old.oid for one in targets if one.new is not None and one.old is not None}
    if tracked_data:
        bring(project, [*tracked_data, *made], sizes=sizes, older=older, progress=progress)
        return True
    try:
        bring(project, made, sizes=sizes, older=older, progress=progress)
    except AxilError as error:
        project.tell(f"outputs were not fetched: {error.what}")
        return False
    return True


def plan_repair(
    project: Project,
    paths: Sequence[str],
    wanted: Mapping[str, Pointer],
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> list[Plan]:
    """Plans that bring `paths` to what is `wanted` there although they were materialised as that before.

    A move from one content to the same visits nothing, so files that the user removed need a look of their own.
    Raises `Blocked` for edits unless `force`.
    """
    from axil.data.materialise import check
    from axil.data.plan import plan_switch
    from axil.data.status import changes

    plans = []
    for path in paths:
        pointer = wanted[path]
        if changes(project.index, project.store, project.root, path, pointer, progress=progress):
            plans.append(
                plan_switch(project.index, project.store, project.root, path, None, pointer, progress=progress)
            )
    if not force:
        check(plans)
    return plans


def saved(project: Project, plans: Iterable[Plan], progress: Progress = SILENT) -> tuple[Kept, ...]:
    """Put the edits that `plans` overwrite into the store, so that the operation can name them before they go."""
    kept = []
    for plan in plans:
        if plan.unsaved:
            from axil.data.materialise import rescue

            content = rescue(project.store, project.root, plan, progress=progress).content
            kind = "exec" if content.executable else content.kind
            kept.append(Kept(f"{EDITS[kind]}{plan.path}", content.oid.hex()))
    return tuple(kept)


def carry(project: Project, moves: Moves, progress: Progress = SILENT) -> tuple[int, int]:
    """Carry out `moves` after `saved` has saved what they overwrite; how many files were written and removed."""
    if not moves.plans:
        return 0, 0
    from axil.data.materialise import apply

    written = removed = 0
    for planned in moves.plans:
        plan = _after_git(project, planned) if planned.path in moves.shared else planned
        plan = plan._replace(unsaved=[])
        done = apply(project.index, project.store, project.root, plan, progress=progress)
        written, removed = written + done.written, removed + done.removed
    return written, removed


def refuse_during_run(project: Project, what: str, *, anywhere: bool = False) -> None:
    """Raise `Blocked` if a run is using this work tree (or any): what moves under it would be recorded wrongly."""
    if not os.path.isdir(project.runs_folder):
        return
    from axil.runs.rundir import live

    for run in live(project.runs_folder, None if anywhere else project.root):
        raise Blocked(
            f"{what} would change files under a run",
            f"run {short(run.id)} is in progress in {run.root} (process {run.pid})",
            "wait for it or stop it with Ctrl-C there"
            + ("" if anywhere else "; or work in another work tree: git worktree add ../OTHER EXP"),
        )


def _shared(project: Project, targets: Sequence[Target], commit: str) -> dict[str, set[str]]:
    """Path -> git's files at and below it, for those that come or go as data while git has files there."""
    from axil.git.worktree import tracked

    come = [one.path for one in targets if one.new is not None]
    go = [one.path for one in targets if one.new is None]
    here = tracked(project.git, come) if come else set()
    there: set[str] = set()
    if go:
        there = set(project.git.fields("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--", *go))
    found: dict[str, set[str]] = {}
    for path, files in [*((path, here) for path in come), *((path, there) for path in go)]:
        mine = {file for file in files if file == path or file.startswith(path + "/")}
        if mine:
            found[path] = mine
    return found


def _after_git(project: Project, planned: Plan) -> Plan:
    """The plan for a path at which git has just written or removed files: git's own are left alone."""
    from axil.data.plan import plan_switch
    from axil.git.worktree import tracked

    plan = plan_switch(project.index, project.store, project.root, planned.path, planned.old, planned.new)
    mine = {os.fsencode(file) for file in tracked(project.git, [planned.path])}
    return plan._replace(gone=[path for path in plan.gone if path not in mine])

"""Give an experiment another name; its runs, notes and children follow."""

from __future__ import annotations

from axil.actions.experiments import HEADS, require_commit
from axil.actions.names import check_new_name
from axil.actions.operation import Step, perform
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.git.refs import Head
from axil.git.worktree import rename_branch
from axil.journal.operations import RefMove

if TYPE_CHECKING:
    from axil.project import Project


class Renamed(NamedTuple):
    """The old and the new name."""

    old: str
    new: str


def rename(project: Project, old: str, new: str) -> Renamed:
    """Call the experiment `old` by the name `new`, also where it is checked out.

    Raises `NotFound` for an unknown experiment, `BadInput` for a name that is taken or not possible.
    """
    from axil.formats.record import Rename

    experiment = require_commit(project, old)
    check_new_name(project, new)
    perform(
        project,
        f"rename {old} {new}",
        Step(
            refs=(RefMove(HEADS + old, experiment.tip, None), RefMove(HEADS + new, None, experiment.tip)),
            head=(project.head, Head(new, project.head.commit)) if project.head.branch == old else None,
            records=(lambda stamp: Rename(**stamp, old=old, new=new),),
            # git itself moves the branch: its reflog, its settings and every work tree's HEAD go with it.
            move_refs=lambda: rename_branch(project.git, old, new),
        ),
    )
    return Renamed(old, new)

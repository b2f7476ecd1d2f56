"""Delete an experiment's branch. Its runs stay in the journal, and `axil undo` brings the branch back."""

from __future__ import annotations

from axil.actions.archive import Moved
from axil.actions.experiments import HEADS, require
from axil.actions.operation import Step, perform
from axil.base.light import TYPE_CHECKING
from axil.git.worktree import require_free
from axil.journal.operations import RefMove

if TYPE_CHECKING:
    from axil.project import Project

DELETED = "refs/axil/deleted/"


def delete(project: Project, name: str) -> Moved:
    """Delete the branch of the experiment `name`; its commits are kept under refs/axil/deleted/ until `axil gc`.

    Raises `Blocked` if a work tree has it checked out.
    """
    from axil.formats.record import Delete

    tip = require(project, name).tip
    require_free(project.git, name)
    kept = f"{DELETED}{project.new_id()}"
    perform(
        project,
        f"delete {name}",
        Step(
            refs=(RefMove(HEADS + name, tip, None), RefMove(kept, None, tip)),
            records=(lambda stamp: Delete(**stamp, name=name, commit=tip),),
        ),
    )
    return Moved(name, tip)

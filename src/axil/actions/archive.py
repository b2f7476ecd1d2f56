"""Put an experiment aside and bring it back: its branch moves to refs/axil/archive/ and out of `git branch`."""

from __future__ import annotations

from axil.actions.experiments import ARCHIVE, HEADS, experiments, require, unknown
from axil.actions.operation import Step, perform
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import BadInput
from axil.git.refs import list_refs
from axil.git.worktree import require_free
from axil.journal.operations import RefMove

if TYPE_CHECKING:
    from axil.journal.rows import Experiment
    from axil.project import Project


class Moved(NamedTuple):
    """The experiment that moved, and its newest commit."""

    name: str
    commit: str


def archive(project: Project, name: str) -> Moved:
    """Take the experiment `name` out of `git branch`; its name is free at once, its runs and data stay.

    Raises `Blocked` if a work tree has it checked out, `BadInput` if an archived experiment bears that name.
    """
    from axil.formats.record import Archive

    tip = require(project, name).tip
    require_free(project.git, name)
    if ARCHIVE + name in list_refs(project.git, ARCHIVE + name):
        raise BadInput(f"an archived experiment is called {name} already", "", f"first: axil rename {name} NEW")
    perform(
        project,
        f"archive {name}",
        Step(
            refs=(RefMove(HEADS + name, tip, None), RefMove(ARCHIVE + name, None, tip)),
            records=(lambda stamp: Archive(**stamp, name=name, commit=tip),),
        ),
    )
    return Moved(name, tip)


def restore(project: Project, name: str) -> Moved:
    """Make the archived experiment `name` a branch again. Raises `BadInput` if the name is taken meanwhile."""
    from axil.formats.record import Restore

    refs = list_refs(project.git, ARCHIVE, HEADS + name)
    tip = refs.get(ARCHIVE + name)
    if tip is None:
        archived = {one.name: one for one in experiments(project).values() if one.archived}
        if name in archived:  # A git remote has it, and nobody here.
            return _from_remote(project, archived[name])
        error = unknown(name, archived)
        raise type(error)(f"no archived experiment is called {name}", error.why, error.hint)
    if HEADS + name in refs:
        raise BadInput(f"there is another experiment {name} now", "", f"first: axil rename {name} NEW")
    perform(
        project,
        f"restore {name}",
        Step(
            refs=(RefMove(ARCHIVE + name, tip, None), RefMove(HEADS + name, None, tip)),
            records=(lambda stamp: Restore(**stamp, name=name, commit=tip),),
        ),
    )
    return Moved(name, tip)


def _from_remote(project: Project, experiment: Experiment) -> Moved:
    """Restore what somebody else archived: the branch is made here."""
    from axil.formats.record import Restore

    name, tip = experiment.name, experiment.tip
    perform(
        project,
        f"restore {name}",
        Step(
            refs=(RefMove(HEADS + name, None, tip),),
            records=(lambda stamp: Restore(**stamp, name=name, commit=tip),),
        ),
    )
    return Moved(name, tip)

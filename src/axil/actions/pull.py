"""Fetch, move the current experiment forward to what others pushed, and bring its data and newest good outputs."""

from __future__ import annotations

from axil.actions.experiments import TRACKING, current
from axil.actions.fetch import Change, receive
from axil.actions.moving import refuse_during_run
from axil.actions.outputs import outputs_of
from axil.actions.sharing import git_remote, open_storage, storage_name
from axil.actions.switch import bring_back, carry_out, plan_switching
from axil.actions.tracking import changed_pointers, pointers
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, Blocked
from axil.git.history import ahead_behind
from axil.git.refs import Head, read_commit
from axil.git.remote import upstream

if TYPE_CHECKING:
    from axil.actions.switch import Switched
    from axil.project import Project


class Pulled(NamedTuple):
    """What came in. `moved` is how many commits the branch went forward; `ahead` how many it has that are not there."""

    experiment: str
    git: str
    changes: tuple[Change, ...]
    runs: int
    moved: int
    ahead: int
    there: bool
    """Whether the git remote has this branch."""
    switched: Switched
    trouble: str = ""
    """Why the storage remote could not be asked."""


def pull(
    project: Project, *, remote: str = "", git: str = "", force: bool = False, progress: Progress = SILENT
) -> Pulled:
    """Fetch; fast-forward the current branch; materialise its data and the outputs of its newest good run.

    Raises `Blocked` before anything but the fetched refs has changed: if the branch diverged (naming the git command
    that merges), if uncommitted changes are in the way as git judges it, if edits of data would be lost (with `force`
    those are saved first).
    """
    name = current(project, "axil pull")
    source = git_remote(project, git or upstream(project.git, name)[0])
    refuse_during_run(project, "pulling")
    changes, runs = receive(project, source, progress)
    trouble = _look(project, remote)
    theirs = read_commit(project.git, _tracking(project, source, name))
    mine = project.head.commit
    ahead, behind = ahead_behind(project.git, mine, theirs) if mine and theirs else (0, 0)
    if ahead and behind:
        raise Blocked(
            f"{name} went another way at {source}",
            f"{behind} commit{'s' * (behind > 1)} there and {ahead} here have nothing to do with each other yet",
            f"merge them: git merge {source}/{name}, then: axil pull\nor put yours on top: git rebase {source}/{name}",
        )
    if behind or (theirs and not mine):
        switched = _forward(project, name, theirs, force, progress)
    else:
        missing = {path: one for path, one in pointers(project).items() if path not in project.index.all_tracked()}
        switched = bring_back(project, name, force, progress, missing)
    return Pulled(name, source, changes, runs, behind, ahead, bool(theirs), switched, trouble)


def _forward(project: Project, name: str, commit: str, force: bool, progress: Progress) -> Switched:
    changes = changed_pointers(project, project.head.commit, commit)
    missing = {path: one for path, one in pointers(project).items() if path not in project.index.all_tracked()}
    data = {**missing, **changes}
    moves = plan_switching(project, commit, data, outputs_of(project, name), force=force, progress=progress)
    return carry_out(project, f"pull {name}", Head(name, commit), moves, force=force, progress=progress)


def _look(project: Project, remote: str) -> str:
    """Learn what the storage remote has now; why that failed, "" normally: what is needed of it will be asked again."""
    if not project.remotes and not remote:
        return ""
    name = storage_name(project, remote)
    try:
        with open_storage(project, name) as storage:
            storage.refresh()
    except AxilError as error:
        return error.what
    return ""


def _tracking(project: Project, remote: str, name: str) -> str:
    """The ref that holds what the branch `name` follows at `remote`."""
    followed, there = upstream(project.git, name)
    return f"{TRACKING}{remote}/{there if followed == remote and there else name}"

"""Which experiments there are: branches, here or only at a git remote, and archived ones, with their origin."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.errors import BadInput, NotFound
from axil.git.process import text
from axil.git.refs import BRANCHES, list_refs, name_problem, split_tracked
from axil.journal.rows import Experiment
from axil.journal.state import infer_parents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from axil.project import Project

HEADS = BRANCHES
ARCHIVE = "refs/axil/archive/"
TRACKING = "refs/remotes/"
"""What was fetched of the branches of git remotes."""
OTHERS = "refs/axil/remotes/"
"""… of their journals and archived branches."""
_PLAIN = 3
"""So many slashes has the ref of a branch at a remote if neither name has one."""
TRUNKS = ("main", "master", "trunk")
"""How the branch is mostly called from which all others come."""


def experiments(project: Project) -> dict[str, Experiment]:
    """Every experiment that has a branch or an archived branch, by name; `tip` is its newest commit.

    Branches made with plain git get the nearest experiment they descend from as an inferred parent, which takes a look
    at the whole history. Where an archived and a living experiment bear one name, the living one is meant.
    """
    return _with_parents(project, _named(project))


def _named(project: Project) -> dict[str, Experiment]:
    """All experiments, those of plain git without a parent."""
    refs = list_refs(project.git, HEADS, ARCHIVE, TRACKING, OTHERS)
    heads = {ref.removeprefix(HEADS): commit for ref, commit in refs.items() if ref.startswith(HEADS)}
    archived = {ref.removeprefix(ARCHIVE): commit for ref, commit in refs.items() if ref.startswith(ARCHIVE)}
    if project.head.branch and project.head.branch not in heads:
        heads[project.head.branch] = ""  # An unborn branch has no ref yet.
    known = project.journal.experiments()
    found = {}
    for name, tip in {**archived, **heads}.items():
        aside = name not in heads
        experiment = known.get(name)
        if experiment is None or experiment.deleted or experiment.archived != aside:
            experiment = Experiment(name, None, True, "", "", 0.0, "", "", aside, False)
        found[name] = experiment._replace(tip=tip, archived=aside)
    for name, tip, remote, aside in _elsewhere(project, refs):
        if name not in found and (experiment := _of_remote(name, tip, aside, known)) is not None:
            found[name] = experiment._replace(tip=tip, remote=remote)
    for name, one in found.items():
        # A branch that plain git made under a name that was used before is another experiment.
        if one.parent in found and one.parent_identity not in ("", found[one.parent].identity):
            found[name] = one._replace(parent=None)
    for name in _renamed(project, [name for name, one in found.items() if one.remote and name not in known], found):
        del found[name]
    return found


def _renamed(project: Project, names: Iterable[str], found: Mapping[str, Experiment]) -> list[str]:
    """Of the branches `names` at remotes those of experiments that have another name now, and all their commits."""
    names = list(names)
    former = project.journal.renamed() if names else {}
    return [
        name
        for name in names
        if (now := found.get(former.get(name, ""))) is not None
        and project.git.call("merge-base", "--is-ancestor", found[name].tip, now.tip).code == 0
    ]


def _of_remote(name: str, tip: str, aside: bool, known: Mapping[str, Experiment]) -> Experiment | None:
    """The experiment behind a branch at a git remote; None if it was deleted here and nobody worked on it since."""
    experiment = known.get(name)
    if experiment is None or (experiment.deleted and experiment.tip != tip):
        return Experiment(name, None, True, "", "", 0.0, "", "", aside, False)
    if experiment.deleted:
        return None
    return experiment._replace(archived=aside or (experiment.archived and experiment.tip in ("", tip)))


def _elsewhere(project: Project, refs: Mapping[str, str]) -> list[tuple[str, str, str, bool]]:
    """(name, tip, git remote, archived) of all that was fetched, `origin` first; names nobody can use are left out."""
    tracked = {
        ref: ref.removeprefix(TRACKING).removeprefix(OTHERS) for ref in refs if ref.startswith((TRACKING, OTHERS))
    }
    known = _remotes(project, tracked)
    found = []
    for ref, where in tracked.items():
        remote, name = split_tracked(where, known)
        aside = ref.startswith(OTHERS)
        if aside:
            folder, _, name = name.partition("/")
            if folder != "archive":
                continue
        if name != "HEAD" and not name_problem(name):
            found.append((name, refs[ref], remote, aside))
    return sorted(found, key=lambda one: (one[3], one[2] != "origin", one[2]))


def _remotes(project: Project, tracked: Iterable[str]) -> Collection[str]:
    """The names of git remotes, where the refs `tracked` cannot be told apart without."""
    if all(ref.count("/") <= _PLAIN for ref in tracked if ref.startswith(TRACKING)):
        return ()
    from axil.git.remote import remotes

    return remotes(project.git)


def _with_parents(project: Project, found: dict[str, Experiment]) -> dict[str, Experiment]:
    """Give every experiment without a fork record the nearest one whose history it continues."""
    tips = {name: experiment.tip for name, experiment in found.items() if experiment.tip}
    forks = {name: found[name].commit for name in tips if not found[name].inferred}
    if len(tips) - len(forks) <= 1:
        return found  # The only one without a fork record is where all others come from.
    trunk = next((name for name in TRUNKS if name in tips), None)
    inferred = infer_parents(tips, forks, _ancestry(project, tips), trunk)
    return {
        name: experiment._replace(parent=inferred[name].parent, commit=inferred[name].commit)
        if name in inferred
        else experiment
        for name, experiment in found.items()
    }


def _ancestry(project: Project, tips: Mapping[str, str]) -> dict[str, list[str]]:
    """Commit -> its parents, for all commits of these branches."""
    lines = text(project.git.run("log", "--format=%H %P", *tips.values(), "--")).splitlines()
    return {line[: line.index(" ")]: line.split(" ")[1:] for line in lines}


def require_commit(project: Project, name: str, *, remote: bool = False) -> Experiment:
    """`require`, and `BadInput` for a branch that is not born yet."""
    experiment = require(project, name, remote=remote)
    if not experiment.tip:
        raise unborn(name, "an experiment begins with its first commit")
    return experiment


def unborn(name: str, why: str = "") -> BadInput:
    """The error for a branch without a commit."""
    return BadInput(f"{name} has no commit yet", why, 'make the first one: git add -A && git commit -m "start"')


def require(project: Project, name: str, *, remote: bool = False) -> Experiment:
    """The experiment called `name`; with `remote`, one that only a git remote has will do.

    Raises `NotFound`, with close names, if it has no branch.
    """
    found = _named(project)
    if name not in found:
        raise unknown(name, found)
    experiment = found[name]
    if experiment.archived:
        raise NotFound(
            f"experiment {name} is archived", "its branch was put aside", f"bring it back: axil restore {name}"
        )
    if experiment.remote and not remote:
        raise NotFound(
            f"experiment {name} has no branch here",
            f"it is at the git remote {experiment.remote} only",
            f"get it first: axil switch {name}",
        )
    return experiment


def is_experiment(project: Project, name: str) -> bool:
    """Whether an experiment, living or archived, is called `name`."""
    return name in _named(project)


def unknown(name: str, known: Mapping[str, object]) -> NotFound:
    """The error for a name that is none of `known`."""
    from difflib import get_close_matches

    matches = get_close_matches(name, known, 3, 0.5)
    why = f"did you mean {' or '.join(matches)}?" if matches else ""
    return NotFound(f"there is no experiment {name}", why, "list them: axil tree --all")


def current(project: Project, what: str) -> str:
    """The name of the experiment that is checked out. Raises `BadInput` on a detached HEAD; `what` needs a branch."""
    if project.head.branch is None:
        raise BadInput(
            f"{what} needs an experiment",
            "HEAD is detached: no branch is checked out",
            "go to one with `axil switch EXP`, or make one here with `git switch -c NAME`",
        )
    return project.head.branch

"""The line of steps that a bisection looks along: commits, experiments or runs, from the older end to the newer one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from axil.actions import targets
from axil.actions.experiments import experiments
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, Literal, NamedTuple
from axil.errors import BadInput, NotFound
from axil.git.history import is_ancestor, line, log_commits, resolve

if TYPE_CHECKING:
    from axil.formats.record import Output, Run
    from axil.git.history import Commit
    from axil.journal.rows import Experiment
    from axil.project import Project

_HASH = 9


class Step(NamedTuple):
    """One place on the line: exact code, and the run that stands for it, if one was named or is the experiment's."""

    kind: Literal["commit", "experiment", "run"]
    name: str
    commit: str
    tree: str
    title: str
    """The first line of the commit's message, the hypothesis of the experiment, or the run's message."""
    author: str
    time: float
    run: Run | None = None

    @property
    def data(self) -> Mapping[str, Output]:
        """What its run was given besides what the tree says."""
        return self.run.data if self.run else {}


class End(NamedTuple):
    """What the user named, and the experiment it is (then the step is the tip of its branch) or belongs to."""

    step: Step
    experiment: str
    whole: bool = False
    """It is the experiment."""


class Line(NamedTuple):
    """The steps, the oldest first; `bad` and `good` are the ends in that order if the good one is the `newer`."""

    steps: tuple[Step, ...]
    good_is_newer: bool


def between(project: Project, good: str, bad: str) -> Line:
    """The line from one to the other: experiments of one lineage, else commits, whichever end is the older one.

    Raises `NotFound` for names that mean nothing, `BadInput` for ends that are the same or on no common line.
    """
    ends = end(project, good), end(project, bad)
    if ends[0].step.tree == ends[1].step.tree and ends[0].step.data == ends[1].step.data:
        raise BadInput(
            "there is nothing between GOOD and BAD", f"{good} and {bad} have the same code, parameters and data"
        )
    whole = all(one.whole for one in ends)
    found = _lineage(project, ends, shortest=3) if whole else None
    found = found or _commits(project, ends) or _lineage(project, ends, shortest=2)
    if found is None:
        raise BadInput(
            f"{good} and {bad} are not on one line",
            "neither descends from the other, as a commit or as an experiment",
            "name two commits of a branch, or an experiment and one that was forked from it",
        )
    return found


def end(project: Project, name: str) -> End:
    """What `name` means: an experiment, a run, or any name of a commit that git knows. Raises `NotFound`."""
    if name not in ("HEAD", "@"):
        try:
            target = targets.resolve(project, name)
        except NotFound:
            if resolve(project.git, name) is None:
                raise
        else:
            if target.run is not None:
                return End(_of_run(project, target.run), target.run.experiment)
            assert target.experiment is not None
            return End(_of_tip(project, target.experiment), target.experiment.name, True)
    commit = resolve(project.git, name)
    if commit is None:
        raise NotFound(f"there is no commit {name}", "the branch has none yet", "git log lists commits")
    return End(_of_commit(log_commits(project.git, [commit], limit=1)[0]), "")


def _of_commit(commit: Commit) -> Step:
    return Step("commit", commit.oid[:_HASH], commit.oid, commit.tree, commit.subject, commit.author, commit.time)


def _of_tip(project: Project, one: Experiment) -> Step:
    if not one.tip:
        raise NotFound(f"experiment {one.name} has no commit yet", "", "commit something on it first")
    return _of_commit(log_commits(project.git, [one.tip], limit=1)[0])


def _of_run(project: Project, run: Run) -> Step:
    """The step of a run with its exact code. Raises `NotFound` if that is not in this clone."""
    if not run.snapshot or resolve(project.git, run.snapshot, "tree") is None:
        raise NotFound(f"the code of run {short(run.id)} is not in this clone", "", "bring it with: axil fetch")
    if run.sample:
        why = f"its metrics come from {run.sample} samples of the data"
        raise BadInput(f"run {short(run.id)} is a rehearsal", why, "name a real run, or the commit")
    title = run.message.partition("\n")[0] or (f"run on {run.experiment}" if run.experiment else "")
    return Step("run", short(run.id), run.commit, run.snapshot, title, run.author, run.time, run)


def _of_experiment(project: Project, one: Experiment) -> Step:
    """The step of an experiment: its latest good run, or without one the tip of its branch."""
    run = targets.choose(project, one.name).run
    if run is None or run.state != "succeeded" or not run.snapshot or not resolve(project.git, run.snapshot, "tree"):
        step = _of_tip(project, one)
    else:
        step = _of_run(project, run)
    return step._replace(kind="experiment", name=one.name, title=one.hypothesis or step.title)


def _commits(project: Project, ends: tuple[End, End]) -> Line | None:
    """The commits from one end to the other; runs with uncommitted changes are steps of their own."""
    good, bad = (one.step for one in ends)
    if not good.commit or not bad.commit:
        return None
    if good.commit == bad.commit:
        # What was not committed came after the commit itself; of two runs the later one is the newer.
        newer = good.kind == "run" and (bad.kind != "run" or good.time > bad.time)
        return Line((bad, good) if newer else (good, bad), newer)
    newer = is_ancestor(project.git, bad.commit, good.commit)
    old, new = (bad, good) if newer else (good, bad)
    if not newer and not is_ancestor(project.git, old.commit, new.commit):
        return None
    found = [_of_commit(commit) for commit in line(project.git, old.commit, new.commit)]
    if new.tree == found[-1].tree and not new.data:
        found[-1] = found[-1]._replace(run=new.run)
    else:
        found.append(new)
    return Line((old, *found), newer)


def _lineage(project: Project, ends: tuple[End, End], *, shortest: int) -> Line | None:
    """The experiments from one end to the other along their parents; ends that are runs stand for themselves."""
    good, bad = ends
    known = experiments(project)
    newer = False
    names = _chain(known, bad.experiment, good.experiment)
    if not names:
        names, newer = _chain(known, good.experiment, bad.experiment), True
    if len(names) < shortest:
        return None
    steps = [_of_experiment(project, known[name]) for name in names]
    for place, one in ((0, bad if newer else good), (-1, good if newer else bad)):
        if not one.whole:
            steps[place] = one.step
    return Line(tuple(steps), newer)


def _chain(known: Mapping[str, Experiment], name: str, ancestor: str) -> Sequence[str]:
    """The experiments from `ancestor` down to `name`; [] if it is none of its ancestors."""
    found: list[str] = []
    at: str | None = name
    while at and at in known and at not in found:
        found.append(at)
        if at == ancestor:
            return found[::-1]
        at = known[at].parent
    return []

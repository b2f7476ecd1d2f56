"""Which outputs belong to an experiment: those of its newest good run, or of the experiment it comes from.

They are kept out of git by `.gitignore` lines.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from axil.actions.experiments import experiments
from axil.base.light import TYPE_CHECKING
from axil.data.ignore import ensure_ignored
from axil.git.worktree import begin_ignored, tracked

if TYPE_CHECKING:
    from axil.formats.pointer import Pointer
    from axil.journal.rows import Experiment
    from axil.project import Project


def outputs_of(project: Project, name: str) -> dict[str, Pointer]:
    """Project path -> content of every output of the experiment's newest succeeded run; {} if there is none.

    Without a run of its own it shows what it was forked from: that run, or its parent's outputs. What rehearsals made
    is nobody's output.
    """
    if not project.journal.tip:
        return {}  # Nothing ever ran: no need to ask git which experiments there are.
    known: Mapping[str, Experiment] = project.journal.experiments()
    if name not in known or known[name].inferred:
        known = experiments(project)  # Made with plain git: its parent is inferred.
    seen: set[str] = set()
    here: str | None = name
    while here is not None and here not in seen:
        seen.add(here)
        run = project.journal.latest(here)
        experiment = known.get(here)
        if run is not None:
            return outputs_of_run(project, run.id)
        if experiment is not None and experiment.run and not project.journal.is_rehearsal(experiment.run):
            return outputs_of_run(project, experiment.run)
        here = experiment.parent if experiment else None
    return {}


def outputs_of_run(project: Project, run: str) -> dict[str, Pointer]:
    """Project path -> content of everything the run's good stages made."""
    from axil.pipeline.planner import pointers

    found: dict[str, Pointer] = {}
    for stage in project.journal.stages(run):
        if stage.state in ("succeeded", "cached", "current"):
            found.update(pointers(stage.outs))
    return found


def partial_of_run(project: Project, run: str) -> dict[str, Pointer]:
    """Project path -> content of what the run's unfinished stages had made when they ended."""
    from axil.pipeline.planner import pointers

    found: dict[str, Pointer] = {}
    for stage in project.journal.stages(run):
        if stage.state not in ("succeeded", "cached", "current"):
            found.update(pointers(stage.outs))
    return found


def checkpoints_of_run(project: Project, run: str) -> dict[str, Pointer]:
    """Project path -> content of the checkpoints that the run's unfinished stages left."""
    from axil.pipeline.planner import pointers

    found: dict[str, Pointer] = {}
    for stage in project.journal.stages(run):
        found.update(pointers(stage.checkpoint))
    return found


def ignore_outputs(project: Project, paths: Iterable[str], refuse: Callable[[set[str]], object] = set) -> None:
    """Keep the outputs at `paths` out of git, unless git has them or leaves them out already.

    `refuse` is given the files among them that git has, and may raise.
    """
    begin_ignore_outputs(project, paths)(refuse)


def begin_ignore_outputs(project: Project, paths: Iterable[str]) -> Callable[[Callable[[set[str]], object]], None]:
    """`ignore_outputs`; git looks now, and the answer, when called with `refuse`, does the rest."""
    made = list(paths)
    ignored = begin_ignored(project.git, made)

    def ignore(refuse: Callable[[set[str]], object]) -> None:
        left = sorted(set(made) - ignored())
        if not left:
            return
        in_git = tracked(project.git, left)
        refuse(in_git)
        for path in left:
            if not any(file == path or file.startswith(path + "/") for file in in_git):
                os.makedirs(os.path.dirname(project.path(path)), exist_ok=True)
                ensure_ignored(project.root, path)

    return ignore

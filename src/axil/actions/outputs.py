"""Which outputs belong to an experiment: those of its newest good run, or of the experiment it comes from."""

from __future__ import annotations

from collections.abc import Mapping

from axil.actions.experiments import experiments
from axil.base.light import TYPE_CHECKING
from axil.pipeline.planner import pointers

if TYPE_CHECKING:
    from axil.formats.pointer import Pointer
    from axil.journal.rows import Experiment
    from axil.project import Project


def outputs_of(project: Project, name: str) -> dict[str, Pointer]:
    """Project path -> content of every output of the experiment's newest succeeded run; {} if there is none.

    Without a run of its own it shows what it was forked from: that run, or its parent's outputs.
    """
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
        if experiment is not None and experiment.run:
            return outputs_of_run(project, experiment.run)
        here = experiment.parent if experiment else None
    return {}


def outputs_of_run(project: Project, run: str) -> dict[str, Pointer]:
    """Project path -> content of everything the run's good stages made."""
    found: dict[str, Pointer] = {}
    for stage in project.journal.stages(run):
        if stage.state in ("succeeded", "cached", "current"):
            found.update(pointers(stage.outs))
    return found

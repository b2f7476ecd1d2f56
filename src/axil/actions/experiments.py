"""Which experiments there are: branches and archived branches, joined with what the journal knows of their origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axil.errors import NotFound
from axil.git.refs import list_refs
from axil.journal.rows import Experiment

if TYPE_CHECKING:
    from axil.project import Project

HEADS = "refs/heads/"
ARCHIVE = "refs/axil/archive/"


def experiments(project: Project) -> dict[str, Experiment]:
    """Every experiment that has a branch or an archived branch, by name; `tip` is its newest commit.

    Branches made with plain git get the nearest experiment they descend from as an inferred parent.
    """
    refs = list_refs(project.git, HEADS, ARCHIVE)
    heads = {ref.removeprefix(HEADS): commit for ref, commit in refs.items() if ref.startswith(HEADS)}
    archived = {ref.removeprefix(ARCHIVE): commit for ref, commit in refs.items() if ref.startswith(ARCHIVE)}
    if project.head.branch and project.head.branch not in heads:
        heads[project.head.branch] = ""  # An unborn branch has no ref yet.
    known = project.journal.experiments()
    found = {}
    for name, tip in {**archived, **heads}.items():
        experiment = known.get(name) or Experiment(name, None, True, "", "", 0.0, "", "", False, False)
        found[name] = experiment._replace(tip=tip, archived=name not in heads, deleted=False)
    return _with_parents(project, found)


def _with_parents(project: Project, found: dict[str, Experiment]) -> dict[str, Experiment]:
    """Give every experiment without a fork record the nearest one whose history it continues."""
    unknown = [name for name, experiment in found.items() if experiment.inferred and experiment.tip]
    if not unknown:
        return found
    from axil.journal.state import infer_parents

    inferred = infer_parents(project.git, found, unknown)
    return {
        name: experiment._replace(parent=inferred.get(name)) if name in inferred else experiment
        for name, experiment in found.items()
    }


def require(project: Project, name: str, *, archived: bool = False) -> Experiment:
    """The experiment called `name`; `archived` says which kind is wanted. Raises `NotFound` with close names."""
    found = experiments(project)
    experiment = found.get(name)
    if experiment is not None and experiment.archived == archived:
        return experiment
    if experiment is not None and experiment.archived:
        raise NotFound(f"experiment {name} is archived", "its branch was put aside", f"axil restore {name}")
    if experiment is not None:
        raise NotFound(f"experiment {name} is not archived", "it is an ordinary branch", "axil tree shows all of them")
    raise NotFound(f"there is no experiment {name}", _close(name, found), "axil tree --all lists them")


def _close(name: str, found: dict[str, Experiment]) -> str:
    import difflib

    matches = difflib.get_close_matches(name, found, 3, 0.5)
    return f"did you mean {', '.join(matches)}?" if matches else ""

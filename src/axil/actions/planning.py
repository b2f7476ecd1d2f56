"""The planner of a project, ready to ask: stages checked against tracked data, reasons that count changed files."""

from __future__ import annotations

from collections.abc import Collection

from axil.actions.tracking import pointers
from axil.base.light import TYPE_CHECKING
from axil.errors import AxilError
from axil.pipeline.graph import Graph, build, check_tracked
from axil.pipeline.planner import Planner

if TYPE_CHECKING:
    from axil.formats.pointer import Pointer
    from axil.pipeline.planner import Elsewhere
    from axil.project import Project


def graph(project: Project, tracked: Collection[str] = ()) -> Graph:
    """The project's stages as a graph. Raises `BadInput` for cycles, shared outputs, outputs in tracked data."""
    made = build(project.file.stages)
    check_tracked(made, tracked)
    return made


def planner(
    project: Project, tracked: Collection[str] = (), *, force: Collection[str] = (), whole: Graph | None = None
) -> Planner:
    """The planner of the project as its work tree is now; `tracked` are the paths of tracked data."""
    return Planner(
        project.root,
        project.file,
        whole or graph(project, tracked),
        project.params,
        project.index,
        project.store,
        project.journal,
        experiment=project.head.branch,
        environ=project.environ,
        environment=_environment(project),
        force=force,
        difference=lambda path, old, new: _difference(project, path, old, new),
        elsewhere=_elsewhere(project),
        starts=_starts(project),
    )


def _starts(project: Project) -> dict[str, Pointer]:
    """The checkpoints that stages start from: tracked ones, as their pointers say."""
    places = {path for stage in project.file.stages.values() for path in stage.checkpoint}
    return {path: one for path, one in pointers(project).items() if path in places} if places else {}


def _elsewhere(project: Project) -> Elsewhere | None:
    """What is known of the project's remotes; most projects have none, and load nothing for it."""
    if not project.shared:
        return None
    from axil.actions.sharing import Elsewhere

    return Elsewhere(project)


def _environment(project: Project) -> str:
    """What names the Python environment where it counts as an input (`env.strict`): its lock files; else ""."""
    if not project.file.strict_env:
        return ""
    from axil.base.hashing import hash_bytes
    from axil.runs.environment import lock_files

    return hash_bytes(repr(sorted(lock_files(project.root).items())).encode()).hex()


def _difference(project: Project, path: str, old: str, new: str) -> str:
    """What changed inside the dependency `path`, counted: "+3 −1 ~2"; "" if one side is not in the store."""
    from axil.data.diff import diff_trees

    oids = bytes.fromhex(old), bytes.fromhex(new)
    if project.store.missing(oids):
        return ""
    try:
        kinds = [change.kind for change in diff_trees(project.store, *oids, path)]
    except AxilError:
        return ""  # A file, not a folder: there is nothing to count inside.
    signs = (("+", ("added",)), ("−", ("removed",)), ("~", ("changed", "mode")))
    counts = [(sign, sum(kind in group for kind in kinds)) for sign, group in signs]
    return " ".join(f"{sign}{count}" for sign, count in counts if count)

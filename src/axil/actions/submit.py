"""Ask for a run in a work tree of its own: everything it needs is kept, then it waits for whoever supervises it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from axil.actions import parameters
from axil.actions.experiments import current
from axil.actions.outputs import begin_ignore_outputs
from axil.actions.planning import graph, planner
from axil.actions.run import Trace, commit_all, forced, parse_assignments
from axil.actions.tracking import pointers
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.processes import boot
from axil.base.progress import SILENT, Progress
from axil.data.content import save
from axil.formats.pointer import Pointer
from axil.git.commits import begin_stamp, commit_tree, name_in
from axil.git.snapshot import Snapshot, snapshot_tree
from axil.git.trees import changed_tree
from axil.git.worktree import ignored
from axil.pipeline.graph import Graph, check_git, covering
from axil.pipeline.load import Params, parse_params
from axil.runs import isolated, rundir
from axil.runs.execute import checkpoints_of, params_of
from axil.runs.rundir import RunDir

if TYPE_CHECKING:
    from axil.pipeline.planner import Planner
    from axil.project import Project


class Options(NamedTuple):
    """How a run is carried out, besides what it runs."""

    force: bool = False
    jobs: int = 1
    keep: bool = False
    """Leave its work tree when it is over."""
    detached: bool = False
    gpus: int = 0


class Submitted(NamedTuple):
    """A run that is going to begin. `left_out` are untracked files (path, bytes) too large for the snapshot."""

    run: str
    experiment: str
    root: str
    committed: str
    left_out: tuple[tuple[str, int], ...]


def submit(
    project: Project,
    targets: Sequence[str] = (),
    *,
    assignments: Sequence[str] = (),
    message: str = "",
    options: Options = Options(),  # noqa: B008
    host: str = "",
    progress: Progress = SILENT,
) -> tuple[RunDir, Submitted]:
    """Keep the exact code, parameters and data as they are now, and make the run's folder; its lock is held.

    `assignments` count for this run alone: the params file of the work tree stays as it is. Raises `BadInput` before
    anything is changed if the pipeline or a parameter is wrong.
    """
    changes = parse_assignments(assignments)
    if message:
        current(project, "axil run -m")
    stamp = begin_stamp(project.git)
    known = pointers(project)
    chosen = planner(project, known, whole=graph(project, known))
    edit = parameters.edited(project, changes) if changes else None
    if edit:
        chosen.params = Params(edit.path, parse_params(edit.path, edit.new, project.index))
    ignore_outputs = begin_ignore_outputs(project, chosen.graph.written)
    names = chosen.graph.subset(targets)
    chosen.check(names)
    author = name_in(stamp())
    ignore_outputs(lambda in_git: check_git(chosen.graph, in_git))
    committed = commit_all(project, Trace(project, None), message) if message else ""
    taken = snapshot_tree(project.git, project.head)
    tree = changed_tree(project.git, taken.tree, {edit.path: edit.new}, ()) if edit else taken.tree
    data = _data(project, chosen.graph, names, known, taken, progress)
    folder = _make(project, chosen, names, tree, data, known, author, host, message, targets, options)
    return folder, Submitted(folder.id, project.head.branch or "", folder.spec().root, committed, taken.skipped)


def _make(
    project: Project,
    chosen: Planner,
    names: Collection[str],
    tree: str,
    data: dict[str, Pointer],
    known: dict[str, Pointer],
    author: str,
    host: str,
    message: str,
    targets: Sequence[str],
    options: Options,
) -> RunDir:
    """The run's folder, with all that is asked of it."""
    from axil.formats.runfiles import Spec
    from axil.runs.stage import output

    run = project.new_id()
    stages = [chosen.graph.stages[name] for name in names]
    commit = project.head.commit or commit_tree(project.git, tree, [], f"Code of run {run}\n")
    spec = Spec(
        id=run,
        time=project.clock(),
        snapshot=tree,
        root=isolated.folder_of(project.root, isolated.RUNS, run),
        source=project.root,
        experiment=project.head.branch or "",
        commit=commit,
        author=author,
        host=host,
        message=message,
        targets=list(targets),
        outs=[path for one in stages for path in (*one.made, *one.checkpoint)],
        checkpoints=checkpoints_of(stages),
        params=dict(chosen.params.flat),
        pid=os.getpid(),
        boot=boot(),
        data={path: output(pointer) for path, pointer in data.items()},
        edited=[path for path, pointer in data.items() if pointer != known.get(path)],
        **options._asdict(),
    )
    return rundir.create(project.runs_folder, spec, params_of(chosen.params.flat))


def _data(
    project: Project,
    whole: Graph,
    names: Collection[str],
    known: dict[str, Pointer],
    taken: Snapshot,
    progress: Progress,
) -> dict[str, Pointer]:
    """What the run reads that the snapshot does not hold, put into the store as it is now, edits included.

    That is tracked data, dependencies that git ignores, and outputs that a stage goes on from (`keep`).
    """
    stages = [whole.stages[name] for name in names]
    deps = {dep for stage in stages for dep in stage.deps if not whole.sources(dep) and covering(dep, known) is None}
    skipped = {path for path, _ in taken.skipped}
    unkept = ignored(project.git, sorted(deps)) | (deps & skipped)
    kept = {path for stage in stages for path in stage.keep}
    # Tracked checkpoints are what their pointers say, whatever a command made of them.
    own = {path for stage in whole.stages.values() for path in stage.checkpoint}
    wanted = [path for path in {**known, **dict.fromkeys([*unkept, *kept])} if path not in own]
    wanted = [path for path in wanted if os.path.lexists(project.path(path))]
    absent = {path: pointer for path, pointer in known.items() if path not in wanted}
    here = save(project.index, project.store, project.root, wanted, tracked=True, progress=progress)
    return {**absent, **here}


def planner_of(project: Project, targets: Sequence[str], force: bool, experiment: str) -> Planner:
    """The planner of a run's own work tree; `experiment` is the branch it was asked for on, HEAD is detached there."""
    whole = graph(project, pointers(project))
    chosen = planner(project, whole=whole, force=forced(whole, targets, force))
    chosen.experiment = experiment or None
    return chosen

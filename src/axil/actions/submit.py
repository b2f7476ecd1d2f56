"""Ask for a run in a work tree of its own: everything it needs is kept, then it waits for whoever supervises it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

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
from axil.pipeline.rehearsal import rehearse
from axil.runs import isolated, rundir
from axil.runs.execute import checkpoints_of, params_of
from axil.runs.rundir import RunDir
from axil.runs.stage import output

if TYPE_CHECKING:
    from axil.formats.params import Assignment
    from axil.formats.record import Output
    from axil.pipeline.planner import Planner
    from axil.project import Project


class Options(NamedTuple):
    """How a run is carried out, besides what it runs."""

    force: bool = False
    jobs: int = 1
    keep: bool = False
    """Leave its work tree when it is over."""
    detached: bool = False
    gpus: int | None = None
    """Accelerators it has for itself; None: the most that one of its stages needs."""
    sample: int = 0
    """A rehearsal: its data is cut to so many samples."""


class Submitted(NamedTuple):
    """A run that is going to begin. `left_out` are untracked files (path, bytes) too large for the snapshot."""

    run: str
    experiment: str
    root: str
    committed: str
    left_out: tuple[tuple[str, int], ...]


class Base(NamedTuple):
    """Exact code, parameters and data of one moment, all kept: any number of runs can be made from it."""

    snapshot: str
    """The git tree."""
    commit: str
    experiment: str
    author: str
    params_file: str
    """Project path, "" for none."""
    params: bytes
    graph: Graph
    targets: tuple[str, ...]
    data: Mapping[str, Output]
    edited: tuple[str, ...] = ()
    """The paths of `data` that no pointer in the snapshot tells the content of."""


class Marks(NamedTuple):
    """What a run is a part of, as in its record; `seed_key` is the parameter that holds the seed."""

    group: str = ""
    seed: int | None = None
    seed_key: str = ""
    sweep: str = ""
    trial: int = 0


class Taken(NamedTuple):
    """A `Base`, with what taking it brought about, and the planner that knows what is to be done there."""

    base: Base
    planner: Planner
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

    See `take` for `assignments` and what it raises.
    """
    taken = take(project, targets, assignments=assignments, message=message, sample=options.sample, progress=progress)
    folder = make(project, taken.base, message=message, options=options, host=host)
    return folder, Submitted(folder.id, taken.base.experiment, folder.spec().root, taken.committed, taken.left_out)


def take(
    project: Project,
    targets: Sequence[str] = (),
    *,
    assignments: Sequence[str] = (),
    message: str = "",
    sample: int = 0,
    progress: Progress = SILENT,
) -> Taken:
    """Keep the exact code, parameters and data as they are now.

    `assignments` count for the runs made from it: the params file of the work tree stays as it is. With `message`
    everything is committed first. With `sample` the planner is that of a rehearsal. Raises `BadInput` before anything
    is changed if the pipeline or a parameter is wrong.
    """
    changes = parse_assignments(assignments)
    if message:
        current(project, "axil run -m")
    stamp = begin_stamp(project.git)
    known = pointers(project)
    chosen = planner(project, known, whole=graph(project, known))
    rehearse(chosen, project.journal, sample)
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
    base = Base(
        snapshot=tree,
        commit=project.head.commit or commit_tree(project.git, tree, [], "Code of a run\n"),
        experiment=project.head.branch or "",
        author=author,
        params_file=chosen.params.path,
        params=edit.new if edit else _bytes(project, chosen.params.path),
        graph=chosen.graph,
        targets=tuple(targets),
        data={path: output(pointer) for path, pointer in data.items()},
        edited=tuple(path for path, pointer in data.items() if pointer != known.get(path)),
    )
    return Taken(base, chosen, committed, taken.skipped)


def make(
    project: Project,
    base: Base,
    *,
    changes: Sequence[Assignment] = (),
    message: str = "",
    options: Options = Options(),  # noqa: B008
    host: str = "",
    marks: Marks = Marks(),  # noqa: B008
) -> RunDir:
    """The folder of a new run made from `base` with `changes` of its parameters; its lock is held."""
    from axil.formats.runfiles import Spec

    stages = [base.graph.stages[name] for name in base.graph.subset(base.targets)]
    if options.gpus is None:
        most = max((stage.gpus for stage in stages), default=0)
        options = options._replace(gpus=most if options.detached else 0)
    run = project.new_id()
    path, data, tree = base.params_file, base.params, base.snapshot
    if changes:
        data = parameters.assigned(data, path, changes)
        tree = changed_tree(project.git, tree, {path: data}, ())
    flat = parse_params(path, data, project.index) if path else {}
    spec = Spec(
        id=run,
        time=project.clock(),
        snapshot=tree,
        root=isolated.folder_of(project.root, isolated.RUNS, run),
        source=project.root,
        experiment=base.experiment,
        commit=base.commit,
        author=base.author,
        host=host,
        message=message,
        targets=list(base.targets),
        outs=[path for one in stages for path in (*one.made, *one.checkpoint)],
        checkpoints=checkpoints_of(stages),
        params=dict(flat),
        pid=os.getpid(),
        boot=boot(),
        data=dict(base.data),
        edited=list(base.edited),
        **options._asdict(),
        **marks._asdict(),
    )
    return rundir.create(project.runs_folder, spec, params_of(flat))


def _bytes(project: Project, path: str) -> bytes:
    """The params file of the work tree."""
    if not path:
        return b""
    with open(project.path(path), "rb") as file:
        return file.read()


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


def planner_of(project: Project, targets: Sequence[str], force: bool, experiment: str, sample: int = 0) -> Planner:
    """The planner of a run's own work tree; `experiment` is the branch it was asked for on, HEAD is detached there."""
    whole = graph(project, pointers(project))
    chosen = planner(project, whole=whole, force=forced(whole, targets, force))
    chosen.experiment = experiment or None
    rehearse(chosen, project.journal, sample)
    return chosen

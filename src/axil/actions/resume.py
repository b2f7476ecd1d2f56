"""Go on with a run that failed, was stopped or lost: a new attempt, from its checkpoints, with its code and data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from axil.actions import live
from axil.actions.lost import adopt
from axil.actions.submit import Options, Submitted
from axil.actions.tracking import pointers_at
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING
from axil.base.processes import boot
from axil.base.progress import SILENT, Progress
from axil.data.content import content_of, save
from axil.data.diff import below
from axil.errors import Blocked, NotFound
from axil.formats.pointer import Pointer
from axil.git.catfile import read_blobs
from axil.git.commits import begin_stamp, commit_tree, name_in
from axil.git.history import resolve
from axil.pipeline.graph import Graph, build, covering
from axil.runs import isolated, rundir
from axil.runs.execute import checkpoints_of, params_of
from axil.runs.outputs import pointer_of
from axil.runs.rundir import RunDir

if TYPE_CHECKING:
    from axil.formats.record import Run
    from axil.formats.runfiles import Start
    from axil.project import Project

CUT_OFF = ("failed", "stopped", "lost")


def resume(
    project: Project,
    name: str,
    *,
    options: Options = Options(),  # noqa: B008
    host: str = "",
    progress: Progress = SILENT,
) -> tuple[RunDir, Submitted]:
    """Make the folder of the next attempt of the run `name` (any of its attempts); its lock is held.

    Raises `NotFound` for what is neither here nor on a remote, `Blocked` for a run that goes on or succeeded.
    """
    adopt(project)
    attempts = _attempts(project, name)
    last = attempts[-1]
    if not last.snapshot or resolve(project.git, last.snapshot, "tree") is None:
        raise NotFound(
            f"the code of run {short(last.id)} is not in this clone", "", "bring it with: axil fetch, or git fetch"
        )
    stamp = begin_stamp(project.git)
    whole = _graph(project, last)
    starts = _starts(attempts)
    series = next((one.series for one in reversed(attempts) if one.series), "")
    _bring_checkpoints(project, starts, series, progress)
    known = pointers_at(project, last.snapshot)
    data = _data(project, attempts, whole, known, progress)
    names = whole.subset(last.targets)
    if options.gpus is None:
        most = max((whole.stages[one].gpus for one in names), default=0)
        options = options._replace(gpus=most if options.detached else 0)
    from axil.formats.runfiles import Spec
    from axil.runs.stage import output

    run = project.new_id()
    options = options._replace(sample=last.sample)
    spec = Spec(
        id=run,
        time=project.clock(),
        snapshot=last.snapshot,
        root=isolated.folder_of(project.root, isolated.RUNS, run),
        source=project.root,
        experiment=project.journal.find(last.id).experiment,
        commit=_commit(project, last),
        author=name_in(stamp()),
        host=host,
        message=last.message,
        targets=last.targets,
        outs=[path for one in names for path in (*whole.stages[one].made, *whole.stages[one].checkpoint)],
        params=last.params,
        pid=os.getpid(),
        boot=boot(),
        data={path: output(pointer) for path, pointer in data.items()},
        edited=[path for path, pointer in data.items() if pointer != known.get(path)],
        checkpoints=checkpoints_of(whole.stages[one] for one in names),
        attempt=last.attempt + 1,
        resumes=attempts[0].resumes or attempts[0].id,
        starts=starts,
        series=series,
        group=last.group,
        seed=last.seed,
        seed_key=next((one.seed_key for one in project.journal.sweeps() if one.id == last.group), ""),
        sweep=last.sweep,
        trial=last.trial,
        **options._asdict(),
    )
    folder = rundir.create(project.runs_folder, spec, params_of(last.params))
    return folder, Submitted(run, spec.experiment, spec.root, "", ())


def _attempts(project: Project, name: str) -> list[Run]:
    """The records of all attempts of a run that can be resumed, in their order."""
    try:
        going = live.find(project, name)
    except NotFound:
        pass
    else:
        raise Blocked(f"run {short(going.id)} is not over", "", f"end it first: axil stop {short(going.id)}")
    rows = project.journal.attempts(project.journal.find(name).id)
    if rows[-1].state not in CUT_OFF:
        raise Blocked(
            f"run {short(rows[-1].id)} {rows[-1].state}", "there is nothing left to do", "axil run --force runs it anew"
        )
    return [project.journal.run(row.id) for row in rows]


def _graph(project: Project, run: Run) -> Graph:
    """The pipeline as the run had it."""
    from axil.formats import project as projects

    (text,) = read_blobs(project.git, [f"{run.snapshot}:{projects.FILE}"])
    return build(projects.parse((text or b"").decode("utf-8", "replace")).stages)


def _commit(project: Project, run: Run) -> str:
    """The commit the run was at, or one of its code, if that commit is not in this clone."""
    if run.commit and resolve(project.git, run.commit, "commit"):
        return run.commit
    return commit_tree(project.git, run.snapshot, [], f"Code of run {run.id}\n")


def _starts(attempts: Iterable[Run]) -> dict[str, Start]:
    """Stage -> the newest checkpoint that was left of it."""
    from axil.formats.runfiles import Start

    return {
        stage.name: Start(run=run.id, paths=stage.checkpoint, deps=stage.deps, params=stage.params, env=stage.env)
        for run in attempts
        for stage in run.stages
        if stage.checkpoint
    }


def _bring_checkpoints(project: Project, starts: Mapping[str, Start], series: str, progress: Progress) -> None:
    from axil.actions.sharing import bring

    paths = {pointer_of(out).oid: path for start in starts.values() for path, out in start.paths.items()}
    lacking = bring(project, [*paths, *([bytes.fromhex(series)] if series else [])], progress=progress)
    if absent := sorted(path for oid, path in paths.items() if oid in lacking):
        where = "neither here nor on a remote" if project.remotes else "not here, and there is no remote"
        raise NotFound(
            f"the checkpoint {absent[0]} cannot be had", f"it is {where}", "push it where the run was: axil push"
        )


def _data(
    project: Project, attempts: Iterable[Run], whole: Graph, known: Mapping[str, Pointer], progress: Progress
) -> dict[str, Pointer]:
    """What the run had that its snapshot does not hold. Raises `NotFound` for data that were not kept."""
    from axil.git.diff import ls_tree

    data, wanted = dict(known), dict[str, str]()
    snapshot = ""
    for run in attempts:
        snapshot = run.snapshot
        data |= {path: pointer_of(out) for path, out in run.data.items()}
        wanted |= {dep: oid for stage in run.stages for dep, oid in stage.deps.items() if oid}
    own = {path for stage in whole.stages.values() for path in stage.checkpoint}
    kept = {os.fsdecode(entry.name) for entry in ls_tree(project.git, snapshot)}
    for dep, oid in wanted.items():
        if whole.sources(dep) or dep in own:
            continue
        cover = covering(dep, data)
        if cover is None and any(name == dep or name.startswith(dep + "/") for name in kept):
            continue
        path = cover or dep
        if path not in data or below(project.store, data[path], dep[len(path) + 1 :]) != oid:
            data[path] = _found(project, path, dep, oid, progress)
    return data


def _found(project: Project, path: str, dep: str, oid: str, progress: Progress) -> Pointer:
    """The content of `path` in which `dep` has the content `oid`: what is in the work tree now, else the store's."""
    here = content_of(project.index, project.root, path, progress=progress)
    if here is not None and (path != dep or here.oid.hex() == oid):
        now = save(project.index, project.store, project.root, [path], tracked=True, progress=progress)[path]
        if below(project.store, now, dep[len(path) + 1 :]) == oid:
            return now
    raw = bytes.fromhex(oid)
    if path == dep and project.store.has(raw):
        if project.store.is_tree(raw):
            return Pointer("tree", raw, 0, 0)
        return Pointer("file", raw, len(project.store.read(raw)))
    raise NotFound(f"the run used {dep} as it was then", "that content was not kept", "run it anew: axil run")

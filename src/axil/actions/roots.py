"""Everything in the store that something still needs, and who needs it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from axil.actions.experiments import ARCHIVE, HEADS, OTHERS
from axil.actions.tracking import PATTERN, begin_pointer_files, pointers_at
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.data.index import WorkTreeIndex
from axil.data.pointers import data_path, is_pointer, read_pointer
from axil.errors import AxilError, BadInput, NotFound
from axil.formats.pointer import SUFFIX, Pointer, parse
from axil.git.catfile import CatFile
from axil.git.history import blobs_at
from axil.git.process import GLOBS, Git
from axil.git.refs import list_refs
from axil.git.repository import git_dirs
from axil.git.worktree import list_worktrees
from axil.journal.journal import Journal

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.project import Project


class Root(NamedTuple):
    """An object that is needed, and in words by whom."""

    oid: Oid
    needed_by: str
    pointer: Pointer | None = None


def roots(project: Project, *, history: bool = True, without: Iterable[str] = ()) -> tuple[list[Root], list[str]]:
    """All roots, and what could not be read (a broken pointer in some commit …).

    Of branches, tags and remote-tracking refs every commit counts, or with `history` false only the newest. Runs of
    the journal, all work trees, runs in progress and the operations that can still be undone always count. Refs
    `without` do not.
    """
    found: list[Root] = []
    problems: list[str] = []
    # Before the journal: a run that ends meanwhile is there.
    live = _of_live_runs(project, problems)
    project.journal.refresh()
    refs = {ref: commit for ref, commit in list_refs(project.git).items() if ref not in set(without)}
    found += _of_refs(project, refs, problems, history=history)
    found += [Root(one.oid, f"run {one.run} {one.stage} {one.path}".rstrip()) for one in project.journal.outputs()]
    for sweep in project.journal.sweeps():
        found += [Root(bytes.fromhex(out.oid), f"sweep {sweep.id} {path}") for path, out in sweep.data.items()]
    found += _of_work_trees(project, problems)
    found += live
    found += _of_operations(project, problems)
    return found, problems


def _of_refs(project: Project, refs: dict[str, str], problems: list[str], *, history: bool) -> list[Root]:
    """Pointers in commits; the newest ones are named by their branch."""
    found: list[Root] = []
    tips = {ref: commit for ref, commit in refs.items() if not _is_journal(ref)}
    for ref, commit in tips.items():
        try:
            at = pointers_at(project, commit)
        except AxilError as error:
            problems.append(f"{ref}: {error.what}: {error.why}")
            continue
        name = ref.removeprefix(HEADS).removeprefix(ARCHIVE)
        found += [Root(pointer.oid, f"{path} on {name}", pointer) for path, pointer in at.items()]
    # A run's snapshot is a tree inside the journal's, so its pointers are found there by name.
    if history:
        revisions = {*refs.values(), *_reflog(project)}
    else:
        revisions = {commit for ref, commit in refs.items() if _is_journal(ref)}
    blobs = blobs_at(project.git, f"*{SUFFIX}", sorted(revisions))
    paths = {blob: min(paths) for blob, paths in blobs.items()}
    return found + of_blobs(project.git, paths, "in an older commit or a run", problems)


def _is_journal(ref: str) -> bool:
    return ref == Journal.REF or (ref.startswith(OTHERS) and ref.endswith("/journal"))


def _reflog(project: Project) -> set[str]:
    """Commits that only reflogs name: `git reflog` and `git stash` may bring them back."""
    result = project.git.call("reflog", "show", "--all", "--format=%H")
    return set(result.out.decode("ascii").split()) if result.code == 0 else set()


def _of_work_trees(project: Project, problems: list[str]) -> list[Root]:
    """What lies in the work trees, and what their pointer files say, committed or not."""
    found: list[Root] = []
    for folder in git_dirs(project.repository):
        database = os.path.join(folder, "axil", "worktree.db")
        if os.path.exists(database):
            index = WorkTreeIndex(database, project.clock)
            found += [Root(one.oid, f"{path} in a work tree", one) for path, one in index.all_tracked().items()]
            index.close()
    for place in list_worktrees(project.git):
        if place.prunable or not os.path.isdir(place.path):
            continue
        git = Git(place.path)
        found += _staged(git, place.path, problems)
        for name in begin_pointer_files(git)():
            try:
                pointer = read_pointer(place.path, data_path(name))
            except NotFound:
                continue
            except AxilError as error:
                problems.append(f"{error.what}: {error.why} (in {place.path})")
                continue
            found.append(Root(pointer.oid, f"{data_path(name)} in {place.path}", pointer))
    return found


def _staged(git: Git, place: str, problems: list[str]) -> list[Root]:
    """What pointers in the index of a work tree say: staged, and perhaps changed again since."""
    lines = git.fields("ls-files", "--stage", "-z", "--full-name", "--", PATTERN, env=GLOBS)
    entries = [line.partition("\t") for line in lines]
    blobs = {meta.split(" ")[1]: path for meta, _, path in entries}
    return of_blobs(git, blobs, f"staged in {place}", problems)


def of_blobs(git: Git, blobs: Mapping[str, str], where: str, problems: list[str]) -> list[Root]:
    """What the pointer files in git's `blobs` (id -> path) need."""
    found: list[Root] = []
    with CatFile(git) as cat:
        for (blob, path), content in zip(blobs.items(), cat.read_many(list(blobs)), strict=True):
            if not is_pointer(path):
                continue
            try:
                pointer = parse(content.data if content else b"", path)
            except BadInput as error:
                problems.append(f"{error.what}: {error.why} (git blob {blob[:12]})")
                continue
            found.append(Root(pointer.oid, f"{data_path(path)} {where}", pointer))
    return found


def _of_live_runs(project: Project, problems: list[str]) -> list[Root]:
    """Outputs of finished stages, logs, series and artifacts of runs that are not in the journal yet."""
    if not os.path.isdir(project.runs_folder):
        return []
    from axil.runs import rundir

    found: list[Root] = []
    for run in rundir.ids(project.runs_folder):
        folder = rundir.RunDir(os.path.join(project.runs_folder, run))
        try:
            spec, state = folder.spec(), folder.state()
        except AxilError as error:
            if os.path.exists(folder.path):  # Else it ended just now.
                problems.append(f"run {run}: {error.what}: {error.why}")
            continue
        given = [*spec.data.items(), *(item for start in spec.starts.values() for item in start.paths.items())]
        found += [Root(bytes.fromhex(out.oid), f"run {run} {path}") for path, out in given]
        stages = [*state.stages.values(), *(state.run.stages if state.run else ())]
        for stage in stages:
            found += [
                Root(bytes.fromhex(out.oid), f"run {run} {stage.name} {path}")
                for path, out in (*stage.outs.items(), *stage.checkpoint.items())
            ]
        oids = {stage.log for stage in stages} | {spec.series}
        if state.run is not None:
            oids |= {state.run.series, state.run.system, state.run.artifacts.oid if state.run.artifacts else ""}
        found += [Root(bytes.fromhex(oid), f"run {run}") for oid in oids if oid]
    return found


def _of_operations(project: Project, problems: list[str]) -> list[Root]:
    found: list[Root] = []
    try:
        operations = project.operations.list()
    except AxilError as error:
        problems.append(f"{error.what}: {error.why}; {error.hint}")
        return []
    for one in operations:
        texts = [text for _, old, new in one.data for text in (old, new) if text is not None]
        texts += [oid for _, oid in one.saved if len(oid) == 64]
        found += [Root(bytes.fromhex(text.rpartition(":")[2]), f"undoing “{one.command}”") for text in texts]
    return found

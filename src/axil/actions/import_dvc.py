"""Turn the DVC project in a git repository into an axil project, on a new branch; the old one stays as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from axil.actions.import_dvc_commit import advice, commit
from axil.actions.import_dvc_data import Located, fetch, locate, refuse_edits, store
from axil.actions.import_dvc_source import Source, files_in, read, require_clean, source
from axil.actions.moving import refuse_during_run
from axil.actions.names import check_new_name
from axil.actions.switch import carry_out, plan_switching
from axil.actions.undo import undo
from axil.base.clock import Clock, system_clock
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.pointers import check_place, nested_in, pointer_path
from axil.errors import AxilError, BadInput
from axil.formats.pointer import Pointer
from axil.git.commits import identity
from axil.git.refs import BRANCHES, Head, list_refs
from axil.git.repository import discover_with_head
from axil.imports.dvc.project import Data, Translation, read_project
from axil.imports.dvc.sections import Row
from axil.imports.dvc.stages import InGit
from axil.journal.operations import RefMove
from axil.pipeline.graph import build, check_tracked
from axil.project import Project


class Imported(NamedTuple):
    """What became of the DVC project. With `dry_run` nothing was changed and `commit` is ""."""

    branch: str
    before: str
    commit: str
    dry_run: bool
    rows: tuple[Row, ...]
    missing: tuple[str, ...]
    """`.dvc` files whose data is nowhere here; they stay as they are."""
    operation: str = ""
    message: str = ""
    """What a failing post-checkout hook of the user said."""


def import_dvc(
    start: str,
    environ: Mapping[str, str],
    *,
    branch: str = "",
    fetching: bool = False,
    dry_run: bool = False,
    equip: Callable[[Project], None] = lambda project: None,
    clock: Clock = system_clock,
    progress: Progress = SILENT,
) -> Imported:
    """Make the branch `branch` (default: the current one's name with `_axil`) with the project in axil's words.

    Data is taken from the work tree or DVC's cache, checked against DVC's md5. With `fetching`, what is missing is read
    from remotes that are folders, or brought by the user's `dvc fetch`. Raises before anything is changed.
    """
    project = Project(*discover_with_head(start), environ, clock)
    equip(project)
    origin = source(project)
    before, base = require_clean(project)
    branch = branch or f"{before}_axil"
    if BRANCHES + branch in list_refs(project.git, BRANCHES + branch):
        raise BadInput(
            f"there is a branch {branch} already",
            "an import makes a new one",
            f"choose a name with --branch, or remove it: git branch -D {branch}",
        )
    check_new_name(project, branch)
    os.makedirs(project.home, exist_ok=True)
    name = os.path.basename(project.root).encode("utf-8", "replace").decode()
    found = read_project(
        origin.git,
        lambda path: read(project, path),
        origin.config,
        name,
        lambda out: files_in(project, out, origin.caches),
    )
    wanted, refused = _wanted(project, found, origin.git)
    located = _locate(project, origin, wanted, fetching and not dry_run, progress)
    here = [one for one in located if not one.missing]
    refuse_edits(located)
    check_tracked(build(found.file.stages), [one.out.path for one in here])
    rows = (*found.rows, *refused, *_data_rows(wanted, located), *advice(project, found))
    missing = tuple(dict.fromkeys(data.source for data, one in zip(wanted, located, strict=True) if one.missing))
    if dry_run:
        return Imported(branch, before, "", True, rows, missing)
    refuse_during_run(project, "importing")
    kept = {row.source for row in rows if row.kind == "data" and not row.became}
    spent = (*found.spent, *(data.source for data in wanted if data.source not in kept))
    pointers = store(project, here, progress)
    made = commit(project, base, found, pointers, spent, origin.git)
    return _go(project, Imported(branch, before, made, False, rows, missing), pointers, base, progress)


def _wanted(project: Project, found: Translation, git: InGit) -> tuple[list[Data], list[Row]]:
    """The data to take, and rows for what cannot be taken."""
    wanted: dict[str, Data] = {}
    rows = []
    tracked = {data.out.path for data in found.data}
    makers = {path: stage.name for stage in found.file.stages.values() for path in stage.made}
    for data in found.data:
        path = data.out.path
        why = ""
        try:
            check_place(project.root, pointer_path(path))
        except BadInput as error:
            why = error.why
        if path in wanted:
            why = f"{wanted[path].source} tracks {path} too"
        elif outer := nested_in(path, tracked):
            why = f"it lies inside {outer}, which is tracked too"
        elif path in makers or nested_in(path, makers):
            why = f"stage {makers.get(path) or makers[nested_in(path, makers)]} makes it"
        elif git.has(path):
            why = "git has it; axil tracks only what git leaves out"
        elif not data.out.md5:
            why = "DVC noted no md5 for it (a version of an object elsewhere): get it, then axil add it"
        if why:
            rows.append(Row("data", data.source, "", (why,)))
        else:
            wanted[path] = data
    return list(wanted.values()), rows


def _locate(
    project: Project, origin: Source, wanted: Sequence[Data], fetching: bool, progress: Progress
) -> list[Located]:
    caches = [*origin.caches, *(origin.remotes if fetching else ())]

    def look(data: Data) -> Located:
        progress.advance()
        return locate(project.root, data.out, caches)

    progress.begin("looking for data", len(wanted), "files")
    located = [look(data) for data in wanted]
    progress.end()
    absent = [number for number, one in enumerate(located) if one.missing]
    if fetching and absent:
        refuse_edits(located)
        words = _fetch(project, origin.roots, [wanted[number].source for number in absent])
        for number in absent:
            located[number] = locate(project.root, wanted[number].out, caches)
        if words and any(one.missing for one in located):
            raise AxilError("dvc fetch failed", words, "try it by hand: dvc fetch   or import without --fetch")
    return located


def _fetch(project: Project, roots: Sequence[str], targets: Sequence[str]) -> str:
    """`dvc fetch` in each of DVC's own folders; what the first one that failed said."""
    left = list(targets)
    for root in roots:
        mine = [target for target in left if not root or target.startswith(f"{root}/")]
        left = [target for target in left if target not in mine]
        if mine and (words := fetch(project, root, mine)):
            return words
    return ""


def _data_rows(wanted: Sequence[Data], located: Sequence[Located]) -> list[Row]:
    rows = []
    for data, one in zip(wanted, located, strict=True):
        remarks = [f"DVC imported it from {data.origin}"] if data.origin else []
        remarks += data.out.remarks
        if one.missing:
            what = "its list of files is" if not one.files else f"{one.missing} of its files are"
            why = f"{what if data.out.folder else 'it is'} neither in the work tree nor in DVC's cache"
            rows.append(Row("data", data.source, "", ("; ".join([why, *remarks]),)))
        else:
            rows.append(Row("data", data.source, pointer_path(data.out.path), tuple(remarks)))
    return rows


def _go(project: Project, value: Imported, pointers: Mapping[str, Pointer], base: str, progress: Progress) -> Imported:
    """Make the branch and go there; `axil undo` takes it back."""
    from axil.formats.record import Fork

    record = Fork(
        id=project.new_id(),
        time=project.clock(),
        author=identity(project.git),
        name=value.branch,
        parent=value.before,
        commit=base,
        hypothesis="imported from DVC",
    )
    moves = plan_switching(project, value.commit, pointers, {}, force=False, progress=progress)
    try:
        switched = carry_out(
            project,
            "import dvc",
            Head(value.branch, value.commit),
            moves,
            refs=(RefMove(BRANCHES + value.branch, None, value.commit),),
            records=(record.id,),
            then=lambda: project.journal.append([record]),
            keeps_data=True,
            progress=progress,
        )
    except BaseException:
        project.forget()
        if project.head.branch == value.branch:
            undo(project, progress=progress)
        raise
    return value._replace(operation=switched.operation, message=switched.message)

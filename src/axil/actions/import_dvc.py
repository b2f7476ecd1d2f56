"""Turn the DVC project in a git repository into an axil project, on a new branch; the old one stays as it is."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Mapping, Sequence

from axil.actions.import_dvc_data import Located, fetch, locate, refuse_edits, store
from axil.actions.moving import refuse_during_run
from axil.actions.names import check_new_name
from axil.actions.switch import carry_out, plan_switching
from axil.actions.undo import undo
from axil.base.clock import Clock, system_clock
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.ignore import NAME, pattern, taken_over
from axil.data.pointers import check_place, nested_in, pointer_path
from axil.errors import AxilError, BadInput, Blocked, NotFound
from axil.formats.pointer import Pointer, render
from axil.formats.project import FILE
from axil.formats.project_text import render as render_project
from axil.git.commits import commit_tree, identity
from axil.git.refs import BRANCHES, Head
from axil.git.repository import discover_with_head
from axil.imports.dvc.cache import files_of, listed
from axil.imports.dvc.files import MAX_BYTES, Config, Out, config
from axil.imports.dvc.project import Data, Translation, read_project
from axil.imports.dvc.remotes import local_folder
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


class _Source(NamedTuple):
    """The DVC project as it lies in the work tree."""

    git: InGit
    config: Config
    caches: tuple[str, ...]
    remotes: tuple[str, ...]
    """Remotes that are folders of this machine."""


def import_dvc(
    start: str,
    environ: Mapping[str, str],
    *,
    branch: str = "",
    fetching: bool = False,
    dry_run: bool = False,
    clock: Clock = system_clock,
    progress: Progress = SILENT,
) -> Imported:
    """Make the branch `branch` (default: the current one's name with `_axil`) with the project in axil's words.

    Data is taken from the work tree or DVC's cache, checked against DVC's md5. With `fetching`, what is missing is read
    from remotes that are folders, or brought by the user's `dvc fetch`. Raises before anything is changed.
    """
    project = Project(*discover_with_head(start), environ, clock)
    source = _source(project)
    before, commit = _clean(project, source)
    branch = branch or f"{before}_axil"
    check_new_name(project, branch)
    os.makedirs(project.home, exist_ok=True)
    name = os.path.basename(project.root)
    found = read_project(
        source.git,
        lambda path: _read(project, path),
        source.config,
        name,
        lambda out: _files_in(project, out, source.caches),
    )
    wanted, refused = _wanted(project, found, source.git)
    located = _locate(project, source, wanted, fetching and not dry_run, progress)
    here = [one for one in located if not one.missing]
    refuse_edits(located)
    check_tracked(build(found.file.stages), [one.out.path for one in here])
    rows = (*found.rows, *refused, *_data_rows(wanted, located))
    missing = tuple(dict.fromkeys(data.source for data, one in zip(wanted, located, strict=True) if one.missing))
    if dry_run:
        return Imported(branch, before, "", True, rows, missing)
    refuse_during_run(project, "importing")
    kept = {*missing, *(data.source for data in found.data if data not in wanted)}
    spent = (*found.spent, *(data.source for data in wanted if data.source not in kept))
    pointers = store(project, here, progress)
    made = _commit(project, commit, found, pointers, spent, source.git)
    return _go(project, Imported(branch, before, made, False, rows, missing), pointers, commit, progress)


def _source(project: Project) -> _Source:
    """What git has of the project. Raises `NotFound` if it is none of DVC's, `BadInput` if it is one of axil's."""
    entries = [entry.partition("\t")[::2] for entry in project.git.fields("ls-files", "-z", "--stage", "--full-name")]
    names = [name for _, name in entries]
    links = [name for facts, name in entries if facts.startswith("120000")]
    if FILE in names or os.path.lexists(project.path(FILE)):
        raise BadInput(f"there is an {FILE} already", f"{project.root} is an axil project", "go to a branch without it")
    folders = sorted({posixpath.dirname(name) for name in names if name.endswith(".dvc/config")}, key=len)
    folders = [folder for folder in folders if posixpath.basename(folder) == ".dvc"] or [".dvc"]
    if not any(name.endswith(("dvc.yaml", ".dvc")) or "/.dvc/" in f"/{name}" for name in names):
        raise NotFound(
            "this is no DVC project", f"git has no dvc.yaml and no .dvc file in {project.root}", "axil init starts anew"
        )
    settings: list[Config] = []
    caches: list[str] = []
    for folder in folders:
        texts = [(_text(project, f"{folder}/config"), False), (_text(project, f"{folder}/config.local"), True)]
        settings.append(config(texts, folder))
        cache = settings[-1].cache or "cache"
        if cache.startswith("~/"):
            cache = os.path.join(project.environ.get("HOME", "~"), cache[2:])
        caches.append(os.path.normpath(os.path.join(project.root, folder, cache)))
    local = (local_folder(settings[0], name, project.root) for name in settings[0].remotes)
    return _Source(InGit(names, links), settings[0], tuple(caches), tuple(folder for folder in local if folder))


def _clean(project: Project, source: _Source) -> tuple[str, str]:
    """The current branch and its commit. Raises unless everything is committed: what is not would be left behind."""
    from axil.git.worktree import status

    head = project.head
    if head.branch is None or head.commit is None:
        raise BadInput(
            "there is no branch to start from",
            "HEAD is detached" if head.branch is None else f"{head.branch} has no commit yet",
            "git switch BRANCH" if head.branch is None else 'git add -A && git commit -m "start"',
        )
    state = status(project.git)
    paths = [entry.path for entry in state.entries]
    if paths:
        raise Blocked(
            "there are uncommitted changes",
            f"in {paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else ""),
            'commit them: git commit -a -m "before axil"   or put them aside: git stash',
            tuple(paths),
        )
    strays = [path for path in state.untracked if path.endswith(".dvc") or posixpath.basename(path) == "dvc.yaml"]
    if strays:
        raise Blocked(
            f"{strays[0]} is not in git yet",
            "only what is committed is imported",
            f"git add {' '.join(strays[:3])} && git commit -m data",
            tuple(strays),
        )
    return head.branch, head.commit


def _read(project: Project, path: str) -> bytes | None:
    """A file of the work tree. Raises `BadInput` for links, other special files, and what is too big."""
    check_place(project.root, path)
    try:
        fd = os.open(project.path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path} cannot be read", error.strerror or str(error)) from None
    with os.fdopen(fd, "rb") as file:
        try:
            data = file.read(MAX_BYTES + 1)
        except IsADirectoryError:
            raise BadInput(f"{path} cannot be read", "it is a folder") from None
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path} cannot be read", f"it has more than {MAX_BYTES} bytes")
    return data


def _files_in(project: Project, out: Out, caches: Sequence[str]) -> Collection[str] | None:
    """The files in the folder `out`, from DVC's cache or from the work tree if it is unchanged."""
    if not out.folder or not out.md5:
        return None
    try:
        return files_of(out, caches) or listed(project.path(out.path), out.md5, old_hash=out.old_hash)
    except BadInput:
        return None


def _text(project: Project, path: str) -> str:
    return (_read(project, path) or b"").decode("utf-8", "replace")


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
    project: Project, source: _Source, wanted: Sequence[Data], fetching: bool, progress: Progress
) -> list[Located]:
    caches = [*source.caches, *(source.remotes if fetching else ())]

    def look(data: Data) -> Located:
        progress.advance()
        return locate(project.root, data.out, caches)

    progress.begin("looking for data", len(wanted), "files")
    located = [look(data) for data in wanted]
    progress.end()
    absent = [number for number, one in enumerate(located) if one.missing]
    if fetching and absent:
        refuse_edits(located)
        folder = posixpath.dirname(source.config.folder)
        words = fetch(project, folder, [wanted[number].source for number in absent])
        for number in absent:
            located[number] = locate(project.root, wanted[number].out, caches)
        if words and any(one.missing for one in located):
            raise AxilError("dvc fetch failed", words, "try it by hand: dvc fetch   or import without --fetch")
    return located


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


def _commit(
    project: Project,
    base: str,
    found: Translation,
    pointers: Mapping[str, Pointer],
    spent: Sequence[str],
    git: InGit,
) -> str:
    """The commit with the translated project, on top of `base`; no ref points at it yet."""
    from axil.git.trees import changed_tree

    head = (
        ["Which way is better? The first metric is the headline.", 'metrics = { NAME = "max" }']
        if found.metrics
        else []
    )
    files = {FILE: render_project(found.file, found.comments, head).encode()}
    files |= {pointer_path(path): render(pointer) for path, pointer in pointers.items()}
    outs = [path for stage in found.file.stages.values() for path in stage.outs]
    made = [path for stage in found.file.stages.values() for path in stage.made]
    gone = [name for name in git.names if name in outs or nested_in(name, set(outs))]
    made = [path for path in made if not git.link_above(posixpath.dirname(path))]
    files |= _ignores(project, list(pointers), [*made, *pointers], {path for path in outs if git.has(path)})
    empty = [path for path, data in files.items() if not data]
    deletes = [*spent, *gone, *(path for path in empty if path in git.names)]
    files = {path: data for path, data in files.items() if data}
    from axil.git.worktree import tracked

    if taken := sorted(tracked(project.git, list(files)) - {path for path in files if path.endswith(NAME)}):
        raise BadInput(f"{taken[0]} is in git already", "it is where axil would write", "move it and try again")
    tree = changed_tree(project.git, base, files, dict.fromkeys(deletes))
    return commit_tree(project.git, tree, [base], "Import the DVC project into axil\n")


def _ignores(project: Project, data: Sequence[str], moved: Sequence[str], more: set[str]) -> dict[str, bytes]:
    """Every `.gitignore` in which lines become axil's: all of `data` and `more`, of `moved` those that are there."""
    files: dict[str, bytes] = {}
    folders = {posixpath.dirname(path) for path in moved}
    for folder in sorted(folders):
        name = posixpath.join(folder, NAME)
        old = _read(project, name) or b""
        own = {pattern(path) for path in (*data, *more) if posixpath.dirname(path) == folder}
        there = {pattern(path) for path in moved if posixpath.dirname(path) == folder}
        new = taken_over(old, own, there)
        if new != old:
            files[name] = new
    return files


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

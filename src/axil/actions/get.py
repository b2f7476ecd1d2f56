"""One file or folder of any experiment or run, copied out without switching: tracked data, an output, or code."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Iterator, Mapping, Sequence

from axil.base.light import TYPE_CHECKING, Literal, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import BadInput, Blocked, NotFound
from axil.formats.pointer import SUFFIX, Pointer

if TYPE_CHECKING:
    from axil.formats.tree import Entry as TreeItem
    from axil.git.catfile import TreeEntry
    from axil.project import Project

Kind = Literal["data", "output", "partial", "code", "artifact"]
"""What a stage that failed, was stopped or lost had made so far is `partial`."""
ARTIFACTS = "artifacts"
"""The folder in which `axil get` shows what a run logged; a path of the project with this name goes before it."""


class Item(NamedTuple):
    """Something an experiment or run has; sizes are None for code, which git keeps."""

    path: str
    kind: Kind
    size: int | None
    files: int


class Listing(NamedTuple):
    """All that can be had of an experiment or run; `tree` is the git tree or commit looked at."""

    name: str
    tree: str
    items: tuple[Item, ...]


class Got(NamedTuple):
    """What was copied, and where to (an absolute path)."""

    name: str
    path: str
    out: str
    kind: Kind
    files: int
    size: int


class _Contents(NamedTuple):
    """What stands behind a name: data and outputs by path, and the files that git has."""

    name: str
    tree: str
    data: Mapping[str, Pointer]
    outputs: Mapping[str, Pointer]
    partial: Mapping[str, Pointer]
    code: Mapping[str, TreeEntry]
    artifacts: Pointer | None
    """What the run logged with `axil.log_figure` and its like."""


def contents(project: Project, name: str) -> Listing:
    """What there is in the experiment, run or commit `name`. Raises `NotFound`."""
    from axil.actions.sharing import bring

    found = _look(project, name)
    items = [Item(path, "data", one.size, one.files) for path, one in found.data.items()]
    items += [Item(path, "output", one.size, one.files) for path, one in found.outputs.items()]
    items += [Item(path, "partial", one.size, one.files) for path, one in found.partial.items()]
    items += [Item(path, "code", None, 1) for path in found.code]
    if found.artifacts is not None:
        if project.remotes and project.store.missing({found.artifacts.oid}):
            bring(project, {found.artifacts.oid}, trees_only=True)
        for path, entry in files_in(project, found.artifacts.oid):
            items.append(Item(f"{ARTIFACTS}/{path}", "artifact", entry.size, 1))
    return Listing(found.name, found.tree, tuple(items))


def get(project: Project, name: str, path: str, out: str, *, force: bool = False, progress: Progress = SILENT) -> Got:
    """Copy `path` (a project path) of the experiment, run or commit `name` to the absolute path `out`.

    Only what is asked for is fetched. An existing folder `out` gets it inside. Raises `NotFound`, with close names, and
    `Blocked` if something is there already and not `force`, which overwrites what has the same name.
    """
    path = _clean(path)
    found = _look(project, name)
    if os.path.isdir(out) and not os.path.islink(out):
        out = os.path.join(out, os.path.basename(path))
    if os.path.lexists(out) and not force:
        raise Blocked(
            f"{out} is there already", "nothing was written", "choose another place with -o, or --force overwrites it"
        )
    sources: tuple[tuple[Kind, Mapping[str, Pointer]], ...]
    sources = ("data", found.data), ("output", found.outputs), ("partial", found.partial)
    for kind, known in sources:
        pointer = _inside(project, known, path, progress)
        if pointer is not None:
            _fetch(project, {path: pointer}, found.name, progress)
            _write(project, out, pointer, progress)
            return Got(found.name, path, out, kind, pointer.files, pointer.size)
    logged = _logged(project, found, path, progress)
    if logged is not None:
        _fetch(project, {path: logged}, found.name, progress)
        _write(project, out, logged, progress)
        return Got(found.name, path, out, "artifact", logged.files, logged.size)
    below = {one: pointer for one, pointer in {**found.outputs, **found.data}.items() if one.startswith(path + "/")}
    code = {one: entry for one, entry in found.code.items() if one == path or one.startswith(path + "/")}
    if not below and not code:
        raise _unknown(project, found, path)
    _fetch(project, below, found.name, progress)
    size = _code(project, code, path, out)
    for one, pointer in below.items():
        _write(project, os.path.join(out, one[len(path) + 1 :]), pointer, progress)
    files = len(code) + sum(pointer.files for pointer in below.values())
    return Got(found.name, path, out, "code", files, size + sum(pointer.size for pointer in below.values()))


def _logged(project: Project, found: _Contents, path: str, progress: Progress) -> Pointer | None:
    """What is at `path` among the run's artifacts, unless the project has something there."""
    if found.artifacts is None or any(one == path or one.startswith(f"{path}/") for one in found.code):
        return None
    return _inside(project, {ARTIFACTS: found.artifacts}, path, progress)


def files_in(project: Project, tree: bytes, below: str = "") -> Iterator[tuple[str, TreeItem]]:
    """The files in a stored directory by path, as far as its directories are here."""
    from axil.errors import AxilError
    from axil.formats.tree import DIR

    try:
        entries = project.store.entries(tree)
    except AxilError:
        return
    for entry in entries:
        path = below + os.fsdecode(entry.name)
        if entry.kind == DIR[0]:
            yield from files_in(project, entry.oid, f"{path}/")
        else:
            yield path, entry


def _clean(path: str) -> str:
    """`path` in its one spelling. Raises `BadInput` for one that cannot be in a project."""
    from axil.formats.project import check_path

    try:
        return check_path(path)
    except ValueError as error:
        raise BadInput(f"{path!r} is no path in the project", str(error), "give it from the project's root") from None


def _look(project: Project, name: str) -> _Contents:
    from axil.actions.contents import pointers_in
    from axil.actions.diff import tree_of
    from axil.actions.outputs import checkpoints_of_run, outputs_of, outputs_of_run, partial_of_run
    from axil.actions.targets import choose, resolve
    from axil.git.diff import ls_tree

    tree = tree_of(project, name)
    if not tree:
        raise NotFound(f"{name} has no commit yet", "there is nothing to get", "axil tree lists the experiments")
    outputs: Mapping[str, Pointer] = {}
    partial: Mapping[str, Pointer] = {}
    run = None
    try:
        target = resolve(project, name)
    except NotFound:
        target = None  # A commit or tag: it has code and data, and no run of its own.
    if target is not None and target.experiment is not None:
        name = target.experiment.name
        outputs = outputs_of(project, name)
        run = choose(project, name).run
    elif target is not None and target.run is not None:
        name = target.run.id
        outputs = {**checkpoints_of_run(project, name), **outputs_of_run(project, name)}
        partial = {path: one for path, one in partial_of_run(project, name).items() if path not in outputs}
        run = target.run
    data = pointers_in(project, tree)
    code = {entry.name: entry for entry in ls_tree(project.git, tree)}
    own = {path + SUFFIX for path in data}
    code = {path: one for path, one in code.items() if path not in own}
    kept = run.artifacts if run is not None else None
    artifacts = Pointer("tree", bytes.fromhex(kept.oid), kept.size, kept.files) if kept is not None else None
    return _Contents(name, tree, data, outputs, partial, code, artifacts)


def _inside(project: Project, known: Mapping[str, Pointer], path: str, progress: Progress) -> Pointer | None:
    """What is at `path` in one of the `known` contents; None if nothing is."""
    outer = next((one for one in known if path == one or path.startswith(one + "/")), None)
    if outer is None:
        return None
    pointer = known[outer]
    for step in path[len(outer) + 1 :].split("/") if path != outer else ():
        entry = _entry(project, pointer, step, progress)
        if entry is None:
            return None
        pointer = entry
    return pointer


def _entry(project: Project, folder: Pointer, name: str, progress: Progress) -> Pointer | None:
    from axil.actions.sharing import bring
    from axil.formats.tree import DIR, EXEC, LINK

    if folder.kind != "tree":
        return None
    if project.store.missing({folder.oid}) and project.remotes:
        bring(project, {folder.oid}, trees_only=True, progress=progress)
    wanted = name.encode("utf-8", "surrogateescape")
    for entry in project.store.entries(folder.oid):
        if entry.name == wanted:
            if entry.kind == LINK[0]:
                raise BadInput(f"{name} is a symbolic link", "it has no content of its own", "get what it points to")
            kind: Literal["tree", "file"] = "tree" if entry.kind == DIR[0] else "file"
            files = _count(project, entry.oid) if kind == "tree" else 1
            return Pointer(kind, entry.oid, entry.size, files, entry.kind == EXEC[0])
    return None


def _count(project: Project, tree: bytes) -> int:
    """How many files are in a directory, so far as its directories are here."""
    from axil.formats.tree import DIR

    files, todo = 0, [tree]
    while todo:
        for entry in project.store.entries(todo.pop()):
            if entry.kind == DIR[0]:
                todo.append(entry.oid)
            else:
                files += 1
    return files


def _fetch(project: Project, wanted: Mapping[str, Pointer], name: str, progress: Progress) -> None:
    """Have all of `wanted` in the store. Raises `NotFound` naming what nobody has."""
    from axil.actions.sharing import bring, lacking

    oids = {pointer.oid for pointer in wanted.values()}
    gone = bring(project, oids, progress=progress) if project.remotes else lacking(project, oids)
    if gone:
        paths = [path for path, pointer in wanted.items() if pointer.oid in gone]
        where = "neither here nor on a remote" if project.remotes else "not in the store, and there is no remote"
        raise NotFound(
            f"{paths[0]} of {name} cannot be had", f"some of its objects are {where}", "push it where it was made"
        )


def _write(project: Project, out: str, pointer: Pointer, progress: Progress) -> None:
    """Lay `pointer` at the absolute path `out`, by the way of `axil switch`: checked, and each file all or nothing."""
    import tempfile

    from axil.data.index import WorkTreeIndex
    from axil.data.materialise import Target, materialise

    folder, name = os.path.split(out)
    os.makedirs(folder, exist_ok=True)
    if pointer.kind == "tree" and os.path.lexists(out) and not os.path.isdir(out):
        os.unlink(out)
    # What is known of the work tree must not be mixed with what lies elsewhere, so this has an index of its own.
    with tempfile.TemporaryDirectory(dir=project.home, prefix="get-") as temporary:
        index = WorkTreeIndex(os.path.join(temporary, "index.db"), project.clock)
        target = Target(name, None, pointer)
        materialise(index, project.store, os.path.realpath(folder), [target], force=True, progress=progress)
        index.close()


def _code(project: Project, files: Mapping[str, TreeEntry], path: str, out: str) -> int:
    """Write git's `files`, which are at or below `path`, to `out`; their size. Links and submodules are left out."""
    from axil.base.atomic import write_atomic
    from axil.git.catfile import CatFile

    plain = {one: entry for one, entry in files.items() if entry.mode.startswith("100")}
    if not plain and files:
        raise BadInput(f"{path} is no file", "it is a link or a submodule", "git show prints what git keeps of it")
    size = 0
    with CatFile(project.git) as cat:
        for one, found in zip(plain, cat.read_many(entry.oid for entry in plain.values()), strict=True):
            if found is None:
                raise NotFound(f"{one} is not in this clone", "its history was cut off", "git fetch --unshallow")
            target = out if one == path else os.path.join(out, _checked(one[len(path) + 1 :]))
            _make_folder(os.path.dirname(target), os.path.dirname(out))
            write_atomic(target, found.data, mode=0o755 if plain[one].mode == "100755" else 0o644, sync=False)
            size += len(found.data)
    return size


def _make_folder(folder: str, base: str) -> None:
    """Make `folder`, of which everything below `base` must be real folders. Raises `BadInput` for a link on the way."""
    os.makedirs(folder, exist_ok=True)
    step = folder
    while len(step) > len(base):
        if not modes.S_ISDIR(os.lstat(step).st_mode):
            raise BadInput(f"{step} is a link", "nothing is written through it", "choose another place with -o")
        step = os.path.dirname(step)


def _checked(path: str) -> str:
    from axil.data.pointers import check_steps

    check_steps(path, path)
    return path


def _unknown(project: Project, found: _Contents, path: str) -> NotFound:
    """The error for a path that is not there, with close ones."""
    from difflib import get_close_matches

    known: list[str] = [*found.data, *found.outputs, *found.code]
    if found.artifacts is not None:
        known += [f"{ARTIFACTS}/{one}" for one, _ in files_in(project, found.artifacts.oid)]
    for outer, pointer in {**found.data, **found.outputs}.items():
        if path.startswith(outer + "/") and pointer.kind == "tree" and project.store.has(pointer.oid):
            known += [f"{outer}/{os.fsdecode(entry.name)}" for entry in project.store.entries(pointer.oid)]
    close: Sequence[str] = get_close_matches(path, known, 3, 0.6)
    if not close:
        close = [one for one in known if os.path.basename(one) == os.path.basename(path)][:3]
    why = f"did you mean {' or '.join(close)}?" if close else ""
    return NotFound(f"{found.name} has no {path}", why, f"axil get {found.name}: lists what it has")

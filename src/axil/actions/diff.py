"""Which files of tracked data differ: the work tree from what is recorded, or one version from another."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from axil.actions.contents import ContentChange
    from axil.formats.pointer import Pointer
    from axil.project import Project

RECORDED, WORK_TREE = "recorded", "work tree"


class DataDiff(NamedTuple):
    """The tracked paths that differ from `old` to `new`, each with its files; the counts are of files."""

    old: str
    new: str
    paths: tuple[ContentChange, ...]
    added: int
    removed: int
    changed: int


def diff(
    project: Project, old: str = "", new: str = "", paths: Sequence[str] = (), *, progress: Progress = SILENT
) -> DataDiff:
    """How tracked data differs.

    Without names: the work tree from its pointers. With `old`: the work tree from that experiment, run or commit. With
    both: `new` from `old`. `paths` (project paths) restricts it to tracked data at, above or below them.
    Raises `NotFound` for an unknown name or for paths where nothing is tracked.
    """
    from axil.actions.contents import compare_contents, pointers_in

    project.store  # noqa: B018 (a broken axil.toml is said once, not of every path)
    before = pointers_in(project, tree_of(project, old)) if old else work_tree_pointers(project)
    if new:
        after = pointers_in(project, tree_of(project, new))
        chosen = _chosen({**before, **after}, paths)
        found = compare_contents(project, _only(before, chosen), _only(after, chosen))
    else:
        # A path that only the pointers of the work tree know is new; one that neither knows is not tracked.
        chosen = _chosen({**before, **work_tree_pointers(project)} if old else before, paths)
        found = tuple(_against_work_tree(project, path, before.get(path), progress) for path in chosen)
    differing = tuple(change for change in found if change.state != "same")
    return DataDiff(
        old or RECORDED,
        new or WORK_TREE,
        differing,
        sum(change.added for change in differing),
        sum(change.removed for change in differing),
        sum(change.changed for change in differing),
    )


def tree_of(project: Project, name: str) -> str:
    """The git tree or commit of an experiment's tip, of a run's snapshot, or of anything git has a name for."""
    from axil.actions.targets import resolve
    from axil.git.history import resolve as resolve_commit

    try:
        target = resolve(project, name)
    except NotFound as unknown:
        commit = resolve_commit(project.git, name)
        if commit is None:
            raise unknown from None
        return commit
    if target.experiment is not None:
        return target.experiment.tip
    assert target.run is not None
    if not (target.run.snapshot or target.run.commit):
        raise NotFound(f"run {target.run.id} has no snapshot", "it stopped before its code was recorded")
    return target.run.snapshot or target.run.commit


def work_tree_pointers(project: Project) -> dict[str, Pointer]:
    """Tracked path -> the pointer that stands in the work tree now."""
    from axil.data.pointers import find_pointers, read_pointer
    from axil.formats.pointer import SUFFIX
    from axil.git.worktree import ls_files

    found = {}
    for name in find_pointers(ls_files(project.git, f"*{SUFFIX}")):
        path = name.removesuffix(SUFFIX)
        try:
            found[path] = read_pointer(project.root, path)
        except NotFound:
            continue  # removed, and git was not told yet
    return found


def _against_work_tree(project: Project, path: str, old: Pointer | None, progress: Progress) -> ContentChange:
    from axil.actions.contents import ContentChange, fetch_directories, with_files
    from axil.data.status import changes

    size = old.size if old else None
    blank = ContentChange(path, "changed", 0, 0, 0, size, size)
    try:
        files = changes(project.index, project.store, project.root, path, old, progress=progress)
    except NotFound as error:
        if old is None or not fetch_directories(project, [old]):
            return blank._replace(problem=error.what)
        files = changes(project.index, project.store, project.root, path, old, progress=progress)
    except AxilError as error:
        return blank._replace(problem=error.what)
    if not files:
        return blank._replace(state="same")
    found = with_files(blank, files)
    grown = sum((file.new_size or 0) - (file.old_size or 0) for file in found.files)
    if len(files) == 1 and files[0].path == path and files[0].kind == "removed":
        return found._replace(state="removed", removed=old.files if old else 1, new_size=None)
    return found._replace(state="changed" if old else "added", new_size=(size or 0) + grown)


def _chosen(known: dict[str, Pointer], paths: Sequence[str]) -> list[str]:
    """The tracked paths that `paths` mean; all of them without any."""
    if not paths:
        return sorted(known)
    found = []
    for path in paths:
        matching = [
            each for each in known if path == "." or f"{each}/".startswith(f"{path}/") or path.startswith(f"{each}/")
        ]
        if not matching:
            raise NotFound(f"nothing is tracked at {path}", "", f"track it with: axil add {path}")
        found += matching
    return sorted(set(found))


def _only(pointers: dict[str, Pointer], paths: Sequence[str]) -> dict[str, Pointer]:
    return {path: pointers[path] for path in paths if path in pointers}

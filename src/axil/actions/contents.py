"""What differs between two versions of a file or folder that axil keeps."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from axil.data.diff import Change
    from axil.formats.pointer import Pointer
    from axil.project import Project
    from axil.store import Store


class FileChange(NamedTuple):
    """One file that differs; its path is from the project's root. Sizes are in bytes, None where there is no file."""

    path: str
    kind: str
    """ "added", "removed", "changed", or "mode" if only the executable bit differs."""
    old_size: int | None
    new_size: int | None


class ContentChange(NamedTuple):
    """How one tracked path or output differs."""

    path: str
    state: str
    """ "added", "removed", "changed" or "same"."""
    added: int
    removed: int
    changed: int
    old_size: int | None
    new_size: int | None
    files: tuple[FileChange, ...] = ()
    """In order of their paths; only the first ones if `cut`."""
    cut: bool = False
    problem: str = ""
    """Why the files could not be compared."""


def compare_content(
    store: Store, path: str, old: Pointer | None, new: Pointer | None, *, limit: int | None = None
) -> ContentChange:
    """How `path` differs between two contents of which at least one exists; at most `limit` files are listed."""
    from axil.data.diff import diff_pointers

    state = "added" if old is None else "removed" if new is None else "changed"
    if old is not None and new is not None and _same(old, new):
        state = "same"
    sizes = (old.size if old else None, new.size if new else None)
    found = ContentChange(path, state, 0, 0, 0, *sizes)
    if state == "same":
        return found
    try:
        return with_files(found, diff_pointers(store, path, old, new), limit=limit)
    except AxilError as error:
        # Content of another machine that was not fetched: that it differs is known all the same.
        return found._replace(problem=error.what)


def with_files(found: ContentChange, changes: Iterable[Change], *, limit: int | None = None) -> ContentChange:
    """`found` with its files counted, and the first `limit` of them listed."""
    counts = {"added": 0, "removed": 0, "changed": 0}
    files: list[FileChange] = []
    for change in changes:
        kind = "changed" if change.kind == "mode" else change.kind
        counts[kind] += 1
        if limit is None or len(files) < limit:
            old, new = change.old, change.new
            files.append(FileChange(change.path, change.kind, old.size if old else None, new.size if new else None))
    cut = sum(counts.values()) > len(files)
    added, removed, changed = counts.values()
    return found._replace(added=added, removed=removed, changed=changed, files=tuple(files), cut=cut)


def _same(old: Pointer, new: Pointer) -> bool:
    return (old.kind, old.oid, old.executable) == (new.kind, new.oid, new.executable)


def compare_contents(
    project: Project, old: Mapping[str, Pointer], new: Mapping[str, Pointer], *, limit: int | None = None
) -> tuple[ContentChange, ...]:
    """`compare_content` for every path of the two."""

    def look(path: str) -> ContentChange:
        return compare_content(project.store, path, old.get(path), new.get(path), limit=limit)

    found = [look(path) for path in sorted({*old, *new})]
    unknown = [one.path for one in found if one.problem]
    if unknown and fetch_directories(project, [each[path] for each in (old, new) for path in unknown if path in each]):
        found = [look(one.path) if one.problem else one for one in found]
    return tuple(found)


def fetch_directories(project: Project, contents: Iterable[Pointer]) -> bool:
    """Fetch what tells the files of `contents` apart, and no file; whether it is all here now."""
    if not project.remotes:
        return False
    from axil.actions.sharing import bring

    try:
        return not bring(project, (one.oid for one in contents if one.kind == "tree"), trees_only=True)
    except AxilError as error:
        project.tell(f"directories were not fetched: {error.what}")
        return False


def pointers_in(project: Project, tree: str) -> dict[str, Pointer]:
    """Tracked path -> its pointer, as they are in the git tree (or commit) `tree`. Raises `BadInput` for a bad one."""
    from axil.data.pointers import find_pointers, parse_pointers
    from axil.formats.pointer import SUFFIX
    from axil.git.diff import ls_tree
    from axil.git.objects import read_many

    entries = {entry.name: entry.oid for entry in ls_tree(project.git, tree, suffix=SUFFIX) if entry.mode[:3] == "100"}
    names = find_pointers(entries)
    blobs = read_many(project.git, [entries[name] for name in names])
    return parse_pointers({name: blob.data for name, blob in zip(names, blobs, strict=True) if blob is not None})

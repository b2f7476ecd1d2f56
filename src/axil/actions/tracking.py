"""The tracked data of a project: which pointers there are in the work tree and in commits."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable

from axil.base.light import TYPE_CHECKING
from axil.data.pointers import data_path, find_pointers, is_pointer, nested_in, parse_pointers, read_pointer
from axil.errors import BadInput
from axil.formats.pointer import MAX_BYTES, SUFFIX, Pointer, looks_like
from axil.git.process import GLOBS, split_nul

if TYPE_CHECKING:
    from axil.git.process import Git
    from axil.project import Project

PATTERN = f":(top)*{SUFFIX}"


def begin_pointer_files(git: Git) -> Callable[[], list[str]]:
    """The pointer files that git tracks or could track (not ignored); asked now, answered when called."""
    finish = git.begin(
        "ls-files", "-z", "--full-name", "--cached", "--others", "--exclude-standard", "--", PATTERN, env=GLOBS
    )
    return lambda: find_pointers(set(split_nul(finish())))


def read_pointers(project: Project, files: Iterable[str]) -> dict[str, Pointer]:
    """Tracked path -> pointer of the work tree, from pointer files; deleted ones are left out.

    Raises `BadInput`, naming file and line, for a broken pointer and for tracked data inside tracked data.
    """
    listed = [name for name in files if os.path.lexists(project.path(name))]
    paths = [data_path(name) for name in listed if _claims(project, name)]
    refuse_nested(paths)
    return {path: read_pointer(project.root, path) for path in paths}


def refuse_nested(paths: Collection[str]) -> None:
    """Raise `BadInput` if one of the tracked `paths` lies in another one."""
    known = set(paths)
    for path in paths:
        if outer := nested_in(path, known):
            raise BadInput(
                f"{path}{SUFFIX}: tracked data inside tracked data",
                f"{outer}{SUFFIX} already stands for everything in {outer}",
                f"keep one of them: git rm --cached '{path}{SUFFIX}', or '{outer}{SUFFIX}'",
            )


def _claims(project: Project, name: str) -> bool:
    """Whether the file `name` is meant as a pointer: it says so, or git keeps it. Data may have such names too."""
    try:
        with open(project.path(name), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return True  # Whoever reads it as a pointer says what is wrong.
    if looks_like(data):
        return True
    from axil.git.worktree import tracked

    return bool(tracked(project.git, [name]))


def pointers(project: Project, files: Callable[[], list[str]] | None = None) -> dict[str, Pointer]:
    """Tracked path -> pointer, as the work tree has them now; `files` is what `begin_pointer_files` gave, if begun."""
    return read_pointers(project, (files or begin_pointer_files(project.git))())


def changed_pointers(project: Project, old: str | None, new: str) -> dict[str, Pointer | None]:
    """Tracked path -> its pointer in the commit `new`, where that is not the one of the commit `old`; None: gone."""
    from axil.git.diff import diff_trees

    changes = [change for change in diff_trees(project.git, old, new) if is_pointer(change.path)]
    gone: dict[str, Pointer | None] = {data_path(change.path): None for change in changes if change.status == "D"}
    return gone | _read(project, new, [change.path for change in changes if change.status != "D"])


def pointers_at(project: Project, commit: str) -> dict[str, Pointer]:
    """Tracked path -> pointer in the commit (or tree) `commit`."""
    from axil.git.diff import ls_tree

    names = [os.fsdecode(entry.name) for entry in ls_tree(project.git, commit, suffix=SUFFIX)]
    return _read(project, commit, find_pointers(names))


def _read(project: Project, commit: str, names: list[str]) -> dict[str, Pointer]:
    if not names:
        return {}
    from axil.git.catfile import read_blobs

    blobs = read_blobs(project.git, [f"{commit}:{name}" for name in names])
    return parse_pointers({name: data or b"" for name, data in zip(names, blobs, strict=True)})

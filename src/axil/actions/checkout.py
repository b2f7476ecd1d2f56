"""Let git check something out, with less fuss: what is in the way only by its form is not in the way."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from axil.actions.operation import read_file
from axil.base.atomic import write_atomic
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.data.ignore import NAME, ensure_lines, without_own
from axil.errors import Blocked
from axil.git.branches import switch as git_switch
from axil.git.process import join_nul

if TYPE_CHECKING:
    from axil.git.diff import TreeChange
    from axil.git.refs import Head
    from axil.project import Project


class _Aside(NamedTuple):
    """A `.gitignore` on its way to another commit: its bytes now and in HEAD, axil's lines, whether it was staged."""

    path: str
    now: bytes
    committed: bytes | None
    own: frozenset[bytes]
    staged: bool


def check_out(project: Project, target: Head, *, discard: bool = False) -> str:
    """Check out the branch of `target` (or its commit, detached); what a failing hook of the user said, normally "".

    The current branch with another commit moves there, with the work tree.
    Two things keep git from switching and need not: files that already are as over there, as after a run whose code
    becomes an experiment, and `.gitignore` lines of axil's own that are not committed yet; those are carried along.
    Raises what `git.branches.switch` raises, changing nothing.
    """
    name, detach = target.branch or target.commit or "", target.branch is None
    move = target.branch is not None and target.branch == project.head.branch and target != project.head
    start = target.commit if move else None

    def go() -> str:
        return git_switch(project.git, name, start=start, detach=detach, discard=discard, move=move)

    try:
        return go()
    except Blocked as error:
        same = _as_there(project, start or name, error.paths)
        files = _own_only(project, [path for path in error.paths if path not in same])
        if not error.paths or len(same) + len(files) < len(set(error.paths)):
            raise
    with _index_kept(project), _aside(project, files):
        # What git's index has as the target has it, git leaves alone.
        lines = [f"{change.new_mode} {change.new}\t{path}" for path, change in same.items()]
        project.git.writing("update-index", "--add", "-z", "--index-info", input=join_nul(lines))
        message = go()
    for one in files:
        ensure_lines(project.root, one.path, one.own)
    _stage(project, [one.path for one in files if one.staged])
    return message


def _as_there(project: Project, name: str, paths: Sequence[str]) -> dict[str, TreeChange]:
    """Those of `paths` that have in the work tree what they have in the branch or commit `name`."""
    from axil.git.diff import diff_trees
    from axil.git.snapshot import snapshot_tree

    if not paths:
        return {}
    here = snapshot_tree(project.git, project.head).tree
    there = {change.path: change for change in diff_trees(project.git, None, name, paths)}
    differ = {change.path for change in diff_trees(project.git, here, name, paths)}
    return {path: there[path] for path in paths if path in there and path not in differ}


@contextlib.contextmanager
def _index_kept(project: Project) -> Iterator[None]:
    """git's index as it was if the block fails."""
    path = os.path.join(project.repository.git_dir, "index")
    try:
        with open(path, "rb") as file:
            before = file.read()
    except FileNotFoundError:
        before = None
    try:
        yield
    except BaseException:
        if before is not None:
            write_atomic(path, before)
        raise


def _own_only(project: Project, paths: Sequence[str]) -> list[_Aside]:
    """The files at `paths`; none unless each is a `.gitignore` in which only axil's lines differ from HEAD's."""
    if any(os.path.basename(path) != NAME for path in paths):
        return []
    from axil.git.catfile import CatFile
    from axil.git.worktree import status

    if not paths:
        return []
    staged = {entry.path for entry in status(project.git, untracked="no").entries if entry.staged}
    found = []
    with CatFile(project.git) as cat:
        for path in paths:
            now, committed = read_file(project, path), cat.blob(f"HEAD:{path}")
            if now is None:
                return []
            rest, own = without_own(now)
            before, known = without_own(committed or b"")
            if rest != before:
                return []
            found.append(_Aside(path, now, committed, own - known, path in staged))
    return found


@contextlib.contextmanager
def _aside(project: Project, files: Sequence[_Aside]) -> Iterator[None]:
    """The files as HEAD has them, for git; as they were if git refuses for another reason."""
    try:
        for one in files:
            _write(project, one.path, one.committed)
        _stage(project, [one.path for one in files if one.staged])
        yield
    except BaseException:
        for one in files:
            _write(project, one.path, one.now)
        _stage(project, [one.path for one in files if one.staged])
        raise


def _write(project: Project, path: str, data: bytes | None) -> None:
    if data is None:
        os.unlink(project.path(path))
    else:
        write_atomic(project.path(path), data)


def _stage(project: Project, paths: Sequence[str]) -> None:
    from axil.git.worktree import stage

    stage(project.git, paths)

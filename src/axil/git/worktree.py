"""The work tree as git sees it (the one place to import these from): what is tracked, ignored, checked out where."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from axil.base.light import NamedTuple
from axil.errors import GitFailed
from axil.git.branches import create_branch, delete_branch, rename_branch, require_free, switch
from axil.git.commits import commit, commit_tree, identity, stage, unstage
from axil.git.process import GLOBS, Git, failure, join_nul, split_nul
from axil.git.refs import BRANCHES
from axil.git.snapshot import Snapshot, begin_snapshot, snapshot_tree
from axil.git.status import Status, StatusEntry, begin_status, parse_status, status

__all__ = [
    "Snapshot",
    "Status",
    "StatusEntry",
    "WorkTree",
    "begin_ignored",
    "begin_snapshot",
    "begin_status",
    "commit",
    "commit_tree",
    "create_branch",
    "delete_branch",
    "identity",
    "ignored",
    "list_worktrees",
    "ls_files",
    "parse_status",
    "rename_branch",
    "require_free",
    "restore_files_from_tree",
    "snapshot_tree",
    "stage",
    "status",
    "switch",
    "tracked",
    "unstage",
]

_ARGUMENTS = 64 << 10


class WorkTree(NamedTuple):
    """A checkout: `branch` None when detached, `commit` None when unborn, `prunable` if its folder is gone."""

    path: str
    commit: str | None
    branch: str | None
    locked: bool = False
    prunable: bool = False


def list_worktrees(git: Git) -> list[WorkTree]:
    """Every work tree of the repository, the main one first (a bare repository itself is left out)."""
    result = git.call("worktree", "list", "--porcelain", "-z")
    if result.code == 129:  # before git 2.36: by lines
        return _parse_worktrees(git.lines("worktree", "list", "--porcelain"))
    if result.code:
        raise failure(git, ("worktree",), result)
    return _parse_worktrees(split_nul(result.out))


def _parse_worktrees(lines: Sequence[str]) -> list[WorkTree]:
    found: list[WorkTree] = []
    current: dict[str, str] = {}
    for line in (*lines, ""):
        if line:
            key, _, value = line.partition(" ")
            current[key] = value
        elif current:
            if "bare" not in current:
                commit = current.get("HEAD", "")
                branch = current.get("branch", "").removeprefix(BRANCHES) or None
                path = current.get("worktree", "")
                born = commit.strip("0") != ""
                found.append(
                    WorkTree(path, commit if born else None, branch, "locked" in current, "prunable" in current)
                )
            current = {}
    return found


def ls_files(git: Git, *patterns: str) -> list[str]:
    """Paths in the index that match one of git's `patterns` ("*.axil" matches in every folder), sorted by git."""
    specs = [f":(top){pattern}" for pattern in patterns]
    return list(dict.fromkeys(git.fields("ls-files", "-z", "--full-name", "--", *specs, env=GLOBS)))


def tracked(git: Git, paths: Sequence[str]) -> set[str]:
    """The tracked files that are one of `paths` or lie under one (relative to the folder git runs in)."""
    found: set[str] = set()
    chunk: list[str] = []
    size = 0
    for path in paths:
        if size > _ARGUMENTS:
            found.update(git.fields("ls-files", "-z", "--", *chunk))
            chunk, size = [], 0
        chunk.append(path)
        size += len(os.fsencode(path)) + 1
    if chunk:
        found.update(git.fields("ls-files", "-z", "--", *chunk))
    return found


def ignored(git: Git, paths: Sequence[str]) -> set[str]:
    """Those of the relative `paths` that git's ignore rules leave out; tracked ones never are."""
    return begin_ignored(git, paths)()


def begin_ignored(git: Git, paths: Sequence[str]) -> Callable[[], set[str]]:
    """`ignored`, asked now and waited for when the answer is called."""
    if not paths:
        return set
    args = ("check-ignore", "-z", "--stdin")
    # This command knows no literal pathspecs: the prefix keeps a leading ":" from being read as magic.
    finish = git.begin_call(*args, input=join_nul([f"./{path}" for path in paths]), env=GLOBS)

    def answer() -> set[str]:
        result = finish()
        if result.code not in (0, 1):
            raise failure(git, args, result)
        return {path.removeprefix("./") for path in split_nul(result.out)}

    return answer


def restore_files_from_tree(git: Git, tree: str, paths: Sequence[str], *, staged: bool = False) -> None:
    """Make the files at `paths` what `tree` has there; paths it does not have are removed. Overwrites without asking.

    With `staged` the index follows. Raises `GitFailed` if a path is known neither to the tree nor to the index.
    """
    if not paths:
        return
    where = ["--worktree", *(["--staged"] if staged else [])]
    args = ["restore", "--quiet", f"--source={tree}", *where, "--pathspec-from-file=-", "--pathspec-file-nul"]
    try:
        git.writing(*args, input=join_nul(list(paths)))
    except GitFailed as error:
        raise GitFailed("some files could not be restored", error.why, error.hint) from None

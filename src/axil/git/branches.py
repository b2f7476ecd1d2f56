"""Branches: create, switch, rename, delete, with git's refusals turned into errors that name the paths."""

from __future__ import annotations

from axil.errors import AxilError, BadInput, Blocked, NotFound
from axil.git.process import Git, Result, failure, no_option
from axil.git.refs import BRANCHES, LostRace, check_name, conflict, head, update_refs
from axil.git.status import status


def switch(
    git: Git,
    name: str,
    *,
    create: bool = False,
    start: str | None = None,
    detach: bool = False,
    discard: bool = False,
    move: bool = False,
) -> str:
    """Check out the branch `name` as `git switch` does, carrying uncommitted changes along.

    With `create` the branch is made at `start` (default HEAD); with `move` it is moved there, be it the current one;
    with `detach`, `name` is any commit; with `discard` uncommitted changes and untracked files in the way are
    overwritten: save them first. Returns what a failing post-checkout hook said ("" normally; the switch was made).
    Raises `Blocked` with the paths whose changes would be lost, `NotFound` or `BadInput` for the name; then nothing was
    changed.
    """
    if create:
        check_name(name)
    names = [no_option(name), *([no_option(start)] if start else [])]
    how = ["--detach"] if detach else []
    if create or move:
        how = ["--no-track", "--create" if create else "--force-create"]
    if discard:
        how.append("--discard-changes")
    args = ("switch", "--quiet", "--no-progress", *how, *names)
    result = git.writing_call(*args)
    if not result.code:
        return ""
    error = _refusal(git, result.err, name, start)
    if error is None and not detach and not move and head(git).branch == name:
        return result.err or f"the post-checkout hook ended with exit code {result.code}"
    raise error or failure(git, args, result)


def create_branch(git: Git, name: str, start: str) -> None:
    """Make the branch `name` at the commit `start` without checking it out."""
    check_name(name)
    _change(git, name, start, "branch", "--no-track", name, no_option(start))


def rename_branch(git: Git, old: str, new: str) -> None:
    """Rename `old` to `new` with its reflog and configuration; a work tree that has it checked out follows."""
    check_name(new)
    _change(git, new, old, "branch", "--move", no_option(old), new)


def delete_branch(git: Git, name: str, commit: str, *, message: str = "axil: delete branch") -> None:
    """Delete `name`, which must be at `commit`. Raises `Blocked` if a work tree has it checked out.

    Its configuration (upstream) stays, so that restoring the branch restores it whole.
    """
    require_free(git, name)
    update_refs(git, [(BRANCHES + name, None, commit)], message=message)


def require_free(git: Git, name: str) -> None:
    """Raise `Blocked` if the branch `name` is checked out in any work tree."""
    from axil.git.worktree import list_worktrees

    for place in list_worktrees(git):
        if place.branch == name:
            raise Blocked(
                f"“{name}” is checked out",
                f"in the work tree {place.path}",
                "switch that work tree to another experiment first",
            )


def _change(git: Git, name: str, other: str, *args: str) -> None:
    result: Result = git.call(*args)
    if result.code:
        raise _refusal(git, result.err, name, other) or failure(git, args, result)


_OVERWRITE = r"would be (overwritten|removed) by|would lose untracked files|would be lost"
_DF = r"'(refs/[^']+)' exists; cannot create '(refs/[^']+)'"
_ELSEWHERE = r"'([^']+)' is already (?:checked out|used by worktree) at '([^']+)'"


def _refusal(git: Git, words: str, name: str, start: str | None) -> AxilError | None:
    """The error for a refusal of git that is known; None for any other."""
    import re

    if re.search(_OVERWRITE, words):
        paths = tuple(line[1:] for line in words.splitlines() if line.startswith("\t"))
        return Blocked(
            f"switching to “{name}” would overwrite changes that are not committed",
            "they are in: " + ", ".join(paths),
            "commit them (git commit), or put them aside (git stash), and try again",
            paths,
        )
    if "resolve your current index first" in words:
        paths = status(git, untracked="no").conflicts
        hint = "resolve the conflicts and commit, or give up with `git merge --abort`"
        return Blocked("a merge in this work tree is not resolved", "in: " + ", ".join(paths), hint, paths)
    if doing := re.search(r"cannot switch branch (?:while|in the middle of) (.+)", words):
        what = doing.group(1).strip(" .")
        return Blocked(
            f"“{what}” is not finished in this work tree", "", "`git status` tells how to finish or abort it"
        )
    if clash := re.search(_DF, words):
        return conflict(clash.group(1), clash.group(2))
    if place := re.search(_ELSEWHERE, words):
        return Blocked(
            f"“{place.group(1)}” is checked out in another work tree",
            f"it is at {place.group(2)}",
            "work there, or fork an experiment from it here",
        )
    if "already exists" in words:
        return BadInput(f"there is a branch “{name}” already", "", f"choose another name, or: axil switch {name}")
    if re.search(r"invalid reference|not a valid|not a commit|[Nn]o branch named|[Nn]eeded a single revision", words):
        missing = start if start and start in words else name
        return NotFound(f"there is no branch or commit “{missing}”", words.splitlines()[0], "see: axil tree --all")
    if "cannot lock ref" in words and "but expected" in words:
        return LostRace("a ref was moved by another process meanwhile", words, "try again")
    return None

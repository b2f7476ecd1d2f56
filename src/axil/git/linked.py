"""Linked work trees that axil makes for runs: the exact files of one git tree, HEAD detached."""

from __future__ import annotations

from axil.git.process import Git


def add_worktree(git: Git, path: str, commit: str, tree: str) -> Git:
    """A linked work tree at `path` (which must not exist) with HEAD at `commit` and index and files as in `tree`.

    No hook of the user runs: nobody is going to work there. Returns git in the new work tree.
    """
    git.run("worktree", "add", "--quiet", "--detach", "--no-checkout", path, commit)
    inner = Git(path)
    inner.run("read-tree", "--reset", "-u", tree)
    return inner


def forget_worktree(git: Git, path: str) -> None:
    """Drop git's entry of the linked work tree at `path`, whose folder is gone; nothing happens if there is none."""
    git.call("worktree", "remove", "--force", "--force", path)

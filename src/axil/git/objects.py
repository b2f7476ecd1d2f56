"""Objects of git: reading, comparing and writing them (the one place to import these from)."""

from __future__ import annotations

from axil.git.catfile import CatFile, Found, TreeEntry, parse_tree
from axil.git.commits import commit_tree
from axil.git.diff import FileStat, TreeChange, diff_trees, empty_tree, line_stats, ls_tree
from axil.git.fastimport import fast_import, write_blobs
from axil.git.history import Commit, ahead_behind, blobs_at, is_ancestor, log_commits, merge_base, resolve
from axil.git.process import Git

__all__ = [
    "CatFile",
    "Commit",
    "FileStat",
    "Found",
    "TreeChange",
    "TreeEntry",
    "ahead_behind",
    "blobs_at",
    "commit_tree",
    "diff_trees",
    "empty_tree",
    "fast_import",
    "is_ancestor",
    "line_stats",
    "log_commits",
    "ls_tree",
    "merge_base",
    "parse_tree",
    "read_many",
    "resolve",
    "tree_entries",
    "write_blobs",
]


def read_many(git: Git, specs: list[str]) -> list[Found | None]:
    """The objects of `specs` in order, None for missing ones, through one process."""
    with CatFile(git) as reader:
        return list(reader.read_many(specs))


def tree_entries(git: Git, tree: str) -> list[TreeEntry]:
    """The entries of one tree (any name of a tree or commit), not its sub-trees'."""
    with CatFile(git) as reader:
        return reader.entries(tree)

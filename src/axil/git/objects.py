"""Objects of git: reading, comparing and writing them (the one place to import these from)."""

from __future__ import annotations

from axil.git.catfile import CatFile, Found, TreeEntry, parse_tree
from axil.git.fastimport import fast_import
from axil.git.process import Git

__all__ = ["CatFile", "Found", "TreeEntry", "fast_import", "parse_tree", "read_many"]


def read_many(git: Git, specs: list[str]) -> list[Found | None]:
    """The objects of `specs` in order, None for missing ones, through one process."""
    with CatFile(git) as reader:
        return list(reader.read_many(specs))

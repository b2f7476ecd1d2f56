"""What differs between two git trees: files, and lines in them."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from axil.git.process import Git

KINDS = {"A": "added", "D": "removed", "M": "changed", "T": "changed"}


class CodeFile(NamedTuple):
    """One file that differs; line counts are None for binary files."""

    path: str
    kind: str
    """ "added", "removed", "changed" or "renamed"."""
    added: int | None
    removed: int | None
    old_path: str = ""
    """For a renamed file."""


def code_changes(
    git: Git, old: str, new: str, skip: Callable[[str], bool] = lambda path: False
) -> tuple[CodeFile, ...]:
    """The files that differ from tree (or commit) `old` to `new`, except those that `skip` names.

    Raises `GitFailed` if a tree is not in this clone.
    """
    from axil.git.diff import diff_trees, line_stats

    stats = [stat for stat in line_stats(git, old, new) if not skip(stat.path)]
    if not stats:
        return ()
    kinds = {change.path: KINDS.get(change.status, "changed") for change in diff_trees(git, old, new)}
    return tuple(
        CodeFile(
            stat.path,
            "renamed" if stat.original else kinds.get(stat.path, "changed"),
            stat.added,
            stat.removed,
            stat.original,
        )
        for stat in stats
    )

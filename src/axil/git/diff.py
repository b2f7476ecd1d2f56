"""Differences between two git trees: changed paths, and lines changed with renames found."""

from __future__ import annotations

from collections.abc import Sequence

from axil.base.light import NamedTuple
from axil.errors import GitFailed
from axil.git.catfile import TreeEntry
from axil.git.process import Git, no_option, text

# The empty tree is known to every git without being stored; its id follows from the hash in use.
_EMPTY = {40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}


class TreeChange(NamedTuple):
    """A path that differs: `status` A(dded), D(eleted), M(odified) or T(ype changed); absent sides are ""."""

    path: str
    status: str
    old_mode: str
    new_mode: str
    old: str
    new: str


class FileStat(NamedTuple):
    """Lines `added` and `removed` in a file (None for binary files); `original` is its old path if it was renamed."""

    path: str
    added: int | None
    removed: int | None
    original: str = ""


def empty_tree(git: Git, like: str = "") -> str:
    """Id of the empty tree in the hash of the repository; `like` is any full object id of it, to spare a process."""
    known = _EMPTY.get(len(like))
    return known or text(git.run("hash-object", "-t", "tree", "--stdin", input=b"")).strip()


def diff_trees(git: Git, a: str | None, b: str | None, paths: Sequence[str] = ()) -> list[TreeChange]:
    """What differs between the trees (or commits) `a` and `b`, file by file; None is the empty tree. No renames."""
    if a == b:
        return []
    sides = _sides(git, a, b)
    items = git.fields(
        "diff-tree",
        "-r",
        "-z",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "--ignore-submodules=none",
        *sides,
        "--",
        *paths,
    )
    return parse_raw(items)


def parse_raw(items: Sequence[str]) -> list[TreeChange]:
    """The changes in the items of git's `--raw -z --no-abbrev --no-renames`."""
    changes = []
    for meta, path in zip(items[::2], items[1::2], strict=True):
        fields = meta.removeprefix(":").split(" ")
        if len(fields) != 5 or not meta.startswith(":"):
            raise GitFailed("git diff said something unexpected", repr(meta), "please report it")
        old_mode, new_mode, old, new, status = fields
        changes.append(TreeChange(path, status[0], _mode(old_mode), _mode(new_mode), _oid(old), _oid(new)))
    return changes


def line_stats(git: Git, a: str | None, b: str | None, paths: Sequence[str] = ()) -> list[FileStat]:
    """Lines changed per file between two trees or commits, with renames found."""
    if a == b:
        return []
    options = ("-r", "-z", "--numstat", "--find-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")
    items = iter(git.fields("diff-tree", *options, *_sides(git, a, b), "--", *paths))
    stats = []
    for item in items:
        added, removed, path = item.split("\t", 2)
        original = "" if path else next(items)
        stats.append(FileStat(path or next(items), _count(added), _count(removed), original))
    return stats


def ls_tree(git: Git, tree: str, *, suffix: str = "", paths: Sequence[str] = ()) -> list[TreeEntry]:
    """Every file of a tree or commit (links and submodules included) whose path ends with `suffix`; names are paths.

    With `paths`, only what is at or below them.
    """
    entries = []
    for item in git.fields("ls-tree", "-r", "-z", "--full-tree", no_option(tree), "--", *paths):
        if item.endswith(suffix):
            meta, _, path = item.partition("\t")
            mode, _, oid = meta.split(" ")
            entries.append(TreeEntry(path, mode, oid))
    return entries


def _sides(git: Git, a: str | None, b: str | None) -> tuple[str, str]:
    empty = empty_tree(git, a or b or "") if a is None or b is None else ""
    return no_option(a or empty), no_option(b or empty)


def _mode(mode: str) -> str:
    return "" if mode == "000000" else mode


def _oid(oid: str) -> str:
    return oid if oid.strip("0") else ""


def _count(number: str) -> int | None:
    return None if number == "-" else int(number)

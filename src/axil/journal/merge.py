"""The union of two journals: as records are never edited, both orders give the same commit and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from axil.errors import BadInput
from axil.git.catfile import CatFile, TreeEntry
from axil.git.fastimport import Entry, fast_import
from axil.git.process import Git
from axil.journal.tree import DEPTH

AUTHOR = "axil <journal@axil>"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(~[0-9a-f]{40,64})?\Z")
_MODES = frozenset({"100644", "40000"})


def merge_commit(git: Git, cat: CatFile, ref: str, one: str, two: str) -> str:
    """Make the union of two journal commits, move `ref` (now at either of them) to it, and return it.

    The commit depends on the two commits alone: clones that merge the same two get the same commit and need not merge
    again. Raises `LostRace` if `ref` moved.
    """
    base, other = sorted((one, two))
    union = unite(cat, base, other)
    time = max(_commit_time(cat, base), _commit_time(cat, other))
    return fast_import(
        git, ref, base, {}, entries=union,
        message="merge journals\n", author=AUTHOR, time=time, merge=[other],
    )  # fmt: skip


def unite(cat: CatFile, base: str, other: str) -> dict[str, Entry]:
    """What to set in the tree of `base` (path -> object) to get the union with `other`.

    Where both have a different object at one path, both stay: the smaller one by id under the name, the other as
    `NAME~ID`. This cannot happen with what axil writes.
    """
    union: dict[str, Entry] = {}
    level = [("", f"{base}^{{tree}}", f"{other}^{{tree}}")]
    for depth in range(DEPTH + 1):
        below: list[tuple[str, str, str]] = []
        for path, ours, theirs in level:
            before, after = cat.entries(ours), cat.entries(theirs)
            both = _folders_of_both(before, after) if depth < DEPTH else {}
            for name, (mine, yours) in both.items():
                if mine.oid != yours.oid:
                    below.append((f"{path}{name}/", mine.oid, yours.oid))
            rest = [[entry for entry in entries if entry.name not in both] for entries in (before, after)]
            _unite_names(path, rest[0], rest[1], union)
        level = below
    return union


def _folders_of_both(before: Sequence[TreeEntry], after: Sequence[TreeEntry]) -> dict[str, tuple[TreeEntry, TreeEntry]]:
    have = {entry.name: entry for entry in before if entry.is_tree}
    return {entry.name: (have[entry.name], entry) for entry in after if entry.is_tree and entry.name in have}


def _unite_names(path: str, before: Sequence[TreeEntry], after: Sequence[TreeEntry], union: dict[str, Entry]) -> None:
    """Add what `after` has beyond `before`; objects that compete for a name are ordered by id."""
    variants: dict[str, set[tuple[str, str]]] = {}
    for entry in (*before, *after):
        if _PLAIN.match(entry.name) and entry.mode in _MODES:
            variants.setdefault(_base_name(entry), set()).add((entry.oid, entry.mode))
    have = {entry.name: (entry.oid, entry.mode) for entry in before}
    for name, wanted in variants.items():
        first, *rest = sorted(wanted)
        names = {name: first} | {f"{name}~{oid}": (oid, mode) for oid, mode in rest}
        for one, (oid, mode) in names.items():
            if have.get(one) != (oid, mode):
                union[f"{path}{one}"] = ("040000" if mode == "40000" else mode, oid)


def _base_name(entry: TreeEntry) -> str:
    """The name an entry competes for: `NAME~ID` of an earlier merge counts as NAME if ID is its own."""
    name, _, oid = entry.name.rpartition("~")
    return name if name and oid == entry.oid else entry.name


def _commit_time(cat: CatFile, commit: str) -> int:
    found = cat.find(commit)
    match = re.search(rb"^committer .*> (\d{1,12}) ", found.data, re.MULTILINE) if found else None
    if not match:
        raise BadInput(f"{commit} is not a journal commit", "", "run `git fsck`")
    return int(match[1])


def check_commits(cat: CatFile, commits: Iterable[str]) -> None:
    """Raise `BadInput` unless every one of `commits` is a commit that git has."""
    for commit in commits:
        found = cat.find(commit)
        if found is None or found.type != b"commit" or found.oid != commit:
            raise BadInput(f"{commit} is not a journal commit", "git has no such commit", "fetch it first")

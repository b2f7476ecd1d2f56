"""Differences between two trees, visiting only folders that differ."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from axil.base.hashing import Oid
from axil.base.light import TYPE_CHECKING, Literal, NamedTuple
from axil.errors import AxilError
from axil.formats.pointer import Pointer
from axil.formats.tree import DIR, EXEC, FILE, Entry

if TYPE_CHECKING:
    from axil.store import Store


DIR_KIND = DIR[0]
Kind = Literal["added", "removed", "changed", "mode"]


class Change(NamedTuple):
    """One path (project path) that differs; "mode" means that only the executable bit does.

    Folders appear only where an empty one came or went.
    """

    path: str
    kind: Kind
    old: Entry | None
    new: Entry | None


class Step(NamedTuple):
    """A raw difference: folders that come (before their content) or go (after it) are steps too."""

    path: bytes
    old: Entry | None
    new: Entry | None
    empty: bool
    """The folder that comes or goes has nothing in it."""


_step = partial(tuple.__new__, Step)
"""A step straight from its fields, without the constructor: there may be a million."""

Pair = Callable[[bytes, Entry | None, Entry | None], tuple[list[Entry], list[Entry]]]
"""Given a path and the folder entries there (at least one), the entries that differ inside: (old, new)."""


def diff_trees(store: Store, old: Oid | None, new: Oid | None, prefix: str = "") -> Iterator[Change]:
    """The paths in which the tree `new` differs from `old`, in order; `prefix` is put before each path.

    None is an empty tree. Raises `NotFound` or `Damaged` if a tree cannot be read.
    """
    entries = [None if oid is None else Entry(b"", DIR_KIND, 0, oid) for oid in (old, new)]
    yield from changes_of(compare(pair_stored(store), os.fsencode(prefix), *entries))


def diff_pointers(store: Store, path: str, old: Pointer | None, new: Pointer | None) -> Iterator[Change]:
    """How the tracked data `path` differs between two pointers; None is no data."""
    yield from changes_of(compare(pair_stored(store), os.fsencode(path), root_entry(path, old), root_entry(path, new)))


def root_entry(path: str, pointer: Pointer | None) -> Entry | None:
    """The entry that stands for tracked data as a whole."""
    if pointer is None:
        return None
    kind = DIR if pointer.kind == "tree" else EXEC if pointer.executable else FILE
    return Entry(os.fsencode(os.path.basename(path)), kind[0], pointer.size, pointer.oid)


def below(store: Store, pointer: Pointer, path: str) -> str:
    """The oid in hex of `path` inside `pointer`, "" if it is not there; an empty path is the thing itself."""
    oid, tree = pointer.oid, pointer.kind == "tree"
    for part in path.split("/") if path else ():
        try:
            entries = store.entries(oid) if tree else []
        except AxilError:
            return ""
        entry = next((one for one in entries if os.fsdecode(one.name) == part), None)
        if entry is None:
            return ""
        oid, tree = entry.oid, entry.kind == DIR_KIND
    return oid.hex()


def pair_stored(store: Store) -> Pair:
    """Compares folders that are both in the store."""

    def pair(_: bytes, old: Entry | None, new: Entry | None) -> tuple[list[Entry], list[Entry]]:
        return store.differing(old.oid if old is not None else None, new.oid if new is not None else None)

    return pair


def compare(pair: Pair, path: bytes, old: Entry | None, new: Entry | None) -> Iterator[Step]:
    """All differences at and below `path`: a folder that comes before its content, one that goes after it."""
    if old == new:
        return
    old_folder = old if old is not None and old.kind == DIR_KIND else None
    new_folder = new if new is not None and new.kind == DIR_KIND else None
    gone, come = pair(path, old_folder, new_folder) if old_folder or new_folder else ([], [])
    if new_folder is not None and old_folder is None:
        yield Step(path, old, new, not come)
    before = {entry.name: entry for entry in gone}
    after = {entry.name: entry for entry in come}
    prefix = path + b"/" if path else b""
    for name in sorted({**before, **after}):
        one, other = before.get(name), after.get(name)
        if (one is None or one.kind != DIR_KIND) and (other is None or other.kind != DIR_KIND):
            yield _step((prefix + name, one, other, False))
        else:
            yield from compare(pair, prefix + name, one, other)
    if new_folder is None:
        yield Step(path, old, new, old_folder is not None and not gone)


def changes_of(steps: Iterator[Step]) -> Iterator[Change]:
    """The steps as users see them: files, links and empty folders."""
    for path, old, new, empty in steps:
        shown = os.fsdecode(path)
        if old is not None and old.kind == DIR_KIND and not empty:
            old = None
        if new is not None and new.kind == DIR_KIND and not empty:
            new = None
        if old is None and new is None:
            continue
        yield Change(shown, _kind(old, new), old, new)


def _kind(old: Entry | None, new: Entry | None) -> Kind:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    return "mode" if old.oid == new.oid and {old.kind, new.kind} == {FILE[0], EXEC[0]} else "changed"

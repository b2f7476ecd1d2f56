"""Whatever a user does to a folder: saving it and bringing it back gives the same, and status tells the difference."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from axil.data import content
from axil.data.diff import Change, diff_pointers
from axil.data.index import WorkTreeIndex
from axil.data.materialise import Applied, Target, materialise
from axil.data.status import changes
from axil.errors import Blocked
from axil.formats.pointer import Pointer
from axil.store import Store

NAMES = [b"a", b"b", b"c d", b"\xff\xfe", b"-x", b"new\nline", b"z.axil.txt"]
Leaf = tuple[str, bytes, bool]
Tree = dict[bytes, Any]
"""Name -> leaf or tree."""

leaves = st.one_of(
    st.tuples(st.just("file"), st.sampled_from([b"", b"1", b"2", b"three"]), st.booleans()),
    st.tuples(st.just("link"), st.sampled_from([b"a", b"nowhere", b"b/a"]), st.just(False)),
)
trees = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), leaves, max_size=4),
    lambda below: st.dictionaries(st.sampled_from(NAMES), st.one_of(leaves, below), max_size=4),
    max_leaves=12,
)
FEW = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def put(path: bytes, tree: Tree) -> None:
    """Make the folder `path` hold exactly `tree`, leaving files that are the same alone."""
    os.makedirs(path, exist_ok=True)
    for name in os.listdir(path):
        full = os.path.join(path, name)
        wanted = tree.get(name)
        if isinstance(wanted, dict) != (os.path.isdir(full) and not os.path.islink(full)) or wanted is None:
            shutil.rmtree(full) if os.path.isdir(full) and not os.path.islink(full) else os.unlink(full)
    for name, value in tree.items():
        full = os.path.join(path, name)
        if isinstance(value, dict):
            put(full, value)
            continue
        kind, data, executable = value
        if os.path.lexists(full) and get_leaf(full) == value:
            continue
        if os.path.lexists(full):
            os.unlink(full)
        if kind == "link":
            os.symlink(data, full)
        else:
            Path(os.fsdecode(full)).write_bytes(data)
            os.chmod(full, 0o755 if executable else 0o644)


def get_leaf(path: bytes) -> Leaf:
    if os.path.islink(path):
        return "link", os.readlink(path), False
    return "file", Path(os.fsdecode(path)).read_bytes(), bool(os.stat(path).st_mode & 0o100)


def get(path: bytes) -> Tree:
    found: Tree = {}
    for name in os.listdir(path):
        full = os.path.join(path, name)
        found[name] = get(full) if os.path.isdir(full) and not os.path.islink(full) else get_leaf(full)
    return found


def flat(tree: Tree, prefix: bytes = b"data") -> dict[bytes, Any]:
    """Files, links and empty folders by path."""
    found: dict[bytes, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            found.update(flat(value, prefix + b"/" + name))
        else:
            found[prefix + b"/" + name] = value or "empty"
    return found


class Place:
    """A project with a store, reopened at will as a new process would."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.data = os.path.join(os.fsencode(root), b"data")
        self.open()

    def open(self) -> None:
        self.index = WorkTreeIndex(os.path.join(self.root, "meta/worktree.db"))
        self.store = Store(os.path.join(self.root, "meta/store"))

    def save(self) -> Pointer:
        pointer = content.save(self.index, self.store, self.root, ["data"], tracked=True)["data"]
        self.index.set_tracked("data", pointer)
        return pointer

    def go(self, old: Pointer | None, new: Pointer | None, force: bool = False) -> Applied:
        return materialise(self.index, self.store, self.root, [Target("data", old, new)], force=force)

    def changes(self, against: Pointer | None) -> list[Change]:
        return changes(self.index, self.store, self.root, "data", against)


@contextmanager
def place() -> Iterator[Place]:
    root = tempfile.mkdtemp(prefix="axil-data-")
    try:
        yield Place(root)
    finally:
        shutil.rmtree(root)


def naive(old: Tree, new: Tree) -> dict[str, str]:
    """What differs, told by comparing everything."""
    before, after = flat(old), flat(new)
    found = {}
    for path in before.keys() | after.keys():
        was, now = before.get(path), after.get(path)
        # An empty folder that is filled, or a folder emptied, shows only as the files that came or went.
        if was == "empty" and any(other.startswith(path + b"/") for other in after):
            was = None
        if now == "empty" and any(other.startswith(path + b"/") for other in before):
            now = None
        if was == now:
            continue
        if was is None or now is None:
            found[os.fsdecode(path)] = "added" if was is None else "removed"
        elif "empty" in (was, now):
            found[os.fsdecode(path)] = "changed"
        else:
            same = was[:2] == now[:2] and was[0] == "file"
            found[os.fsdecode(path)] = "mode" if same else "changed"
    return found


@FEW
@given(trees, trees)
def test_save_and_materialise_give_back_what_was_there(first: Tree, second: Tree) -> None:
    with place() as here:
        put(here.data, first)
        a = here.save()
        put(here.data, second)
        b = here.save()
        here.open()
        for old, new, wanted in [(b, a, first), (a, b, second), (b, None, None), (None, a, first), (a, b, second)]:
            here.go(old, new)
            assert (get(here.data) if os.path.lexists(here.data) else None) == wanted
            assert here.changes(new) == []
            here.open()
            if new is not None:
                assert content.content_of(here.index, here.root, "data") == new
                assert here.save() == new
            assert here.index.tracked("data") == new


@FEW
@given(trees, trees)
def test_diff_and_status_agree_with_comparing_everything(first: Tree, second: Tree) -> None:
    with place() as here:
        put(here.data, first)
        a = here.save()
        put(here.data, second)
        status = here.changes(a)
        b = here.save()
        expected = naive(first, second)
        assert {change.path: change.kind for change in status} == expected
        assert len(status) == len(expected)
        assert list(diff_pointers(here.store, "data", a, b)) == status
        os.unlink(here.index.database)
        here.open()
        assert here.changes(b) == []
        assert content.content_of(here.index, here.root, "data") == b


@FEW
@given(trees, trees, trees)
def test_a_switch_over_edits_loses_nothing(first: Tree, edited: Tree, second: Tree) -> None:
    with place() as here:
        put(here.data, second)
        b = here.save()
        put(here.data, first)
        a = here.save()
        put(here.data, edited)
        try:
            here.go(a, b)
        except Blocked as error:
            assert error.paths
            assert get(here.data) == edited
            done = here.go(a, b, force=True)
            for name in error.paths:
                assert here.store.read(done.saved[0].files[name]) == flat(edited)[os.fsencode(name)][1]
        after = flat(get(here.data))
        for path, wanted in flat(second).items():
            if flat(first).get(path) != wanted:
                assert after.get(path) == wanted or wanted == "empty"
        # Whatever is gone now is in the old or the new tree, or was saved.
        stored = {here.store.read(oid) for oid in every_blob(here.store)}
        for path, value in flat(edited).items():
            if after.get(path) != value and value != "empty":
                assert value[1] in stored
        here.open()
        pointer = content.content_of(here.index, here.root, "data")
        os.unlink(here.index.database)
        here.open()
        assert content.content_of(here.index, here.root, "data") == pointer


def every_blob(store: Store) -> set[bytes]:
    store.packs.refresh()
    return {oid for pack in store.packs.opened() for oid in pack.table.oids()}

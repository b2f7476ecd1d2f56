"""How two contents of one path differ, with and without the store's help."""

from __future__ import annotations

import shutil

import pytest

from axil.actions.contents import compare_content
from axil.formats.pointer import Pointer
from axil.formats.tree import FILE, Entry
from axil.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "store"))


def tree(store, files):
    """A pointer to a folder with `files` (name -> bytes)."""
    with store.batch() as batch:
        entries = [Entry(name.encode(), FILE[0], len(data), batch.put_bytes(data)) for name, data in files.items()]
        oid = batch.put_tree(entries)
        batch.commit()
    return Pointer("tree", oid, sum(map(len, files.values())), len(files))


def blob(store, data, executable=False):
    with store.batch() as batch:
        oid = batch.put_bytes(data)
        batch.commit()
    return Pointer("file", oid, len(data), 1, executable)


def counts(change):
    return change.state, change.added, change.removed, change.changed


def test_the_same(store):
    one = tree(store, {"a": b"1"})
    assert counts(compare_content(store, "d", one, one)) == ("same", 0, 0, 0)


def test_folders(store):
    old = tree(store, {"a": b"1", "b": b"2", "c": b"3"})
    new = tree(store, {"b": b"2", "c": b"333", "d": b"4"})
    change = compare_content(store, "data/d", old, new)
    assert counts(change) == ("changed", 1, 1, 1)
    assert [(file.path, file.kind, file.old_size, file.new_size) for file in change.files] == [
        ("data/d/a", "removed", 1, None),
        ("data/d/c", "changed", 1, 3),
        ("data/d/d", "added", None, 1),
    ]
    assert (change.old_size, change.new_size, change.cut) == (3, 5, False)


def test_counts_are_whole_when_the_list_is_cut(store):
    new = tree(store, {f"{number:03}": b"x" for number in range(50)})
    change = compare_content(store, "d", None, new, limit=10)
    assert counts(change) == ("added", 50, 0, 0)
    assert len(change.files) == 10
    assert change.cut


def test_files(store):
    old, new = blob(store, b"1"), blob(store, b"22")
    assert counts(compare_content(store, "f", old, new)) == ("changed", 0, 0, 1)
    assert counts(compare_content(store, "f", None, new)) == ("added", 1, 0, 0)
    assert counts(compare_content(store, "f", old, None)) == ("removed", 0, 1, 0)


def test_the_executable_bit_alone(store):
    change = compare_content(store, "f", blob(store, b"1"), blob(store, b"1", executable=True))
    assert counts(change) == ("changed", 0, 0, 1)
    assert change.files[0].kind == "mode"


def test_a_file_that_became_a_folder(store):
    change = compare_content(store, "p", blob(store, b"1"), tree(store, {"a": b"1", "b": b"2"}))
    assert change.state == "changed"
    assert {file.path for file in change.files} >= {"p/a", "p/b"}


def test_content_that_is_not_here_differs_all_the_same(store, tmp_path):
    old, new = tree(store, {"a": b"1"}), tree(store, {"a": b"2"})
    shutil.rmtree(tmp_path / "store")
    change = compare_content(Store(str(tmp_path / "store")), "d", old, new)
    assert change.state == "changed"
    assert change.problem
    assert change.files == ()

"""Bringing data from one state to another: only what differs, never over unsaved edits, never outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.data.conftest import World

from axil.base.hashing import hash_bytes
from axil.data.materialise import Target, apply, materialise
from axil.data.plan import MARK, mark_of, plan_switch
from axil.errors import AxilError, BadInput, Blocked, Damaged, NotFound
from axil.formats.pointer import Pointer
from axil.formats.tree import DIR, FILE, LINK, Entry
from axil.store import Store
from axil.store.hashing import LARGE


def two(
    world: World, first: Mapping[str, str | bytes | None], second: Mapping[str, str | bytes | None]
) -> tuple[Pointer, Pointer]:
    """Pointers of two states; the work tree is in the first."""
    world.write(second)
    new = world.add()
    world.go(new, None)
    world.write(first)
    old = world.add()
    world.settle()
    return old, new


def test_only_what_differs_is_touched(world: World, reads: list[str]) -> None:
    same = {f"data/{number % 10}/{number}": str(number) for number in range(200)}
    old, new = two(world, same, {**same, "data/3/13": "other", "data/3/new": "n"})
    before = {path: path.stat() for path in (world.root / "data").rglob("*") if path.is_file()}
    reads.clear()
    done = world.go(old, new)
    assert (done.written, done.removed, done.saved) == (2, 0, [])
    assert reads == []
    changed = [path.name for path, stat in before.items() if path.stat().st_ino != stat.st_ino]
    assert changed == ["13"]
    world.settle()
    reads.clear()
    assert world.changes(new) == []
    assert world.add() == new
    assert reads == []
    assert world.index.tracked("data") == new


def test_the_index_is_exact_after_a_switch(world: World) -> None:
    old, new = two(
        world, {"data/a": "1", "data/s/b": "2", "data/s/t/c": "3"}, {"data/a": "1", "data/s/b": "x", "data/n/d": "4"}
    )
    world.go(old, new)
    rows = world.index.load(b"data")
    assert {path: row.summary and (row.summary.oid, row.summary.files) for path, row in rows.items()} == {
        b"data": (new.oid, 3),
        b"data/s": (next(e.oid for e in world.store.entries(new.oid) if e.name == b"s"), 1),
        b"data/n": (next(e.oid for e in world.store.entries(new.oid) if e.name == b"n"), 1),
    }


@pytest.mark.parametrize("portion", [1, 3, 1 << 16])
def test_many_files_of_one_folder_come_and_go(world: World, monkeypatch: pytest.MonkeyPatch, portion: int) -> None:
    monkeypatch.setattr("axil.data.materialise._PORTION", portion)
    old, new = two(
        world,
        {f"data/{number:03}": str(number) for number in range(0, 200, 2)},
        {f"data/{number:03}": "new" for number in range(0, 200, 3)},
    )
    for start, end in ((old, new), (new, old), (old, None), (None, new)):
        world.go(start, end)
        assert end is None or world.changes(end) == []
        rows = world.index.load(b"data")
        assert [row.summary and row.summary.oid for row in rows.values()] == ([end.oid] if end is not None else [])


def test_unsaved_edits_block_and_are_listed(world: World) -> None:
    old, new = two(world, {f"data/{n}": "old" for n in range(30)}, {f"data/{n}": "new" for n in range(30)})
    world.write({f"data/{n}": "edit" for n in range(25)})
    with pytest.raises(Blocked) as caught:
        world.go(old, new)
    assert caught.value.what == "25 unsaved edits in tracked data would be lost"
    assert len(caught.value.paths) == 25
    assert len(caught.value.why.splitlines()) == 21
    assert "--force" in caught.value.hint
    assert (world.root / "data/29").read_text() == "old"
    done = world.go(old, new, force=True)
    assert done.saved[0].files == {f"data/{n}": hash_bytes(b"edit") for n in range(25)}
    saved = done.saved[0].content
    assert {entry.name for entry in world.store.entries(saved.oid)} == {b"%d" % n for n in range(25)}
    assert world.changes(new) == []


@pytest.mark.parametrize("edit", ["content", "mode", "link", "folder"])
def test_every_kind_of_edit_blocks(world: World, edit: str) -> None:
    old, new = two(world, {"data/a": "old"}, {"data/a": "new"})
    path = world.root / "data/a"
    if edit == "content":
        path.write_text("xyz")
    elif edit == "mode":
        path.chmod(0o755)
    else:
        path.unlink()
        path.symlink_to("nowhere") if edit == "link" else world.write({"data/a/inner": "mine"})
    with pytest.raises(Blocked) as caught:
        world.go(old, new)
    assert caught.value.paths == (("data/a/inner",) if edit == "folder" else ("data/a",))
    done = world.go(old, new, force=True)
    assert path.read_text() == "new"
    content = {"content": b"xyz", "mode": b"old", "link": b"nowhere", "folder": b"mine"}[edit]
    assert [world.store.read(oid) for oid in done.saved[0].files.values()] == [content]


def test_edits_out_of_the_way_stay(world: World) -> None:
    old, new = two(world, {"data/a": "old", "data/b": "b"}, {"data/a": "new", "data/b": "b"})
    world.write({"data/b": "mine", "data/extra": "mine"})
    world.go(old, new)
    assert {change.path: change.kind for change in world.changes(new)} == {"data/b": "changed", "data/extra": "added"}


def test_untracked_files_in_the_way_block_unless_they_are_the_same(world: World) -> None:
    old, new = two(world, {"data/a": "1"}, {"data/a": "1", "data/n": "new", "data/m": "new"})
    world.write({"data/n": "new", "data/m": "mine"})
    inode = (world.root / "data/n").stat().st_ino
    with pytest.raises(Blocked) as caught:
        world.go(old, new)
    assert caught.value.paths == ("data/m",)
    world.go(old, new, force=True)
    assert (world.root / "data/n").stat().st_ino == inode
    assert (world.root / "data/m").read_text() == "new"


def test_what_the_user_removed_comes_back_only_where_it_differs(world: World) -> None:
    old, new = two(world, {"data/a": "old", "data/b": "b", "data/c": "c"}, {"data/a": "new", "data/b": "b"})
    for name in "abc":
        (world.root / "data" / name).unlink()
    world.go(old, new)
    assert {change.path: change.kind for change in world.changes(new)} == {"data/b": "removed"}


def test_a_removed_folder_keeps_what_is_not_known(world: World) -> None:
    old, new = two(world, {"data/d/a": "1", "data/d/e/b": "2", "data/k": "k"}, {"data/k": "k"})
    world.write({"data/d/e/mine": "x"})
    world.go(old, new)
    assert [path.name for path in (world.root / "data/d").rglob("*") if path.is_file()] == ["mine"]
    assert [change.path for change in world.changes(new)] == ["data/d/e/mine"]
    world.go(new, old)
    assert [change.path for change in world.changes(old)] == ["data/d/e/mine"]


def test_extra_files_in_a_folder_that_gives_way_block(world: World) -> None:
    old, new = two(world, {"data/d/a": "1"}, {"data/d": "file now"})
    world.write({"data/d/e/mine": "x"})
    with pytest.raises(Blocked) as caught:
        world.go(old, new)
    assert caught.value.paths == ("data/d/e/mine",)
    done = world.go(old, new, force=True)
    assert world.store.read(done.saved[0].files["data/d/e/mine"]) == b"x"
    assert (world.root / "data/d").read_text() == "file now"


def test_a_first_materialisation_keeps_what_is_there_already(world: World, reads: list[str]) -> None:
    _, new = two(world, {"data/a": "0"}, {"data/a": "1", "data/s/b": "2", "data/s/c": "3"})
    world.go(world.index.tracked("data"), None)
    world.write({"data/a": "1", "data/s/b": "other"})
    world.index.write({}, world.index.load(b"data"))
    inode = (world.root / "data/a").stat().st_ino
    with pytest.raises(Blocked) as caught:
        world.go(None, new)
    assert caught.value.paths == ("data/s/b",)
    world.write({"data/s/b": "2"})
    done = world.go(None, new)
    assert done.written == 1
    assert (world.root / "data/a").stat().st_ino == inode
    world.settle()
    reads.clear()
    assert world.changes(new) == []
    assert reads == []


def test_files_and_folders_as_a_whole(world: World) -> None:
    world.write({"data": "a file"})
    file = world.add()
    world.go(file, None)
    assert not (world.root / "data").exists()
    assert world.index.tracked("data") is None
    world.write({"data/a": "1", "data/empty": None})
    tree = world.add()
    world.go(tree, file)
    assert (world.root / "data").read_text() == "a file"
    assert world.changes(file) == []
    world.go(file, tree)
    assert (world.root / "data/empty").is_dir()
    assert world.changes(tree) == []
    world.go(tree, file)
    world.write({"data": "edited"})
    with pytest.raises(Blocked):
        world.go(file, tree)
    done = world.go(file, tree, force=True)
    assert done.saved[0].content == ("file", hash_bytes(b"edited"), 6, 1, False)


def test_missing_objects_are_named_before_anything_is_touched(world: World) -> None:
    old, new = two(world, {"data/a": "1", "data/b": "1"}, {"data/a": "2", "data/b": "3"})
    full = world.store
    thin = Store(str(world.root / "thin"))
    with thin.batch() as batch:
        batch.put_tree(full.entries(old.oid))
        batch.put_tree(full.entries(new.oid))
        batch.put_bytes(b"2")
        batch.commit()
    world.store = thin
    with pytest.raises(NotFound) as caught:
        world.go(old, new)
    assert "cannot be brought back" in caught.value.what
    assert caught.value.why == "data/b"
    assert (world.root / "data/a").read_text() == "1"
    world.store = Store(str(world.root / "no store"))
    with pytest.raises(NotFound, match="the data of data is not in the store"):
        world.go(old, new)


def test_an_old_tree_that_is_gone_makes_everything_an_edit(world: World) -> None:
    old, new = two(world, {"data/a": "1"}, {"data/a": "2"})
    with pytest.raises(Blocked):
        world.go(old._replace(oid=hash_bytes(b"unknown")), new)


def hostile(world: World, *entries: Entry, **blobs: bytes) -> Pointer:
    with world.store.batch() as batch:
        for data in blobs.values():
            batch.put_bytes(data)
        oid = batch.put_tree(entries)
        batch.commit()
    return Pointer("tree", oid, sum(entry.size for entry in entries), len(entries))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "x/../../outside", "", "a\0b", "../" * 3000])
def test_links_from_a_clone_that_lead_out_are_refused(world: World, target: str) -> None:
    data = target.encode()
    pointer = hostile(world, Entry(b"link", LINK[0], len(data), hash_bytes(data)), data=data)
    with pytest.raises(BadInput, match="cannot bring back data/link"):
        world.go(None, pointer)
    assert not (world.root / "data").exists()


def test_a_link_whose_size_is_wrong_is_damage(world: World) -> None:
    pointer = hostile(world, Entry(b"link", LINK[0], 5, hash_bytes(b"a")), data=b"a")
    with pytest.raises(Damaged):
        world.go(None, pointer)


def test_nothing_is_written_through_a_link_in_the_work_tree(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("precious")
    old, new = two(world, {"data/d/a": "old", "data/d/b": "b"}, {"data/d/a": "new", "data/d/b": "b"})
    (world.root / "data/d/a").unlink()
    (world.root / "data/d/b").unlink()
    (world.root / "data/d").rmdir()
    (world.root / "data/d").symlink_to(outside)
    with pytest.raises(Blocked) as caught:
        world.go(old, new)
    assert caught.value.paths == ("data/d",)
    world.go(old, new, force=True)
    assert (outside / "a").read_text() == "precious"
    assert not (world.root / "data/d").is_symlink()
    assert (world.root / "data/d/a").read_text() == "new"
    # Removing does not go through a link either.
    world.go(new, old)
    (world.root / "data/d/a").unlink()
    (world.root / "data/d").rmdir()
    (world.root / "data/d").symlink_to(outside)
    world.go(old, None)
    assert (outside / "a").read_text() == "precious"


def test_a_tracked_path_behind_a_link_is_refused(world: World, tmp_path: Path) -> None:
    world.write({"in/data": "1"})
    pointer = world.add("in/data")
    (world.root / "in").rename(tmp_path / "moved")
    (world.root / "in").symlink_to(tmp_path / "moved")
    (tmp_path / "moved/data").unlink()
    for path in ("in/data", "../data", "/etc/data", ".git/data", "a/../../data", ".axil/x"):
        with pytest.raises(BadInput, match="not a place for tracked data"):
            world.go(None, pointer, path=path)
    assert not (tmp_path / "moved/data").exists()


def test_pipes_give_way(world: World) -> None:
    old, new = two(world, {"data/a": "1"}, {"data/a": "2"})
    (world.root / "data/a").unlink()
    os.mkfifo(world.root / "data/a")
    world.go(old, new)
    assert (world.root / "data/a").read_text() == "2"


def test_large_and_executable_files(world: World) -> None:
    world.write({"data/big": b"b" * LARGE, "data/tool": "run"})
    (world.root / "data/tool").chmod(0o755)
    pointer = world.add()
    world.go(pointer, None)
    world.go(None, pointer)
    assert (world.root / "data/big").read_bytes() == b"b" * LARGE
    assert os.access(world.root / "data/tool", os.X_OK)
    (world.root / "data/tool").chmod(0o644)
    assert [(change.path, change.kind) for change in world.changes(pointer)] == [("data/tool", "mode")]


def test_several_targets_are_checked_before_the_first_is_touched(world: World) -> None:
    old, new = two(world, {"data/a": "1"}, {"data/a": "2"})
    world.write({"other": "1"})
    other = world.add("other")
    world.write({"other": "mine"})
    targets = [Target("data", old, new), Target("other", other, None)]
    with pytest.raises(Blocked) as caught:
        materialise(world.index, world.store, str(world.root), targets)
    assert caught.value.paths == ("other",)
    assert (world.root / "data/a").read_text() == "1"


def test_a_failing_disk_names_the_path_and_the_next_try_finishes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = two(world, {"data/a": "1", "data/gone": "1"}, {"data/a": "2", "data/d/b": "3"})
    real = os.unlink

    def refuse(path: str | bytes, **options: int) -> None:
        if os.fsencode(path).endswith(b"gone"):
            raise PermissionError(13, "Permission denied", path)
        real(path, **options)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(AxilError) as caught:
        world.go(old, new)
    assert caught.value.what == "data/gone could not be changed"
    monkeypatch.undo()
    world.go(world.index.tracked("data"), new)
    assert world.changes(new) == []


def test_a_plan_of_nothing_is_empty(world: World) -> None:
    world.write({"data/a": "1", "data/b/c": "2"})
    pointer = world.add()
    plan = plan_switch(world.index, world.store, str(world.root), "data", pointer, pointer)
    assert plan.empty
    assert apply(world.index, world.store, str(world.root), plan) == (0, 0, [])


def test_entries_that_are_both_kinds_cannot_be_stored(world: World) -> None:
    with pytest.raises(AxilError):
        hostile(world, Entry(b"x", LINK[0], 1, hash_bytes(b"a")), Entry(b"x", DIR[0], 0, hash_bytes(b"b")), data=b"a")
    with pytest.raises(AxilError):
        hostile(world, Entry(b"..", FILE[0], 1, hash_bytes(b"a")), data=b"a")


def test_a_new_folder_appears_as_a_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write({"data/s/a": "1", "data/s/t/b": "2", "data/c": "3", "data/big": b"B" * LARGE})
    new = world.add()
    world.go(new, None)
    real, seen = os.rename, []

    def rename(source: bytes, target: bytes, **options: int) -> None:
        seen.append((os.path.basename(os.fsdecode(target)), (world.root / "data").exists()))
        real(source, target, **options)

    monkeypatch.setattr(os, "rename", rename)
    world.go(None, new)
    assert seen == [("data", False), ("big", True)]
    world.settle()
    assert world.changes(new) == []


def test_what_appears_in_the_place_of_a_new_folder_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write({"data/s/a": "1", "data/keep": "2"})
    new = world.add()
    world.go(new, None)
    plan = plan_switch(world.index, world.store, str(world.root), "data", None, new)
    real, place = world.store.place_files, world.root / "data"

    def meanwhile(*args: Any) -> Any:
        world.write({"data/mine": "mine"})
        return real(*args)

    monkeypatch.setattr(world.store, "place_files", meanwhile)
    with pytest.raises(AxilError, match="data could not be changed"):
        apply(world.index, world.store, str(world.root), plan)
    assert [path.name for path in place.iterdir()] == ["mine"]
    assert not list(world.root.glob(".axil-part-*"))
    monkeypatch.undo()
    world.go(None, new)
    assert sorted(path.name for path in place.iterdir()) == ["keep", "mine", "s"]


def test_names_that_the_file_system_holds_to_be_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write({"data/A": "1", "data/b": "2"})
    new = world.add()
    world.go(new, None)
    real = os.open

    def folding(path: Any, *args: Any, **options: Any) -> int:
        return real("b" if path == "A" else path, *args, **options)

    monkeypatch.setattr(os, "open", folding)
    world.go(None, new)
    assert [(path.name, path.read_text()) for path in (world.root / "data").iterdir()] == [("b", "2")]


@pytest.mark.parametrize("beside", [True, False])
def test_half_filled_folders_of_a_killed_switch_are_no_data_and_go(world: World, beside: bool) -> None:
    old, new = two(world, {"data/a": "1"}, {"data/a": "1", "data/s/b": "2"})
    index, pid = world.index, _dead()
    left = world.root / ("" if beside else "data") / f".axil-part-{pid}-1"
    (left / "deep").mkdir(parents=True)
    (left / "deep/b").write_text("2")
    assert world.changes(old) == []
    index.remember(MARK, {b"data": mark_of(new)})
    world.go(old, new)
    assert not left.exists()


def _dead() -> int:
    """The id of a process that has ended."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid

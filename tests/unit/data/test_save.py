"""Tracking data: pointer and `.gitignore` appear; what cannot be tracked is explained before anything is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.data.conftest import World

from axil.data.pointers import data_path, find_pointers, parse_pointers, read_pointer
from axil.data.save import files_of, untrack
from axil.data.status import unsaved
from axil.errors import BadInput, NotFound
from axil.formats.pointer import parse, render


def test_adding_and_untracking(world: World) -> None:
    world.write({"data/raw/a": "1"})
    pointer = world.add("data/raw")
    assert read_pointer(str(world.root), "data/raw") == pointer
    assert world.index.tracked("data/raw") == pointer
    assert files_of("data/raw") == ("data/raw.axil", "data/.gitignore")
    assert (world.root / "data/.gitignore").read_text().endswith("/raw\n")
    stat = (world.root / "data/raw.axil").stat()
    assert world.add("data/raw") == pointer
    assert (world.root / "data/raw.axil").stat().st_ino == stat.st_ino  # nothing to say, nothing written
    assert untrack(world.index, str(world.root), "data/raw") == ["data/raw.axil", "data/.gitignore"]
    assert sorted(path.name for path in (world.root / "data").iterdir()) == ["raw"]
    assert world.index.tracked("data/raw") is None
    assert untrack(world.index, str(world.root), "data/raw") == []


@pytest.mark.parametrize(
    "path", ["", "/etc/hosts", "../x", "a/../b", "./a", "a//b", ".git/x", "a/.git", ".axil/x", "a\0"]
)
def test_paths_that_are_no_place_for_data(world: World, path: str) -> None:
    with pytest.raises(BadInput, match="not a place for tracked data"):
        world.add(path)


def test_what_cannot_be_tracked_is_explained(world: World, tmp_path: Path) -> None:
    world.write({"x.axil": "1", "line\nbreak": "1", "in/a": "1", "data/raw/a": "1"})
    (world.root / "link").symlink_to("in")
    (world.root / "out").symlink_to(tmp_path)
    world.add("data/raw")
    cases = {
        "x.axil": "is a pointer",
        "line\nbreak": "line break",
        "link": "is a symbolic link",
        "link/a": "link is a symbolic link",
        "out/a": "out is a symbolic link",
        "x.axil/a": "x.axil is not a folder",
        "data/raw/a": "save the whole with: axil add data/raw",
        "data": "axil rm data/raw",
    }
    for path, words in cases.items():
        with pytest.raises(BadInput) as caught:
            world.add(path)
        assert words in str(caught.value), path
    with pytest.raises(NotFound, match="no does not exist"):
        world.add("no")
    assert list(world.index.all_tracked()) == ["data/raw"]
    assert not list(world.root.glob("*.gitignore"))
    # Without the index the pointers on disk still tell.
    world.index.set_tracked("data/raw", None)
    with pytest.raises(BadInput, match="data/raw/a is inside data/raw, which is tracked already"):
        world.add("data/raw/a")
    with pytest.raises(BadInput, match=r"cannot track data/raw\.axil"):
        world.add("data")


def test_a_missing_tracked_path_tells_how_to_get_it_back(world: World) -> None:
    world.write({"data": "1"})
    world.add()
    (world.root / "data").unlink()
    with pytest.raises(NotFound, match="axil materialise data"):
        world.add()


def test_pointers_are_found_and_read(world: World, tmp_path: Path) -> None:
    world.write({"data/raw": "1"})
    data = render(world.add("data/raw"))
    assert find_pointers(["b.axil", "a.py", ".axil", "dir/.axil", "a/x.axil", "axil"]) == ["a/x.axil", "b.axil"]
    assert data_path("a/x.axil") == "a/x"
    with pytest.raises(ValueError, match="not a pointer"):
        data_path("a/.axil")
    assert parse_pointers({"data/raw.axil": data, "z.axil": data}) == dict.fromkeys(["data/raw", "z"], parse(data, ""))
    for name in ("../x.axil", "/etc/x.axil", "a/../x.axil", ".git/x.axil", "a/.GIT/x.axil"):
        with pytest.raises(BadInput, match="not a place for tracked data"):
            parse_pointers({name: data})
    with pytest.raises(BadInput, match=r"data/raw/x\.axil: tracked data inside tracked data"):
        parse_pointers({"data/raw.axil": data, "data/raw/x.axil": data})
    with pytest.raises(NotFound, match="x is not tracked"):
        read_pointer(str(world.root), "x")
    os.symlink(world.root / "data/raw.axil", world.root / "x.axil")
    os.mkfifo(world.root / "y.axil")
    for path in ("x", "y"):
        with pytest.raises(BadInput, match=f"{path}.axil: cannot be read"):
            read_pointer(str(world.root), path)


def test_unsaved_bytes_are_found(world: World) -> None:
    root = str(world.root)
    world.write({"out/a": "1", "out/s/b": "2", "file": "3"})
    (world.root / "out/s/l").symlink_to("../a")
    assert unsaved(world.index, world.store, root, "out") == ["out/a", "out/s/b", "out/s/l"]
    assert unsaved(world.index, world.store, root, "file") == ["file"]
    assert unsaved(world.index, world.store, root, "nothing") == []
    world.save("out")
    world.save("file")
    world.write({"out/s/b": "changed"})
    assert unsaved(world.index, world.store, root, "out") == ["out/s/b"]
    assert unsaved(world.index, world.store, root, "file") == []
    world.write({"out/s/b": "2"})
    assert unsaved(world.index, world.store, root, "out") == []


def test_status_of_a_whole_path(world: World) -> None:
    world.write({"data/a": "1", "file": "f"})
    tree, file = world.add(), world.add("file")
    assert [(c.path, c.kind) for c in world.changes(None)] == [("data/a", "added")]
    assert [(c.path, c.kind) for c in world.changes(file)] == [("data", "changed")]
    assert [(c.path, c.kind) for c in world.changes(tree, "file")] == [("file", "changed")]
    assert [(c.path, c.kind) for c in world.changes(tree, "gone")] == [("gone", "removed")]
    assert world.changes(None, "gone") == []
    (world.root / "file").chmod(0o755)
    assert [(c.path, c.kind) for c in world.changes(file, "file")] == [("file", "mode")]
    (world.root / "file").unlink()
    (world.root / "file").symlink_to("data/a")
    assert [(c.path, c.kind) for c in world.changes(file, "file")] == [("file", "changed")]

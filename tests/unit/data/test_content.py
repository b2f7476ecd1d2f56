"""What a path holds: every change is noticed, and nothing unchanged is read again."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from tests.unit.data.conftest import LONG_AGO, World

from axil.base.hashing import hash_bytes
from axil.data import content, scan
from axil.data.look import Unsettled
from axil.errors import BadInput, NotFound
from axil.formats.tree import DIR, EXEC, FILE, LINK, Entry, split
from axil.store import Store, hashing


def test_a_folder_is_the_tree_of_what_is_in_it(world: World) -> None:
    world.write({"data/a": "1", "data/sub/b": "22", "data/empty": None})
    (world.root / "data/sub/b").chmod(0o755)
    (world.root / "data/link").symlink_to("sub/b")
    below = split([Entry(b"b", EXEC[0], 2, hash_bytes(b"22"))])[-1][0]
    expected = split(
        [
            Entry(b"a", FILE[0], 1, hash_bytes(b"1")),
            Entry(b"empty", DIR[0], 0, split([])[-1][0]),
            Entry(b"link", LINK[0], 5, hash_bytes(b"sub/b")),
            Entry(b"sub", DIR[0], 2, below),
        ]
    )[-1][0]
    assert world.of() == ("tree", expected, 8, 3, False)
    assert world.add() == ("tree", expected, 8, 3, False)
    assert {entry.name for entry in world.store.entries(expected)} == {b"a", b"empty", b"link", b"sub"}


def test_a_file_and_what_is_missing(world: World) -> None:
    world.write({"model.bin": "weights", "deep/model.bin": "other"})
    (world.root / "model.bin").chmod(0o755)
    assert world.of("model.bin") == ("file", hash_bytes(b"weights"), 7, 1, True)
    assert world.save("deep/model.bin") == ("file", hash_bytes(b"other"), 5, 1, False)
    assert world.store.read(hash_bytes(b"other")) == b"other"
    assert world.of("nothing") is None
    assert world.of("model.bin/below") is None
    with pytest.raises(NotFound, match="nothing does not exist"):
        world.save("nothing")


def test_unchanged_files_are_not_read_again(world: World, reads: list[str]) -> None:
    world.write({"data/a": "1", "data/sub/b": "2", "model.bin": "3"})
    pointer = world.add()
    world.of("model.bin")
    world.settle()
    reads.clear()
    assert world.of() == pointer
    assert world.of("model.bin") is not None
    assert world.add() == pointer
    assert world.changes(pointer) == []
    assert reads == []
    world.write({"data/sub/b": "changed"})
    assert world.of() != pointer
    assert reads == ["b"]
    assert world.changes(pointer)[0].path == "data/sub/b"


def test_a_touched_file_is_read_once_and_not_changed(world: World, reads: list[str]) -> None:
    world.write({"data/a": "1", "data/b": "2"})
    pointer = world.add()
    world.settle()
    os.utime(world.root / "data/a", (LONG_AGO, LONG_AGO))
    world.settle()
    reads.clear()
    assert world.changes(pointer) == []
    assert reads == []


@pytest.mark.parametrize("path", ["data", "data/a"])
def test_an_edit_in_the_same_tick_with_the_same_size_is_noticed(world: World, path: str) -> None:
    world.write({"data/a": "0000"})
    stat = os.stat(world.root / "data/a")
    for number in range(1, 30):
        world.write({"data/a": f"{number:04}"})
        os.utime(world.root / "data/a", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        found = world.of(path)
        assert found is not None
        blob = hash_bytes(b"%04d" % number)
        assert found.oid == (blob if path == "data/a" else split([Entry(b"a", FILE[0], 4, blob)])[-1][0])


@pytest.mark.parametrize("path", ["data", "data/a"])
def test_a_file_as_young_as_the_look_is_read_again(
    world: World, reads: list[str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    world.write({"data/a": "0000"})
    # As if the clock of the file system stood still: an edit now could leave the stat as it is.
    monkeypatch.setattr(scan, "now_of", lambda *_: os.lstat(world.root / "data/a").st_ctime_ns)
    world.of(path)
    world.of(path)
    assert reads == ["a", "a"]
    monkeypatch.setattr(scan, "now_of", lambda *_: os.lstat(world.root / "data/a").st_ctime_ns + 1)
    world.of(path)
    reads.clear()
    world.of(path)
    assert reads == []


def test_a_file_put_in_place_of_another_is_noticed(world: World) -> None:
    world.write({"data/a": "one", "other": "two"})
    os.utime(world.root / "data/a", (LONG_AGO, LONG_AGO))
    os.utime(world.root / "other", (LONG_AGO, LONG_AGO))
    world.of()
    world.settle()
    os.rename(world.root / "other", world.root / "data/a")
    found = world.of()
    assert found is not None
    assert found.oid == split([Entry(b"a", FILE[0], 3, hash_bytes(b"two"))])[-1][0]


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
@pytest.mark.parametrize("other", ["file", "link", "folder"])
def test_a_change_of_kind_is_noticed(world: World, kind: str, other: str) -> None:
    def make(what: str) -> None:
        path = world.root / "data/x"
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            path.rmdir()
        if what == "file":
            path.write_bytes(b"y")
        elif what == "link":
            path.symlink_to("y")
        else:
            path.mkdir()

    world.write({"data/y": ""})
    make(kind)
    first = world.add()
    make(other)
    assert (world.of() == first) == (kind == other)
    make(kind)
    assert world.of() == first


def test_caches_of_tools_count_only_in_tracked_data(world: World) -> None:
    world.write({"src/a.py": "1"})
    clean = world.of("src")
    world.write({"src/__pycache__/a.pyc": "x", "src/b.pyc": "x", "src/.DS_Store": "x", "src/.git/HEAD": "x"})
    world.write({"src/.ipynb_checkpoints/n.ipynb": "x", "src/.axil-part-1-1": "left by a killed process"})
    assert world.of("src") == clean
    world.write({"data/raw/a": "1", "data/raw/.DS_Store": "x"})
    raw = world.add("data/raw")
    assert raw.files == 2
    outer = world.of("data")
    assert outer is not None
    assert outer.files == 4  # with .gitignore and the pointer
    assert world.of("data/raw") == raw
    # Outputs are noted in the index too, but are no tracked data.
    assert clean is not None
    world.index.set_tracked("src", clean)
    assert world.of("src") == clean


def test_a_dependency_may_be_a_link_out_of_the_project(world: World, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/a").write_bytes(b"1")
    (world.root / "big").symlink_to(tmp_path / "shared")
    (world.root / "one").symlink_to(tmp_path / "shared/a")
    assert world.of("one") == ("file", hash_bytes(b"1"), 1, 1, False)
    first = world.of("big")
    assert first is not None
    assert first.kind == "tree"
    (tmp_path / "shared/a").write_bytes(b"2")
    assert world.of("big") != first
    with pytest.raises(BadInput, match="big is a symbolic link"):
        world.save("big")


@pytest.mark.parametrize(
    ("place", "target", "why"),
    [
        ("data/l", "/etc/passwd", "absolute"),
        ("data/l", "../outside", "leads out"),
        ("data/sub/l", "../../outside", "leads out"),
        ("data/sub/l", "x/../../../outside", "'..' after a name"),
        ("data/sub/deep/l", "up/..", "'..' after a name"),
    ],
)
def test_links_that_lead_out_are_refused(world: World, place: str, target: str, why: str) -> None:
    world.write({"data/sub/deep/a": "1"})
    (world.root / place).symlink_to(target)
    world.of()  # as a dependency it may be there, and what the index learns from that must not let it through
    for path, add in (("data", world.add), ("data", world.save)):
        with pytest.raises(BadInput) as caught:
            add(path)
        assert place in caught.value.why
        assert why in caught.value.why
    assert not (world.root / "data.axil").exists()


@pytest.mark.parametrize(
    ("place", "target"), [("sub/l", "../a"), ("sub/deep/l", "../.."), ("l", "sub/./deep"), ("l", "no")]
)
def test_links_that_stay_inside_are_kept(world: World, place: str, target: str) -> None:
    world.write({"data/sub/deep/a": "1", "data/a": "2"})
    (world.root / "data" / place).symlink_to(target)
    pointer = world.add()
    world.go(pointer, None)
    world.go(None, pointer)
    assert os.readlink(world.root / "data" / place) == target


def test_what_cannot_be_kept_is_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write({"data/a": "1", "data/sub/.git/HEAD": "ref", "data/inner": "1", "data/n.axil": "just a name"})
    world.add("data/inner")
    (world.root / "data/.gitignore").unlink()
    os.mkfifo(world.root / "data/pipe")
    listening = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(world.root / "data")  # a socket's path must be short
    listening.bind("sock")
    with pytest.raises(BadInput) as caught:
        content.save(world.index, world.store, str(world.root), ["data"], tracked=True)
    listening.close()
    assert caught.value.what == "cannot track 4 paths"
    assert sorted(caught.value.why.splitlines()) == [
        "data/inner.axil: a pointer: this data is tracked by itself",
        "data/pipe: a device, socket or pipe",
        "data/sock: a device, socket or pipe",
        "data/sub/.git: a git repository inside data",
    ]
    assert world.of("data") is not None  # a dependency may hold such things


def test_at_most_twenty_are_listed(world: World) -> None:
    world.write({"data/a": "1"})
    for number in range(25):
        (world.root / f"data/l{number}").symlink_to("/etc")
    with pytest.raises(BadInput) as caught:
        world.save("data")
    assert len(caught.value.why.splitlines()) == 21
    assert caught.value.why.endswith("… and 5 more")


def test_a_file_that_comes_and_goes_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write({"data/a": "1", "data/b": "2"})
    real, left = hashing.hash_names, [1]

    def vanish(wanted: list[hashing.Names], *rest: object) -> object:
        if left[0]:
            left[0] -= 1
            os.unlink(world.root / "data/b")
        return real(wanted, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(content, "hash_names", vanish)
    found = world.of()
    assert found is not None
    assert found.files == 1
    world.write({f"data/{number}": "x" for number in range(9)})
    left[0] = 9

    def always(wanted: list[hashing.Names], *rest: object) -> object:
        os.unlink(os.path.join(wanted[0].folder, wanted[0].names[0]))
        return real(wanted, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(content, "hash_names", always)
    with pytest.raises(Unsettled, match="cannot read data/"):
        world.of()


def test_objects_lost_from_the_store_are_put_there_again(world: World, tmp_path: Path) -> None:
    world.write({"data/a": "1", "data/sub/b": "2"})
    pointer = world.add()
    world.settle()
    world.store = Store(str(tmp_path / "another store"))
    assert world.add() == pointer
    assert world.store.missing({pointer.oid, hash_bytes(b"1"), hash_bytes(b"2")}) == set()


def test_rechecking_asks_for_every_object(world: World, reads: list[str]) -> None:
    world.write({"data/a": "1", "data/sub/b": "2"})
    pointer = world.add()
    world.settle()
    whole = Store(str(world.root / "meta/store"))
    thin = Store(str(world.root / "thin"))
    with thin.batch() as batch:  # the trees without the blobs
        batch.put_tree(whole.entries(pointer.oid))
        batch.put_tree(next(whole.entries(entry.oid) for entry in whole.entries(pointer.oid) if entry.kind == DIR[0]))
        batch.commit()
    world.store = thin
    reads.clear()
    assert world.add(recheck=True) == pointer
    assert sorted(reads) == ["a", "b"]
    assert thin.missing({hash_bytes(b"1"), hash_bytes(b"2")}) == set()


def test_many_files_are_looked_at_by_several_workers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write({f"data/{number % 3}/{number}": str(number) for number in range(1500)})
    pointer = world.add()
    monkeypatch.setattr(scan, "_FORK_FROM", 100)
    world.settle()
    assert world.changes(pointer) == []
    world.write({"data/1/400": "changed"})
    assert [change.path for change in world.changes(pointer)] == ["data/1/400"]


def test_a_pointer_in_a_store_that_was_never_written(world: World) -> None:
    world.write({"data/a": "1"})
    world.of()
    assert not (world.root / "meta/store").exists()
    assert world.store.has(world.add().oid)

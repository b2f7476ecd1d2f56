"""Small files written ahead of their turn: nothing is seen before they land, and nothing stays if they do not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from axil.base.hashing import hash_bytes
from axil.store import TEMPORARY_PREFIX, Placed, Store
from axil.store.ahead import Ahead, suitable
from axil.store.hashing import LARGE
from axil.store.place import Item

COUNT = 40


class Place:
    """A store with COUNT blobs, and as many older files in two folders where they shall go."""

    def __init__(self, root: Path) -> None:
        self.store = Store(str(root / "store"))
        with self.store.batch() as batch:
            for number in range(COUNT):
                batch.put_bytes(b"new %d" % number)
            batch.commit()
        self.root = root / "work"
        self.items = []
        for number in range(COUNT):
            path = self.root / f"d{number % 2}" / f"f{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"old %d" % number)
            data = b"new %d" % number
            self.items.append((hash_bytes(data), len(data), str(path), number % 3 == 0))
        self.paths = [item[2] for item in self.items]

    def contents(self) -> set[bytes]:
        return {Path(path).read_bytes().partition(b" ")[0] for path in self.paths}

    def temporary(self) -> list[Path]:
        return list(self.root.rglob(f"{TEMPORARY_PREFIX}*"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_landed_is_whole_and_known(place: Place) -> None:
    with Ahead(place.store, place.items) as ahead:
        landed = ahead.land(place.paths[:30])
        assert set(landed) == set(place.paths[:30])
    for number, (_, _, path, executable) in enumerate(place.items):
        stat = os.stat(path)
        assert Path(path).read_bytes() == b"%s %d" % (b"new" if number < 30 else b"old", number)
        if number < 30:
            assert landed[path] == (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
            assert bool(stat.st_mode & 0o100) == executable
    assert not place.temporary()


def test_nothing_changes_before_it_lands_and_nothing_stays(place: Place) -> None:
    with pytest.raises(KeyboardInterrupt), Ahead(place.store, place.items) as ahead:
        ahead.write()
        ahead._task.wait()
        assert place.contents() == {b"old"}
        assert len(place.temporary()) == COUNT
        raise KeyboardInterrupt
    assert place.contents() == {b"old"}
    assert not place.temporary()


def test_nothing_is_written_before_it_is_allowed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    real = Ahead._read

    def reading(self: Ahead, item: Item) -> bytes | None:
        read.append(item)
        return real(self, item)

    monkeypatch.setattr(Ahead, "_read", reading)
    with Ahead(place.store, place.items):
        while len(read) < COUNT:
            time.sleep(0.001)
        time.sleep(0.05)
        assert not place.temporary()
    assert place.contents() == {b"old"}
    assert not place.temporary()


def test_what_another_process_swept_is_passed_over(place: Place) -> None:
    with Ahead(place.store, place.items) as ahead:
        ahead.write()
        ahead._task.wait()
        for path in place.temporary()[:7]:
            path.unlink()
        assert len(ahead.land(place.paths)) == COUNT - 7


def test_a_damaged_or_absent_object_is_left_to_whoever_tells(place: Place) -> None:
    absent = (hash_bytes(b"absent"), 6, place.paths[0], False)
    wrong = (place.items[1][0], 99, place.paths[1], False)
    with Ahead(place.store, [absent, wrong, *place.items[2:]]) as ahead:
        assert set(ahead.land(place.paths)) == set(place.paths[2:])


def test_a_folder_that_became_a_link_is_not_followed(place: Place, tmp_path: Path) -> None:
    with Ahead(place.store, place.items) as ahead:
        ahead.write()
        ahead._task.wait()
        os.rename(place.root / "d1", tmp_path / "aside")
        os.symlink(tmp_path / "aside", place.root / "d1")
        assert set(ahead.land(place.paths)) == {path for path in place.paths if "/d0/" in path}
    assert {path.read_bytes()[:3] for path in (tmp_path / "aside").glob("f*")} == {b"old"}


def test_a_file_put_there_at_the_same_moment_is_not_taken_for_ours(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rename

    def rename(source: str, target: str, **how: int) -> None:
        real(source, target, **how)
        if target == "f4":
            Path(place.paths[4] + "~").write_bytes(b"theirs")
            real(place.paths[4] + "~", place.paths[4])

    monkeypatch.setattr("axil.store.ahead.os.rename", rename)
    with Ahead(place.store, place.items) as ahead:
        landed = ahead.land(place.paths)
    assert Path(place.paths[4]).read_bytes() == b"theirs"
    assert [path for path, placed in landed.items() if placed.inode == 0] == [place.paths[4]]
    assert isinstance(landed[place.paths[4]], Placed)


def test_few_or_large_files_and_a_nearly_full_disk_are_not_worth_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = [(oid, LARGE, path, executable) for oid, _, path, executable in place.items]
    assert suitable([*place.items, *large]) == place.items
    assert not suitable(place.items[:5])
    assert not suitable(large)
    monkeypatch.setattr("axil.store.ahead._ROOM", 1 << 62)
    assert not suitable(place.items)

"""Objects placed into work tree files, and the kinds of links."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from axil.base.hashing import hash_bytes
from axil.errors import AxilError, Damaged, NotFound
from axil.store import TEMPORARY_PREFIX, Saved, Store
from axil.store.faults import DiskFull
from axil.store.hashing import FORK_FROM, LARGE

BIG = b"B" * (LARGE + 7)


def filled(tmp_path: Path, link: str = "auto") -> Store:
    store = Store(str(tmp_path / "store"), link=link)
    with store.batch() as batch:
        batch.put_bytes(b"small")
        batch.put_bytes(BIG)
        batch.commit()
    return store


def item(data: bytes, path: Path, executable: bool = False) -> tuple[bytes, int, str, bool]:
    return hash_bytes(data), len(data), str(path), executable


@pytest.mark.parametrize("link", ["auto", "copy", "hardlink"])
@pytest.mark.parametrize("data", [b"small", BIG])
@pytest.mark.parametrize("executable", [False, True])
def test_content_mode_and_stat(tmp_path: Path, link: str, data: bytes, executable: bool) -> None:
    store = filled(tmp_path, link)
    path = tmp_path / "out"
    path.write_bytes(b"old content")
    (placed,) = store.place_files([item(data, path, executable)])
    stat = path.stat()
    assert path.read_bytes() == data
    assert placed == (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
    shared = link == "hardlink" and data == BIG and not executable
    assert stat.st_mode & 0o111 == (0o111 & ~_umask() if executable else 0)
    assert bool(stat.st_mode & 0o200) == (not shared)
    assert (stat.st_nlink > 1) == shared
    assert not [name for name in os.listdir(tmp_path) if name.startswith(TEMPORARY_PREFIX)]


def _umask() -> int:
    old = os.umask(0)
    os.umask(old)
    return old


def test_editing_a_placed_file_leaves_the_store_alone(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.place_files([item(BIG, tmp_path / "out")])
    with (tmp_path / "out").open("r+b") as file:
        file.write(b"edit")
    assert store.read(hash_bytes(BIG)) == BIG


def test_placing_a_hard_link_onto_itself(tmp_path: Path) -> None:
    store = filled(tmp_path, "hardlink")
    for _ in range(2):
        store.place_files([item(BIG, tmp_path / "out")])
    assert sorted(os.listdir(tmp_path)) == ["out", "store"]


def test_many_files_in_order(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    contents = [b"content %d" % number for number in range(FORK_FROM + 50)]
    with store.batch() as batch:
        for data in contents:
            batch.put_bytes(data)
        batch.commit()
    items = [item(data, tmp_path / f"{number}") for number, data in enumerate(contents)]
    placed = store.place_files(items)
    assert [(tmp_path / f"{number}").read_bytes() for number in range(len(contents))] == contents
    assert [row.inode for row in placed] == [(tmp_path / f"{n}").stat().st_ino for n in range(len(contents))]


def test_small_and_large_files_of_several_folders_in_one_go(tmp_path: Path) -> None:
    store = filled(tmp_path)
    items = []
    for number in range(150):
        path = tmp_path / f"d{number // 20}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"old")
        items.append(item(BIG if number % 7 == 3 else b"small", path, number % 2 == 0))
    placed = store.place_files(items)
    for (oid, _, path_, executable), row in zip(items, placed, strict=True):
        stat = os.stat(path_)
        assert hash_bytes(Path(path_).read_bytes()) == oid
        assert row == (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        assert bool(stat.st_mode & 0o100) == executable
    assert not list(tmp_path.rglob(f"{TEMPORARY_PREFIX}*"))


@pytest.mark.parametrize("call", ["write", "rename"])
def test_a_failure_among_many_leaves_each_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    store = filled(tmp_path)
    items = []
    for number in range(100):
        (tmp_path / f"{number}").write_bytes(b"old")
        items.append(item(b"small", tmp_path / f"{number}"))
    real = getattr(os, call)
    left = 90

    def fail(*args: object, **how: object) -> object:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args, **how)

    before = set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(DiskFull, match="full") as caught:
        store.place_files(items)
    monkeypatch.undo()
    assert f"{tmp_path}/90" in caught.value.why
    contents = [(tmp_path / f"{number}").read_bytes() for number in range(100)]
    assert set(contents) == {b"old", b"small"}
    assert not list(tmp_path.rglob(f"{TEMPORARY_PREFIX}*"))
    assert len(os.listdir("/proc/self/fd")) <= len(before) + 1


def test_a_link_in_the_way_is_replaced_not_followed(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "out").symlink_to("victim")
    store.place_files([item(b"small", tmp_path / "out")])
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert not (tmp_path / "out").is_symlink()


@pytest.mark.parametrize("data", [b"small", BIG])
def test_a_wrong_size_is_refused(tmp_path: Path, data: bytes) -> None:
    store = filled(tmp_path)
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(Damaged) as error:
        store.place_files([(hash_bytes(data), len(data) + 1, str(tmp_path / "out"), False)])
    assert f"not {len(data) + 1}" in error.value.why
    assert (tmp_path / "out").read_bytes() == b"old"


def test_absent_object(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with pytest.raises(NotFound):
        store.place_files([(bytes(32), 1, str(tmp_path / "out"), False)])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", ["auto", "copy", "hardlink"])
def test_a_damaged_large_file_is_not_placed(tmp_path: Path, link: str) -> None:
    store = filled(tmp_path, link)
    stored = Path(store.files.path(hash_bytes(BIG)))
    stored.chmod(0o644)
    stored.write_bytes(BIG[:-1] + b"?")
    with pytest.raises(Damaged, match="damaged"):
        store.place_files([item(BIG, tmp_path / "out")])
    assert sorted(os.listdir(tmp_path)) == ["store"]


def test_a_damaged_small_object_is_not_placed(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (pack,) = store.packs.opened()
    data = bytearray(Path(pack.path).read_bytes())
    data[pack.table.location(pack.table.find(hash_bytes(b"small"))).offset] ^= 1
    Path(pack.path).chmod(0o644)
    Path(pack.path).write_bytes(data)
    with pytest.raises(Damaged) as error:
        store.place_files([item(b"small", tmp_path / "out")])
    assert pack.path in error.value.why
    assert sorted(os.listdir(tmp_path)) == ["store"]


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with pytest.raises(AxilError) as error:
        store.place_files([item(b"small", tmp_path / "no" / "out")])
    assert "no" in error.value.why


def test_reflink_is_demanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from axil.store import place

    store = filled(tmp_path, "reflink")
    monkeypatch.setattr(place, "clone", lambda source, target: False)
    with pytest.raises(AxilError, match="cannot share blocks"):
        store.place_files([item(BIG, tmp_path / "out")])
    assert sorted(os.listdir(tmp_path)) == ["store"]


def test_reflink_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from axil.store import files, place

    def clone(source: int, target: int) -> bool:
        os.pwrite(target, os.pread(source, 1 << 20, 0), 0)
        calls.append(source)
        return True

    calls: list[int] = []
    monkeypatch.setattr(files, "clone", clone)
    monkeypatch.setattr(place, "clone", clone)
    store = Store(str(tmp_path / "store"))
    (tmp_path / "in").write_bytes(BIG)
    with store.batch() as batch:
        (answer,) = batch.put_files([str(tmp_path / "in")])
        batch.commit()
    assert isinstance(answer, Saved)
    assert answer.oid == hash_bytes(BIG)
    store.place_files([item(BIG, tmp_path / "out")])
    assert (tmp_path / "out").read_bytes() == BIG
    assert len(calls) == 2


def test_hardlink_takes_the_file_itself(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"), link="hardlink")
    path = tmp_path / "data"
    path.write_bytes(BIG)
    inode = path.stat().st_ino
    with store.batch() as batch:
        (answer,) = batch.put_files([str(path)])
        batch.commit()
    assert isinstance(answer, Saved)
    stat = path.stat()
    assert answer == (hash_bytes(BIG), len(BIG), stat.st_mtime_ns, stat.st_ctime_ns, inode, False)
    assert os.stat(store.files.path(answer.oid)).st_ino == inode
    assert stat.st_mode & 0o777 == 0o444
    with store.batch() as batch:
        assert batch.put_files([str(path)]) == [answer]
        batch.commit()


def test_hardlink_copies_what_is_executable(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"), link="hardlink")
    path = tmp_path / "tool"
    path.write_bytes(BIG)
    path.chmod(0o755)
    with store.batch() as batch:
        (answer,) = batch.put_files([str(path)])
        batch.commit()
    assert isinstance(answer, Saved)
    assert answer.executable
    assert path.stat().st_nlink == 1
    assert store.read(answer.oid) == BIG

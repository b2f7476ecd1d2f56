"""A full disk, a read-only store and several processes at once: clear words, nothing lost, nothing half done."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from axil.base.hashing import hash_bytes
from axil.errors import AxilError
from axil.store import Store
from axil.store.collect import closure, execute, plan
from axil.store.faults import DiskFull, ReadOnly
from axil.store.hashing import FORK_FROM, LARGE
from axil.store.verify import verify

BIG = b"L" * LARGE


def visible(root: str) -> dict[str, int]:
    return {
        str(path): path.stat().st_ino
        for part in ("packs", "files", "tmp")
        for path in Path(root, part).rglob("*")
        if path.is_file()
    }


def files(folder: Path, count: int, size: int) -> list[str]:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}").write_bytes(os.urandom(size))
    return [str(folder / f"{number}") for number in range(count)]


def no_bytes(code: int) -> Callable[..., int]:
    """A call that refuses."""

    def call(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "makedirs"])
def test_a_disk_that_fills_up_at_any_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, call: str
) -> None:
    source = files(tmp_path / "in", 3, 1000) + files(tmp_path / "large", 2, LARGE)
    store = Store(str(tmp_path / "store"))
    with store.batch() as batch:
        batch.put_bytes(b"before")
        batch.commit()
    real = getattr(os, call)
    for allowed in range(100):
        before = visible(store.root)
        left = [allowed]

        def full(*args: object, left: list[int] = left, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(code, os.strerror(code))
            return real(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            if call == "write":  # The other way in which bytes get to the disk.
                patch.setattr(os, "sendfile", no_bytes(code))
            try:
                with store.batch() as batch:
                    batch.put_files(source)
                    batch.commit()
            except AxilError as error:
                assert isinstance(error, DiskFull)
                assert "disk is full" in error.what
                assert "MB are free" in error.why
                assert error.hint.startswith("free ")
            else:
                break
        report = verify(Store(store.root))
        assert (report.faults, report.missing, report.abandoned) == ((), (), ())
        # Whole objects may be in place already, never parts, and nothing that was there is touched.
        assert before.items() <= visible(store.root).items()
    assert 0 < allowed < 99
    assert store.read(hash_bytes(b"before")) == b"before"


def small_disk(folder: Path, megabytes: int) -> bool:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    if not small_disk(folder, 4):
        pytest.skip("a small file system can be mounted only by root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(("count", "size"), [(10, 1 << 20), (FORK_FROM + 500, 8000)])
def test_a_disk_that_is_really_full(disk: Path, tmp_path: Path, count: int, size: int) -> None:
    store = Store(str(disk / "store"))
    with store.batch() as batch:
        batch.put_bytes(b"before")
        batch.commit()
    before = visible(store.root)
    source = files(tmp_path / "in", count, size)
    with pytest.raises(DiskFull) as error, store.batch() as batch:
        batch.put_files(source)
        batch.commit()
    assert f"free {(count * size >> 20) + 1} MB" in error.value.hint
    assert visible(store.root) == before
    assert verify(store).sound
    with store.batch() as batch:
        batch.put_files(source[:2])
        batch.commit()


def test_placing_onto_a_full_disk(disk: Path, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    data = os.urandom(5 << 20)
    with store.batch() as batch:
        oid = batch.put_bytes(data)
        batch.commit()
    (disk / "out").write_bytes(b"old")
    with pytest.raises(DiskFull):
        store.place_files([(oid, len(data), str(disk / "out"), False)])
    assert os.listdir(disk) == ["out"]
    assert (disk / "out").read_bytes() == b"old"


def test_a_read_only_store_reads_and_says_why_it_does_not_write(disk: Path) -> None:
    store = Store(str(disk / "store"))
    with store.batch() as batch:
        small, big = batch.put_bytes(b"small"), batch.put_bytes(BIG)
        batch.commit()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    store = Store(store.root)
    assert store.read(small) == b"small"
    assert store.read(big) == BIG
    assert verify(store).sound
    assert closure(store, [small]).live == {small}
    for write in (
        lambda: store.batch().put_bytes(b"x"),
        lambda: store.batch().put_files([__file__]),
        lambda: execute(store, plan(store, set(), now=time.time() + 1e7), time.time()),
    ):
        with pytest.raises(ReadOnly, match="cannot be written") as error:
            write()
        assert store.root in error.value.why


WRITER = """
import sys
from axil.store import Store
from axil.formats.tree import Entry
root, who = sys.argv[1], sys.argv[2]
store = Store(root)
sys.stdin.readline()
for number in range(60):
    with store.batch() as batch:
        rows = []
        for part in range(5):
            for name in ("shared", who):
                data = b"%s %d %d" % (name.encode(), number, part)
                rows.append(Entry(b"%s%d" % (name.encode(), part), 102, len(data), batch.put_bytes(data)))
        batch.put_bytes(b"L" * 200_000)
        oid = batch.put_tree(rows)
        batch.commit()
    assert len(store.entries(oid)) == 10
    for row in rows:
        store.read(row.oid)
print("done")
"""


def test_processes_that_add_and_merge_at_once(tmp_path: Path) -> None:
    root = str(tmp_path / "store")
    crew = [
        subprocess.Popen([sys.executable, "-c", WRITER, root, who], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for who in ("one", "two", "three")
    ]
    for process in crew:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    reader = Store(root)
    while any(process.poll() is None for process in crew):
        present = [pack.table.oids() for pack in reader.packs.opened()]
        for oid in {oid for oids in present for oid in oids}:
            assert reader.read(oid)
        reader.packs.refresh()
    assert [process.communicate(timeout=120)[0] for process in crew] == [b"done\n"] * 3
    store = Store(root)
    report = verify(store)
    assert (report.faults, report.missing, report.abandoned) == ((), (), ())
    for number in range(60):
        for who in (b"shared", b"one", b"two", b"three"):
            assert store.has(hash_bytes(b"%s %d 4" % (who, number)))
    assert store.usage().packs < 30
    assert store.usage().files == 1


def test_collecting_while_others_add_takes_nothing_they_rely_on(tmp_path: Path) -> None:
    """The writer adds the same old, unneeded objects again and again while they are collected under its hands."""
    root = str(tmp_path / "store")
    code = WRITER.replace("range(60)", "list(range(4)) * 15")
    process = subprocess.Popen(
        [sys.executable, "-c", code, root, "one"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin
    process.stdin.write(b"\n")
    process.stdin.flush()
    store = Store(root)
    rounds = 0
    while process.poll() is None:
        # A grace that ends at once would be wrong by contract; objects used in the last half second are safe.
        execute(store, plan(store, set(), now=time.time(), grace=0.5, waste=0), time.time())
        rounds += 1
    out, err = process.communicate(timeout=120)
    assert out == b"done\n", err.decode()
    assert rounds
    assert verify(store).faults == ()

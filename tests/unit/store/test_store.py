"""Writing batches and reading objects back."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from axil.base.hashing import Oid, hash_bytes
from axil.errors import AxilError, BadInput, Damaged, NotFound, UsageError
from axil.formats.tree import FILE, Columns, Entry
from axil.store import Saved, Store
from axil.store.files import FIXED_MTIME_NS
from axil.store.hashing import FORK_FROM, LARGE, hash_files
from axil.store.packs import PackWriter
from axil.store.verify import verify


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def put(store: Store, *data: bytes) -> list[bytes]:
    with store.batch() as batch:
        oids = [batch.put_bytes(item) for item in data]
        batch.commit()
    return oids


def saved(answer: Saved | OSError) -> Saved:
    assert not isinstance(answer, OSError), answer
    return answer


def leaf(name: bytes, oid: bytes = bytes(32)) -> Entry:
    return Entry(name, FILE[0], 0, oid)


def test_opening_does_no_io(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "none"))
    assert not store.has(bytes(32))
    assert store.missing([bytes(32)]) == {bytes(32)}
    with store.batch():
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 5000, LARGE - 1, LARGE, LARGE + 1, 5 << 20])
def test_round_trip(store: Store, size: int) -> None:
    data = os.urandom(size)
    (oid,) = put(store, data)
    assert oid == hash_bytes(data)
    for reader in (store, Store(store.root)):
        assert reader.read(oid) == data
        assert reader.has(oid)
        assert reader.size(oid) == size
    assert store.usage().files == (size >= LARGE)


def test_nothing_is_visible_before_commit_and_nothing_stays_without(store: Store) -> None:
    with store.batch() as batch:
        oids = [batch.put_bytes(b"small"), batch.put_bytes(b"L" * LARGE), batch.put_tree([leaf(b"a")])]
        assert not any(Store(store.root).has(oid) for oid in oids)
    assert not any(Store(store.root).has(oid) for oid in oids)
    assert os.listdir(os.path.join(store.root, "tmp")) == []
    assert os.listdir(os.path.join(store.root, "packs")) == []


def test_an_object_is_stored_once(store: Store) -> None:
    first = put(store, b"same", b"same", b"L" * LARGE, b"L" * LARGE)
    before = store.usage()
    assert put(store, b"same", b"L" * LARGE) == [first[0], first[2]]
    assert store.usage() == before
    assert (before.packed_objects, before.files) == (1, 1)


def test_compressible_blobs_take_less(store: Store) -> None:
    put(store, b"a line of text\n" * 4000)
    assert store.usage().packed_bytes < 10_000


def modules_after_reading(root: str) -> set[str]:
    """The modules loaded by a fresh process that has written and read a directory."""
    script = f"""
import sys
from axil.store import Store
s = Store({root!r})
with s.batch() as b:
    oid = b.put_tree([]); b.commit()
s.entries(oid); s.has(bytes(32)); s.differing(oid, None); s.missing([oid])
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_light_process_stays_light(store: Store) -> None:
    heavy = {"zstandard", "multiprocessing", "dataclasses", "inspect", "pathlib", "tempfile", "shutil", "threading"}
    assert not modules_after_reading(store.root) & heavy


def test_absent_objects(store: Store) -> None:
    put(store, b"x")
    with pytest.raises(NotFound, match="not in the store"):
        store.read(bytes(32))
    with pytest.raises(NotFound):
        store.size(bytes(32))


def test_unknown_link_kind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="symlink"):
        Store(str(tmp_path), link="symlink")


def test_a_store_of_a_later_format_is_refused(store: Store) -> None:
    put(store, b"x")
    Path(store.root, "format").write_text("axil store 2\n")
    with pytest.raises(AxilError, match="unknown format") as error:
        Store(store.root).read(hash_bytes(b"x"))
    assert "axil store 2" in error.value.why


def test_trees_of_any_size(store: Store) -> None:
    for count in (0, 1, 200, 20_000):
        rows = [leaf(b"%06d" % number) for number in range(count)]
        with store.batch() as batch:
            oid = batch.put_tree(reversed(rows))
            batch.commit()
        assert store.entries(oid) == rows
        assert store.is_tree(oid)


def test_a_blob_is_no_directory(store: Store) -> None:
    (oid,) = put(store, b"blob")
    with pytest.raises(Damaged, match="damaged"):
        store.entries(oid)


def test_differing_reads_only_what_differs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [leaf(b"%06d" % number) for number in range(50_000)]
    changed = [*rows[:777], rows[777]._replace(oid=b"\1" * 32), *rows[778:]]
    with store.batch() as batch:
        a, b = batch.put_tree(rows), batch.put_tree(changed)
        batch.commit()
    reads: list[bytes] = []
    real = store.read

    def read(oid: bytes) -> bytes:
        reads.append(oid)
        return real(oid)

    monkeypatch.setattr(store, "read", read)
    assert store.differing(a, b) == ([rows[777]], [changed[777]])
    assert len(reads) <= 8


def test_put_tree_refuses_bad_names(store: Store) -> None:
    with store.batch() as batch, pytest.raises(BadInput):
        batch.put_tree([leaf(b"..")])


def test_a_directory_in_columns_is_the_same_directory(store: Store) -> None:
    rows = [leaf(b"%06d" % number) for number in range(3000)]
    with store.batch() as batch:
        assert batch.put_columns(Columns.of(rows)) == batch.put_tree(rows)
        with pytest.raises(BadInput):
            batch.put_columns(Columns.of([rows[1], rows[0]]))


def test_packs_that_are_asked_in_turn_are_all_found(store: Store) -> None:
    oids = [put(store, b"%d" % number)[0] for number in range(5)]
    reader = Store(store.root)
    assert [reader.read(oid) for oid in oids * 2] == [b"%d" % number for number in range(5)] * 2
    assert len(reader.packs._recent) == 5
    assert reader.missing([*oids, bytes(32)]) == {bytes(32)}


@pytest.mark.parametrize("large", [False, True])
def test_what_the_disk_refuses_is_told_at_the_commit(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    def fsync(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    put(store, b"the store is there")
    path = tmp_path / "data"
    path.write_bytes(os.urandom(9 << 20 if large else 1000))
    with store.batch() as batch, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        (answer,) = batch.put_files([str(path)])
        with pytest.raises(AxilError, match="writing failed"):
            batch.commit()
    assert not Store(store.root).has(saved(answer).oid)
    assert store.usage().packs == 1


@pytest.mark.parametrize("squeezable", [False, True])
def test_blobs_kept_as_they_are_and_squeezed_ones_stand_side_by_side(
    store: Store, tmp_path: Path, squeezable: bool
) -> None:
    paths = files(tmp_path / "in", FORK_FROM + 100, 400)
    for path in paths[: 0 if squeezable else len(paths) - 50]:
        Path(path).write_bytes(os.urandom(300))
    Path(paths[9]).write_bytes(Path(paths[8]).read_bytes())
    with store.batch() as batch:
        answers = [saved(answer) for answer in batch.put_files(paths)]
        batch.commit()
    assert all(store.read(answer.oid) == Path(path).read_bytes() for path, answer in zip(paths, answers, strict=True))
    assert verify(store).faults == ()


def files(folder: Path, count: int, size: int = 100) -> list[str]:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number}").write_bytes(b"%d " % number * (size // 4))
    return [str(folder / f"{number}") for number in range(count)]


@pytest.mark.parametrize("count", [3, FORK_FROM + 100])
def test_put_files_gives_oid_and_stat(store: Store, tmp_path: Path, count: int) -> None:
    paths = files(tmp_path / "in", count)
    Path(paths[1]).write_bytes(os.urandom(3 * LARGE))
    os.chmod(paths[0], 0o755)
    with store.batch() as batch:
        answers = batch.put_files(paths)
        batch.commit()
    assert len(answers) == count
    for path, answer in zip(paths, map(saved, answers), strict=True):
        stat = os.stat(path)
        assert answer[1:5] == (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        assert store.read(answer.oid) == Path(path).read_bytes()
        assert answer.executable == (path == paths[0])
    assert hash_files(paths) == answers
    assert os.listdir(os.path.join(store.root, "tmp")) == []
    assert store.usage().files == 1


@pytest.mark.parametrize("order", list(itertools.permutations(["few", "many", "large", "bytes"])), ids="-".join)
def test_one_batch_takes_all_kinds_in_any_order(store: Store, tmp_path: Path, order: tuple[str, ...]) -> None:
    """What was staged before many files are shared out to workers stays what it was, and is there once."""
    large = tmp_path / "large"
    large.write_bytes(os.urandom(2 * LARGE))
    put: dict[Oid, bytes] = {}
    with store.batch() as batch:
        for kind in (*order, "many"):
            if kind == "bytes":
                put |= {batch.put_bytes(data): data for data in (b"bytes", b"large" * LARGE)}
                continue
            paths = [str(large)]
            if kind != "large":
                count = 3 if kind == "few" else FORK_FROM
                paths = files(tmp_path / f"{kind}{len(put)}", count, 400 + 4 * len(put))
            answers = map(saved, batch.put_files(paths))
            put |= {answer.oid: Path(path).read_bytes() for path, answer in zip(paths, answers, strict=True)}
        batch.commit()
    report = verify(store)
    assert report.sound and report.objects == len(put)
    assert all(store.read(oid) == data for oid, data in put.items())
    assert os.listdir(os.path.join(store.root, "tmp")) == []


@pytest.mark.parametrize("extra", [0, FORK_FROM])
def test_files_that_cannot_be_read_are_named(store: Store, tmp_path: Path, extra: int) -> None:
    good = files(tmp_path / "in", 2 + extra)
    (tmp_path / "link").symlink_to(good[0])
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    bad = [str(tmp_path / name) for name in ("absent", "link", "folder", "fifo")]
    with store.batch() as batch:
        answers = batch.put_files([*bad, *good])
        batch.commit()
    for path, answer in zip(bad, answers, strict=False):
        assert isinstance(answer, OSError)
        assert answer.filename == path
    assert isinstance(answers[0], FileNotFoundError)
    assert all(store.has(saved(answer).oid) for answer in answers[4:])


def test_a_file_written_to_meanwhile_is_read_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "moving"
    path.write_bytes(b"first")
    real, reads = os.read, []

    def read(fd: int, count: int) -> bytes:
        data = real(fd, count)
        reads.append(data)
        if len(reads) == 1:
            path.write_bytes(b"second!")
        return data

    monkeypatch.setattr(os, "read", read)
    with store.batch() as batch:
        answer = saved(batch.put_files([str(path)])[0])
        batch.commit()
    assert answer.oid == hash_bytes(b"second!")
    assert answer.mtime_ns == path.stat().st_mtime_ns
    assert reads == [b"first", b"second!"]


def test_a_file_that_never_keeps_still_is_an_error(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "moving"
    path.write_bytes(b"0")
    real, count = os.read, iter(range(100))

    def read(fd: int, size: int) -> bytes:
        data = real(fd, size)
        path.write_bytes(b"x" * next(count))
        return data

    monkeypatch.setattr(os, "read", read)
    (answer,) = hash_files([str(path)])
    assert isinstance(answer, OSError)
    assert answer.errno == errno.EBUSY


def test_weird_names(store: Store, tmp_path: Path) -> None:
    paths = [os.fsdecode(os.fsencode(str(tmp_path)) + b"/" + name) for name in (b"\xff\xfe", "ü\n".encode(), b" ")]
    for path in paths:
        Path(path).write_bytes(os.fsencode(path))
    with store.batch() as batch:
        assert [saved(a).oid for a in batch.put_files(paths)] == [hash_bytes(os.fsencode(p)) for p in paths]


def test_stored_files_are_read_only_with_a_fixed_time(store: Store) -> None:
    (oid,) = put(store, b"L" * LARGE)
    stat = os.stat(store.files.path(oid))
    assert stat.st_mode & 0o777 == 0o444
    assert stat.st_mtime_ns == FIXED_MTIME_NS


def test_a_large_object_that_was_edited_is_replaced_when_added_again(store: Store) -> None:
    (oid,) = put(store, b"L" * LARGE)
    path = store.files.path(oid)
    os.chmod(path, 0o644)
    Path(path).write_bytes(b"X" * LARGE)
    with pytest.raises(Damaged, match="damaged"):
        store.read(oid)
    put(store, b"L" * LARGE)
    assert store.read(oid) == b"L" * LARGE


def test_many_commits_leave_few_packs(store: Store) -> None:
    contents = [b"content %d" % number for number in range(200)]
    for item in contents:
        put(store, item)
    assert store.usage().packs < 20
    assert all(Store(store.root).read(hash_bytes(item)) == item for item in contents)


def test_an_object_is_copied_a_few_times_only(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[bytes] = []
    real = PackWriter.add

    def add(self: PackWriter, oid: bytes, *rest: Any) -> None:
        copied.append(oid)
        real(self, oid, *rest)

    monkeypatch.setattr(PackWriter, "add", add)
    for number in range(64):
        put(store, os.urandom(20_000))
        assert number != 6 or store.usage().packs == 7
        assert number != 7 or store.usage().packs == 1
    assert max(copied.count(oid) for oid in copied) <= 8
    assert len(copied) < 64 * 5


def test_a_reader_follows_merges_by_others(store: Store) -> None:
    put(store, b"0")
    reader = Store(store.root)
    assert reader.has(hash_bytes(b"0"))
    for number in range(1, 50):
        put(store, b"%d" % number)
        # Another handle, as in another process: it has seen only packs that are gone by now.
        assert reader.read(hash_bytes(b"%d" % number)) == b"%d" % number
        assert reader.read(hash_bytes(b"0")) == b"0"


def test_an_idle_reader_notices_a_new_pack_at_once(store: Store) -> None:
    reader = Store(store.root)
    for number in range(20):
        oid = hash_bytes(b"new %d" % number)
        assert not reader.has(oid)
        put(store, b"new %d" % number)
        assert reader.has(oid)
        assert reader.missing([oid]) == set()


def test_a_new_pack_within_the_same_tick_of_the_folder_clock_is_noticed(store: Store) -> None:
    put(store, b"a")
    packs = os.path.join(store.root, "packs")
    # As if the clock that stamps folders had not moved since: the time of the folder tells nothing.
    stamp = time.time_ns() + 10**10
    os.utime(packs, ns=(stamp, stamp))
    reader = Store(store.root)
    assert reader.has(hash_bytes(b"a"))
    put(store, b"b")
    os.utime(packs, ns=(stamp, stamp))
    assert reader.has(hash_bytes(b"b"))


def test_missing_in_bulk(store: Store) -> None:
    there = put(store, *(b"%d" % number for number in range(3000)), b"L" * LARGE)
    absent = {hash_bytes(b"no %d" % number) for number in range(3000)}
    assert store.missing([*there, *absent]) == absent
    assert store.missing(there[:2]) == set()


def test_a_workers_error_reaches_the_caller(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from axil.store import packs

    def fail(*_: object) -> None:
        raise ZeroDivisionError("from a worker")

    paths = files(tmp_path / "in", FORK_FROM)
    monkeypatch.setattr(packs.PackWriter, "add", fail)
    with store.batch() as batch, pytest.raises(RuntimeError, match="from a worker"):
        batch.put_files(paths)


def test_a_killed_worker_is_an_error_not_a_hang(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from axil.store import packs

    monkeypatch.setattr(packs.PackWriter, "add", lambda *_: os._exit(9))
    with store.batch() as batch, pytest.raises(AxilError, match="worker process died"):
        batch.put_files(files(tmp_path / "in", FORK_FROM))

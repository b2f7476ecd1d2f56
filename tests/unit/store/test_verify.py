"""Verification finds every kind of damage and changes nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from axil.base.hashing import hash_bytes
from axil.errors import Damaged, NotFound
from axil.formats import pack as fmt
from axil.formats import tree
from axil.formats.tree import DIR, FILE, Entry
from axil.store import Store
from axil.store import verify as verify_module
from axil.store.hashing import LARGE
from axil.store.packs import Pack, PackWriter
from axil.store.verify import verify

BIG = b"L" * LARGE


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "store"))
    with store.batch() as batch:
        blob = batch.put_bytes(b"content")
        batch.put_bytes(b"compressible " * 5000)
        batch.put_bytes(BIG)
        inner = batch.put_tree([Entry(b"f", FILE[0], 7, blob)])
        batch.put_tree([Entry(b"d", DIR[0], 7, inner), Entry(b"e", FILE[0], 7, blob)])
        batch.commit()
    return store


def only_pack(store: Store) -> Pack:
    (pack,) = store.packs.opened()
    return pack


def raw_pack(store: Store, *objects: tuple[bytes, bytes, int, int, int]) -> None:
    """Adds a pack with entries as given: (oid, stored, raw length, type, codec)."""
    writer = PackWriter(os.path.join(store.root, "tmp"))
    for entry in objects:
        writer.add(*entry)
    path, name = writer.finish()
    os.rename(path, os.path.join(store.root, "packs", name))
    store.packs.refresh(force=True)


def test_a_sound_store(store: Store) -> None:
    before = {path: path.stat() for path in Path(store.root).rglob("*")}
    report = verify(store)
    assert report.sound
    assert (report.objects, report.missing, report.abandoned) == (5, (), ())
    assert report.bytes > LARGE
    after = {path: path.stat() for path in Path(store.root).rglob("*")}
    assert {p: (s.st_mtime_ns, s.st_ctime_ns) for p, s in before.items()} == {
        p: (s.st_mtime_ns, s.st_ctime_ns) for p, s in after.items()
    }


def test_an_empty_store(tmp_path: Path) -> None:
    report = verify(Store(str(tmp_path / "none")))
    assert report.sound
    assert report.objects == 0


@pytest.mark.parametrize("forked", [False, True])
def test_every_flipped_byte_of_a_pack_is_found(store: Store, forked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if forked:
        monkeypatch.setattr(verify_module, "_FORK_BYTES", 0)
    path = Path(only_pack(store).path)
    data = path.read_bytes()
    path.chmod(0o644)
    for at in range(0, len(data), 37 if not forked else 400):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        report = verify(Store(store.root))
        assert [fault.path for fault in report.faults][:1] == [str(path)], at


def test_reading_never_gives_wrong_bytes(store: Store) -> None:
    """Whatever byte of a pack is wrong, a read gives the right content or an error."""
    pack = only_pack(store)
    contents = {oid: store.read(oid) for oid in pack.table.oids()}
    path = Path(pack.path)
    data = path.read_bytes()
    path.chmod(0o644)
    failures = 0
    for at in range(0, len(data), 13):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        fresh = Store(store.root)
        for oid, content in contents.items():
            try:
                assert fresh.read(oid) == content
            except (Damaged, NotFound):
                failures += 1
    assert failures > 10


def test_every_truncation_is_found(store: Store) -> None:
    path = Path(only_pack(store).path)
    data = path.read_bytes()
    path.chmod(0o644)
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        fresh = Store(store.root)
        assert str(path) in [fault.path for fault in verify(fresh).faults]
        with pytest.raises(Damaged) as error:
            fresh.read(hash_bytes(b"content"))
        assert str(path) in error.value.why


def test_what_the_disk_cannot_read_is_found_entry_by_entry(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = only_pack(store)
    oid = hash_bytes(b"content")
    bad = pack.table.location(pack.table.find(oid)).offset
    pread, preadv = os.pread, os.preadv

    def broken(at: int, length: int) -> None:
        if at <= bad < at + length:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def one(fd: int, length: int, at: int) -> bytes:
        broken(at, length)
        return pread(fd, length, at)

    def many(fd: int, buffers: list[memoryview], at: int) -> int:
        broken(at, sum(map(len, buffers)))
        return preadv(fd, buffers, at)

    monkeypatch.setattr(os, "pread", one)
    monkeypatch.setattr(os, "preadv", many)
    report = verify(store)
    assert [(fault.path, fault.oid) for fault in report.faults] == [(pack.path, ""), (pack.path, oid.hex())]
    assert all("Input/output error" in fault.why for fault in report.faults)
    with pytest.raises(Damaged):
        store.read(oid)


@pytest.mark.parametrize("change", [b"", b"X" * LARGE, BIG + b"more"])
def test_a_changed_large_file(store: Store, change: bytes) -> None:
    path = Path(store.files.path(hash_bytes(BIG)))
    path.chmod(0o644)
    path.write_bytes(change)
    (fault,) = verify(store).faults
    assert (fault.path, fault.oid) == (str(path), hash_bytes(BIG).hex())


def test_a_file_that_does_not_belong(store: Store) -> None:
    folder = os.path.dirname(store.files.path(hash_bytes(BIG)))
    Path(folder, "z" * 64).write_bytes(b"")
    (fault,) = verify(store).faults
    assert "not an object id" in fault.why


def test_a_missing_child(store: Store) -> None:
    absent = hash_bytes(b"never stored")
    with store.batch() as batch:
        parent = batch.put_tree([Entry(b"gone", FILE[0], 5, absent)])
        batch.commit()
    report = verify(store)
    assert report.sound
    assert [(row.oid, row.tree, row.name) for row in report.missing] == [(absent.hex(), parent.hex(), "gone")]


@pytest.mark.parametrize("kind", [FILE, DIR])
def test_a_wrong_size_in_a_directory(store: Store, kind: bytes) -> None:
    child = hash_bytes(b"content")
    if kind == DIR:
        child = hash_bytes(tree.encode([Entry(b"f", FILE[0], 7, child)]))
    with store.batch() as batch:
        parent = batch.put_tree([Entry(b"x", kind[0], 8, child)])
        batch.commit()
    (fault,) = verify(store).faults
    assert fault.oid == parent.hex()
    assert "8 bytes" in fault.why


def test_hostile_directories_are_damaged(store: Store) -> None:
    good = tree.encode([Entry(b"aa", FILE[0], 7, hash_bytes(b"content"))])
    for bad in (good[:-2] + b"..", good[:-2] + b"a/", good[:-2] + b"a\0", b"garbage"):
        raw_pack(store, (hash_bytes(bad), bad, len(bad), fmt.TREE, fmt.RAW))
        with pytest.raises(Damaged):
            store.entries(hash_bytes(bad))
        assert hash_bytes(bad).hex() in {fault.oid for fault in verify(store).faults}


def test_a_decompression_bomb_is_not_inflated(store: Store) -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 28))
    honest = zstandard.ZstdCompressor(write_content_size=False).compress(b"data" * 100)
    for stored, raw in ((bomb, 1000), (bomb, fmt.MAX_RAW), (honest, 400), (b"not zstd", 8), (b"", 0)):
        oid = hash_bytes(stored)
        raw_pack(store, (oid, stored, raw, fmt.BLOB, fmt.ZSTD))
        with pytest.raises(Damaged) as error:
            store.read(oid)
        # Refused by what it declares, not after it was unpacked.
        assert "length is wrong" in error.value.why or "cannot be decompressed" in error.value.why


def test_a_directory_whose_parts_do_not_belong(store: Store) -> None:
    """Sub-nodes in the wrong order, of the wrong level or under a wrong name."""
    leaf_a = tree.encode([Entry(b"a", FILE[0], 0, bytes(32))])
    leaf_b = tree.encode([Entry(b"b", FILE[0], 0, bytes(32)), Entry(b"q", FILE[0], 0, bytes(32))])
    a, b = hash_bytes(leaf_a), hash_bytes(leaf_b)
    node = tree.NODE[0]
    roots = [
        tree.encode([Entry(b"a", node, 0, a), Entry(b"c", node, 0, b)], 1),
        tree.encode([Entry(b"b", node, 0, b), Entry(b"p", node, 0, b)], 1),
        tree.encode([Entry(b"a", node, 0, a)], 2),
    ]
    for data in (leaf_a, leaf_b, *roots):
        raw_pack(store, (hash_bytes(data), data, len(data), fmt.TREE, fmt.RAW))
    for data in roots:
        with pytest.raises(Damaged):
            store.entries(hash_bytes(data))
        with pytest.raises(Damaged):
            store.differing(hash_bytes(data), None)

"""Collection: what is needed or young stays, the rest can be brought back until the trash is emptied."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from axil.base.hashing import hash_bytes
from axil.base.locks import FileLock
from axil.errors import Busy, NotFound
from axil.formats import tree
from axil.formats.tree import DIR, FILE, Entry
from axil.store import Store, collect
from axil.store.collect import CollectPlan, closure, execute, plan, plan_quarantine
from axil.store.hashing import LARGE
from axil.store.temporary import Workspace
from axil.store.trash import empty_trash, list_trash, restore
from axil.store.verify import verify

LATER = 30 * 86400.0
BIG = b"L" * LARGE


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def put(store: Store, *data: bytes) -> list[bytes]:
    with store.batch() as batch:
        oids = [batch.put_bytes(item) for item in data]
        batch.commit()
    return oids


def later(store: Store, live: set[bytes], waste: float = 0.0) -> CollectPlan:
    return plan(store, live, now=time.time() + LATER, waste=waste)


def snapshot(root: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def test_what_is_not_needed_goes_and_comes_back(store: Store) -> None:
    keep, drop, big = put(store, b"keep", b"drop", BIG)
    planned = later(store, {keep})
    assert (planned.objects, planned.oids) == (2, {drop, big})
    done = execute(store, planned, now=1_800_000_000.0)
    assert (done.objects, done.bytes) == (2, 4 + LARGE)
    assert [store.has(oid) for oid in (keep, drop, big)] == [True, False, False]
    assert verify(store).sound
    (trash,) = list_trash(store.root)
    assert (trash.name, trash.made) == (done.trash, 1_800_000_000)
    assert restore(store.root, done.trash) == 2
    assert [store.read(oid) for oid in (keep, drop, big)] == [b"keep", b"drop", BIG]
    assert list_trash(store.root) == []
    assert verify(store).sound


def test_planning_changes_nothing(store: Store) -> None:
    put(store, b"a", BIG)
    before = snapshot(store.root)
    later(store, set())
    assert snapshot(store.root) == before


def test_young_objects_stay(store: Store) -> None:
    put(store, b"a", b"b", BIG)
    planned = plan(store, set(), now=time.time(), grace=3600)
    assert (planned.objects, planned.young) == (0, 3)
    assert execute(store, planned, time.time()).trash == ""


def test_an_object_added_again_is_young_again(store: Store) -> None:
    small, big = put(store, b"a", BIG)
    planned = later(store, set())
    assert planned.objects == 2
    (pack,) = store.packs.opened()
    os.utime(pack.path, (1, 1))
    put(store, b"a")
    assert os.stat(pack.path).st_mtime > 1
    planned = plan(store, set(), now=time.time(), grace=3600)
    assert planned.oids == set()
    assert store.has(small)
    assert store.has(big)


def test_what_was_used_after_the_plan_stays(store: Store) -> None:
    (oid,) = put(store, b"a")
    (pack,) = store.packs.opened()
    os.utime(pack.path, (1, 1))
    planned = plan(store, set(), now=time.time())
    assert planned.oids == {oid}
    put(store, b"a")
    assert execute(store, planned, time.time()).objects == 0
    assert store.has(oid)


def test_an_old_large_file_that_is_added_again_is_young_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"), clock=lambda: time.time() + LATER)
    put(store, BIG)
    planned = later(store, set())
    assert planned.objects == 1
    put(store, BIG)
    assert execute(store, planned, time.time()).objects == 0
    assert store.has(hash_bytes(BIG))


def test_a_little_waste_is_kept(store: Store) -> None:
    contents = [os.urandom(100) for _ in range(100)]
    oids = put(store, *contents)
    planned = later(store, set(oids[1:]), waste=0.1)
    assert (planned.objects, planned.kept) == (0, 1)
    assert later(store, set(oids[50:]), waste=0.1).objects == 50


def test_nobody_writes_while_objects_move(store: Store) -> None:
    put(store, b"a")
    batch = store.batch()
    batch.put_bytes(b"b")
    lock = FileLock(os.path.join(store.root, "lock"), timeout=0)
    with pytest.raises(Busy):
        lock.acquire()
    batch.discard()
    lock.acquire()
    lock.release()


def test_abandoned_folders_go_live_ones_stay(store: Store) -> None:
    put(store, b"a")
    dead = Path(store.root, "tmp", "999-dead")
    dead.mkdir()
    (dead / "lock").touch()
    (dead / "x.part").write_bytes(b"left over")
    live = Workspace(store.root, alone=True)
    report = verify(store)
    assert report.sound
    assert report.abandoned == (str(dead),)
    assert execute(store, later(store, {hash_bytes(b"a")}), time.time()).temporary == 1
    assert os.listdir(os.path.join(store.root, "tmp")) == [os.path.basename(live.folder)]
    live.close()


def test_emptying_the_trash_spares_the_recent(store: Store) -> None:
    for number, when in enumerate((1_000_000_000.0, 2_000_000_000.0)):
        put(store, b"%d" % number)
        execute(store, later(store, set()), when)
    assert [item.made for item in empty_trash(store.root, 1_500_000_000.0)] == [1_000_000_000]
    (left,) = list_trash(store.root)
    assert left.made == 2_000_000_000
    with pytest.raises(NotFound, match="no 'nothing'"):
        restore(store.root, "nothing")
    with pytest.raises(NotFound):
        restore(store.root, "../packs")


def row(name: bytes, kind: bytes, oid: bytes) -> Entry:
    return Entry(name, kind[0], 0, oid)


def test_closure_follows_directories_and_names_what_is_missing(store: Store) -> None:
    absent = hash_bytes(b"absent")
    with store.batch() as batch:
        blob, other = batch.put_bytes(b"b"), batch.put_bytes(b"other")
        inner = batch.put_tree([row(b"x", FILE, blob), row(b"y", FILE, absent)])
        rows = [row(b"%05d" % n, FILE, blob) for n in range(5000)]
        outer = batch.put_tree([*rows, row(b"d", DIR, inner)])
        batch.commit()
    found = closure(store, [outer])
    assert {outer, inner, blob, absent} <= found.live
    assert other not in found.live
    assert found.missing == {absent}
    # The sub-nodes of the big directory are needed too.
    assert len(found.live) > 10
    execute(store, later(store, found.live), time.time())
    assert len(store.entries(outer)) == 5001
    assert not store.has(other)
    assert closure(store, [bytes(32)]).missing == {bytes(32)}


def test_closure_descends_where_the_same_bytes_are_a_file_and_a_directory(store: Store) -> None:
    (blob,) = put(store, b"needed")
    inner = tree.encode([row(b"x", FILE, blob)])
    # Stored as a file first: its pack says blob, and so it stays.
    put(store, inner)
    with store.batch() as batch:
        as_tree = batch.put_tree([row(b"x", FILE, blob)])
        outer = batch.put_tree([row(b"a", FILE, as_tree), row(b"b", DIR, as_tree)])
        batch.commit()
    assert blob in closure(store, [outer]).live
    assert blob in closure(store, [as_tree]).live


def test_closure_reports_damaged_directories(store: Store) -> None:
    with store.batch() as batch:
        oid = batch.put_tree([row(b"name", FILE, bytes(32))])
        batch.commit()
    (pack,) = store.packs.opened()
    flip(Path(pack.path), pack.table.location(0).offset + 50)
    assert closure(Store(store.root), [oid]).damaged == {oid}


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def test_damage_is_put_aside_on_demand_and_healed_by_adding_again(store: Store) -> None:
    good, bad, big = put(store, b"good", b"bad object", BIG)
    (pack,) = store.packs.opened()
    flip(Path(pack.path), pack.table.location(pack.table.find(bad)).offset)
    flip(Path(store.files.path(big)), 5)
    store = Store(store.root)
    faults = verify(store).faults
    assert {fault.oid for fault in faults} == {"", bad.hex(), big.hex()}
    done = execute(store, plan_quarantine(store, [bad, big]), time.time())
    assert done.objects == 2
    assert verify(store).sound
    assert store.has(good)
    assert not store.has(bad)
    put(store, b"bad object", BIG)
    assert store.read(bad) == b"bad object"
    assert store.read(big) == BIG


def test_an_unreadable_pack_is_put_aside_whole(store: Store) -> None:
    (oid,) = put(store, b"a")
    (pack,) = store.packs.opened()
    os.truncate(pack.path, 40)
    store = Store(store.root)
    done = execute(store, plan_quarantine(store, []), time.time())
    assert done.trash
    assert verify(store).sound
    put(store, b"a")
    assert store.read(oid) == b"a"


def test_rewriting_takes_the_sound_copy_of_a_doubled_object(store: Store) -> None:
    objects = [b"doubled object", b"more"]
    for _ in range(2):
        # Two packs with the same object, as two processes that add the same at once make.
        with Store(store.root).batch() as batch:
            batch._has = lambda oid: False  # type: ignore[method-assign]
            for data in objects:
                batch.put_bytes(data)
            batch.commit()
    store.packs.refresh()
    first, second = store.packs.opened()
    oid = hash_bytes(objects[0])
    flip(Path(first.path), first.table.location(first.table.find(oid)).offset)
    planned = later(store, {oid})
    assert {item.name for item in planned.packs} == {first.name, second.name}
    execute(store, planned, time.time())
    assert Store(store.root).read(oid) == objects[0]
    assert collect.closure(store, [oid]).missing == set()

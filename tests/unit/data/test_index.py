"""The work-tree index: what it knows it knows for sure, and it can be broken or deleted at any time."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from tests.unit.data.conftest import World

from axil.base.hashing import hash_bytes
from axil.data.index import Update, WorkTreeIndex
from axil.data.rows import (
    SEGMENT_MAX,
    SEGMENT_MIN,
    ZERO_OID,
    Columns,
    Folder,
    Known,
    Segment,
    Summary,
    pack_stat,
    settle_stats,
)
from axil.formats.pointer import Pointer
from axil.formats.tree import FILE

POINTER = Pointer("tree", hash_bytes(b"tree"), 10, 2)
SUMMARY = Summary(hash_bytes(b"tree"), 10, 2, True)


def columns(names: list[bytes]) -> Columns:
    found = Columns.of(None)
    for name in sorted(names):
        found.names.append(name)
        found.kinds += FILE
        found.stats += pack_stat(1, 2, 3, 4, 5)
        found.oids += hash_bytes(name)
    return found


def index(tmp_path: Path) -> WorkTreeIndex:
    return WorkTreeIndex(str(tmp_path / "deep" / "worktree.db"))


def test_a_row_comes_back_as_it_was_written(tmp_path: Path) -> None:
    segments = columns([b"a", b"\xff", b"new\nline"]).cut(None)
    index(tmp_path).write({b"data": Update(None, segments, SUMMARY), b"data/x": Update(None, [], SUMMARY)})
    found = index(tmp_path).load(b"data")
    assert found.keys() == {b"data", b"data/x"}
    assert found[b"data"][:2] == (SUMMARY, segments)
    assert found[b"data/x"][:2] == (SUMMARY, [])
    known = index(tmp_path).segment(b"data", b"new\nline")
    assert known is not None
    assert Columns.of(Folder(None, [known])).get(b"new\nline") == Known(
        FILE[0], pack_stat(1, 2, 3, 4, 5), hash_bytes(b"new\nline")
    )


def test_loading_below_a_path_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    paths = [b"", b"a", b"a-b", b"a.b", b"a/b", b"a/b/c", b"a0", b"b"]
    index(tmp_path).write({path: Update(None, [], SUMMARY) for path in paths})
    assert index(tmp_path).load(b"a").keys() == {b"a", b"a/b", b"a/b/c"}
    assert index(tmp_path).load(b"").keys() == set(paths)
    assert index(tmp_path).load(b"a", below=False).keys() == {b"a"}
    index(tmp_path).write({}, [b"a/b"])
    assert index(tmp_path).load(b"a").keys() == {b"a", b"a/b/c"}


def test_a_big_folder_is_cut_so_that_one_change_rewrites_one_segment(tmp_path: Path) -> None:
    names = [b"%06d" % number for number in range(0, 60_000, 2)]
    first = columns(names).cut(None)
    assert max(len(segment.kinds) for segment in first) <= SEGMENT_MAX
    assert [name for segment in first for name in segment.names.split(b"\0")] == names
    one = index(tmp_path)
    one.write({b"": Update(None, first, None)})
    row = one.load(b"")[b""]
    for change in (b"000001", b"030001", b"059999"):
        changed = Columns.of(row)
        changed.put(change, Known(FILE[0], pack_stat(1, 2, 3, 4, 5), ZERO_OID))
        changed.drop(b"0" + change[1:-1] + b"0")
        second = changed.cut(row)
        assert len(set(first) - set(second)) == 1
        assert Columns.of(Folder(None, second)).names == changed.names
    # Growing and shrinking keeps segments in bounds.
    grown = Columns.of(row)
    for number in range(1, 20_000, 2):
        grown.put(b"%06d" % number, Known(FILE[0], pack_stat(1, 2, 3, 4, 5), ZERO_OID))
    assert max(len(segment.kinds) for segment in grown.cut(row)) <= SEGMENT_MAX
    few = columns(names[:700]).cut(row)
    assert min(len(segment.kinds) for segment in few) >= min(SEGMENT_MIN, 700)
    assert columns([]).cut(row) == []


def test_a_folder_written_by_another_process_is_replaced_as_a_whole(tmp_path: Path) -> None:
    start = columns([b"%05d" % number for number in range(10_000)])
    index(tmp_path).write({b"d": Update(None, start.cut(None), SUMMARY)})
    mine, theirs = index(tmp_path), index(tmp_path)
    row = mine.load(b"d")[b"d"]
    other = Columns.of(theirs.load(b"d")[b"d"])
    other.put(b"00000", Known(FILE[0], pack_stat(9, 9, 9, 9, 10), ZERO_OID))
    theirs.write({b"d": Update(theirs.load(b"d")[b"d"], other.cut(row), None)})
    changed = Columns.of(row)
    changed.put(b"09999", Known(FILE[0], pack_stat(8, 8, 8, 8, 10), ZERO_OID))
    mine.write({b"d": Update(row, changed.cut(row), SUMMARY)})
    found = index(tmp_path).load(b"d")[b"d"]
    # Not a mix of both, which would match a folder that the summary was not made from.
    assert found[:2] == (SUMMARY, changed.cut(row))


def test_an_entry_as_young_as_the_look_never_compares_equal() -> None:
    assert pack_stat(1, 2, 3, 4, 4) == pack_stat(1, 2, 3, 4, 99)
    assert pack_stat(1, 2, 3, 4, 3) != pack_stat(1, 2, 3, 4, 4)
    assert pack_stat(1, 9, 3, 4, 4) == pack_stat(1, 9, 3, 4, 99)


def test_a_column_of_stats_follows_the_same_rule() -> None:
    old, young = pack_stat(1, 2, 3, 4, 99), pack_stat(1, 2, 5, 4, 99)
    assert settle_stats(old + young, 6) == old + young
    assert settle_stats(old + young, 5) == old + pack_stat(1, 2, 5, 4, 5)
    assert settle_stats(b"", 5) == b""


def test_tracked_and_cached_values(tmp_path: Path) -> None:
    one = index(tmp_path)
    assert one.tracked("data") is None
    one.set_tracked("data", POINTER)
    one.set_tracked("x\udcff", POINTER._replace(kind="file", files=1, executable=True))
    one.remember("params", {b"key": b"value", b"empty": b""})
    other = index(tmp_path)
    assert other.tracked("data") == POINTER
    assert list(other.all_tracked()) == ["data", "x\udcff"]
    assert other.cached("params", b"key") == b"value"
    assert other.cached("params", b"empty") == b""
    assert other.cached("closure", b"key") is None
    other.set_tracked("data", None)
    assert one.tracked("data") is None


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "version", "foreign"])
def test_a_broken_database_is_made_anew(tmp_path: Path, damage: str) -> None:
    one = index(tmp_path)
    one.set_tracked("data", POINTER)
    one.write({b"d": Update(None, columns([b"%05d" % number for number in range(5000)]).cut(None), SUMMARY)})
    one.close()
    path = Path(one.database)
    if damage == "garbage":
        path.write_bytes(b"not a database at all" * 1000)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        os.truncate(path, path.stat().st_size // 2)
    else:
        with sqlite3.connect(path) as db:
            db.executescript("PRAGMA user_version = 99" if damage == "version" else "DROP TABLE segments")
        db.close()
    assert one.load(b"d").get(b"d", Folder(None, [])).segments == []
    one.set_tracked("data", POINTER)
    one.write({b"d": Update(None, [], SUMMARY)})
    assert index(tmp_path).tracked("data") == POINTER
    assert index(tmp_path).load(b"d")[b"d"].summary == SUMMARY


def test_a_flipped_bit_in_a_row_is_noticed(tmp_path: Path) -> None:
    one = index(tmp_path)
    one.write({b"d": Update(None, columns([b"name"]).cut(None), SUMMARY)})
    one.close()
    path = Path(one.database)
    data = path.read_bytes()
    oid = hash_bytes(b"name")
    assert data.count(oid) == 1
    path.write_bytes(data.replace(oid, bytes([oid[0] ^ 1]) + oid[1:]))
    assert one.load(b"d") == {}


def test_a_database_that_vanishes_or_cannot_be_made_costs_only_time(tmp_path: Path, world: World) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    one = WorkTreeIndex(str(blocked / "worktree.db"))
    one.set_tracked("data", POINTER)
    assert one.tracked("data") is None
    assert one.load(b"") == {}
    world.write({"data/a": "1"})
    pointer = world.add()
    world.index = one
    assert world.of() == pointer
    assert world.changes(pointer) == []


def test_several_threads_share_one_index(tmp_path: Path) -> None:
    one = index(tmp_path)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                one.remember("n", {b"%d-%d" % (number, turn): b"x"})
                assert one.cached("n", b"%d-%d" % (number, turn)) == b"x"
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_names_joined_twice_do_not_confuse_a_segment() -> None:
    segment = Segment(b"a\0b", FILE * 2, bytes(64), bytes(64))
    assert segment.first == b"a"
    assert Columns.of(Folder(None, [segment])).get(b"b") is not None
    assert Columns.of(Folder(None, [segment])).get(b"c") is None

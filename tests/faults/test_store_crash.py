"""A process that dies at any system call that changes the disk leaves a store that verifies and loses nothing.

A child process runs a scenario with every changing call of `os` counted, and ends itself, without any cleanup, right
before (or in the middle of) the n-th one; each n is tried until the scenario comes to its end.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.faults.cuts import CALLS

from axil.base.hashing import hash_bytes
from axil.formats.tree import FILE, Entry
from axil.store import TEMPORARY_PREFIX, Store
from axil.store.collect import execute, plan
from axil.store.hashing import LARGE
from axil.store.trash import list_trash
from axil.store.verify import verify

LATER = 30 * 86400.0
BIG = b"L" * LARGE
OLD = [b"old %d" % number for number in range(6)]

PRELUDE = """
import os, time
from axil.store import Store
from axil.store.collect import execute, plan
from axil.store.trash import empty_trash, restore
from axil.formats.tree import Entry
"""
DIED = 77


def run(scenario: str, root: Path, limit: int) -> bool:
    """Runs a scenario in a child that dies at call `limit`; whether it died."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            for name in CALLS:
                setattr(os, name, deadly(name, limit))
            exec(PRELUDE + scenario, {"root": str(root)})
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in (0, DIED)
    return os.waitstatus_to_exitcode(status) == DIED


calls = 0


def deadly(name: str, limit: int) -> Callable[..., object]:
    """The function `name` of os, which ends the process when it is the call number `limit` of its kind."""
    real = getattr(os, name)

    def call(*args: Any, **options: Any) -> object:
        global calls
        calls += 1
        if calls == limit:
            if name == "write":
                # Half of it gets to the disk.
                real(args[0], args[1][: len(args[1]) // 2])
            os._exit(DIED)
        return real(*args, **options)

    return call


def prepared(folder: Path) -> Store:
    """A store with some packs and files that everything below must leave alone."""
    store = Store(str(folder / "store"))
    for data in OLD:
        with store.batch() as batch:
            batch.put_bytes(data)
            batch.commit()
    (folder / "big").write_bytes(BIG)
    (folder / "small").write_bytes(b"new small")
    return store


def check(root: Path, *also: bytes) -> Store:
    """Nothing is damaged, no tree lacks children, everything old is there."""
    store = Store(str(root))
    report = verify(store)
    assert report.faults == ()
    assert report.missing == ()
    for data in (*OLD, *also):
        assert store.read(hash_bytes(data)) == data
    return store


def every_step(tmp_path: Path, scenario: str, least: int) -> Iterator[tuple[Path, Callable[[], None]]]:
    """The folder after dying at each step; at last after the whole scenario."""
    died = [True]

    def die() -> None:
        died.append(run(scenario, folder / "store", len(died)))

    while died[-1]:
        folder = tmp_path / str(len(died))
        folder.mkdir()
        count = len(died)
        yield folder, die
        assert len(died) == count + 1
    assert len(died) - 2 > least


ADD = """
store = Store(root)
here = os.path.dirname(root)
with store.batch() as batch:
    small, big = batch.put_files([here + "/small", here + "/big"])
    data = batch.put_bytes(b"D" * 200_000)
    batch.put_tree([Entry(b"s", 102, small.size, small.oid), Entry(b"b", 102, big.size, big.oid),
                    Entry(b"d", 102, 200_000, data)])
    batch.commit()
"""


@pytest.mark.parametrize("fresh", [False, True])
def test_dying_while_adding(tmp_path: Path, fresh: bool) -> None:
    for folder, die in every_step(tmp_path, ADD, 15):
        prepared(folder)
        if fresh:
            root = folder / "store"
            root.rename(folder / "unused")
            die()
            store = Store(str(root))
            assert verify(store).faults == ()
            assert verify(store).missing == ()
        else:
            die()
            store = check(folder / "store")
        # The same command again comes to its end.
        assert not run(ADD, folder / "store", 0)
        assert store.read(hash_bytes(BIG)) == BIG
        assert verify(store).missing == ()
        report = verify(store)
        execute(store, plan(store, set(), now=0), time.time() + LATER)
        assert len(os.listdir(folder / "store" / "tmp")) == 0, report


MERGE = """
store = Store(root)
for number in range(2):
    with store.batch() as batch:
        batch.put_bytes(b"merged %d" % number)
        batch.commit()
assert len(os.listdir(root + "/packs")) == 1
"""


def test_dying_while_merging(tmp_path: Path) -> None:
    for folder, die in every_step(tmp_path, MERGE, 20):
        prepared(folder)
        die()
        check(folder / "store")
        assert not run(MERGE.replace("assert", "0 and"), folder / "store", 0)
        check(folder / "store", b"merged 0", b"merged 1")


COLLECT = """
from axil.base.hashing import hash_bytes
store = Store(root)
live = {hash_bytes(b"old %d" % number) for number in range(6)}
done = execute(store, plan(store, live, now=time.time() + 1e7, waste=0), 1_800_000_000)
"""


def test_dying_while_collecting_and_restoring(tmp_path: Path) -> None:
    bring_back = COLLECT.replace(
        "store = Store(root)", "store = Store(root)\nfor t in os.listdir(root + '/trash'): restore(root, t)"
    ).replace("done =", "0 and")
    for folder, die in every_step(tmp_path, COLLECT, 10):
        store = prepared(folder)
        with store.batch() as batch:
            # One pack that is rewritten, one that goes whole, one file.
            batch.put_bytes(OLD[0] + b"x")
            batch._has = lambda oid: False  # type: ignore[method-assign]
            batch.put_bytes(OLD[0])
            batch.put_bytes(BIG)
            batch.commit()
        die()
        check(folder / "store")
        for trash in list_trash(store.root):
            limit = 1
            while run(bring_back, folder / "store", limit) and list_trash(store.root):
                check(folder / "store")
                limit += 1
            assert trash.name not in [left.name for left in list_trash(store.root)]
        assert check(folder / "store", BIG, OLD[0] + b"x")


HARDLINK = """
store = Store(root, link="hardlink")
here = os.path.dirname(root)
with store.batch() as batch:
    batch.put_files([here + "/big"])
    batch.commit()
"""


def test_dying_while_taking_a_file_by_hard_link(tmp_path: Path) -> None:
    for folder, die in every_step(tmp_path, HARDLINK, 8):
        prepared(folder)
        die()
        check(folder / "store")
        assert (folder / "big").read_bytes() == BIG
        assert not run(HARDLINK, folder / "store", 0)
        check(folder / "store", BIG)


PLACE = """
from axil.base.hashing import hash_bytes
store = Store(root)
here = os.path.dirname(root)
wanted = [("small", b"old 1"), ("big", b"L" * 131072)]
store.place_files([(hash_bytes(data), len(data), here + "/" + name, False) for name, data in wanted])
"""


def test_dying_while_placing(tmp_path: Path) -> None:
    for folder, die in every_step(tmp_path, PLACE, 3):
        store = prepared(folder)
        with store.batch() as batch:
            batch.put_bytes(BIG)
            batch.commit()
        (folder / "big").write_bytes(b"before")
        die()
        assert (folder / "small").read_bytes() in (b"new small", b"old 1")
        assert (folder / "big").read_bytes() in (b"before", BIG)
        others = set(os.listdir(folder)) - {"store", "small", "big"}
        assert all(name.startswith(TEMPORARY_PREFIX) for name in others)


def test_a_parent_that_dies_ends_its_workers_and_leaves_nothing_visible(tmp_path: Path) -> None:
    """Workers find their pipe closed; what they wrote stays in the folder that the next collection removes."""
    store = prepared(tmp_path)
    before = store.usage()
    (tmp_path / "in").mkdir()
    for number in range(4000):
        (tmp_path / "in" / f"{number}").write_bytes(b"%d" % number * 50)
    scenario = """
import glob
class Deadly:
    def advance(self, count=1): os._exit(77)
with Store(root).batch() as batch:
    batch.put_files(sorted(glob.glob(os.path.dirname(root) + "/in/*")), Deadly())
"""
    assert run(scenario, tmp_path / "store", 0)
    assert check(tmp_path / "store").usage() == before
    deadline = time.monotonic() + 30
    while not verify(store).abandoned:
        assert time.monotonic() < deadline, "the workers of a dead process live on"
        time.sleep(0.01)
    assert execute(store, plan(store, set(), now=0), time.time()).temporary == 1


def test_trees_never_arrive_before_their_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each rename of a commit with several packs, no visible tree lacks a child."""
    from axil.formats import pack as fmt

    monkeypatch.setattr(fmt, "MAX_ENTRIES", 3)
    store = Store(str(tmp_path / "store"))
    reports = []
    with store.batch() as batch:
        for top in range(5):
            rows = []
            for number in range(4):
                data = b"%d/%d" % (top, number)
                rows.append(Entry(b"%d" % number, FILE[0], len(data), batch.put_bytes(data)))
            batch.put_tree(rows)
        real = os.rename

        def rename(*paths: str) -> None:
            real(*paths)
            reports.append(verify(Store(store.root)).missing)

        monkeypatch.setattr(os, "rename", rename)
        batch.commit()
    assert len(reports) >= 8
    assert not any(reports)

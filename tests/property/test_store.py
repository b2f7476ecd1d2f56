"""The store against a dictionary: whatever the order of writes, commits, merges and collections."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from axil.base.hashing import hash_bytes
from axil.formats.tree import DIR, FILE, Entry
from axil.store import Store
from axil.store.collect import closure, execute, plan
from axil.store.hashing import LARGE
from axil.store.trash import restore
from axil.store.verify import verify

YEAR = 365 * 86400.0
blobs = st.one_of(st.binary(max_size=300), st.integers(0, 3).map(lambda seed: bytes([seed]) * (LARGE + seed)))


def row(name: bytes, content: bytes = b"") -> Entry:
    return Entry(name, FILE[0], len(content), hash_bytes(content))


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 3000)), st.sets(st.integers(0, 3000)), st.sets(st.integers(0, 3000), max_size=5))
def test_differing_equals_the_naive_difference(base: set[int], other: set[int], touched: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        # Many common names, so that common sub-nodes exist and are skipped.
        common = {row(b"%05d" % number) for number in range(0, 3000, 2)}
        rows_a = {entry.name: entry for entry in common | {row(b"%05d" % number) for number in base}}
        rows_b = {entry.name: entry for entry in common | {row(b"%05d" % number) for number in list(other)[:20]}}
        rows_b |= {b"%05d" % number: row(b"%05d" % number, b"changed") for number in touched}
        with store.batch() as batch:
            a, b = batch.put_tree(rows_a.values()), batch.put_tree(rows_b.values())
            batch.commit()
        all_a, all_b = set(rows_a.values()), set(rows_b.values())
        assert store.entries(a) == sorted(all_a)
        assert store.differing(a, b) == (sorted(all_a - all_b), sorted(all_b - all_a))
        assert store.differing(None, b) == ([], sorted(all_b))
        assert store.differing(a, None) == (sorted(all_a), [])
        assert store.differing(a, a) == ([], [])


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(self.folder.name + "/store")
        self.content: dict[bytes, bytes] = {}
        self.trees: dict[bytes, list[Entry]] = {}

    def teardown(self) -> None:
        assert verify(self.store).faults == ()
        self.folder.cleanup()

    @rule(data=st.lists(blobs, max_size=5))
    def save_bytes(self, data: list[bytes]) -> None:
        with self.store.batch() as batch:
            oids = [batch.put_bytes(item) for item in data]
            batch.commit()
        self.content |= dict(zip(oids, data, strict=True))

    @rule(data=st.lists(blobs, max_size=5))
    def save_files(self, data: list[bytes]) -> None:
        paths = []
        for number, item in enumerate(data):
            path = Path(self.folder.name) / f"file{number}"
            path.write_bytes(item)
            paths.append(str(path))
        with self.store.batch() as batch:
            saved = batch.put_files(paths)
            batch.commit()
        for answer, item in zip(saved, data, strict=True):
            assert not isinstance(answer, OSError)
            assert (answer.oid, answer.size) == (hash_bytes(item), len(item))
            self.content[answer.oid] = item

    @rule(count=st.integers(0, 4))
    def save_tree(self, count: int) -> None:
        rows = [Entry(b"%d" % n, FILE[0], len(c), o) for n, (o, c) in enumerate(list(self.content.items())[:count])]
        rows += [Entry(b"d", DIR[0], sum(e.size for e in below), oid) for oid, below in list(self.trees.items())[:1]]
        with self.store.batch() as batch:
            self.trees[batch.put_tree(rows)] = sorted(rows)
            batch.commit()

    @rule(data=blobs)
    def abandon(self, data: bytes) -> None:
        with self.store.batch() as batch:
            oid = batch.put_bytes(data)
        assert self.store.has(oid) == (oid in self.content)

    @rule(keep=st.integers(0, 6), back=st.booleans())
    def collect(self, keep: int, back: bool) -> None:
        roots = [*list(self.content)[:keep], *self.trees]
        live = closure(self.store, roots).live
        assert closure(self.store, roots).missing == set()
        done = execute(self.store, plan(self.store, live, now=time.time() + YEAR, waste=0), time.time())
        if back and done.trash:
            restore(self.store.root, done.trash)
        elif done.trash:
            self.content = {oid: data for oid, data in self.content.items() if oid in live}
            assert all(not self.store.has(oid) for oid in plan(self.store, live, now=time.time() + YEAR).oids)

    @rule()
    def reopen(self) -> None:
        self.store = Store(self.store.root)

    @invariant()
    def everything_is_there(self) -> None:
        assert self.store.missing(self.content) == set()
        for oid, data in self.content.items():
            assert self.store.has(oid)
            assert self.store.read(oid) == data
        for oid, rows in self.trees.items():
            assert self.store.entries(oid) == rows


def test_the_store_is_a_dictionary_of_contents() -> None:
    run_state_machine_as_test(Model, settings=settings(max_examples=30, stateful_step_count=25, deadline=None))

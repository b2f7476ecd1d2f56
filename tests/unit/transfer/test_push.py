from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.unit.transfer.conftest import Clock, filled
from tests.unit.transfer.pushing import assert_whole, keys_of, prepare, pushed

from axil.base.hashing import Oid, hash_bytes
from axil.base.ids import new_id
from axil.errors import AxilError, Damaged, NotFound
from axil.formats import pack as pack_fmt
from axil.formats import sharing
from axil.formats.sharing import Condemned
from axil.formats.tree import DIR, FILE, Entry
from axil.remotes.base import Unreachable
from axil.remotes.memory import Memory
from axil.remotes.wrap.faulty import Fault, Faulty
from axil.store import Store
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.push import plan_push


def test_what_was_pushed_can_be_fetched(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from", many=20)
    prepare(remote, clock)
    done = pushed(store, catalog, root, clock=clock)
    assert done.objects == 25
    assert done.packs == len(keys_of(remote, keys.PACKS)) > 3
    assert keys_of(remote, keys.ROOTS) == [keys.ROOTS + done.root]
    assert keys_of(remote, keys.LEASES) == []
    there = assert_whole(remote, tmp_path, root)
    assert there.entries(root) == store.entries(root)


def test_format_is_written_once(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from")
    pushed(store, catalog, root, clock=clock)
    first = remote.get(keys.FORMAT)
    other, more = filled(tmp_path / "other", many=3)
    pushed(other, Catalog(remote, str(tmp_path / "second")), more, clock=clock)
    assert remote.get(keys.FORMAT) == first


def test_nothing_to_do_writes_nothing_and_asks_little(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from", many=20)
    pushed(store, catalog, root, clock=clock)
    seen = Faulty(remote)
    again = Catalog(seen, catalog.folder)
    assert pushed(store, again, root, clock=clock) == (0, 0, 0, "")
    assert {one.verb for one in seen.operations} <= {"get", "stat", "list"}
    assert len(seen.operations) <= 3


def test_an_unknown_clone_writes_a_root_only(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from", many=20)
    pushed(store, catalog, root, clock=clock)
    before = keys_of(remote, "packs/") + keys_of(remote, "index/")
    done = pushed(store, Catalog(remote, str(tmp_path / "second")), root, clock=clock)
    assert done.objects == done.bytes == done.packs == 0
    assert len(keys_of(remote, keys.ROOTS)) == 2
    assert keys_of(remote, "packs/") + keys_of(remote, "index/") == before


def test_only_what_changed_travels(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from", many=20)
    pushed(store, catalog, root, clock=clock)
    with store.batch() as batch:
        new = batch.put_tree([*store.entries(root), Entry(b"z", FILE[0], 3, batch.put_bytes(b"new"))])
        batch.commit()
    assert pushed(store, catalog, new, clock=clock).objects == 2
    assert_whole(remote, tmp_path, new, root)


def test_plan_says_what_push_does(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from", many=20)
    plan = plan_push(store, catalog, [root, b"\1" * 32])
    assert (plan.send, plan.known, plan.missing, plan.absent_here) == (25, 0, (b"\1" * 32,), ())
    assert plan.bytes > 700_000
    pushed(store, catalog, root, clock=clock)
    assert plan_push(store, catalog, [root]) == (0, 0, 1, (), ())
    assert plan_push(Store(str(tmp_path / "empty")), catalog, [hash_bytes(b"content")]).absent_here


def test_what_is_nowhere_is_refused(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from")
    with pytest.raises(NotFound):
        pushed(store, catalog, root, b"\1" * 32, clock=clock)
    assert keys_of(remote, keys.PACKS) == keys_of(remote, keys.ROOTS) == keys_of(remote, keys.LEASES) == []


def test_what_only_the_remote_has_is_kept(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from", many=3)
    pushed(store, catalog, root, clock=clock)
    other = Store(str(tmp_path / "other"))
    with other.batch() as batch:
        size = sum(entry.size for entry in store.entries(root))
        above = batch.put_tree([Entry(b"old", DIR[0], size, root), Entry(b"n", FILE[0], 1, batch.put_bytes(b"n"))])
        batch.commit()
    done = pushed(other, Catalog(remote, str(tmp_path / "second")), above, root, clock=clock)
    assert done.objects == 2
    assert_whole(remote, tmp_path, above)


def test_whole_local_packs_travel_with_another_name(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store = Store(str(tmp_path / "from"))
    with store.batch() as batch:
        oids = [batch.put_bytes(b"%d" % number) for number in range(50)]
        batch.commit()
    (local,) = store.packs.opened()
    done = pushed(store, catalog, *oids, clock=clock, verbatim=1)
    assert (done.packs, done.bytes) == (1, local.size)
    (key,) = keys_of(remote, keys.PACKS)
    data = remote.get(key)
    assert pack_fmt.id_of(data[local.table_at :]).hex() == key.rpartition("/")[2] != local.name.partition(".")[0]
    with open(local.path, "rb") as file:
        assert file.read()[: -pack_fmt.FOOTER_SIZE] == data[: -pack_fmt.FOOTER_SIZE]


def test_large_files_travel_in_chunks(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    prepare(remote, clock)
    store = Store(str(tmp_path / "from"))
    data = os.urandom(8 << 20)
    with store.batch() as batch:
        first = batch.put_bytes(data)
        second = batch.put_bytes(data[: 4 << 20] + b"a row inserted" + data[4 << 20 :])
        text = batch.put_bytes(b"".join(b"%d,some,text\n" % number for number in range(200_000)))
        batch.commit()
    whole = pushed(store, catalog, first, clock=clock, entries=1 << 16)
    assert len(data) < whole.bytes < len(data) * 1.05
    assert pushed(store, catalog, second, clock=clock, entries=1 << 16).bytes < 200_000
    assert pushed(store, catalog, text, clock=clock, entries=1 << 16).bytes < store.size(text) / 3
    there = assert_whole(remote, tmp_path, first, second, text)
    assert there.read(second) == store.read(second)


@pytest.mark.parametrize("verbatim", [1, 1 << 20])
def test_damaged_objects_are_never_named(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path, verbatim: int):
    prepare(remote, clock)
    store, root = filled(tmp_path / "from", many=20)
    for path in [next(store.packs.opened()).path, *(entry.path for entry in store.files.all())]:
        with open(path, "rb") as file:
            sound = file.read()
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.seek(200)
            file.write(bytes((sound[200] ^ 1,)))
        with pytest.raises(Damaged):
            pushed(Store(store.root), catalog, root, clock=clock, verbatim=verbatim)
        assert keys_of(remote, keys.INDEX) == keys_of(remote, keys.ROOTS) == []
        with open(path, "r+b") as file:
            file.write(sound)
    pushed(Store(store.root), catalog, root, clock=clock, verbatim=verbatim)
    assert_whole(remote, tmp_path, root)


class Crash(BaseException):
    """Stands for kill -9: nothing after it happens."""


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("error", [None, Crash()])
def test_a_push_that_fails_anywhere_is_finished_by_the_same_push(
    clock: Clock, tmp_path: Path, how, error: BaseException | None
):
    store, root = filled(tmp_path / "from", many=12)
    sound = Memory(clock)
    prepare(sound, clock)
    most = pushed(store, Catalog(sound, str(tmp_path / "sound")), root, clock=clock, entries=16).packs + 5
    number, finished = 0, False
    while not finished:
        remote = Memory(clock, jobs=2)
        prepare(remote, clock)
        base = len(list(tmp_path.iterdir()))
        folder = str(tmp_path / f"note{base}")
        faulty = Faulty(remote, {number: Fault(how, error)})
        try:
            pushed(store, Catalog(faulty, folder), root, clock=clock, entries=16)
            finished = len(faulty.operations) <= number
        except (Unreachable, Crash):
            pass
        pushed(store, Catalog(remote, folder), root, clock=clock, entries=16)
        assert_whole(remote, tmp_path, root)
        assert keys_of(remote, keys.ROOTS)
        # What had come through is used, but for the packs under way at that moment, of which that is not known.
        assert len(keys_of(remote, keys.PACKS)) <= most
        number += 1
    assert number > 15


def test_condemned_packs_count_as_absent(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    prepare(remote, clock)
    store, root = filled(tmp_path / "from", many=12)
    pushed(store, catalog, root, clock=clock)
    for pack in [keys.oid_of(key) for key in keys_of(remote, keys.PACKS)]:
        assert pack is not None
        name = new_id(clock)
        remote.put(keys.CONDEMNED + name, sharing.encode_condemned(Condemned(name, (pack,))))
        assert pushed(store, catalog, root, clock=clock).root
    catalog.refresh()
    for pack in catalog.condemned_packs:
        remote.delete(keys.pack_key(pack))
    assert_whole(remote, tmp_path, root)


class Meddling(Memory):
    """Condemns or deletes a pack as soon as an object with a certain prefix is put."""

    def __init__(self, clock: Clock, prefix: str, *, delete: bool) -> None:
        super().__init__(clock)
        self.prefix, self.remove, self.clock = prefix, delete, clock
        self.victims: list[Oid] = []

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        super().put(key, data)
        if key.startswith(self.prefix) and self.victims:
            pack = self.victims.pop()
            if self.remove:
                self.delete(keys.pack_key(pack))
            else:
                name = new_id(self.clock)
                super().put(keys.CONDEMNED + name, sharing.encode_condemned(Condemned(name, (pack,))))


@pytest.mark.parametrize("prefix", [keys.LEASES, keys.PACKS, keys.INDEX, keys.ROOTS])
@pytest.mark.parametrize("delete", [False, True])
def test_what_is_lost_during_a_push_is_sent_again(clock: Clock, tmp_path: Path, prefix: str, delete: bool):
    remote = Meddling(clock, prefix, delete=delete)
    prepare(remote, clock)
    store, root = filled(tmp_path / "from", many=12)
    catalog = Catalog(remote, str(tmp_path / "note"))
    pushed(store, catalog, root, clock=clock)
    remote.victims = [pack for key in keys_of(remote, keys.PACKS) if (pack := keys.oid_of(key))]
    with store.batch() as batch:
        size = sum(entry.size for entry in store.entries(root))
        new = batch.put_tree([Entry(b"d", DIR[0], size, root), Entry(b"z", FILE[0], 3, batch.put_bytes(b"new"))])
        batch.commit()
    victims = list(remote.victims)
    second = Catalog(remote, str(tmp_path / "other"))
    try:
        pushed(store, second, new, clock=clock)
    except AxilError:
        remote.victims = []
        pushed(store, second, new, clock=clock)
    second.refresh()
    for pack in second.condemned_packs & set(victims):
        remote.delete(keys.pack_key(pack))
    assert_whole(remote, tmp_path, new)


def test_small_indexes_are_united(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store = Store(str(tmp_path / "from"))
    oids = []
    for number in range(20):
        with store.batch() as batch:
            oids.append(batch.put_bytes(b"blob %d" % number))
            batch.commit()
        pushed(store, catalog, oids[-1], clock=clock)
    assert len(keys_of(remote, keys.INDEX)) == 20
    assert len(catalog.ids()) < 9
    fresh = Catalog(remote, str(tmp_path / "fresh"))
    fresh.refresh()
    assert fresh.ids().keys() == catalog.ids().keys()
    assert not fresh.missing(oids)


def test_another_remote_at_the_same_place_is_noticed(remote: Memory, catalog: Catalog, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from")
    pushed(store, catalog, root, clock=clock)
    for stat in list(remote.list("")):
        remote.delete(stat.key)
    prepare(remote, clock)
    pushed(store, Catalog(remote, catalog.folder), root, clock=clock)
    assert_whole(remote, tmp_path, root)

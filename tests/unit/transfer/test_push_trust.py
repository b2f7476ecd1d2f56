"""What a push may not take for granted of what it finds on a remote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.transfer_builder import Object, put_index, put_pack
from tests.unit.transfer.conftest import Clock, filled
from tests.unit.transfer.pushing import assert_whole, keys_of, prepare, pushed

from axil.base.hashing import Oid, hash_bytes
from axil.base.ids import new_id
from axil.errors import NotFound
from axil.formats import pack, recipe, sharing, tree
from axil.formats.recipe import Part, Recipe
from axil.formats.sharing import Root
from axil.formats.tree import DIR, FILE, Entry
from axil.remotes.memory import Memory
from axil.store import Store
from axil.transfer import keys
from axil.transfer.catalog import Catalog


def above(store: Store, root: Oid, size: int) -> Oid:
    """A directory around one that `store` may lack."""
    with store.batch() as batch:
        oid = batch.put_tree([Entry(b"d", DIR[0], size, root)])
        batch.commit()
    return oid


def pack_of(catalog: Catalog, oid: Oid) -> Oid:
    place = catalog.find(oid)
    assert place is not None
    return place.pack


def test_directories_that_only_the_remote_has_are_read_there(remote: Memory, clock: Clock, tmp_path: Path):
    prepare(remote, clock)
    store, root = filled(tmp_path / "from", many=12)
    first = Catalog(remote, str(tmp_path / "first"))
    pushed(store, first, root, clock=clock)
    other = Store(str(tmp_path / "other"))
    outer = above(other, root, sum(entry.size for entry in store.entries(root)))
    # A blob two directories below is gone: here it is lacking, with it here it is sent.
    lost = hash_bytes(b"00003")
    remote.delete(keys.pack_key(pack_of(first, lost)))
    with pytest.raises(NotFound):
        pushed(other, Catalog(remote, str(tmp_path / "second")), outer, clock=clock)
    assert len(keys_of(remote, keys.ROOTS)) == 1
    with other.batch() as batch:
        for number in range(12):
            batch.put_bytes(b"%05d" % number)
        batch.put_bytes(b"content")
        batch.put_bytes(b"compressible " * 5000)
        batch.commit()
    again = Catalog(remote, str(tmp_path / "second"))
    pushed(other, again, outer, clock=clock)
    assert_whole(remote, tmp_path, outer)


def test_what_a_known_root_covers_is_not_read(remote: Memory, clock: Clock, tmp_path: Path):
    prepare(remote, clock)
    store, root = filled(tmp_path / "from", many=12)
    catalog = Catalog(remote, str(tmp_path / "note"))
    pushed(store, catalog, root, clock=clock)
    other = Store(str(tmp_path / "other"))
    outer = above(other, root, sum(entry.size for entry in store.entries(root)))
    gets: list[str] = []
    get = remote.get
    remote.get = lambda key, *rest: gets.append(key) or get(key, *rest)  # type: ignore[method-assign,func-returns-value]
    pushed(other, catalog, outer, clock=clock)
    assert not [key for key in gets if key.startswith(keys.PACKS)]


def test_reused_chunks_are_looked_at_again(remote: Memory, clock: Clock, tmp_path: Path):
    prepare(remote, clock)
    store = Store(str(tmp_path / "from"))
    data = os.urandom(4 << 20)
    with store.batch() as batch:
        first, second = batch.put_bytes(data), batch.put_bytes(data + b"and a little more")
        batch.commit()
    catalog = Catalog(remote, str(tmp_path / "note"))
    pushed(store, catalog, first, clock=clock, entries=1 << 16)
    for key in keys_of(remote, keys.PACKS):
        remote.delete(key)
    pushed(store, Catalog(remote, str(tmp_path / "other")), second, clock=clock, entries=1 << 16)
    assert_whole(remote, tmp_path, second)


def test_a_file_with_the_bytes_of_a_directory_is_none(remote: Memory, clock: Clock, tmp_path: Path):
    prepare(remote, clock)
    small = hash_bytes(b"content")
    bytes_ = tree.encode([Entry(b"f", FILE[0], 7, small)])
    files = Store(str(tmp_path / "files"))
    with files.batch() as batch:
        odd = batch.put_bytes(bytes_)
        batch.commit()
    pushed(files, Catalog(remote, str(tmp_path / "first")), odd, clock=clock)
    store = Store(str(tmp_path / "from"))
    with store.batch() as batch:
        batch.put_bytes(b"content")
        root = batch.put_tree([Entry(b"f", FILE[0], 7, small)])
        batch.commit()
    assert root == odd
    pushed(store, Catalog(remote, str(tmp_path / "second")), root, clock=clock)
    fetched = assert_whole(remote, tmp_path, root)
    assert fetched.entries(root) == store.entries(root) and fetched.has(small)
    assert fetched.is_tree(root)


def test_a_copy_of_an_index_that_was_damaged_is_fetched_again(remote: Memory, clock: Clock, tmp_path: Path):
    store, root = filled(tmp_path / "from", many=12)
    catalog = Catalog(remote, str(tmp_path / "note"))
    pushed(store, catalog, root, clock=clock)
    (name,) = os.listdir(tmp_path / "note" / "index")
    path = tmp_path / "note" / "index" / name
    sound = path.read_bytes()
    path.write_bytes(sound[:-8] + bytes((sound[-8] ^ 1,)) + sound[-7:])
    again = Catalog(remote, str(tmp_path / "note"))
    again.load()
    assert not list(again.indexes())
    again.refresh()
    assert path.read_bytes() == sound and list(again.indexes())


def test_a_recipe_that_cannot_be_read_is_sent_again(remote: Memory, clock: Clock, tmp_path: Path):
    prepare(remote, clock)
    store = Store(str(tmp_path / "from"))
    data = os.urandom(1 << 20)
    with store.batch() as batch:
        blob = batch.put_bytes(data)
        batch.commit()
    segment, body = recipe.encode_segment([Part(blob, len(data) - 1)])
    made = recipe.encode(Recipe(1, len(data), (Part(segment, len(data)),)), blob)
    objects = [Object(segment, body, pack.SEGMENT), Object(blob, made, pack.RECIPE)]
    put_index(remote, [put_pack(remote, objects)])
    done = pushed(store, Catalog(remote, str(tmp_path / "note")), blob, clock=clock, entries=1 << 16)
    assert done.root and done.bytes > len(data)


def test_a_root_of_very_many_objects_is_several(
    monkeypatch: pytest.MonkeyPatch, remote: Memory, clock: Clock, tmp_path
):
    monkeypatch.setattr(sharing, "_MOST_OBJECTS", 3)
    store = Store(str(tmp_path / "from"))
    with store.batch() as batch:
        oids = [batch.put_bytes(b"%d" % number) for number in range(8)]
        batch.commit()
    catalog = Catalog(remote, str(tmp_path / "note"))
    pushed(store, catalog, *oids, clock=clock)
    roots = [sharing.decode_root(remote.get(key), key) for key in keys_of(remote, keys.ROOTS)]
    assert sorted(oid for root in roots for oid in root.objects) == sorted(oids)
    assert [len(root.objects) for root in roots] == [3, 3, 2]
    assert pushed(store, catalog, *oids, clock=clock).root == ""
    remote.delete(keys_of(remote, keys.ROOTS)[1])
    assert pushed(store, catalog, *oids, clock=clock).root


def test_parts_of_a_root_can_be_read(clock: Clock):
    oids = tuple(number.to_bytes(32, "little") for number in range(1_100_000))
    parts = sharing.parts_of_root(Root(new_id(clock), "ann", oids, ("c" * 40,), ("n",)), lambda: new_id(clock))
    assert tuple(oid for part in parts for oid in part.objects) == oids
    assert [part.names for part in parts] == [("n",), (), ()] and len({part.id for part in parts}) == 3
    assert all(len(sharing.encode_root(part)) < sharing.MAX_BYTES for part in parts)

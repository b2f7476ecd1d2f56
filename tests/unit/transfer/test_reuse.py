"""Large blobs of which another version is here: only what that one has not travels, and nothing wrong comes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.transfer_builder import Object, blob, chunked, put_index, put_pack
from tests.unit.transfer.conftest import BIG

from axil.base.hashing import Oid, hash_bytes
from axil.formats import recipe
from axil.formats.pack import RECIPE
from axil.formats.tree import DIR, FILE, Entry
from axil.remotes.base import Remote
from axil.remotes.memory import Memory
from axil.store import Store
from axil.store.files import LargeFiles
from axil.store.verify import verify
from axil.transfer import keys, reuse
from axil.transfer.catalog import Catalog
from axil.transfer.fetch import fetch

CHUNK = 50_000
MIB = 1 << 20


class Counting(Memory):
    """Counts what is asked of its packs."""

    came = 0

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        data = super().get(key, start, length)
        if key.startswith(keys.PACKS):
            self.came += len(data)
        return data


@pytest.fixture
def remote(clock: object) -> Counting:
    return Counting(clock)  # type: ignore[arg-type]


def put(remote: Remote, data: bytes, segment: int = 0) -> Oid:
    """A large blob on the remote, its chunks apart from its recipe, each in a pack of its own."""
    made = {one.oid: one for one in chunked(data, CHUNK, segment)}
    put_index(remote, [put_pack(remote, [one]) for one in made.values()])
    return hash_bytes(data)


def have(store: Store, *contents: bytes) -> None:
    with store.batch() as batch:
        for data in contents:
            batch.put_bytes(data)
        batch.commit()


def edited(data: bytes, at: int = 3 * CHUNK) -> bytes:
    """Another version, in which one chunk differs."""
    return data[:at] + b"edited" + data[at + 6 :]


@pytest.mark.parametrize("segment", [0, 7])
def test_only_what_differs_comes(remote: Counting, catalog: Catalog, here: Store, segment: int) -> None:
    old = os.urandom(2 * MIB)
    have(here, old)
    put(remote, old, segment)
    new = put(remote, edited(old), segment)
    fetched = fetch(here, catalog, [new])
    assert here.read(new) == edited(old)
    assert remote.came < CHUNK + 8_000
    assert fetched.objects == 1
    assert CHUNK < fetched.bytes < CHUNK + 4_000


def test_one_version_after_another_in_one_fetch(
    remote: Counting, catalog: Catalog, here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a fetch has brought already serves it, too."""
    monkeypatch.setattr("axil.transfer.assemble._loads", lambda blobs: ([one] for one in blobs))
    versions = [os.urandom(2 * MIB)]
    for at in (3, 9, 20):
        versions.append(edited(versions[-1], at * CHUNK))
    have(here, os.urandom(2 * MIB))
    oids = [put(remote, data) for data in versions]
    fetch(here, catalog, oids)
    assert [here.read(oid) for oid in oids] == versions
    assert remote.came < 2 * MIB + 6 * CHUNK


def test_a_chunk_that_occurs_often(remote: Counting, catalog: Catalog, here: Store) -> None:
    old = os.urandom(CHUNK) * 30 + os.urandom(CHUNK)
    have(here, old)
    put(remote, old)
    new = put(remote, old[:CHUNK] + old)
    fetch(here, catalog, [new])
    assert here.read(new) == old[:CHUNK] + old
    assert remote.came < 4_000


@pytest.mark.parametrize("harm", ["changed", "cut", "empty", "gone", "link"])
def test_an_older_version_that_is_damaged_here(
    tmp_path: Path, remote: Counting, catalog: Catalog, here: Store, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies here is never believed: the chunks that are not right come from the remote."""
    old = os.urandom(2 * MIB)
    have(here, old)
    put(remote, old)
    new = put(remote, edited(old))
    path = Path(here.files.path(hash_bytes(old)))
    path.chmod(0o644)
    if harm == "changed":
        path.write_bytes(old[: 9 * CHUNK] + b"other" + old[9 * CHUNK + 5 :])
    elif harm == "gone":
        listed = list(here.files.all())
        monkeypatch.setattr(LargeFiles, "all", lambda _: iter(listed))
        path.unlink()
    elif harm == "link":
        path.rename(tmp_path / "aside")
        path.symlink_to(tmp_path / "aside")
    else:
        path.write_bytes(old[: MIB + 100] if harm == "cut" else b"")
    fetch(here, catalog, [new])
    assert here.read(new) == edited(old)
    if harm == "changed":
        assert remote.came < 2 * CHUNK + 8_000
    assert path.is_symlink() or not path.exists() or path.stat().st_size <= len(old)


def test_it_changes_while_it_is_read(
    remote: Counting, catalog: Catalog, here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = os.urandom(2 * MIB)
    have(here, old)
    put(remote, old)
    new = put(remote, edited(old))
    path = Path(here.files.path(hash_bytes(old)))
    path.chmod(0o644)
    read = reuse._read

    def harmed(piece: reuse._Piece) -> tuple[reuse._Piece, bytes]:
        if piece.offset == 10 * CHUNK:
            os.truncate(path, 20 * CHUNK)
        return read(piece)

    monkeypatch.setattr(reuse, "_read", harmed)
    fetch(here, catalog, [new])
    assert here.read(new) == edited(old)
    assert remote.came < 24 * CHUNK


def test_a_recipe_that_lies_of_what_is_here(remote: Counting, catalog: Catalog, here: Store) -> None:
    """Its chunks stand elsewhere in the file that is here; it is not wanted, so this is no damage to complain of."""
    old = os.urandom(2 * MIB)
    have(here, old)
    pieces = chunked(old, CHUNK)
    parts = recipe.decode(pieces[-1].data, hash_bytes(old)).parts
    lie = recipe.encode(recipe.Recipe(0, len(old), tuple(reversed(parts))), hash_bytes(old))
    put_index(remote, [put_pack(remote, [*pieces[:-1], Object(hash_bytes(old), lie, RECIPE)])])
    new = put(remote, edited(old))
    fetch(here, catalog, [new])
    assert here.read(new) == edited(old)


@pytest.mark.parametrize("what", ["recipe", "segment"])
def test_a_recipe_that_is_lost_or_damaged(remote: Counting, catalog: Catalog, here: Store, what: str) -> None:
    """The recipe of the older version is of no need: without it all comes."""
    old = os.urandom(2 * MIB)
    have(here, old)
    *chunks, made = chunked(old, CHUNK, 7)
    segments, chunks = chunks[-6:], chunks[:-6]
    bad = [made, *segments] if what == "recipe" else segments
    info, places = put_pack(remote, bad)
    rest = [put_pack(remote, [made])] if what == "segment" else []
    put_index(remote, [(info, places), *rest, put_pack(remote, chunks)])
    new = put(remote, edited(old), 5)
    catalog.refresh()
    remote.delete(keys.pack_key(info.id))
    fetch(here, catalog, [new])
    assert here.read(new) == edited(old)


def test_an_impossible_length_of_a_chunk(remote: Counting, catalog: Catalog, here: Store) -> None:
    """No memory is taken for what no chunk can be."""
    old = os.urandom(2 * MIB)
    have(here, old)
    first = hash_bytes(old[:CHUNK])
    oid, size = hash_bytes(b"long"), 100 << 20
    rows = [(hash_bytes(old), len(old) + size), (oid, size)]
    made = [
        Object(name, recipe.encode(recipe.Recipe(0, size, (recipe.Part(first, size),)), name), RECIPE)
        for name, _ in rows
    ]
    put_index(remote, [put_pack(remote, [blob(old[:CHUNK])]), put_pack(remote, made)])
    with pytest.raises(Exception, match="another size"):
        fetch(here, catalog, [oid])
    assert not here.has(oid)


def test_the_version_before_counts_where_many_have_about_its_size(
    remote: Counting, catalog: Catalog, here: Store
) -> None:
    """Among shards of one size, the one that had the same name is looked into."""
    shards = [os.urandom(6 * CHUNK) for _ in range(9)]
    with here.batch() as batch:
        rows = [Entry(b"%d" % n, FILE[0], len(data), batch.put_bytes(data)) for n, data in enumerate(shards)]
        before = batch.put_tree([Entry(b"d", DIR[0], 9 * len(shards[0]), batch.put_tree(rows))])
        new = [row._replace(oid=hash_bytes(edited(shards[n]))) if n == 5 else row for n, row in enumerate(rows)]
        after = batch.put_tree([Entry(b"d", DIR[0], 9 * len(shards[0]), batch.put_tree(new))])
        batch.commit()
    for data in (*shards, edited(shards[5])):
        put(remote, data)
    fetch(here, catalog, [after], older={after: before})
    assert here.read(new[5].oid) == edited(shards[5])
    assert remote.came < CHUNK + 4_000
    assert verify(here).sound


def test_few_are_looked_into(remote: Counting, catalog: Catalog, here: Store) -> None:
    """Of blobs that have nothing in common with the wanted one, little is read."""
    others = [os.urandom(2 * MIB + n) for n in range(40)]
    have(here, *others, BIG)
    for data in (*others, BIG):
        put(remote, data)
    wanted = os.urandom(2 * MIB)
    new = put(remote, wanted)
    catalog.refresh()
    remote.came = 0
    fetch(here, catalog, [new])
    assert here.read(new) == wanted
    assert remote.came < len(wanted) * 1.01

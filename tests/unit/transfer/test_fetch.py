"""Fetching: everything reachable comes, once, and is what its name says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.transfer_builder import Object, blob, chunked, push_all, put_index, put_pack, squeezed
from tests.unit.transfer.conftest import BIG, filled

from axil.base.hashing import hash_bytes
from axil.errors import Damaged, NotFound
from axil.formats import recipe
from axil.formats.pack import RECIPE
from axil.formats.tree import FILE, Entry
from axil.remotes.memory import Memory
from axil.store import Store
from axil.store.faults import DiskFull
from axil.store.verify import verify
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.fetch import fetch, plan_fetch


@pytest.mark.parametrize("chunk", [0, 70_000])
@pytest.mark.parametrize("per_pack", [1, 4, 1 << 16])
def test_everything_comes(
    tmp_path: Path, remote: Memory, catalog: Catalog, here: Store, chunk: int, per_pack: int
) -> None:
    there, root = filled(tmp_path / "there", many=300)
    push_all(remote, there, per_pack, chunk)
    assert plan_fetch(here, catalog, [root]).missing == (root,)
    catalog.refresh()
    plan = plan_fetch(here, catalog, [root])
    assert (plan.objects, plan.missing) == (1, ())
    fetched = fetch(here, catalog, [root])
    report = verify(here)
    assert report.sound and not report.missing
    assert fetched.objects == report.objects == verify(there).objects
    assert plan_fetch(here, catalog, [root]) == (0, 0, ())
    assert fetch(here, catalog, [root]) == (0, 0)


def test_trees_only_then_the_rest(tmp_path: Path, remote: Memory, catalog: Catalog, here: Store) -> None:
    there, root = filled(tmp_path / "there")
    push_all(remote, there)
    assert fetch(here, catalog, [root], trees_only=True).objects == 2
    plan = plan_fetch(here, catalog, [root])
    assert (plan.objects, plan.missing) == (3, ())
    assert fetch(here, catalog, [root]).objects == 3
    assert not verify(here).missing


def test_how_much_a_large_blob_is(remote: Memory, catalog: Catalog, here: Store) -> None:
    """A recipe does not say it to who has only the index: the caller does, or nobody knows."""
    put_index(remote, [put_pack(remote, chunked(BIG, 100_000))])
    catalog.refresh()
    oid = hash_bytes(BIG)
    assert plan_fetch(here, catalog, [oid]).bytes < len(BIG)
    assert plan_fetch(here, catalog, [oid], {oid: len(BIG)}).bytes == len(BIG)


def test_what_is_nowhere_is_counted_and_the_rest_comes(
    tmp_path: Path, remote: Memory, catalog: Catalog, here: Store
) -> None:
    put_index(remote, [put_pack(remote, [blob(b"one")])])
    nowhere = hash_bytes(b"two")
    with pytest.raises(NotFound, match="1 objects"):
        fetch(here, catalog, [hash_bytes(b"one"), nowhere])
    assert here.read(hash_bytes(b"one")) == b"one"


def test_a_pack_that_is_gone_is_replaced_by_another(remote: Memory, catalog: Catalog, here: Store) -> None:
    first = put_pack(remote, [blob(b"one")])
    old = put_index(remote, [first])
    catalog.refresh()
    put_index(remote, [put_pack(remote, [blob(b"one")])], [old])
    remote.delete(keys.pack_key(first[0].id))
    fetch(here, catalog, [hash_bytes(b"one")])
    assert here.has(hash_bytes(b"one"))


def test_wrong_bytes_never_come_in(remote: Memory, catalog: Catalog, here: Store) -> None:
    bad = blob(b"one")._replace(data=b"two")
    put_index(remote, [put_pack(remote, [bad])])
    with pytest.raises(Damaged, match="is damaged on the remote"):
        fetch(here, catalog, [bad.oid])
    assert not here.has(bad.oid)


def test_a_recipe_that_makes_something_else(remote: Memory, catalog: Catalog, here: Store) -> None:
    made = chunked(BIG, 100_000)
    swapped = [one._replace(oid=made[1].oid, data=made[1].data) if one.oid == made[0].oid else one for one in made]
    put_index(remote, [put_pack(remote, swapped)])
    with pytest.raises(NotFound):
        fetch(here, catalog, [hash_bytes(BIG)])
    assert not here.has(hash_bytes(BIG))


@pytest.mark.parametrize("first", ["blob", "recipe"])
def test_what_lies_elsewhere_in_another_form(remote: Memory, catalog: Catalog, here: Store, first: str) -> None:
    """A recipe is never taken for the blob that it makes."""
    forms = {"blob": [blob(BIG)], "recipe": chunked(BIG, 100_000)}
    gone = put_pack(remote, forms.pop(first))
    old = put_index(remote, [gone])
    catalog.refresh()
    put_index(remote, [put_pack(remote, *forms.values())], [old])
    remote.delete(keys.pack_key(gone[0].id))
    fetch(here, catalog, [hash_bytes(BIG)])
    assert here.read(hash_bytes(BIG)) == BIG


def test_a_small_blob_with_a_recipe(remote: Memory, catalog: Catalog, here: Store) -> None:
    data = os.urandom(5000)
    put_index(remote, [put_pack(remote, chunked(data, 1000))])
    fetch(here, catalog, [hash_bytes(data)])
    assert fetch(here, catalog, [hash_bytes(data)]) == (0, 0)
    assert verify(here).objects == 1


def test_what_is_here_already_is_made_young(tmp_path: Path, remote: Memory, catalog: Catalog) -> None:
    """Between the fetch and the writing of what refers to it, a collection must not take it."""
    there, root = filled(tmp_path / "there")
    stored = [path for path in Path(there.root).rglob("*") if path.suffix == ".pack" or len(path.name) == 64]
    for path in stored:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    fetch(there, catalog, [root])
    (pack,) = (path for path in stored if path.suffix == ".pack")
    assert pack.stat().st_mtime > 1_000_000_000


@pytest.mark.parametrize("size", [len(BIG) + 1, 1 << 62])
def test_a_size_that_a_directory_does_not_state(
    tmp_path: Path, remote: Memory, catalog: Catalog, here: Store, size: int
) -> None:
    there = Store(str(tmp_path / "there"))
    with there.batch() as batch:
        root = batch.put_tree([Entry(b"f", FILE[0], size, batch.put_bytes(BIG))])
        batch.commit()
    push_all(remote, there, chunk=100_000)
    with pytest.raises(Damaged, match="has not the size"):
        fetch(here, catalog, [root])
    assert not here.has(hash_bytes(BIG))


def test_a_blob_that_the_disk_has_no_room_for(remote: Memory, catalog: Catalog, here: Store) -> None:
    """Some bytes, said to be there a million times, are refused before anything is written."""
    chunk = squeezed(b"\0" * (32 << 20))
    huge = recipe.Recipe(0, len(chunk.data) << 20, (recipe.Part(chunk.oid, len(chunk.data)),) * (1 << 20))
    oid = hash_bytes(b"huge")
    made = Object(oid, recipe.encode(huge, oid), RECIPE)
    put_index(remote, [put_pack(remote, [chunk, made])])
    with pytest.raises(DiskFull):
        fetch(here, catalog, [oid])

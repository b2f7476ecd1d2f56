"""Fetching: everything reachable comes, once, and is what its name says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.transfer_builder import blob, chunked, push_all, put_index, put_pack
from tests.unit.transfer.conftest import BIG, filled

from axil.base.hashing import hash_bytes
from axil.errors import Damaged, NotFound
from axil.remotes.memory import Memory
from axil.store import Store
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
    assert (plan.objects, plan.missing, plan.whole) == (1, (), False)
    fetched = fetch(here, catalog, [root])
    report = verify(here)
    assert report.sound and not report.missing
    assert fetched.objects == report.objects == verify(there).objects
    assert plan_fetch(here, catalog, [root]) == (0, 0, (), True)
    assert fetch(here, catalog, [root]) == (0, 0)


def test_trees_only_then_the_rest(tmp_path: Path, remote: Memory, catalog: Catalog, here: Store) -> None:
    there, root = filled(tmp_path / "there")
    push_all(remote, there)
    assert fetch(here, catalog, [root], trees_only=True).objects == 2
    plan = plan_fetch(here, catalog, [root])
    assert (plan.objects, plan.missing, plan.whole) == (3, (), True)
    assert fetch(here, catalog, [root]).objects == 3
    assert not verify(here).missing


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

"""Repairing makes the indexes anew from the packs, and supersedes what was there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.transfer_builder import blob, push_all, put_index, put_pack
from tests.unit.transfer.conftest import Clock, filled

from axil.errors import Damaged
from axil.formats import sharing
from axil.remotes.memory import Memory
from axil.store import Store
from axil.store.verify import verify
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.check import check
from axil.transfer.fetch import fetch
from axil.transfer.repair import repair_index


@pytest.mark.parametrize("most", [7, 1 << 20])
def test_an_index_that_is_lost(
    tmp_path: Path, remote: Memory, catalog: Catalog, here: Store, clock: Clock, most: int
) -> None:
    there, root = filled(tmp_path / "there", many=40)
    push_all(remote, there, 10, 70_000)
    for stat in remote.list(keys.INDEX):
        remote.delete(stat.key)
    report = repair_index(catalog, clock=clock, most=most)
    assert len(report.added) == report.packs > 1 and not report.faults
    assert len(report.indexes) == -(-report.objects // most)
    fetch(here, catalog, [root])
    assert verify(here).sound and not verify(here).missing
    assert check(catalog, depth="restore", roots=[root], clock=clock).sound


def test_a_damaged_index_is_superseded(remote: Memory, catalog: Catalog, here: Store, clock: Clock) -> None:
    index = put_index(remote, [put_pack(remote, [blob(b"one")])])
    kept = put_index(remote, [put_pack(remote, [blob(b"two")])])
    remote.put(keys.index_key(index), b"damaged")
    with pytest.raises(Damaged):
        catalog.refresh()
    before = [stat.key for stat in remote.list("")]
    assert repair_index(catalog, dry_run=True, clock=clock).indexes == ()
    assert [stat.key for stat in remote.list("")] == before
    report = repair_index(catalog, clock=clock)
    assert set(report.superseded) == {keys.index_key(index), keys.index_key(kept)}
    fresh = Catalog(remote, catalog.folder + "2")
    remote.delete(keys.index_key(index))
    fetch(here, fresh, [blob(b"one").oid, blob(b"two").oid])


def test_what_an_index_superseded_counts_again_when_it_is_gone(remote: Memory, catalog: Catalog, clock: Clock) -> None:
    """As when an older copy of the remote was put back."""
    put_index(remote, [put_pack(remote, [blob(b"one")])])
    repair_index(catalog, clock=clock)
    (newest,) = catalog.ids()
    remote.delete(keys.index_key(newest))
    catalog.refresh()
    assert catalog.find(blob(b"one").oid)


def test_a_pack_that_is_gone_is_named_no_more(remote: Memory, catalog: Catalog, clock: Clock) -> None:
    gone, left = put_pack(remote, [blob(b"one")]), put_pack(remote, [blob(b"two")])
    put_index(remote, [gone, left])
    remote.delete(keys.pack_key(gone[0].id))
    report = repair_index(catalog, clock=clock)
    assert (report.lost, report.missing) == ((keys.pack_key(gone[0].id),), 1)
    assert list(catalog.packs()) == [left[0].id]
    assert catalog.find(blob(b"one").oid) is None


def test_what_an_index_says_of_a_pack_with_a_broken_table_is_kept(
    remote: Memory, catalog: Catalog, here: Store, clock: Clock
) -> None:
    info, places = put_pack(remote, [blob(b"one")])
    put_index(remote, [(info, places)])
    key = keys.pack_key(info.id)
    remote.put(key, remote.get(key)[:-1] + b"?")
    report = repair_index(catalog, clock=clock)
    assert [fault.key for fault in report.faults] == [key]
    fetch(here, catalog, [blob(b"one").oid])


def test_condemned_packs_are_named_only_for_what_is_nowhere_else(
    remote: Memory, catalog: Catalog, clock: Clock
) -> None:
    packs = [put_pack(remote, [blob(b"one"), blob(b"two")]), put_pack(remote, [blob(b"one")])]
    doubled = put_pack(remote, [blob(b"one")])
    name = "0" * 26
    condemned = sharing.Condemned(name, (packs[0][0].id, doubled[0].id))
    remote.put(keys.CONDEMNED + name, sharing.encode_condemned(condemned))
    repair_index(catalog, clock=clock)
    assert catalog.find(blob(b"one").oid).pack == packs[1][0].id  # type: ignore[union-attr]
    assert catalog.find(blob(b"two").oid).pack == packs[0][0].id  # type: ignore[union-attr]
    assert doubled[0].id not in catalog.packs()


def test_a_pack_that_is_gone_and_was_sent_again_is_not_missed(remote: Memory, catalog: Catalog, clock: Clock) -> None:
    gone = put_pack(remote, [blob(b"one")])
    put_index(remote, [gone])
    put_index(remote, [put_pack(remote, [blob(b"one"), blob(b"two")])])
    remote.delete(keys.pack_key(gone[0].id))
    report = repair_index(catalog, clock=clock)
    assert (len(report.lost), report.missing) == (1, 0)

"""Checking finds every kind of damage on a remote and changes nothing there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.transfer_builder import blob, chunked, push_all, put_index, put_pack, put_root
from tests.unit.transfer.conftest import BIG, Clock, filled

from axil.base.hashing import Oid
from axil.formats.pack import FOOTER_SIZE, HEADER_SIZE
from axil.remotes.memory import Memory
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.check import CheckReport, check
from axil.transfer.findings import Fault
from axil.transfer.repair import read_table

Check = Callable[..., CheckReport]


@pytest.fixture
def run(catalog: Catalog, clock: Clock, remote: Memory) -> Check:
    def run(depth: str = "structure", **options) -> CheckReport:
        before = {stat: remote.get(stat.key) for stat in remote.list("")}
        report = check(catalog, depth=depth, clock=clock, **options)  # type: ignore[arg-type]
        assert {stat: remote.get(stat.key) for stat in remote.list("")} == before
        return report

    return run


def flip(remote: Memory, key: str, at: int) -> None:
    data = bytearray(remote.get(key))
    data[at] ^= 1
    remote.put(key, data)


def pack_with(catalog: Catalog, oid: Oid) -> str:
    place = catalog.find(oid)
    assert place
    return keys.pack_key(place.pack)


@pytest.mark.parametrize("depth", ["structure", "data", "restore"])
@pytest.mark.parametrize("chunk", [0, 70_000])
def test_a_sound_remote(tmp_path: Path, remote: Memory, run: Check, clock: Clock, depth: str, chunk: int) -> None:
    there, root = filled(tmp_path / "there", many=300)
    push_all(remote, there, 100, chunk)
    put_root(remote, [root], clock)
    report = run(depth)
    assert report.sound and not report.orphans
    assert report.roots == 1
    assert report.packs == sum(1 for _ in remote.list(keys.PACKS))
    assert (report.checked, report.unchecked) == ((0, 0) if depth == "structure" else (report.packs, 0))


def test_an_object_that_is_nowhere(tmp_path: Path, remote: Memory, run: Check, clock: Clock, catalog: Catalog) -> None:
    there, root = filled(tmp_path / "there")
    push_all(remote, there, 1)
    name = put_root(remote, [root], clock)
    catalog.refresh()
    lost = keys.pack_key(catalog.find(there.entries(root)[1].oid).pack)  # type: ignore[union-attr]
    remote.delete(lost)
    report = run()
    assert [fault.key for fault in report.faults] == [lost]
    assert report.missing == ((there.entries(root)[1].oid.hex(), root.hex()),)
    remote.delete(keys.pack_key(catalog.find(root).pack))  # type: ignore[union-attr]
    assert run().missing == ((root.hex(), keys.ROOTS + name),)
    assert run(roots=[b"\1" * 32]).missing[0] == ("01" * 32, "given")


def test_damaged_bytes(remote: Memory, run: Check, catalog: Catalog) -> None:
    put_index(remote, [put_pack(remote, [blob(b"one"), blob(b"two")]), put_pack(remote, [blob(b"three")])])
    catalog.refresh()
    key = pack_with(catalog, blob(b"two").oid)
    flip(remote, key, HEADER_SIZE + 1)
    assert run("structure").sound
    report = run("data")
    assert {(fault.key, fault.oid) for fault in report.faults} == {(key, ""), (key, blob(b"one").oid.hex())}
    size = len(remote.get(key))
    remote.put(key, remote.get(key)[:-1])
    assert [fault.why for fault in run("structure").faults] == [f"it has {size - 1} bytes, not {size}"]


def test_damaged_bytes_of_a_pack_whose_entries_alone_are_hashed(remote: Memory, run: Check, catalog: Catalog) -> None:
    put_index(remote, [put_pack(remote, [blob(b"one"), blob(b"two")], untold=True)])
    catalog.refresh()
    assert run("data").sound
    key = pack_with(catalog, blob(b"two").oid)
    flip(remote, key, HEADER_SIZE + 1)
    assert {(fault.key, fault.oid) for fault in run("data").faults} == {(key, blob(b"one").oid.hex())}


@pytest.mark.parametrize("back", [1, FOOTER_SIZE - 1, FOOTER_SIZE - 40, FOOTER_SIZE + 1, FOOTER_SIZE + 2 * 45])
def test_a_table_or_footer_that_is_not_what_the_name_says(
    remote: Memory, run: Check, catalog: Catalog, back: int
) -> None:
    info, places = put_pack(remote, [blob(b"one"), blob(b"two")])
    put_index(remote, [(info, places)])
    key = keys.pack_key(info.id)
    flip(remote, key, info.size - back)
    assert {(fault.key, fault.oid) for fault in run("data").faults} == {(key, "")}
    assert isinstance(read_table(remote, info), Fault)


def test_a_recipe_that_makes_something_else_is_found_by_restoring(remote: Memory, run: Check, catalog: Catalog) -> None:
    oid = chunked(BIG, 100_000)[-1].oid
    liar = chunked(BIG[::-1], 100_000)[-1]
    from axil.formats import recipe

    body = recipe.decode(liar.data, liar.oid)
    made = [*chunked(BIG[::-1], 100_000)[:-1], liar._replace(oid=oid, data=recipe.encode(body, oid))]
    put_index(remote, [put_pack(remote, made)])
    assert run("structure", roots=[oid]).sound
    assert run("data").sound
    report = run("restore")
    assert [fault.oid for fault in report.faults] == [oid.hex()]
    assert "makes something else" in report.faults[0].why


def test_checks_go_on_where_the_last_one_ended(
    remote: Memory, catalog: Catalog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_index(remote, [put_pack(remote, [blob(bytes([n]) * 100)]) for n in range(8)])
    read: list[str] = []
    get = remote.get

    def noting(key: str, start: int = 0, length: int | None = None) -> bytes:
        read.append(key)
        return get(key, start, length)

    monkeypatch.setattr(remote, "get", noting)
    halves = []
    for _ in range(2):
        clock.now += 1
        read.clear()
        report = check(catalog, depth="data", clock=clock, sample=0.5)
        assert (report.checked, report.unchecked) == (4, 4)
        halves.append({key for key in read if key.startswith(keys.PACKS)})
    assert not halves[0] & halves[1]


def test_time_ends_a_check(remote: Memory, run: Check, clock: Clock) -> None:
    put_index(remote, [put_pack(remote, [blob(bytes([n]) * 100)]) for n in range(8)])
    report = run("data", max_seconds=0)
    assert (report.checked, report.unchecked) == (0, 8)


def test_what_is_no_index_and_no_root_is_reported_and_passed_over(
    tmp_path: Path, remote: Memory, run: Check, clock: Clock
) -> None:
    there, root = filled(tmp_path / "there")
    push_all(remote, there)
    bad = keys.index_key(b"\2" * 32)
    remote.put(bad, b"no index")
    name = keys.ROOTS + put_root(remote, [root], clock)
    broken = keys.ROOTS + put_root(remote, [root], clock)
    remote.put(broken, b"{}")
    info, _ = put_pack(remote, [blob(b"orphan")])
    report = run()
    assert {fault.key for fault in report.faults} == {bad, broken}
    assert report.roots == 1 and not report.missing
    assert report.orphans == (keys.pack_key(info.id),)
    assert name != broken

"""Whole packs are taken over if all of one is wanted and sound; otherwise their entries are asked for one by one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.transfer_builder import Object, blob, put_index, put_pack, squeezed

from axil.base.hashing import hash_bytes
from axil.errors import Damaged
from axil.formats import pack
from axil.remotes.base import Unreachable
from axil.remotes.memory import Memory
from axil.remotes.wrap.faulty import Fault, Faulty
from axil.store import Store
from axil.store.hashing import LARGE
from axil.store.verify import verify
from axil.transfer import adopt as module
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.fetch import fetch


@pytest.fixture(autouse=True)
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pack is large enough to be taken over."""
    monkeypatch.setattr(module, "SMALLEST", 0)


def some(count: int = 20) -> list[Object]:
    return [blob(b"%d" % n * 50) if n % 2 else squeezed(b"%d" % n * 500) for n in range(count)]


def fetched(here: Store, catalog: Catalog, objects: Iterable[Object]) -> list[str]:
    """Fetches these objects; the names of the store's packs afterwards."""
    fetch(here, catalog, [one.oid for one in objects])
    report = verify(here)
    assert report.sound and not report.missing
    return sorted(path.stem for path in Path(here.root, "packs").iterdir())


def test_a_pack_of_which_all_is_wanted_keeps_its_name(remote: Memory, catalog: Catalog, here: Store) -> None:
    objects = some()
    packs = [put_pack(remote, objects[:10]), put_pack(remote, objects[10:])]
    put_index(remote, packs)
    assert fetched(here, catalog, objects) == sorted(info.id.hex() for info, _ in packs)


@pytest.mark.parametrize("extra", [blob(b"not wanted"), blob(b"L" * LARGE)])
def test_others_are_copied(remote: Memory, catalog: Catalog, here: Store, extra: Object) -> None:
    objects = some()
    info, places = put_pack(remote, [*objects, extra])
    put_index(remote, [(info, places)])
    wanted = objects if extra.data == b"not wanted" else [*objects, extra]
    names = fetched(here, catalog, wanted)
    assert len(names) == 1 and names != [info.id.hex()]
    assert here.missing([extra.oid]) == (set() if extra in wanted else {extra.oid})


@pytest.mark.parametrize("how", ["truncate", "flip"])
def test_wrong_bytes_are_asked_for_again(remote: Memory, catalog: Catalog, here: Store, how: str) -> None:
    objects = some()
    put_index(remote, [put_pack(remote, objects)])
    catalog.refresh()
    faulty = Faulty(remote)
    catalog.remote = faulty
    faulty.plan[0] = Fault(how)  # type: ignore[arg-type]
    fetched(here, catalog, objects)
    assert [one.verb for one in faulty.operations].count("get") > 1


def test_a_remote_that_breaks_off_leaves_nothing(remote: Memory, catalog: Catalog, here: Store) -> None:
    put_index(remote, [put_pack(remote, some())])
    catalog.refresh()
    catalog.remote = Faulty(remote, {0: Fault("after")})
    with pytest.raises(Unreachable):
        fetch(here, catalog, [one.oid for one in some()])
    assert not list(Path(here.root, "packs").iterdir()) and not list(Path(here.root, "tmp").iterdir())


def test_a_pack_whose_entries_alone_are_hashed_is_copied(remote: Memory, catalog: Catalog, here: Store) -> None:
    """Local packs can be checked at one go."""
    objects = some()
    info, places = put_pack(remote, objects, untold=True)
    put_index(remote, [(info, places)])
    assert fetched(here, catalog, objects) != [info.id.hex()]


def test_a_sound_pack_with_a_lying_entry(remote: Memory, catalog: Catalog, here: Store) -> None:
    liar = Object(hash_bytes(b"asked for"), b"something else")
    objects = some()
    put_index(remote, [put_pack(remote, [*objects, liar])])
    with pytest.raises(Damaged, match="damaged on the remote"):
        fetch(here, catalog, [one.oid for one in [*objects, liar]])
    assert not here.missing([one.oid for one in objects]) and here.missing([liar.oid])
    assert verify(here).sound


def test_a_table_that_disagrees_with_the_index(remote: Memory, catalog: Catalog, here: Store) -> None:
    first, second = blob(b"first"), blob(b"other")
    info, places = put_pack(remote, [first, second])
    key = keys.pack_key(info.id)
    data = remote.get(key)
    # The table says that each lies where the other does: the pack's name is right again, its entries are not.
    swapped = {first.oid: places[second.oid], second.oid: places[first.oid]}
    rows = {oid: pack.row(*place[1:4], pack.flags(place.type, place.codec)) for oid, place in swapped.items()}
    start, _ = pack.table_span(data[-pack.FOOTER_SIZE :], len(data), key)
    tail = pack.tail(rows, pack.content_of(data[start:]), bytes(pack.NONCE_SIZE))
    body = data[:start] + tail
    remote.delete(key)
    name = pack.id_of(tail)
    remote.put(keys.pack_key(name), body)
    found = {oid: place._replace(pack=name) for oid, place in places.items()}
    put_index(remote, [(info._replace(id=name), found)])
    assert fetched(here, catalog, [first, second]) != [name.hex()]


def test_bombs_are_not_unpacked(remote: Memory, catalog: Catalog, here: Store) -> None:
    bomb = squeezed(b"\0" * (1 << 20))._replace(claimed=100)
    put_index(remote, [put_pack(remote, [bomb])])
    with pytest.raises(Damaged, match="damaged on the remote"):
        fetch(here, catalog, [bomb.oid])

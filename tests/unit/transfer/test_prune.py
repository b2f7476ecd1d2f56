"""Pruning a remote: what is condemned, what is deleted, what is recovered, and what makes it refuse."""

from __future__ import annotations

import pytest
from tests.unit.transfer.far import DAY, GRACE, Far, Item, Turned, blob, folder, large

from axil.errors import AxilError, Busy, NotFound, UsageError
from axil.formats import pack, sharing
from axil.formats.sharing import Lease
from axil.transfer import keys, mark
from axil.transfer.prune import plan_prune, restore_condemned
from axil.transfer.survey import GitRoots

A, B, C, D = (blob(letter * 4000) for letter in (b"a", b"b", b"c", b"d"))


@pytest.fixture
def far() -> Far:
    return Far()


def test_what_nothing_needs_goes_after_two_graces(far: Far) -> None:
    needed, waste = far.put(A), far.put(B)
    far.root(A)
    assert far.prune().condemned == ""  # young
    far.later()
    assert far.prune().condemned
    assert far.packs() == {needed, waste}
    assert far.finds(A, B)
    far.later(GRACE - 10)
    assert far.prune().swept.packs == 0
    far.later(11)
    assert far.prune().swept.packs == 1
    assert far.packs() == {needed}
    assert far.finds(A)


def test_a_plan_tells_and_changes_nothing(far: Far) -> None:
    far.put(A, B)
    waste = far.put(C)
    far.root(A, B)
    far.later()
    before = far.keys("")
    plan = far.plan()
    assert [one.pack for one in plan.mark.packs] == [waste]
    assert plan.mark.packs[0].why == "nothing in it is needed"
    assert (plan.live, plan.packs, plan.blocked) == (2, 2, False)
    assert far.keys("") == before
    far.prune()
    assert [one.waits for one in far.plan().sweeps] == ["condemned within the grace"]
    far.later()
    assert [(one.packs, one.waits) for one in far.plan().sweeps] == [((waste,), "")]


def test_refs_of_git_protect_like_roots(far: Far) -> None:
    far.put(A)
    far.git = {A.oid}
    far.later()
    assert far.prune().condemned == ""


@pytest.mark.parametrize("segments", [False, True])
def test_all_that_a_directory_and_a_large_blob_need_lives(far: Far, segments: bool) -> None:
    big, *parts = large([blob(bytes([number]) * 500) for number in range(4)], segments)
    inner = folder({"big": big, "a": A})
    top = folder({"inner": inner})
    for item in (big, inner, top, A, *parts):
        far.put(item)
    far.root(top)
    far.later()
    assert far.prune().condemned == ""
    assert far.plan().live == 4 + len(parts)


def test_a_directory_that_is_there_as_a_file_is_read(far: Far) -> None:
    inner = folder({"a": A})
    top = folder({"inner": inner})
    far.put(top)
    far.put(blob(inner.data))
    far.put(A)
    far.root(top)
    far.later()
    assert far.prune().condemned == ""


@pytest.mark.parametrize("dead", [1, 2])
def test_packs_are_rewritten_if_a_tenth_is_wasted(far: Far, dead: int) -> None:
    items = [blob(bytes([number]) * 10000) for number in range(15)]
    old = far.put(*items)
    far.root(*items[dead:])
    far.later()
    done = far.prune()
    assert bool(done.condemned) is (dead == 2)
    assert far.finds(*items)
    far.later()
    far.prune()
    assert (old in far.packs()) is (dead == 1)
    assert far.finds(*items[dead:])
    assert far.finds(items[0]) is (dead == 1)


def test_the_worst_packs_first_until_little_is_wasted(far: Far) -> None:
    worst = far.put(*(blob(bytes([number]) * 10000) for number in range(10)))
    good = [blob(bytes([100 + number]) * 10000) for number in range(50)]
    lives = [blob(bytes([number]) * 10000) for number in (0, 1)]
    bad = far.put(blob(b"x" * 20000), *good)
    far.root(*lives, *good)
    far.later()
    assert [one.pack for one in far.plan().mark.packs] == [worst]
    far.put(blob(b"y" * 110000), *(blob(bytes([200 + number]) * 10000) for number in range(10)))
    assert bad in far.packs()


def test_of_two_copies_the_older_stays(far: Far) -> None:
    first = far.put(A)
    far.later(60)
    second = far.put(A)
    far.root(A)
    far.later()
    assert [one.pack for one in far.plan().mark.packs] == [second]
    far.prune()
    far.later()
    far.prune()
    assert far.packs() == {first}
    assert far.finds(A)


def test_packs_that_nobody_names_go(far: Far) -> None:
    far.put_pack([A])
    far.later()
    far.prune()
    far.later()
    far.prune()
    assert far.packs() == set()


def test_what_is_needed_again_is_recovered_before_its_pack_goes(far: Far) -> None:
    old = far.put(A, B)
    far.later()
    assert far.prune().condemned
    far.root(A)
    far.later()
    done = far.prune()
    assert (done.swept.recovered, done.swept.packs) == (1, 0)
    assert far.finds(A, B)
    # Only when every listing shows the index of the copy.
    far.later(60)
    assert far.prune().swept == (0, 0, 0, 0, 0)
    far.later(3600)
    assert far.prune().swept.packs == 1
    assert old not in far.packs()
    assert far.finds(A)


def test_lists_and_superseded_indexes_go_last(far: Far) -> None:
    far.put(A)
    kept = far.put(B)
    far.root(B)
    far.later()
    far.prune()
    far.later()
    assert len(far.keys(keys.INDEX)) == 2
    far.prune()
    assert len(far.keys(keys.INDEX)) == 3
    assert len(far.keys(keys.CONDEMNED)) == 1
    far.later()
    done = far.prune()
    assert (done.swept.indexes, done.swept.lists) == (1, 1)
    assert far.keys(keys.CONDEMNED) == far.keys(keys.LEASES) == set()
    assert far.packs() == {kept}
    assert far.finds(B)


def test_roots_are_dropped_only_when_asked_and_only_if_git_names_nothing_of_them(far: Far) -> None:
    far.put(A, D)
    far.put(B)
    far.root(A, D, names=("kept",))
    dropped = far.root(B, names=("gone",))
    far.git = {A.oid}
    assert far.plan(drop_roots=True).mark.drops == ()  # young
    far.later()
    assert far.prune().condemned == ""
    assert [root.names for root in far.plan(drop_roots=True).mark.drops] == [("gone",)]
    far.prune(drop_roots=True)
    assert far.keys(keys.ROOTS) != set()
    assert keys.ROOTS + dropped.id not in far.keys(keys.ROOTS)
    far.later()
    far.prune()
    assert far.finds(A, D)
    assert not far.finds(B)


@pytest.mark.parametrize("longest", [400, 2000, 5000])
def test_a_list_never_becomes_longer_than_readers_take(far: Far, monkeypatch: pytest.MonkeyPatch, longest: int) -> None:
    """What finds no room in it, roots or packs, is left to later prunes, and in the end all is gone."""
    monkeypatch.setattr(mark, "LONGEST", longest)
    items = [blob(b"%02d" % n * 50) for n in range(30)]
    for item in items:
        far.put(item)
        far.root(item, names=(f"gone{item.data[:2].decode()}",))
    far.put(A)
    far.root(A)
    far.git = {A.oid}
    far.later()
    assert far.plan(drop_roots=True).mark.later
    dropped = []
    for _ in range(60):
        plan = far.prune(drop_roots=True).plan
        dropped += [root.id for root in plan.mark.drops]
        assert far.finds(A)
        for stat in far.memory.list(keys.CONDEMNED):
            assert stat.size <= max(longest, 600)  # One root always has room.
        far.later()
    assert len(dropped) == len(set(dropped)) == 30
    assert not far.plan(drop_roots=True).mark.later
    assert len(far.packs()) == 1


def test_roots_of_a_list_that_was_full_come_back(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mark, "LONGEST", 1000)
    far.put(B)
    roots = [far.root(B, names=(f"gone{n}",)) for n in range(9)]
    far.put(A)
    far.git = {A.oid}
    far.later()
    done = far.prune(drop_roots=True)
    assert 0 < len(done.plan.mark.drops) < 9
    assert len(far.keys(keys.ROOTS)) == len(roots) - len(done.plan.mark.drops)
    back = restore_condemned(far.catalog(), done.condemned, clock=far.clock)
    assert {one.names for one in back} == {one.names for one in done.plan.mark.drops}
    assert len(far.keys(keys.ROOTS)) == 9


def test_dropped_roots_come_back(far: Far) -> None:
    far.put(A)
    inner = folder({"b": B})
    far.put(inner, B)
    root = far.root(inner)
    far.git = {A.oid}
    far.later()
    name = far.prune(drop_roots=True).condemned
    back = restore_condemned(far.catalog(), name, clock=far.clock)
    assert [one.objects for one in back] == [root.objects]
    for _ in range(3):
        far.later()
        far.prune()
    assert far.finds(inner, B)


def test_after_the_sweep_it_is_too_late(far: Far) -> None:
    far.put(A)
    far.root(A)
    far.later()
    name = far.prune(drop_roots=True).condemned
    far.later()
    far.prune()
    with pytest.raises(NotFound, match="too late"):
        restore_condemned(far.catalog(), name, clock=far.clock)
    assert far.keys(keys.ROOTS) == set()
    with pytest.raises(NotFound, match="no condemned list"):
        restore_condemned(far.catalog(), far.new_id(), clock=far.clock)


def test_what_an_interrupted_sweep_left_unnamed_is_found_in_its_pack(far: Far) -> None:
    info, places = far.put_pack([A])
    index = far.put_index(info, places)
    far.root(A)
    far.later()
    name = far.prune(drop_roots=True).condemned
    far.memory.delete(keys.index_key(index))
    restore_condemned(far.catalog(), name, clock=far.clock)
    assert far.finds(A)


def test_with_something_missing_nothing_is_done(far: Far) -> None:
    top = folder({"a": A, "b": B})
    far.put(top, A)
    waste = far.put(C)
    far.root(top)
    far.later()
    before = far.keys("")
    assert far.plan().missing == (B.oid,)
    with pytest.raises(AxilError, match="1 needed objects are not there"):
        far.prune()
    assert far.keys("") == before
    far.put(B)
    assert [one.pack for one in far.plan().mark.packs] == [waste]


@pytest.mark.parametrize("key", ["roots/README", "root", "list"])
def test_with_something_unreadable_nothing_is_done(far: Far, key: str) -> None:
    far.put(A)
    far.later()
    key = {"root": keys.ROOTS + far.new_id(), "list": keys.CONDEMNED + far.new_id()}.get(key, key)
    far.memory.put(key, b"{}")
    before = far.keys("")
    with pytest.raises(AxilError):
        far.prune()
    assert far.keys("") == before


def test_a_damaged_directory_makes_it_refuse_unless_there_is_another_copy(far: Far) -> None:
    top = folder({"a": A})
    far.put(Item(top.oid, bytes(len(top.data)), pack.TREE), A)
    far.root(top)
    far.later()
    with pytest.raises(AxilError, match="cannot be read"):
        far.prune()
    far.put(top)
    assert not far.plan().blocked
    assert far.plan().live == 2


def test_one_prune_at_a_time(far: Far) -> None:
    far.put(A)
    far.later()
    other = Lease(far.new_id(), "prune", "ben", "there", 7)
    far.memory.put(keys.LEASES + other.id, sharing.encode_lease(other))
    before = far.keys("")
    with pytest.raises(Busy, match="ben on there"):
        far.prune()
    assert far.plan().blocked
    assert far.keys("") == before
    far.later(1800)
    assert far.prune().condemned


def test_a_push_under_way_is_told_and_does_not_keep_a_prune_away(far: Far) -> None:
    lease = Lease(far.new_id(), "push", "ben", "there", 7)
    far.memory.put(keys.LEASES + lease.id, sharing.encode_lease(lease))
    assert far.plan().leases == (lease,)
    assert not far.plan().blocked
    far.prune()


def test_the_clock_of_whoever_prunes_does_not_count(far: Far) -> None:
    waste = far.put(A)
    for off in (-30 * DAY, 30 * DAY):
        plan = plan_prune(far.catalog(), git=GitRoots, grace=GRACE, clock=far.clock)
        assert plan.mark.packs == ()
        own = far.clock.now + off
        done = far.prune(clock=Turned(own))
        assert done.condemned == ""
    assert far.packs() == {waste}


def test_never_graceless(far: Far) -> None:
    with pytest.raises(UsageError, match="too short"):
        far.prune(grace=3599)


def test_what_is_no_remote_is_not_pruned(far: Far) -> None:
    far.memory.delete(keys.FORMAT)
    with pytest.raises(NotFound, match="no remote of axil"):
        far.prune()


def test_a_root_whose_commits_are_gone_is_dropped_though_it_shares_objects(far: Far) -> None:
    """A fork that was deleted names most of what its parent names: only its own goes."""
    shared, own = blob(b"shared"), blob(b"own")
    far.put(shared)
    far.put(own)
    kept = far.root(shared, commits=("c1",))
    far.root(shared, own, commits=("c2",))
    far.git, far.commits = {shared.oid}, {"c1"}
    far.later()
    far.prune(drop_roots=True)
    assert far.keys(keys.ROOTS) == {keys.ROOTS + kept.id}
    far.later()
    far.prune()
    assert far.finds(shared) and not far.finds(own)

"""The order of steps of pushes and prunes, on every order in which they can meet in a small world.

Each rule of docs/formats/remote.md that keeps objects safe is also turned off, to see that the model notices.
AXIL_MODEL=long explores larger worlds.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.model.programs import prune, push, undo, unref
from tests.model.world import Actor, Found, Index, Pack, Root, Rules, State, Step, broken, explore, successors

LONG = os.environ.get("AXIL_MODEL") == "long"
A, B = frozenset("a"), frozenset("b")
OLD = Pack("K", A, -9)
TWICE = (OLD, Pack("L", A, -9))
MIXED = Pack("K", A | B, -9)
ROOT = Root("R", A, -9)
SHORT = Rules(grace=1)
"""Without a lag, a grace of one tick shows all that a longer one does."""
LAGGING = Rules(lag=True)


def meet(
    programs: dict[str, dict[str, Step]],
    packs: tuple[Pack, ...],
    roots: tuple[Root, ...] = (),
    rules: Rules = SHORT,
    until: int = 2,
) -> Found:
    """Let `programs` meet in a world that begins with old `packs`, each with an index, and `roots`."""
    return explore(beginning(programs, packs, roots), programs, rules, until)


def beginning(programs: dict[str, dict[str, Step]], packs: tuple[Pack, ...], roots: tuple[Root, ...] = ()) -> State:
    """Old `packs`, each with an index, and `roots`; nobody has begun."""
    indexes = frozenset(
        Index("I" + pack.name, frozenset((oid, pack.name) for oid in pack.objects), frozenset(), pack.written)
        for pack in packs
    )
    return State(
        now=0,
        packs=frozenset(packs),
        indexes=indexes,
        roots=frozenset(roots),
        lists=frozenset(),
        refs=frozenset(),
        promised=frozenset((root.name, root.objects, root.written) for root in roots),
        ghosts=frozenset(),
        actors=tuple(Actor(name, "begin") for name in programs),
    )


PRUNES = {"M": prune("mark"), "S": prune("sweep")}
WORLDS = {
    "a push reuses what is being pruned": ({"P": push(A), **PRUNES}, (OLD,), ()),
    "two prunes and something twice": (PRUNES | {"T": prune("sweep")}, TWICE, (ROOT,)),
    "two prunes and a pack to rewrite": (PRUNES | {"T": prune("sweep")}, (MIXED,), (ROOT,)),
    "a root is dropped and put back": (
        {"M": prune("mark", drop=True), "S": prune("sweep"), "U": undo("M")},
        (OLD,),
        (ROOT,),
    ),
    "a push merges indexes": ({"P": push(B, merge=True), **PRUNES}, TWICE, (ROOT,)),
}
LARGER = {
    "two pushes": ({"P": push(A), "Q": push(A), **PRUNES}, (OLD,), ()),
    "two marks and two sweeps": (PRUNES | {"N": prune("mark"), "T": prune("sweep")}, TWICE, (ROOT,)),
    "a ref goes and its root is dropped": (
        {"P": push(A), "D": unref("P"), "M": prune("mark", drop=True), "S": prune("sweep")},
        (OLD,),
        (),
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_nothing_is_lost(name: str) -> None:
    programs, packs, roots = WORLDS[name]
    found = meet(programs, packs, roots, until=2 if "merges" in name else 3)
    assert not found.problem, "\n".join((found.problem, *found.trace))
    assert found.states > 500


def test_nothing_is_lost_while_listings_lag() -> None:
    programs, packs, roots = WORLDS["a root is dropped and put back"]
    found = meet(programs, packs, roots, LAGGING, until=4)
    assert not found.problem, "\n".join((found.problem, *found.trace))


@pytest.mark.skipif(not LONG, reason="takes minutes; AXIL_MODEL=long")
@pytest.mark.parametrize("name", WORLDS)
def test_nothing_is_lost_in_larger_worlds_while_listings_lag(name: str) -> None:
    programs, packs, roots = WORLDS[name]
    found = meet(programs, packs, roots, LAGGING, until=3)
    assert not found.problem, "\n".join((found.problem, *found.trace))


@pytest.mark.skipif(not LONG, reason="takes minutes; AXIL_MODEL=long")
@pytest.mark.parametrize("name", LARGER)
def test_nothing_is_lost_in_larger_worlds(name: str) -> None:
    programs, packs, roots = LARGER[name]
    found = meet(programs, packs, roots, until=1)
    assert not found.problem, "\n".join((found.problem, *found.trace))


BROKEN = {
    "a push looks once more after its root": (
        "a push reuses what is being pruned",
        SHORT._replace(look_after_root=False),
    ),
    "it looks at the condemned lists": ("a push reuses what is being pruned", SHORT._replace(look_at_lists=False)),
    "a mark supersedes no index": ("a push reuses what is being pruned", SHORT._replace(mark_supersedes=True)),
    "roots are read after condemned lists": (
        "a push reuses what is being pruned",
        SHORT._replace(lists_before_roots=False),
    ),
    "what lives again is recovered": (
        "a push reuses what is being pruned",
        SHORT._replace(recover=False, settled=False),
    ),
    "a grace is longer than a lag": ("a push reuses what is being pruned", Rules(grace=0, lag=True)),
    "what a listing hides is asked for": ("a push reuses what is being pruned", Rules(stat_unlisted=False, lag=True)),
    "undoing copies": ("a root is dropped and put back", SHORT._replace(undo_copies=False)),
    "merging keeps every place": ("a push merges indexes", SHORT._replace(merge_keeps_all=False)),
    "merging keeps condemned places": (
        "a push merges indexes of what is pruned",
        SHORT._replace(merge_keeps_condemned=False),
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_every_rule_is_needed(rule: str) -> None:
    name, rules = BROKEN[rule]
    programs, packs, roots = (WORLDS | MORE)[name]
    assert meet(programs, packs, roots, rules, 5 if rules.lag else 3).problem


MORE = {
    "a push merges indexes of what is pruned": (
        {"P": push(A), "Q": push(B, merge=True), "M": prune("mark")},
        (OLD,),
        (),
    ),
}


EVERYBODY = {
    "P": push(A),
    "Q": push(A | B, merge=True),
    "D": unref("P"),
    "M": prune("mark", drop=True),
    "N": prune("mark"),
    "S": prune("sweep"),
    "T": prune("sweep"),
    "V": prune("sweep"),
    "U": undo("M"),
}


@settings(max_examples=20000 if LONG else 150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([SHORT, LAGGING]), st.lists(st.integers(0, 11), min_size=20, max_size=90))
def test_long_walks_with_everybody(rules: Rules, choices: list[int]) -> None:
    """Worlds too large to be visited whole: one way through them at a time."""
    state = beginning(EVERYBODY, (*TWICE, Pack("X", B, -9)), (ROOT,))
    steps = []
    for choice in choices:
        ways = list(successors(state, EVERYBODY, rules, 12))
        if not ways:
            break
        label, state = ways[choice % len(ways)]
        steps.append(label)
        assert not broken(state, rules), "\n".join(steps)

"""A small world in which pushes and prunes meet: every state that any order of their steps can reach is looked at.

The store is dumb: one object at a time, listings that may hide what was written in this tick and show what was deleted
in it. There are no locks and no leases at all, and nobody gives up: whoever stops for ever has crashed, whoever goes
on after many ticks had stalled. What is safe here is safe with the leases of docs/formats/remote.md, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

GRACE = 2
Names = frozenset[str]
Entries = frozenset[tuple[str, str]]
"""(object, pack)."""


class Pack(NamedTuple):
    name: str
    objects: Names
    written: int


class Index(NamedTuple):
    name: str
    entries: Entries
    supersedes: Names
    written: int


class Root(NamedTuple):
    name: str
    objects: Names
    written: int


class List(NamedTuple):
    """A condemned list."""

    name: str
    packs: Names
    roots: frozenset[Root]
    written: int


class State(NamedTuple):
    now: int
    packs: frozenset[Pack]
    indexes: frozenset[Index]
    roots: frozenset[Root]
    lists: frozenset[List]
    refs: frozenset[tuple[str, str]]
    """What git refs name: (who moved it, object)."""
    promised: frozenset[tuple[str, Names, int]]
    """What a push (or an undo) said is safe: (root, objects, when); taken back when the root is dropped."""
    ghosts: frozenset[Pack]
    """Packs deleted in this tick: a listing may show them."""
    actors: tuple[Actor, ...]


class Rules(NamedTuple):
    """What the protocol says; the tests turn each rule off to see whether the model notices."""

    look_before_root: bool = True
    look_after_root: bool = True
    look_at_lists: bool = True
    look_at_packs: bool = True
    absent_if_condemned: bool = True
    mark_supersedes: bool = False
    """An earlier draft: the index of a mark took the place of all others and named what lives only."""
    recover: bool = True
    recover_in_condemned: bool = True
    """Recover what is nowhere but in condemned packs, and not only what is nowhere but in those about to be deleted."""
    settled: bool = True
    """A pack goes only when the other copies are under an index that every listing shows."""
    successor_waits: bool = True
    """A superseded index goes only when every listing shows its successor."""
    grace: int = GRACE
    list_outlives_packs: bool = True
    drop_young_roots: bool = False
    undo_copies: bool = True
    lists_before_roots: bool = True
    """A sweep looks at the roots after it has seen the list, not before."""
    stat_unlisted: bool = True
    """A pack that an index names and no listing shows is asked for before it counts as gone."""
    merge_keeps_all: bool = True
    """An index that takes the place of others names every place that they named."""
    merge_keeps_condemned: bool = True
    """… in condemned packs, too, while these exist."""
    lag: bool = False


class Actor:
    """A program and where it is; values are compared, so that equal states are visited once."""

    __slots__ = ("_key", "at", "name", "seen", "step")

    def __init__(self, name: str, step: str, at: tuple[object, ...] = (), seen: object = None) -> None:
        self.name, self.step, self.at, self.seen = name, step, at, seen
        self._key = (name, step, at, seen)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Actor) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"{self.name}@{self.step}{self.at!r}"


Step = Callable[[State, Actor, Rules], Iterable[tuple[State, "Actor"]]]


def views(items: frozenset, now: int, rules: Rules, ghosts: frozenset = frozenset()) -> Iterator[frozenset]:
    """What a listing of `items` may show."""
    yield items
    if rules.lag:
        late = frozenset(item for item in items if item.written < now) | ghosts
        if late != items:
            yield late


def effective(indexes: Iterable[Index]) -> Entries:
    """The entries of those indexes that none of the others supersedes."""
    indexes = tuple(indexes)
    gone = frozenset(name for index in indexes for name in index.supersedes)
    return frozenset(entry for index in indexes if index.name not in gone for entry in index.entries)


def condemned(lists: Iterable[List]) -> Names:
    return frozenset(pack for one in lists for pack in one.packs)


def broken(state: State, rules: Rules) -> str:
    """What promise a state breaks, or ""."""
    wanted = {oid for _, objects, _ in state.promised for oid in objects} | {oid for _, oid in state.refs}
    here = {pack.name: pack.objects for pack in state.packs}
    for oid in sorted(wanted):
        if not any(oid in objects for objects in here.values()):
            return f"{oid} is lost"
    for view in views(state.indexes, state.now, rules):
        found = {oid for oid, pack in effective(view) if pack in here}
        if not wanted <= found:
            return f"a reader does not find {sorted(wanted - found)}"
        # A listing that lags need not show what was promised a moment ago.
        wanted = {oid for _, objects, when in state.promised if when < state.now for oid in objects}
    return ""


class Found(NamedTuple):
    """How an exploration ended: `trace` are the steps to the first broken promise."""

    states: int
    problem: str
    trace: tuple[str, ...]


def explore(start: State, programs: dict[str, dict[str, Step]], rules: Rules, until: int, most: int = 10**7) -> Found:
    """Visit every state that can be reached until the tick `until`, depth first."""
    seen: dict[State, tuple[State | None, str]] = {start: (None, "")}
    stack = [start]
    while stack:
        state = stack.pop()
        if problem := broken(state, rules):
            return Found(len(seen), problem, _trace(state, seen))
        for label, after in successors(state, programs, rules, until):
            if after not in seen:
                seen[after] = (state, label)
                stack.append(after)
        if len(seen) > most:
            raise AssertionError(f"more than {most} states")
    return Found(len(seen), "", ())


def successors(
    state: State, programs: dict[str, dict[str, Step]], rules: Rules, until: int
) -> Iterator[tuple[str, State]]:
    """Every state one step away, with words for the step."""
    for number, actor in enumerate(state.actors):
        steps = programs[actor.name]
        if actor.step in steps:
            for after, changed in steps[actor.step](state, actor, rules):
                actors = (*state.actors[:number], changed, *state.actors[number + 1 :])
                yield f"{state.now}: {actor.name} {actor.step} -> {changed.step}", after._replace(actors=actors)
    if state.now < until and any(actor.step in programs[actor.name] for actor in state.actors):
        yield "tick", state._replace(now=state.now + 1, ghosts=frozenset())


def _trace(state: State, seen: dict[State, tuple[State | None, str]]) -> tuple[str, ...]:
    steps = []
    at: State | None = state
    while at is not None:
        at, label = seen[at]
        steps.append(label)
    return tuple(reversed(steps))

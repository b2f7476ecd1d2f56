"""What pushes, prunes and undo do, a step at a time; a step is one request to the store, or one listing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

from tests.model.world import (
    Actor,
    Entries,
    Index,
    List,
    Names,
    Pack,
    Root,
    Rules,
    State,
    Step,
    condemned,
    effective,
    views,
)

Next = Iterable[tuple[State, Actor]]
NOTHING: Names = frozenset()


class Pushing(NamedTuple):
    lists: frozenset[List] = frozenset()
    indexes: frozenset[Index] = frozenset()
    where: Entries = frozenset()
    """What it relies on."""
    todo: Names = NOTHING
    rooted: bool = False
    number: int = 0


def push(needs: Names, merge: bool = False) -> dict[str, Step]:
    """A push of `needs`; with `merge` its index takes the place of all that it read."""

    def begin(state: State, actor: Actor, rules: Rules) -> Next:
        for lists in views(state.lists, state.now, rules):
            yield state, Actor(actor.name, "index", (), Pushing(lists))

    def index(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Pushing, actor.seen)
        bad = condemned(mine.lists) if rules.absent_if_condemned else NOTHING
        for indexes in views(state.indexes, state.now, rules):
            places = effective(indexes)
            where = frozenset(
                (oid, min(found)) for oid in needs if (found := [p for o, p in places if o == oid and p not in bad])
            )
            todo = needs - {oid for oid, _ in where}
            kept = indexes if merge else frozenset()
            drop = frozenset() if rules.merge_keeps_condemned or not merge else mine.lists
            step = "pack" if todo else "look"
            yield state, Actor(actor.name, step, (), Pushing(drop, kept, where, todo))

    def pack(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Pushing, actor.seen)
        new = Pack(f"{actor.name}.{mine.number}", mine.todo, state.now)
        yield state._replace(packs=state.packs | {new}), Actor(actor.name, "name", (), mine)

    def name(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Pushing, actor.seen)
        entries = frozenset((oid, f"{actor.name}.{mine.number}") for oid in mine.todo)
        read = mine.indexes
        gone = frozenset(one.name for one in read) | {name for one in read for name in one.supersedes}
        old = effective(read) if rules.merge_keeps_all else frozenset(dict(sorted(effective(read))).items())
        old = frozenset(row for row in old if row[1] not in condemned(mine.lists))
        new = Index(f"{actor.name}.{mine.number}", entries | old, gone, state.now)
        where = frozenset(row for row in mine.where if row[0] not in mine.todo) | entries
        after = mine._replace(lists=frozenset(), where=where, todo=NOTHING, number=mine.number + 1, indexes=frozenset())
        yield state._replace(indexes=state.indexes | {new}), Actor(actor.name, "look", (), after)

    def look(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Pushing, actor.seen)
        wanted = rules.look_after_root if mine.rooted else rules.look_before_root
        if not wanted:
            yield state, Actor(actor.name, "end" if mine.rooted else "root", (), mine)
            return
        for lists in views(state.lists, state.now, rules):
            bad = condemned(lists) if rules.look_at_lists else NOTHING
            yield (
                state,
                Actor(actor.name, "stat", (), mine._replace(todo=frozenset(o for o, p in mine.where if p in bad))),
            )

    def stat(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Pushing, actor.seen)
        here = {pack.name for pack in state.packs}
        gone = frozenset(oid for oid, pack in mine.where if pack not in here) if rules.look_at_packs else NOTHING
        todo = mine.todo | gone
        step = "pack" if todo else "end" if mine.rooted else "root"
        yield state, Actor(actor.name, step, (), mine._replace(todo=todo))

    def root(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Pushing, actor.seen)
        new = Root(actor.name, needs, state.now)
        yield state._replace(roots=state.roots | {new}), Actor(actor.name, "look", (), mine._replace(rooted=True))

    def end(state: State, actor: Actor, rules: Rules) -> Next:
        promised = state.promised
        if any(one.name == actor.name for one in state.roots):
            promised |= {(actor.name, needs, state.now)}
        yield state._replace(promised=promised), Actor(actor.name, "git")

    def git(state: State, actor: Actor, rules: Rules) -> Next:
        # A root that was dropped in between no longer holds what the ref names; see `dropped`.
        if any(one.name == actor.name for one in state.roots):
            yield state._replace(refs=state.refs | {(actor.name, oid) for oid in needs}), Actor(actor.name, "done")
        else:
            yield state, Actor(actor.name, "done")

    steps = (begin, index, pack, name, look, stat, root, end, git)
    return {step.__name__: step for step in steps}


def unref(who: str) -> dict[str, Step]:
    """Somebody deletes the ref that `who` moved."""

    def begin(state: State, actor: Actor, rules: Rules) -> Next:
        if any(name == who for name, _ in state.refs):
            kept = frozenset(row for row in state.refs if row[0] != who)
            yield state._replace(refs=kept), Actor(actor.name, "done")

    return {"begin": begin}


class Pruning(NamedTuple):
    roots: frozenset[Root] = frozenset()
    live: Names = NOTHING
    refs: Names = NOTHING
    lists: frozenset[List] = frozenset()
    indexes: frozenset[Index] = frozenset()
    began: int = 0
    """All ages count from here: taken before anything was looked at."""


def prune(kind: str, drop: bool = False) -> dict[str, Step]:
    """The `kind` "mark" or "sweep" of a prune: what it looks at, then what it does, one request a step."""

    def begin(state: State, actor: Actor, rules: Rules) -> Next:
        follow = lists if rules.lists_before_roots else roots
        yield from follow(state, Actor(actor.name, "", (), Pruning(began=state.now)), rules)

    def lists(state: State, actor: Actor, rules: Rules) -> Next:
        for seen in views(state.lists, state.now, rules):
            mine = cast(Pruning, actor.seen)._replace(lists=seen, began=state.now)
            yield state, Actor(actor.name, "roots" if rules.lists_before_roots else "index", (), mine)

    def roots(state: State, actor: Actor, rules: Rules) -> Next:
        refs = frozenset(oid for _, oid in state.refs)
        for seen in views(state.roots, state.now, rules):
            live = refs | {oid for root in seen for oid in root.objects}
            mine = cast(Pruning, actor.seen)._replace(roots=seen, live=live, refs=refs)
            yield state, Actor(actor.name, "index" if rules.lists_before_roots else "lists", (), mine)

    def index(state: State, actor: Actor, rules: Rules) -> Next:
        for seen in views(state.indexes, state.now, rules):
            yield state, Actor(actor.name, "packs", (), cast(Pruning, actor.seen)._replace(indexes=seen))

    def packs(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Pruning, actor.seen)
        places = effective(mine.indexes)
        named = {pack for _, pack in places}
        for listed in views(state.packs, state.now, rules, state.ghosts):
            asked = (
                frozenset(pack for pack in state.packs if pack.name in named) if rules.stat_unlisted else frozenset()
            )
            seen = listed | asked
            known = {oid for oid, pack in places if pack in {one.name for one in seen}}
            plan = _mark if kind == "mark" else _sweep
            todo = plan(actor.name, mine, seen, mine.began, rules, drop) if mine.live <= known else ()
            yield state, Actor(actor.name, "act" if todo else "done", todo)

    def act(state: State, actor: Actor, rules: Rules) -> Next:
        rest = actor.at[1:]
        yield _do(state, actor.at[0]), Actor(actor.name, "act" if rest else "done", rest)

    return {step.__name__: step for step in (begin, roots, lists, index, packs, act)}


def _do(state: State, request: object) -> State:
    if isinstance(request, Pack):
        return state._replace(packs=state.packs | {request._replace(written=state.now)})
    if isinstance(request, Index):
        return state._replace(indexes=state.indexes | {request._replace(written=state.now)})
    if isinstance(request, List):
        return state._replace(lists=state.lists | {request._replace(written=state.now)})
    what, name = cast("tuple[str, str]", request)
    if what == "pack":
        gone = frozenset(one for one in state.packs if one.name == name)
        return state._replace(packs=state.packs - gone, ghosts=state.ghosts | gone)
    if what == "index":
        return state._replace(indexes=frozenset(one for one in state.indexes if one.name != name))
    if what == "root":
        # Dropping takes the promise back: who wants it again pushes, or undoes the drop.
        return state._replace(
            roots=frozenset(one for one in state.roots if one.name != name),
            promised=frozenset(row for row in state.promised if row[0] != name),
        )
    # A list goes when its packs are gone, which is asked of each pack and not of a listing.
    here = {pack.name for pack in state.packs}
    kept = frozenset(one for one in state.lists if one.name != name or one.packs & here)
    return state._replace(lists=kept)


def _mark(name: str, mine: Pruning, packs: frozenset[Pack], now: int, rules: Rules, drop: bool) -> tuple[object, ...]:
    dropped: frozenset[Root] = frozenset()
    live = mine.live
    if drop:
        old = (root for root in mine.roots if rules.drop_young_roots or now - root.written >= rules.grace)
        dropped = frozenset(root for root in old if not root.objects & mine.refs)
        live = mine.refs | {oid for root in mine.roots - dropped for oid in root.objects}
    bad = condemned(mine.lists)
    places = effective(mine.indexes)
    good = sorted((pack for pack in packs if pack.name not in bad), key=lambda pack: (pack.written, pack.name))
    named = {pack for _, pack in places}
    owner: dict[str, str] = {}
    for pack in good:
        for oid in pack.objects & live:
            if (oid, pack.name) in places:
                owner.setdefault(oid, pack.name)
    old_packs = [pack for pack in good if now - pack.written >= rules.grace]
    doomed = [pack for pack in old_packs if any(owner.get(oid) != pack.name for oid in pack.objects)]
    doomed += [pack for pack in old_packs if pack.name not in named and pack not in doomed]
    moved = frozenset(oid for pack in doomed for oid in pack.objects if owner.get(oid) == pack.name)
    if not doomed and not dropped:
        return ()
    todo: list[object] = []
    entries = frozenset((oid, name) for oid in moved)
    if moved:
        todo.append(Pack(name, moved, 0))
    if rules.mark_supersedes:
        gone = frozenset(one.name for one in mine.indexes)
        away = {pack.name for pack in doomed}
        todo.append(Index(name, entries | {row for row in places if row[0] in live and row[1] not in away}, gone, 0))
    elif moved:
        todo.append(Index(name, entries, NOTHING, 0))
    todo.append(List(name, frozenset(pack.name for pack in doomed), dropped, 0))
    return (*todo, *(("root", root.name) for root in sorted(dropped)))


def _sweep(name: str, mine: Pruning, packs: frozenset[Pack], now: int, rules: Rules, drop: bool) -> tuple[object, ...]:
    here = {pack.name: pack for pack in packs}
    bad = condemned(mine.lists)
    places = frozenset(row for row in effective(mine.indexes) if row[1] in here)
    ripe = [one for one in sorted(mine.lists) if now - one.written >= rules.grace]
    away = condemned(ripe) if not rules.recover_in_condemned else bad
    safe = {oid for oid, pack in places if pack not in away}
    lost = (mine.live - safe) & {oid for one in ripe for pack in one.packs & here.keys() for oid in here[pack].objects}
    if not rules.recover:
        lost = frozenset()
    todo: list[object] = []
    if lost:
        todo += [Pack(name, lost, 0), Index(name, frozenset((oid, name) for oid in lost), NOTHING, 0)]
    sure = {
        oid
        for oid, pack in effective(one for one in mine.indexes if one.written < now)
        if pack in here and pack not in away
    }
    doomed: set[str] = set()
    for one in ripe:
        holds = {oid for pack in one.packs & here.keys() for oid in here[pack].objects} & mine.live
        if not rules.settled or holds <= sure:
            doomed |= one.packs
    doomed_here = sorted(doomed & here.keys())
    gone = frozenset(pack for _, pack in effective(mine.indexes) if pack not in here) | doomed
    superseded = frozenset(old for one in mine.indexes for old in one.supersedes)
    stale = [one for one in mine.indexes if one.name not in superseded and any(p in gone for _, p in one.entries)]
    if stale:
        entries = frozenset(row for one in stale for row in one.entries if row[1] not in gone)
        chain = frozenset(one.name for one in stale) | {old for one in stale for old in one.supersedes}
        todo.append(Index(f"{name}'", entries, chain, 0))
    todo += [("pack", pack) for pack in doomed_here]
    limit = now if rules.successor_waits else now + 1
    old_news = {old for one in mine.indexes if one.written < limit for old in one.supersedes}
    if not rules.successor_waits and stale:
        old_news |= {one.name for one in stale}
    todo += [("index", one.name) for one in sorted(mine.indexes) if one.name in old_news]
    for one in sorted(mine.lists):
        age = 2 * rules.grace if rules.list_outlives_packs else rules.grace
        if now - one.written >= age and not (rules.list_outlives_packs and one.packs & here.keys()):
            todo.append(("list", one.name))
    return tuple(todo)


class Undoing(NamedTuple):
    root: Root
    where: Names


def undo(of: str) -> dict[str, Step]:
    """Puts the roots back that the mark `of` dropped; what only condemned packs hold is copied first."""

    def begin(state: State, actor: Actor, rules: Rules) -> Next:
        for one in state.lists:
            for root in one.roots if one.name == of else ():
                step = "copy" if rules.undo_copies else "root"
                yield state, Actor(actor.name, step, (), Undoing(root, NOTHING))

    def copy(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Undoing, actor.seen)
        if mine.root.objects <= {oid for pack in state.packs for oid in pack.objects}:
            new = Pack(actor.name, mine.root.objects, state.now)
            yield state._replace(packs=state.packs | {new}), Actor(actor.name, "name", (), mine)
        else:
            yield state, Actor(actor.name, "done")

    def name(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Undoing, actor.seen)
        new = Index(actor.name, frozenset((oid, actor.name) for oid in mine.root.objects), NOTHING, state.now)
        yield state._replace(indexes=state.indexes | {new}), Actor(actor.name, "root", (), mine)

    def root(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Undoing, actor.seen)
        new = mine.root._replace(written=state.now, name=actor.name)
        yield state._replace(roots=state.roots | {new}), Actor(actor.name, "stat", (), mine)

    def stat(state: State, actor: Actor, rules: Rules) -> Next:
        mine = cast(Undoing, actor.seen)
        if rules.undo_copies and (
            actor.name not in {pack.name for pack in state.packs} or actor.name in condemned(state.lists)
        ):
            yield state, Actor(actor.name, "copy2", (), mine)
            return
        if not rules.undo_copies and not mine.root.objects <= {oid for pack in state.packs for oid in pack.objects}:
            yield state, Actor(actor.name, "done")
            return
        promised = state.promised
        if any(one.name == actor.name for one in state.roots):
            promised |= {(actor.name, mine.root.objects, state.now)}
        yield state._replace(promised=promised), Actor(actor.name, "done")

    return {step.__name__: step for step in (begin, copy, name, root, stat)}

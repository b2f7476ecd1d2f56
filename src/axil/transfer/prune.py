"""Pruning a remote: planned first; packs are condemned, and deleted by a later prune after a grace.

`docs/formats/remote.md` tells the order of steps and why no push loses an object.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from axil.base.clock import Clock, system_clock
from axil.base.hashing import Oid
from axil.base.ids import new_id as make_id
from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, Busy, NotFound, UsageError
from axil.formats import sharing
from axil.formats.sharing import Lease, Root
from axil.store.store import Store
from axil.transfer import keys
from axil.transfer.catalog import Catalog
from axil.transfer.copies import Alive, copy
from axil.transfer.identity import identify
from axil.transfer.lease import Held, hold, living
from axil.transfer.live import walk
from axil.transfer.mark import Mark, droppable, execute_mark, plan_mark
from axil.transfer.shares import Shares, count
from axil.transfer.survey import GitRoots, Survey, take
from axil.transfer.sweep import Sweep, Swept, execute_sweep, plan_sweep

GRACE = 7 * 86400.0
LEAST_GRACE = 3600.0
"""No prune goes by a shorter grace: listings may lag."""
_TRIES = 5


class PrunePlan(NamedTuple):
    """What a prune would do. With anything in `missing` or `unreadable` it refuses."""

    mark: Mark
    sweeps: tuple[Sweep, ...]
    live: int
    """Objects that are needed."""
    packs: int
    bytes: int
    """What the remote holds in packs."""
    missing: tuple[Oid, ...]
    """Objects that are needed and nowhere on the remote."""
    unreadable: tuple[str, ...]
    """What may name needed objects and cannot be read."""
    leases: tuple[Lease, ...]
    """Pushes and prunes under way."""

    @property
    def blocked(self) -> bool:
        """Whether a prune would change nothing now."""
        return bool(self.missing or self.unreadable or any(lease.kind == "prune" for lease in self.leases))


class Pruned(NamedTuple):
    """What a prune did; `condemned` is the id of the new list, "" for none."""

    swept: Swept
    condemned: str
    plan: PrunePlan


class _Looked(NamedTuple):
    survey: Survey
    shares: Shares
    plan: PrunePlan


def plan_prune(
    catalog: Catalog,
    *,
    git: Callable[[], GitRoots],
    drop_roots: bool = False,
    grace: float = GRACE,
    clock: Clock,
    store: Store | None = None,
    progress: Progress = SILENT,
) -> PrunePlan:
    """What a prune would do now; changes nothing on the remote. `git` tells what refs need.

    Ages are told by `clock` here, for asking the remote for its time would write to it; a prune goes by the remote's.
    """
    _check(catalog, grace)
    return _look(catalog, git, drop_roots, grace, clock(), "", store, nothing, progress).plan


def prune(
    catalog: Catalog,
    *,
    git: Callable[[], GitRoots],
    drop_roots: bool = False,
    grace: float = GRACE,
    author: str,
    host: str,
    pid: int,
    new_id: Callable[[], str],
    clock: Clock,
    store: Store | None = None,
    progress: Progress = SILENT,
) -> Pruned:
    """Delete what was condemned more than `grace` seconds ago, and condemn what nothing needs now.

    With `drop_roots`, roots older than the grace of which git names nothing any more stop to count. Objects that are
    here in `store` are not asked of the remote. Raises `Busy` while another prune lives, `AxilError` if something that
    is needed is missing or cannot be read; then nothing was changed. May be killed at any moment, and repeated.
    """
    _check(catalog, grace)
    with alone(catalog, author=author, host=host, pid=pid, new_id=new_id, clock=clock) as (held, now):
        looked = _look(catalog, git, drop_roots, grace, now, held.lease.id, store, held.keep, progress)
        survey, shares, plan = looked
        _refuse(catalog, plan)
        swept = execute_sweep(catalog, survey, shares, plan.sweeps, grace, held.keep, progress)
        condemned = execute_mark(catalog, survey, shares, plan.mark, new_id(), held.keep, progress)
    return Pruned(swept, condemned, plan)


def restore_condemned(
    catalog: Catalog,
    id: str,
    *,
    author: str = "",
    host: str = "",
    pid: int = 0,
    clock: Clock = system_clock,
    new_id: Callable[[], str] | None = None,
    store: Store | None = None,
    progress: Progress = SILENT,
) -> tuple[Root, ...]:
    """Put the roots back that the condemned list `id` dropped, under new ids; these are returned.

    What only condemned packs hold is copied first, for those are deleted in the end. Raises `NotFound` if there is no
    such list or something is gone already; then no root was put, or the ones that were are not complete.
    """
    _check(catalog, LEAST_GRACE)
    name = new_id or (lambda: make_id(clock))
    with alone(catalog, author=author, host=host, pid=pid, new_id=name, clock=clock) as (held, now):
        survey = take(catalog, GitRoots, now, held.lease.id)
        if id not in survey.lists:
            known = ", ".join(sorted(survey.lists)) or "none"
            raise NotFound(f"{catalog.remote.url} has no condemned list {id}", f"lists there: {known}")
        roots = survey.lists[id].list.roots
        put: tuple[Root, ...] = ()
        for _ in range(_TRIES):
            if not _save(catalog, survey, roots, store, held, progress):
                if put:
                    return put
                put = tuple(root._replace(id=name()) for root in roots)
                for root in put:
                    held.keep()
                    catalog.remote.put(keys.ROOTS + root.id, sharing.encode_root(root))
            # Like a push, look once more after the roots.
            survey = take(catalog, GitRoots, now, held.lease.id)
    raise AxilError("the roots could not be put back", "what they need is condemned again and again", "try again later")


@contextlib.contextmanager
def alone(
    catalog: Catalog, *, author: str, host: str, pid: int, new_id: Callable[[], str], clock: Clock
) -> Iterator[tuple[Held, float]]:
    """Hold the lease of a prune; the remote's time at its beginning. Raises `Busy` if there is another prune alive.

    Of two that begin at the same moment both may give up. Two that run at once, because a listing hid one from the
    other, do not harm each other: see docs/formats/remote.md.
    """
    remote = catalog.remote
    with hold(remote, "prune", author=author, host=host, pid=pid, new_id=new_id, clock=clock) as held:
        stat = remote.stat(keys.LEASES + held.lease.id)
        if stat is None:
            raise Busy("the prune was given up", f"{remote.url} does not show the lease that was written", "try again")
        for _, other in living(remote, stat.written):
            if other.kind == "prune" and other.id != held.lease.id:
                who = " ".join(word for word in (other.author, f"on {other.host}" if other.host else "") if word)
                raise Busy(
                    f"another prune of {remote.url} is under way",
                    f"begun by {who or 'somebody'}, process {other.pid}; if it was killed, its lease ends by itself",
                    "try again in half an hour",
                )
        yield held, stat.written


def _save(
    catalog: Catalog, survey: Survey, roots: tuple[Root, ...], store: Store | None, held: Held, progress: Progress
) -> bool:
    """Copy what `roots` need out of condemned packs; whether there was anything."""
    found = walk(catalog, survey, {oid for root in roots for oid in root.objects}, store, held.keep, progress)
    shares = count(catalog, survey, found.oids)
    if shares.missing or found.unreadable:
        gone = len(shares.missing) + len(found.unreadable)
        raise NotFound("it is too late to put the roots back", f"{gone} objects they need are gone or damaged")
    lost = {oid: places[0] for oid, places in shares.stake.items() if shares.owner(oid) is None}
    if lost:
        copy(catalog, lost.items(), held.keep, progress)
    return bool(lost)


def _check(catalog: Catalog, grace: float) -> None:
    if grace < LEAST_GRACE:
        raise UsageError("the grace is too short", f"{grace:.0f} seconds, and an hour is the least")
    if identify(catalog) is None:
        raise NotFound(f"{catalog.remote.url} is no remote of axil", "it has no object `format`")


def _look(
    catalog: Catalog,
    git: Callable[[], GitRoots],
    drop_roots: bool,
    grace: float,
    now: float,
    own: str,
    store: Store | None,
    alive: Alive,
    progress: Progress,
) -> _Looked:
    survey = take(catalog, git, now, own)
    drops, later = droppable(survey, grace) if drop_roots else ((), False)
    dropped = {root.id for root in drops}
    roots = set(survey.git.objects)
    roots.update(oid for name, (root, _) in survey.roots.items() if name not in dropped for oid in root.objects)
    found = walk(catalog, survey, roots, store, alive, progress)
    shares = count(catalog, survey, found.oids)
    plan = PrunePlan(
        plan_mark(survey, shares, drops, grace, later=later),
        plan_sweep(catalog, survey, shares, grace),
        len(found.oids),
        len(survey.packs),
        sum(stat.size for stat in survey.packs.values()),
        shares.missing,
        survey.unreadable + tuple(f"object {oid.hex()[:12]}: {why}" for oid, why in sorted(found.unreadable.items())),
        survey.leases,
    )
    return _Looked(survey, shares, plan)


def _refuse(catalog: Catalog, plan: PrunePlan) -> None:
    what = f"{catalog.remote.url} was not pruned"
    if plan.unreadable:
        raise AxilError(what, f"what may name objects cannot be read: {plan.unreadable[0]}", "axil remote check")
    if plan.missing:
        some = ", ".join(oid.hex()[:12] for oid in plan.missing[:3])
        raise AxilError(
            what,
            f"{len(plan.missing)} needed objects are not there ({some})",
            "`axil push` from a clone that has them puts them again; axil remote repair finds what indexes forgot",
        )


def nothing() -> None:
    """For who holds no lease."""

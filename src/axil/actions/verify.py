"""Check every stored object and every reference to one; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from axil.actions.roots import roots
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.store.collect import closure, execute, parents, plan_quarantine
from axil.store.verify import verify as verify_store

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.project import Project


SHOWN = 5


class DamagedObject(NamedTuple):
    """Stored bytes that are not what they should be; `needed_by` names the first few who need them."""

    path: str
    oid: str
    why: str
    needed_by: tuple[str, ...]


class MissingObject(NamedTuple):
    """An object that is needed and not here: a root itself, or something below it."""

    oid: str
    needed_by: tuple[str, ...]


class Verified(NamedTuple):
    """What was found; `sound` if nothing that is needed is damaged or missing."""

    objects: int
    bytes: int
    references: int
    damaged: tuple[DamagedObject, ...]
    missing: tuple[MissingObject, ...]
    problems: tuple[str, ...]
    """Pointers and journal entries that cannot be read."""
    sound: bool
    trash: str = ""
    """Where damaged objects were put aside, for `axil gc --restore`; "" if they were not."""
    elsewhere: int = 0
    """Objects that are needed, not here, and known to be on a remote: they are fetched when they are needed."""


def verify(project: Project, *, quarantine: bool = False, progress: Progress = SILENT) -> Verified:
    """Re-hash the whole store, then look up everything that a branch, tag, run or work tree refers to.

    Changes nothing but with `quarantine`: then damaged objects go to the trash, and adding the data again or running
    the stage again heals the store.
    """
    report = verify_store(project.store, progress)
    found, problems = roots(project)
    problems += [f"journal {one.path}: {one.why}" for one in project.journal.problems()]
    users: dict[Oid, list[str]] = {}
    for root in found:
        users.setdefault(root.oid, []).append(root.needed_by)
    needed = closure(project.store, users)
    away = needed.missing
    gone = _nowhere(project, away)
    damage = {bytes.fromhex(one.oid): one for one in report.faults if one.oid}
    named = _needed_by(project, users, gone | damage.keys())
    damaged = tuple(
        DamagedObject(one.path, one.oid, one.why, named.get(bytes.fromhex(one.oid), ())) for one in report.faults
    )
    missing = tuple(MissingObject(oid.hex(), named.get(oid, ())) for oid in sorted(gone))
    sound = not (damaged or missing or problems)
    trash = ""
    if quarantine and report.faults:
        trash = execute(project.store, plan_quarantine(project.store, damage), project.clock()).trash
    counts = (report.objects, report.bytes, len(users))
    return Verified(*counts, damaged, missing, tuple(problems), sound, trash, len(away) - len(gone))


def _nowhere(project: Project, away: set[Oid]) -> set[Oid]:
    """Those of `away` that no remote is known to have either."""
    if not away or not project.remotes:
        return away
    from axil.actions.sharing import Elsewhere

    return Elsewhere(project).missing(away)


def _needed_by(project: Project, users: Mapping[Oid, list[str]], bad: AbstractSet[Oid]) -> dict[Oid, tuple[str, ...]]:
    """For each of the `bad` objects the first few who need it, from one walk up: each tree is looked into once."""
    if not bad:
        return {}
    above = parents(project.store, users)
    found = {}
    for oid in bad:
        seen, todo, names = {oid}, [oid], dict[str, None]()
        while todo and len(names) < SHOWN:
            one = todo.pop()
            names |= dict.fromkeys(users.get(one, ()))
            todo += (more := above.get(one, set()) - seen)
            seen |= more
        found[oid] = tuple(names)[:SHOWN]
    return found

"""Check every stored object and every reference to one; changes nothing."""

from __future__ import annotations

from axil.actions.roots import Root, roots
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.store.verify import verify as verify_store

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.project import Project


class DamagedObject(NamedTuple):
    """Stored bytes that are not what they should be; `needed_by` says for what, as far as it is a whole path."""

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


def verify(project: Project, *, progress: Progress = SILENT) -> Verified:
    """Re-hash the whole store, then look up everything that a branch, tag, run or work tree refers to."""
    report = verify_store(project.store, progress)
    found, problems = roots(project)
    problems += [f"journal {one.path}: {one.why}" for one in project.journal.problems()]
    users: dict[Oid, list[str]] = {}
    for root in found:
        users.setdefault(root.oid, []).append(root.needed_by)
    damaged = tuple(DamagedObject(one.path, one.oid, one.why, _names(users, one.oid)) for one in report.faults)
    missing = _missing(project, found, users)
    sound = not (damaged or missing or problems)
    return Verified(report.objects, report.bytes, len(users), damaged, missing, tuple(problems), sound)


def _names(users: dict[Oid, list[str]], oid: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(users.get(bytes.fromhex(oid), ())))[:5]


def _missing(project: Project, found: list[Root], users: dict[Oid, list[str]]) -> tuple[MissingObject, ...]:
    """What the roots need and is not here; only if something is, each root is asked alone, to name it."""
    from axil.store.collect import closure

    needed = closure(project.store, users)
    gone = project.store.missing(needed.live)
    if not gone:
        return ()
    missing: dict[Oid, list[str]] = {oid: [] for oid in gone}
    for oid, names in users.items():
        for one in closure(project.store, [oid]).live & gone:
            missing[one] += names
    return tuple(MissingObject(oid.hex(), tuple(dict.fromkeys(names))[:5]) for oid, names in sorted(missing.items()))

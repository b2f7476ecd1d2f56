"""Free the space of objects that nothing needs: planned first, moved to a dated trash, deleted only from there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from axil.actions.delete import DELETED
from axil.actions.leftovers import Leftovers, clear, leftovers
from axil.actions.lost import adopt
from axil.actions.moving import refuse_during_run
from axil.actions.roots import roots
from axil.actions.switch import SAVED
from axil.base.clutter import TEMPORARY_PREFIX
from axil.base.ids import is_id, milliseconds
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import Blocked
from axil.git.refs import list_refs, update_refs

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.project import Project
    from axil.store.collect import CollectPlan

DAY = 86400.0
KEEP_DAYS = 30.0
"""How long the trash, deleted experiments and code saved by --force stay recoverable."""
GRACE = 3600.0


class Lost(NamedTuple):
    """A version of tracked data that only older commits refer to, and that would go."""

    name: str
    size: int
    files: int


class Collection(NamedTuple):
    """What goes or went. `trash` names the folder for `axil gc --restore`, "" if nothing moved."""

    objects: int
    bytes: int
    young: int
    """Objects that nothing needs yet, kept because they are newer than an hour."""
    lost: tuple[Lost, ...]
    expired: tuple[str, ...]
    """Refs of experiments deleted, and of code saved, over 30 days ago."""
    emptied: int
    """Bytes of old trash that were deleted for good."""
    trash: str
    leftovers: Leftovers
    """What runs in work trees of their own have left."""


def collect(
    project: Project,
    *,
    dry_run: bool = False,
    tips: bool = False,
    force: bool = False,
    grace: float = GRACE,
    progress: Progress = SILENT,
) -> Collection:
    """Move what no branch, tag, run, work tree or undo needs into the trash, where it stays for 30 days.

    With `tips`, versions of tracked data that only older commits name are not kept; that takes `force`, because they
    exist nowhere else. Raises `Blocked`, listing them, without it, and whenever something cannot be read.
    """
    from axil.store import collect as collector
    from axil.store.temporary import abandoned
    from axil.store.trash import empty_trash, list_trash

    if not dry_run:
        adopt(project)
    if grace <= 0 and not dry_run:
        refuse_during_run(project, "collecting everything that nobody needs yet", anywhere=True)
    now = project.clock()
    expired = _expired(project, now)
    live = _live(project, expired, history=not tips)
    lost = _lost(project, live) if tips else ()
    left = leftovers(project)
    plan = collector.plan(project.store, live, now=now, grace=grace)
    if lost and not force and not dry_run:
        raise Blocked(
            f"{len(lost)} older version{'s' if len(lost) > 1 else ''} of tracked data would be lost",
            "\n".join(one.name for one in lost[:20]),
            "see them all with --dry-run; --force goes on, and `axil gc --restore` works for 30 days",
            tuple(one.name for one in lost),
        )
    if dry_run:
        old = sum(one.bytes for one in list_trash(project.store.root) if one.made <= now - KEEP_DAYS * DAY)
        return _answer(plan, lost, expired, old, "", left)
    # From here on things move: first what nobody can name any more, then the objects.
    update_refs(project.git, [(ref, None, commit) for ref, commit in expired.items()])
    emptied = sum(one.bytes for one in empty_trash(project.store.root, now - KEEP_DAYS * DAY))
    _remove_leftovers(project.home, now - grace)
    clear(project, left)
    # A killed process may have left its folder though all that is stored is needed.
    some = plan.packs or plan.files or list(abandoned(project.store.root, now))
    done = collector.execute(project.store, plan, now) if some else None
    return _answer(plan, lost, expired, emptied, done.trash if done else "", left)


def _remove_leftovers(home: str, before: float) -> None:
    """Unlink half-written files, older than `before`, of axil's own folder; those of the store have their own place."""
    for folder, folders, names in os.walk(home):
        if folder == os.path.join(home, "store"):
            folders.clear()
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                if name.startswith(TEMPORARY_PREFIX) and os.lstat(path).st_mtime < before:
                    os.unlink(path)


def _answer(
    plan: CollectPlan, lost: tuple[Lost, ...], expired: dict[str, str], emptied: int, trash: str, left: Leftovers
) -> Collection:
    return Collection(plan.objects, plan.bytes, plan.young, lost, tuple(expired), emptied, trash, left)


def _live(project: Project, without: Iterable[str], *, history: bool) -> set[Oid]:
    """Every object that is needed. Raises `Blocked` if something that may name objects cannot be read."""
    from axil.store.collect import closure

    found, problems = roots(project, history=history, without=without)
    problems += [f"journal {one.path}: {one.why}" for one in project.journal.problems()]
    needed = closure(project.store, {root.oid for root in found})
    problems += [f"tree {oid.hex()[:12]} is damaged" for oid in needed.damaged]
    if problems:
        raise Blocked(
            "it is not certain what is still needed, so nothing is removed",
            "\n".join(problems[:20]),
            "axil verify tells more; mend these first",
        )
    return needed.live


def _lost(project: Project, live: set[Oid]) -> tuple[Lost, ...]:
    """Versions that the whole history names and the newest commits do not."""
    everything, _ = roots(project)
    gone: dict[Oid, Lost] = {}
    for root in everything:
        if root.oid not in live and root.pointer is not None and project.store.has(root.oid):
            pointer = root.pointer
            gone[root.oid] = Lost(root.needed_by, pointer.size, pointer.files)
    return tuple(gone.values())


def _expired(project: Project, now: float) -> dict[str, str]:
    """Refs that only keep things recoverable, older than 30 days; their last part is a ULID."""
    refs = list_refs(project.git, DELETED, SAVED)
    limit = (now - KEEP_DAYS * DAY) * 1000
    ids = {ref: ref.rpartition("/")[2] for ref in refs}
    return {ref: refs[ref] for ref, name in ids.items() if is_id(name) and milliseconds(name) < limit}


class Trash(NamedTuple):
    """A folder of the trash: its name, when it was made (seconds since the epoch), and what it holds."""

    name: str
    made: float
    bytes: int


def list_trash(project: Project) -> tuple[Trash, ...]:
    """What could be brought back, oldest first."""
    from axil.store import trash

    return tuple(Trash(one.name, one.made, one.bytes) for one in trash.list_trash(project.store.root))


def restore(project: Project, name: str) -> int:
    """Bring the trash folder `name` back into the store; how many packs and files. Raises `NotFound`."""
    from axil.store import trash

    return trash.restore(project.store.root, name)

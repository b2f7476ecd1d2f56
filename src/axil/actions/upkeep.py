"""Looking after a storage remote: checking it, writing its index anew, pruning it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from axil.actions import exchange
from axil.actions.experiments import ARCHIVE, HEADS, OTHERS, TRACKING
from axil.actions.sharing import Storage, git_remote, open_storage
from axil.base.light import TYPE_CHECKING, Literal, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, Blocked

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.formats.sharing import Root
    from axil.project import Project
    from axil.transfer.findings import CheckReport
    from axil.transfer.prune import Pruned, PrunePlan
    from axil.transfer.repair import Repaired
    from axil.transfer.salvage import Salvaged
    from axil.transfer.survey import GitRoots

Depth = Literal["structure", "data", "restore"]


class Checked(NamedTuple):
    """What a check of a remote found."""

    name: str
    depth: Depth
    sound: bool
    report: CheckReport


class Mended(NamedTuple):
    """What writing the index anew came to."""

    name: str
    report: Repaired
    salvaged: Salvaged | None
    """What reading all packs came to, if they were to be read."""


class Pruning(NamedTuple):
    """What a prune is going to do (`done` None: it was a dry run, or not agreed to), or did."""

    name: str
    git: str
    plan: PrunePlan
    done: Pruned | None


def check(
    project: Project,
    name: str = "",
    *,
    depth: Depth = "structure",
    sample: float | None = None,
    max_seconds: float | None = None,
    progress: Progress = SILENT,
) -> Checked:
    """Check the remote `name`; changes nothing there. `sample` is a share of all bytes, from above 0 to 1."""
    from axil.transfer.check import check as check_remote

    with open_storage(project, name) as storage:
        report = check_remote(
            storage.catalog,
            depth=depth,
            sample=sample,
            max_seconds=max_seconds,
            clock=project.clock,
            progress=progress,
        )
        return Checked(storage.name, depth, report.sound, report)


def repair(
    project: Project,
    name: str = "",
    *,
    data: bool = False,
    dry_run: bool = False,
    host: str = "",
    progress: Progress = SILENT,
) -> Mended:
    """Write a new index of the remote `name` from the tables at the ends of its packs.

    With `data` all packs are read, too; what is sound in damaged ones is kept, and the next push of whoever has the
    rest sends it again.
    """
    from axil.git.commits import identity
    from axil.transfer import keys
    from axil.transfer.repair import repair_index
    from axil.transfer.salvage import condemn, salvage

    with open_storage(project, name) as storage:
        report = repair_index(storage.catalog, dry_run=dry_run, clock=project.clock, progress=progress)
        if report.missing and not dry_run:
            # Whoever noted that all was pushed looks again.
            condemn(storage.catalog, filter(None, map(keys.oid_of, report.lost)), project.new_id)
        if not data:
            return Mended(storage.name, report, None)
        salvaged = salvage(
            storage.catalog,
            dry_run=dry_run,
            author=identity(project.git),
            host=host,
            pid=os.getpid(),
            new_id=project.new_id,
            clock=project.clock,
            progress=progress,
        )
        return Mended(storage.name, report, salvaged)


def prune(
    project: Project,
    name: str = "",
    *,
    git: str = "",
    dry_run: bool = False,
    drop_roots: bool = False,
    host: str = "",
    agree: Callable[[Pruning], bool] = lambda planned: True,
    progress: Progress = SILENT,
) -> Pruning:
    """Free what nothing needs on the remote `name`: planned first, done if `agree` says so.

    What any branch, tag, archived branch or run of the git remote names is needed; these are fetched first. Raises
    `Blocked` in a shallow clone, where that cannot be known, and what the fetch raises.
    """
    from axil.git.commits import identity
    from axil.transfer import prune as pruning

    source = git_remote(project, git)
    _refuse_shallow(project)
    with open_storage(project, name) as storage:
        needed = _needed(project, storage, source, progress)
        plan = pruning.plan_prune(
            storage.catalog,
            git=lambda: needed,
            drop_roots=drop_roots,
            clock=project.clock,
            store=project.store,
            progress=progress,
        )
        planned = Pruning(storage.name, source, plan, None)
        if dry_run or not agree(planned):
            return planned
        done = pruning.prune(
            storage.catalog,
            # Asked again, when the prune has the place for itself: others may have pushed meanwhile.
            git=lambda: _needed(project, storage, source, progress),
            drop_roots=drop_roots,
            author=identity(project.git),
            host=host,
            pid=os.getpid(),
            new_id=project.new_id,
            clock=project.clock,
            store=project.store,
            progress=progress,
        )
        return planned._replace(done=done)


def _refuse_shallow(project: Project) -> None:
    if project.repository.shallow:
        raise Blocked(
            "a shallow clone cannot tell what is needed",
            "older commits are not here, and the data they name would be lost",
            "git fetch --unshallow, then try again",
        )


def restore(
    project: Project, name: str, condemned: str, *, host: str = "", progress: Progress = SILENT
) -> tuple[Root, ...]:
    """Put the pushes back that the list `condemned` of a prune let go; these. Raises `NotFound` if it is too late."""
    from axil.git.commits import identity
    from axil.transfer.prune import restore_condemned

    with open_storage(project, name) as storage:
        return restore_condemned(
            storage.catalog,
            condemned,
            author=identity(project.git),
            host=host,
            pid=os.getpid(),
            clock=project.clock,
            new_id=project.new_id,
            store=project.store,
            progress=progress,
        )


def _needed(project: Project, storage: Storage, source: str, progress: Progress) -> GitRoots:
    """What refs of the git remote need, as they are now: commits, and objects so far as the storage remote has them.

    What was never pushed there cannot be removed there either, and must not keep the rest from being pruned.
    """
    from axil.transfer.survey import GitRoots

    problems: list[str] = []
    with exchange.mirrored(project, source, progress):
        refs = _refs(project, source)
        named = set(_named(project, refs, problems))
        commits = frozenset(project.git.lines("rev-list", "--stdin", input="\n".join(refs).encode()))
    if problems:
        raise Blocked(
            "it is not certain what is still needed, so nothing is pruned",
            "\n".join(problems[:20]),
            "axil verify tells more; mend these first",
        )
    storage.refresh()
    return GitRoots(frozenset(named - storage.catalog.missing(named)), commits)


def _refs(project: Project, source: str) -> list[str]:
    """The commits of all refs of the git remote, and of this clone: these may be pushed any time."""
    from axil.git.refs import list_refs
    from axil.journal import REF

    refs = list_refs(project.git, HEADS, ARCHIVE, "refs/tags/", f"{TRACKING}{source}/", OTHERS, exchange.MIRROR, REF)
    return sorted(set(refs.values()))


def _named(project: Project, refs: Sequence[str], problems: list[str]) -> Iterable[Oid]:
    """Everything that is named below `refs`."""
    from axil.actions.roots import of_blobs
    from axil.formats.pointer import SUFFIX
    from axil.git.history import blobs_at

    blobs = blobs_at(project.git, f"*{SUFFIX}", refs)
    paths = {blob: min(paths) for blob, paths in blobs.items()}
    yield from (root.oid for root in of_blobs(project.git, paths, "in a commit or run", problems))
    try:
        yield from (output.oid for output in project.journal.outputs())
    except AxilError as error:
        problems.append(error.what)
    problems += [f"journal {one.path}: {one.why}" for one in project.journal.problems()]

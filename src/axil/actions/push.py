"""Share experiments: what they need to the storage remote, then branches and the journal to the git remote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from axil.actions import exchange
from axil.actions.belongings import Belonging, Belongings, absent, belongings
from axil.actions.experiments import ARCHIVE, HEADS, current, experiments, unborn, unknown
from axil.actions.sharing import ADD, Storage, git_remote, lacking, on_others, open_storage, storage_name
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, BadInput, Blocked, NotFound
from axil.git.commits import identity
from axil.git.history import added_by
from axil.git.refs import list_refs
from axil.git.remote import set_upstream, upstream
from axil.journal import REF
from axil.project import LOCAL_FILE

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.journal.rows import Experiment
    from axil.project import Project


class PushedExperiment(NamedTuple):
    """One experiment of a push: `state` is "new", "updated", "unchanged", "behind" or "archived"."""

    name: str
    commit: str
    state: str


class Missing(NamedTuple):
    """An object that is neither here nor on the remote, and what needs it."""

    oid: str
    path: str
    needed_by: str


class Former(NamedTuple):
    """A branch at the git remote that bears the name that an experiment had before."""

    name: str
    now: str
    merged: bool
    """Whether the experiment has all its commits."""


class PushResult(NamedTuple):
    """What was shared. `objects` and `bytes` are what had to travel to the storage remote."""

    git: str
    storage: str
    """ "" if the experiments need nothing from the store."""
    experiments: tuple[PushedExperiment, ...]
    journal: bool
    """Whether the record of runs there was brought up to date."""
    objects: int
    bytes: int
    missing: tuple[Missing, ...]
    """What older commits and runs name and nobody has: it is not shared."""
    words: tuple[str, ...]
    """What the git server said."""
    tries: int
    former: tuple[Former, ...] = ()
    """Branches that a rename left at the git remote: nothing there is deleted without being asked for."""


class Parcel(NamedTuple):
    """What is to be pushed: experiments, their refs, and what they need."""

    git: str
    chosen: tuple[Experiment, ...]
    refs: dict[str, str]
    """Ref -> commit."""
    needed: Belongings


def push(
    project: Project,
    names: Sequence[str] = (),
    *,
    everything: bool = False,
    remote: str = "",
    git: str = "",
    force: bool = False,
    host: str = "",
    pid: int = 0,
    progress: Progress = SILENT,
) -> PushResult:
    """Push the experiments `names` (default: the current one; `everything`: all, archived ones too).

    Data first, then branches and journal, so that no commit is there whose data are not. Raises `Blocked` if a branch
    diverged, or if something that the newest commit or the best run needs is nowhere; `force` replaces the other's
    branch (if it still is where it was seen), and goes on without what is missing. A push that broke off is finished
    by the same push again.
    """
    parcel = pack(project, names, everything=everything, git=git)
    # Asked first: whether the branches can be pushed at all shall not be found out after the data.
    former = _former(project, parcel)
    there = exchange.look(project, parcel.git, [*parcel.refs, *former])
    if not force:
        exchange.check(project, parcel.git, parcel.refs, there)
    storage, objects, size, missing = _data(project, parcel, remote, force, host, pid, progress)
    try:
        sent = exchange.send(project, parcel.git, parcel.refs, force=force, there=there, progress=progress)
    except AxilError as error:
        if objects:
            project.tell(f"the data are on {storage}; the branches are not at {parcel.git} yet")
        raise error
    _follow(project, parcel, former)
    states = tuple(_state(one, ref, there, sent) for one, ref in zip(parcel.chosen, parcel.refs, strict=True))
    left = _left(project, former, there)
    journal = REF in sent.changed
    return PushResult(parcel.git, storage, states, journal, objects, size, missing, sent.words, sent.tries, left)


def _data(
    project: Project, parcel: Parcel, remote: str, force: bool, host: str, pid: int, progress: Progress
) -> tuple[str, int, int, tuple[Missing, ...]]:
    """Put the data on the storage remote: its name, objects and bytes that travelled, what is nowhere."""
    if not parcel.needed.items:
        return "", 0, 0, ()
    with storage_of(project, parcel, remote) as opened:
        try:
            return opened.name, *_objects(project, opened, parcel, (), host, pid, progress), ()
        except NotFound:
            # Nothing was sent. What is missing and who needs it takes a look of its own, for this case alone.
            missing = _missing(project, opened, parcel.needed, force)
            if not missing:
                raise
            return opened.name, *_objects(project, opened, parcel, missing, host, pid, progress), missing


def pack(project: Project, names: Sequence[str], *, everything: bool = False, git: str = "") -> Parcel:
    """What a push of these experiments takes along. Raises `NotFound` or `BadInput`; asks nobody."""
    chosen = _chosen(project, names, everything)
    remote = git_remote(project, git)
    refs = {(ARCHIVE if one.archived else HEADS) + one.name: one.tip for one in chosen}
    _check_secrets(project, remote, list(refs.values()))
    return Parcel(remote, tuple(chosen), refs, belongings(project, {one.name: one.tip for one in chosen}))


def _check_secrets(project: Project, remote: str, tips: Sequence[str]) -> None:
    """Raise `BadInput` if a commit that `remote` does not have yet brings axil.local.toml, where keys stand."""
    commit = added_by(project.git, tips, LOCAL_FILE, remote)
    if commit:
        raise BadInput(
            f"{LOCAL_FILE} is in commit {commit[:9]}",
            "secrets may stand in it, and everybody who clones would have them",
            f"take it out of the commit, the file stays: git rm --cached {LOCAL_FILE}, then git commit --amend "
            "(git rebase -i for an older commit)",
        )


def storage_of(project: Project, parcel: Parcel, remote: str) -> Storage:
    """The storage remote for what is in the parcel. Raises `NotFound` saying what to add."""
    if not project.remotes:
        count = len(parcel.needed.items)
        raise NotFound(
            "there is no storage remote to push data and results to",
            f"{', '.join(one.name for one in parcel.chosen[:3])} needs {count} object{'s' * (count != 1)} of the store",
            f"tell axil where it is, with your own url: {ADD}\n"
            "a folder (/mnt/share/project) or another machine (ssh://host/folder) will do as well",
        )
    return open_storage(project, storage_name(project, remote))


def _chosen(project: Project, names: Sequence[str], everything: bool) -> list[Experiment]:
    known = experiments(project)
    if everything:
        own = list_refs(project.git, HEADS, ARCHIVE)
        here = [one for one in known.values() if not one.remote and one.tip]
        return [one for one in here if HEADS + one.name in own or ARCHIVE + one.name in own]
    wanted = list(dict.fromkeys(names)) or [current(project, "axil push without a name")]
    found = []
    for name in wanted:
        if name not in known:
            raise unknown(name, known)
        one = known[name]
        if one.remote:
            raise BadInput(
                f"experiment {name} has no branch here",
                f"it is at the git remote {one.remote} already",
                f"get it first: axil switch {name}",
            )
        if not one.tip:
            raise unborn(name)
        found.append(one)
    return found


def _missing(project: Project, storage: Storage, needed: Belongings, force: bool) -> tuple[Missing, ...]:
    """What is nowhere. Raises `Blocked` if the experiment cannot be reproduced without it, unless `force`."""
    found = unavailable(project, storage, needed)
    current = [one for one in found if one.current]
    if current and not force:
        others = on_others(project, storage.name, [one.oid for one in current])
        lines = [
            f"{one.path} (needed by {one.by}{f'; {others[one.oid]} has it' if one.oid in others else ''})"
            for one in current[:20]
        ]
        lines += [f"… and {len(current) - 20} more"] * (len(current) > 20)
        hints = fetching(current, others)
        if len(others) < len({one.oid for one in current}):
            hints.append("axil add the data again, or axil run what made it; --force pushes without")
        raise Blocked(
            f"{len(current)} object{'s' * (len(current) > 1)} would be missing for everybody else",
            f"neither here nor on {storage.name}:\n" + "\n".join(lines),
            "\n".join(hints),
            tuple(one.path for one in current),
        )
    return tuple(Missing(one.oid.hex(), one.path, one.by) for one in found)


def fetching(items: Sequence[Belonging], others: Mapping[Oid, str]) -> list[str]:
    """The commands that bring here what other remotes have (oid -> remote) of `items`, one a remote."""
    names: dict[str, dict[str, None]] = {}
    for one in items:
        if one.oid in others:
            names.setdefault(others[one.oid], {})[one.experiment] = None
    return [
        f"bring here what {remote} has: axil fetch {' '.join(chosen)} -r {remote}; then push again"
        for remote, chosen in names.items()
    ]


def unavailable(project: Project, storage: Storage, needed: Belongings) -> tuple[Belonging, ...]:
    """What of `needed` is neither here nor on the remote, as the remote is now."""
    storage.refresh()
    not_there = storage.catalog.missing(needed.oids)
    return absent(project, needed.items, lacking(project, not_there, catalog=storage.catalog))


def _objects(
    project: Project,
    storage: Storage,
    parcel: Parcel,
    missing: Sequence[Missing],
    host: str,
    pid: int,
    progress: Progress,
) -> tuple[int, int]:
    """Put what is not there yet on the remote, with a root that keeps it; objects and bytes that travelled."""
    from axil.transfer.push import push as push_objects

    gone = {one.oid for one in missing}
    done = push_objects(
        project.store,
        storage.catalog,
        [oid for oid in parcel.needed.oids if oid.hex() not in gone],
        commits=tuple(dict.fromkeys(one.tip for one in parcel.chosen)),
        names=tuple(one.name for one in parcel.chosen),
        author=identity(project.git),
        host=host,
        pid=pid,
        clock=project.clock,
        new_id=project.new_id,
        progress=progress,
    )
    return done.objects, done.bytes


def _former(project: Project, parcel: Parcel) -> dict[str, Experiment]:
    """The refs that the experiments had under names they bear no more."""
    chosen = {one.name: one for one in parcel.chosen if not one.archived}
    return {HEADS + old: chosen[new] for old, new in project.journal.renamed().items() if new in chosen}


def _left(project: Project, former: Mapping[str, Experiment], there: Mapping[str, str]) -> tuple[Former, ...]:
    """Those of the refs `former` that the git remote has."""
    return tuple(
        Former(ref.removeprefix(HEADS), one.name, exchange.contains(project, one.tip, there[ref]))
        for ref, one in former.items()
        if ref in there
    )


def _follow(project: Project, parcel: Parcel, former: Mapping[str, Experiment]) -> None:
    """Let pushed branches that follow nothing, or the branch of a former name, follow the remote's.

    So that `axil pull` and `git pull` know it.
    """
    for one in parcel.chosen:
        if one.archived:
            continue
        remote, there = upstream(project.git, one.name)
        if not remote or (remote == parcel.git and former.get(HEADS + there) == one):
            set_upstream(project.git, one.name, parcel.git)


def _state(one: Experiment, ref: str, there: dict[str, str], sent: exchange.Sent) -> PushedExperiment:
    state = "unchanged"
    if ref in sent.behind:
        state = "behind"
    elif ref in sent.changed:
        state = "archived" if one.archived else "updated" if ref in there else "new"
    return PushedExperiment(one.name, one.tip, state)

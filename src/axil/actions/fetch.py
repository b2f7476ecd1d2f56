"""Take in what others have shared: branches, journal, and what the storage remote has; with the data if asked for."""

from __future__ import annotations

from collections.abc import Sequence

from axil.actions import exchange
from axil.actions.belongings import belongings
from axil.actions.experiments import experiments, unknown
from axil.actions.sharing import bring, git_remote, open_storage, storage_name
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError

if TYPE_CHECKING:
    from axil.journal.rows import Experiment
    from axil.project import Project


class Change(NamedTuple):
    """A branch at the git remote that is not what it was: `state` is "new", "updated" or "rewritten"."""

    name: str
    commit: str
    state: str


class Lacking(NamedTuple):
    """Something an experiment needs that no remote has."""

    experiment: str
    path: str
    needed_by: str


class FetchResult(NamedTuple):
    """What is new here."""

    git: str
    storage: str
    """ "" if the project has no storage remote."""
    changes: tuple[Change, ...]
    runs: int
    """Runs that the journal did not have before."""
    experiments: tuple[str, ...]
    """Those whose data are here now."""
    lacking: tuple[Lacking, ...]
    trouble: str = ""
    """Why the storage remote could not be asked, where its data were not asked for."""


def fetch(
    project: Project,
    names: Sequence[str] = (),
    *,
    everything: bool = False,
    remote: str = "",
    git: str = "",
    progress: Progress = SILENT,
) -> FetchResult:
    """Fetch branches, tags and journal, and look what the storage remote has.

    With `names` (or `everything`) the data of these experiments come too: what their newest commits track and what
    their best and newest good runs made. The work tree stays as it is.
    """
    source = git_remote(project, git)
    changes, runs = receive(project, source, progress)
    storage = trouble = ""
    if project.remotes or remote:
        storage = storage_name(project, remote)
        try:
            with open_storage(project, storage) as opened:
                opened.refresh()
        except AxilError as error:
            if names or everything:
                raise
            trouble = error.what
    chosen = _chosen(project, names, everything)
    lacking = data_of(project, chosen, remote=remote, progress=progress) if storage else ()
    return FetchResult(source, storage, changes, runs, tuple(one.name for one in chosen), lacking, trouble)


def receive(project: Project, remote: str, progress: Progress = SILENT) -> tuple[tuple[Change, ...], int]:
    """The git half: what changed among the branches of `remote`, and how many runs are new."""
    before, runs = _branches(project, remote), len(project.journal.runs())
    exchange.receive(project, remote, progress)
    changes = []
    for name, commit in _branches(project, remote).items():
        old = before.get(name)
        if old != commit:
            forward = old is not None and project.git.call("merge-base", "--is-ancestor", old, commit).code == 0
            changes.append(Change(name, commit, "new" if old is None else "updated" if forward else "rewritten"))
    return tuple(changes), len(project.journal.runs()) - runs


def data_of(
    project: Project, chosen: Sequence[Experiment], *, remote: str = "", progress: Progress = SILENT
) -> tuple[Lacking, ...]:
    """Bring what the experiments need as they are now; what nobody has."""
    if not chosen:
        return ()
    needed = belongings(project, {one.name: one.tip for one in chosen})
    current = [one for one in needed.items if one.current]
    gone = bring(project, (one.oid for one in current), remote=remote, progress=progress)
    return tuple(Lacking(one.experiment, one.path, one.by) for one in current if one.oid in gone)


def _branches(project: Project, remote: str) -> dict[str, str]:
    """Name -> commit of the branches of `remote` as they were fetched; names nobody can use are left out."""
    from axil.git.refs import list_refs, name_problem
    from axil.git.remote import TRACKING

    prefix = f"{TRACKING}{remote}/"
    refs = {ref.removeprefix(prefix): commit for ref, commit in list_refs(project.git, prefix).items()}
    return {name: commit for name, commit in refs.items() if name != "HEAD" and not name_problem(name)}


def _chosen(project: Project, names: Sequence[str], everything: bool) -> list[Experiment]:
    if not names and not everything:
        return []
    known = experiments(project)
    if everything:
        return [one for one in known.values() if one.tip]
    for name in names:
        if name not in known:
            raise unknown(name, known)
    return [known[name] for name in dict.fromkeys(names) if known[name].tip]

"""A colleague's project on this machine: git's clone, the journal, and what the current experiment needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from axil.actions import exchange
from axil.actions.experiments import TRUNKS, experiments
from axil.base.clock import Clock, system_clock
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, BadInput, Blocked, NotFound
from axil.formats.project import FILE
from axil.git import remote as git_remote
from axil.git.process import Git
from axil.git.refs import head
from axil.project import Project, open_project

if TYPE_CHECKING:
    from axil.actions.switch import Switched

ORIGIN = "origin"
_NEWEST = ("for-each-ref", "--sort=-committerdate", "--format=%(refname)")


class Cloned(NamedTuple):
    """What is there now. `trouble` says why data are not."""

    root: str
    experiment: str
    experiments: int
    runs: int
    switched: Switched | None
    trouble: tuple[str, ...]


def clone(
    start: str,
    url: str,
    folder: str = "",
    *,
    environ: Mapping[str, str],
    remote_url: str = "",
    equip: Callable[[Project], None] = lambda project: None,
    ask: bool = False,
    clock: Clock = system_clock,
    progress: Progress = SILENT,
) -> Cloned:
    """Clone the git repository `url` into `folder` (from `start`; default: its name), journal and data included.

    `remote_url` is where this machine finds the storage remote, if not where axil.toml says; it goes into
    axil.local.toml. What of the data cannot be had is told and leaves the clone as it is. Raises `Blocked` if `folder`
    is in the way, `NotFound` if it is no axil project.
    """
    url = _absolute(start, url)
    target = os.path.normpath(os.path.join(start, folder or _name(url)))
    if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise Blocked(f"{target} is there already", "it is not an empty folder", "name another: axil clone URL FOLDER")
    git_remote.clone(Git(start), url, target, exchange.refspecs(ORIGIN), progress=progress, ask=ask)
    _check_out_some_branch(Git(target))
    try:
        project = open_project(target, environ, clock)
    except NotFound:
        raise NotFound(
            f"{url} was cloned to {target}, but it is no axil project",
            f"its default branch has no {FILE}",
            "go to a branch that has one (git switch BRANCH, then axil pull), or make it a project: axil init",
        ) from None
    equip(project)
    exchange.unite(project, ORIGIN)
    if remote_url:
        from axil.actions.remote import place

        place(project, _absolute(start, remote_url))
    switched, trouble = _data(project, progress)
    return Cloned(
        project.root,
        project.head.branch or "",
        sum(not one.archived for one in experiments(project).values()),
        len(project.journal.runs()),
        switched,
        tuple(trouble),
    )


def _check_out_some_branch(git: Git) -> None:
    """Where HEAD over there names a branch that nobody pushed, git checks out none: take main, or the newest one."""
    if head(git).commit is not None:
        return
    prefix = f"refs/remotes/{ORIGIN}/"
    names = [ref.removeprefix(prefix) for ref in git.lines(*_NEWEST, prefix) if not ref.endswith("/HEAD")]
    if names:
        name = next((one for one in TRUNKS if one in names), names[0])
        git.writing("switch", "--quiet", "--create", name, "--track", f"{ORIGIN}/{name}")


def _data(project: Project, progress: Progress) -> tuple[Switched | None, list[str]]:
    """Bring data and outputs of the checked-out experiment; path by path, if not all of it can be had."""
    from axil.actions.switch import bring_back
    from axil.actions.tracking import pointers

    name = project.head.branch
    if name is None or project.head.commit is None:
        return None, []
    try:
        wanted = pointers(project)
    except AxilError as error:
        return None, [f"{error.what}: {error.why}"]
    trouble = _look(project)
    if wanted and not project.remotes:
        return None, [f"there is no storage remote, so the data ({', '.join(list(wanted)[:3])}) cannot be fetched"]
    try:
        return bring_back(project, name, False, progress, wanted), trouble
    except NotFound:
        pass
    except AxilError as error:
        return None, list(dict.fromkeys([*trouble, error.what]))
    done = None
    for path, pointer in wanted.items():
        try:
            done = bring_back(project, name, False, progress, {path: pointer})
        except AxilError as error:
            trouble.append(error.what)
    return done, trouble


def _look(project: Project) -> list[str]:
    """Learn what the storage remote has, so that later commands know without asking."""
    from axil.actions.sharing import open_storage

    if not project.remotes:
        return []
    try:
        with open_storage(project) as storage:
            storage.refresh()
    except AxilError as error:
        return [error.what]
    return []


def _absolute(start: str, url: str) -> str:
    """A path counts from where the user is; everything else is git's to understand."""
    if not url:
        raise BadInput("clone what?", "the url is empty", "axil clone URL [FOLDER]")
    if "://" in url or url.startswith("~") or (":" in url and "/" not in url.partition(":")[0]):
        return url
    return os.path.normpath(os.path.join(start, url))


def _name(url: str) -> str:
    """The folder git would choose: the last part of the url without `.git`."""
    name = url.rstrip("/").removesuffix("/.git").removesuffix(".git").rstrip("/")
    name = name.replace(":", "/").rpartition("/")[2]
    if not name or name in (".", ".."):
        raise BadInput(f"what shall the clone of {url} be called?", "", "name its folder: axil clone URL FOLDER")
    return name

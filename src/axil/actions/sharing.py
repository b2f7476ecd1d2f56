"""The remotes of a project, opened: which one a command means, and bringing objects here that only a remote has."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence

from axil.base.light import TYPE_CHECKING, Any, NamedTuple
from axil.base.progress import SILENT, Progress, size
from axil.errors import AxilError, BadInput, NotFound

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.project import Project
    from axil.remotes.base import Remote
    from axil.remotes.world import World
    from axil.transfer.catalog import Catalog

DEFAULT = "origin"
ADD = "axil remote add origin s3://bucket/prefix"
"""What makes a project shareable, to be typed as it is (with another url)."""


class Storage(NamedTuple):
    """A storage remote, opened."""

    name: str
    remote: Remote
    catalog: Catalog

    def __enter__(self) -> Storage:
        return self

    def __exit__(self, *_: object) -> None:
        self.remote.close()

    def refresh(self) -> None:
        """Learn what the remote has now. Raises `AxilError` too if it is one that this axil cannot read."""
        from axil.transfer.identity import identify

        identify(self.catalog)
        self.catalog.refresh()


def storage_settings(project: Project) -> Mapping[str, Mapping[str, Any]]:
    """Name -> settings of the storage remotes, this machine's own (axil.local.toml) included."""
    return project.remotes


def storage_name(project: Project, name: str = "") -> str:
    """The storage remote to use: `name`, else the only one, else “origin”. Raises `NotFound` saying what to add."""
    known = storage_settings(project)
    if not known:
        raise NotFound(
            f"there is no storage remote {name}".rstrip(),
            "data and outputs are shared through one: a bucket, a folder on a network drive, a machine with ssh",
            f"tell axil where it is: {ADD}   (or a path, or ssh://host/folder)",
        )
    return _chosen(known, name, "storage remote", "-r NAME", "axil remote list")


def git_remote(project: Project, name: str = "") -> str:
    """The git remote to use, by the same rule. Raises `NotFound` saying what to add."""
    from axil.git.remote import remotes

    known = remotes(project.git)
    if not known:
        raise NotFound(
            f"there is no git remote {name}".rstrip(),
            "branches and the record of runs are shared through one",
            "tell git where it is: git remote add origin URL",
        )
    return _chosen(known, name, "git remote", "--git NAME", "git remote -v")


def _chosen(known: Mapping[str, object], name: str, what: str, option: str, listing: str) -> str:
    if name and name not in known:
        from difflib import get_close_matches

        close = get_close_matches(name, known, 3, 0.5) or sorted(known)[:5]
        raise NotFound(f"there is no {what} {name}", f"known: {', '.join(close)}", f"{listing} lists them")
    if name:
        return name
    if len(known) == 1:
        return next(iter(known))
    if DEFAULT in known:
        return DEFAULT
    raise BadInput(f"which {what}?", f"there are {', '.join(sorted(known))}, and none is called {DEFAULT}", option)


def open_storage(project: Project, name: str = "") -> Storage:
    """The storage remote `name` (or the one to use without a name). Nothing is asked of it yet."""
    from axil.remotes.opening import open_remote
    from axil.transfer.catalog import Catalog

    chosen = storage_name(project, name)
    settings = storage_settings(project)[chosen]
    remote = open_remote(chosen, settings, world(project))
    return Storage(chosen, remote, Catalog(remote, folder(project, settings)))


def folder(project: Project, settings: Mapping[str, Any]) -> str:
    """Where this clone keeps what it knows of a storage remote."""
    from axil.base.hashing import hash_bytes

    name = hash_bytes(str(settings.get("url", "")).encode("utf-8", "surrogateescape")).hex()[:16]
    return os.path.join(project.home, "remotes", name)


def world(project: Project) -> World:
    """What a remote may know of its surroundings."""
    from axil.remotes.world import World

    environ = project.environ
    return World(
        project.root,
        environ.get("HOME", ""),
        environ,
        interactive=project.interactive,
        tell=lambda error, seconds: project.tell(f"{error.what}: trying again in {seconds:.0f} s"),
    )


def lacking(
    project: Project, oids: Iterable[Oid], *, trees_only: bool = False, catalog: Catalog | None = None
) -> set[Oid]:
    """Those of `oids` that are not here, or directories of which something below is not.

    With a `catalog`, what that remote is known to have counts as here, directories with all they name.
    """
    from axil.formats.tree import DIR

    def away(some: Iterable[Oid]) -> set[Oid]:
        gone = project.store.missing(some)
        return catalog.missing(gone) if gone and catalog is not None else gone

    wanted = set(oids)
    absent = away(wanted)
    whole: set[Oid] = set()
    for oid in wanted - absent:
        todo, seen = [oid] if project.store.is_tree(oid) else [], {oid}
        while todo:
            try:
                entries = project.store.entries(todo.pop())
            except NotFound:
                if catalog is not None:
                    continue
                absent.add(oid)
                break
            trees = {entry.oid for entry in entries if entry.kind == DIR[0]} - seen - whole
            if away(trees if trees_only else {entry.oid for entry in entries}):
                absent.add(oid)
                break
            seen |= trees
            todo += trees
        else:
            whole |= seen
    return absent


def on_others(project: Project, but: str, oids: Iterable[Oid]) -> dict[Oid, str]:
    """Those of `oids` that storage remotes other than `but` have, with all they name -> the first that does.

    Remotes are asked only for what none is known to have; one that does not answer has nothing more.
    """
    found: dict[Oid, str] = {}
    away = set(oids)
    names = [name for name in _in_order(project) if name != but]
    for name, ask in [(name, ask) for ask in (False, True) for name in names]:
        if not away:
            break
        with contextlib.suppress(AxilError), open_storage(project, name) as storage:
            if ask:
                storage.refresh()
            lost = lacking(project, away, catalog=storage.catalog)
            found.update(dict.fromkeys(away - lost, name))
            away = lost
    return found


def bring(
    project: Project,
    oids: Iterable[Oid],
    *,
    remote: str = "",
    trees_only: bool = False,
    sizes: Mapping[Oid, int] = {},
    older: Mapping[Oid, Oid] = {},
    progress: Progress = SILENT,
) -> set[Oid]:
    """Fetch `oids` and all they name, so far as they are not here; those that could not be had whole.

    `sizes` are those of `oids` that are known. `older` says of some which ones they take the place of: what large files
    have in common with those does not come.

    Without `remote` every storage remote is asked, the one to use first. Says what is fetched from where. Raises
    `Unreachable` or `Denied` if no remote that was asked had everything and one of them could not be asked.
    """
    absent = lacking(project, oids, trees_only=trees_only)
    if not absent:
        return absent
    trouble: AxilError | None = None
    lacked: list[str] = []
    for name in [storage_name(project, remote)] if remote else _in_order(project):
        try:
            with open_storage(project, name) as storage:
                try:
                    _bring_from(project, storage, absent, trees_only, sizes, older, progress)
                except NotFound:
                    lacked.append(_shown(storage))  # Another remote may have the rest.
                else:
                    return set()  # Else it would have said what it could not bring.
        except AxilError as error:
            trouble = trouble or error
        absent = lacking(project, absent, trees_only=trees_only)
        if not absent:
            return absent
    if trouble is not None:
        if lacked:
            raise type(trouble)(f"{_not_on(absent, lacked)}, and: {trouble.what}", trouble.why, trouble.hint)
        raise trouble
    if lacked:
        project.tell(_not_on(absent, lacked))
    return absent


def _shown(storage: Storage) -> str:
    from axil.transfer.identity import noted

    never = "" if noted(storage.catalog) else ", where nothing was pushed yet"
    return f"{storage.name} ({storage.remote.url}{never})"


def _not_on(absent: set[Oid], remotes: Sequence[str]) -> str:
    return f"{len(absent)} object{'s are' if len(absent) != 1 else ' is'} not on {' or '.join(remotes)}"


def _bring_from(
    project: Project,
    storage: Storage,
    oids: set[Oid],
    trees_only: bool,
    sizes: Mapping[Oid, int],
    older: Mapping[Oid, Oid],
    progress: Progress,
) -> None:
    from axil.transfer.fetch import fetch

    store, catalog = project.store, storage.catalog

    def announce(bytes_: int, whole: bool) -> None:
        if bytes_:
            # How much of it older versions hold is known when recipes have come.
            much = f"{'at most ' if older else ''}{size(bytes_)} " if whole else ""
            project.tell(f"fetching {much}from {storage.name}")

    fetch(
        store,
        catalog,
        oids,
        trees_only=trees_only,
        sizes=sizes,
        older=older,
        announce=announce,
        progress=progress,
    )


def _in_order(project: Project) -> list[str]:
    """All storage remotes, the one to use without a name first."""
    names = list(storage_settings(project))
    return sorted(names, key=lambda name: name != DEFAULT)


class Elsewhere:
    """What the planner asks of remotes: from what is known of them here, without the network."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._catalogs: list[Catalog] | None = None

    def to_fetch(self, sizes: Mapping[Oid, int]) -> int | None:
        """How many bytes must come to have these objects (with their sizes) and all they name here.

        None if no remote is known to have them.
        """
        from axil.transfer.fetch import plan_fetch

        for catalog in self._known():
            plan = plan_fetch(self._project.store, catalog, sizes, sizes)
            if not plan.missing:
                return plan.bytes
        return None

    def missing(self, oids: Iterable[Oid]) -> set[Oid]:
        """Those of `oids` that no remote is known to have."""
        gone = set(oids)
        for catalog in self._known() if gone else ():
            gone = catalog.missing(gone)
        return gone

    def _known(self) -> list[Catalog]:
        if self._catalogs is None:
            from axil.transfer.catalog import Catalog

            settings = storage_settings(self._project)
            folders = [folder(self._project, settings[name]) for name in _in_order(self._project)]
            # Catalogs only answer from their copies here, so they are given no remote.
            self._catalogs = [Catalog(_NOBODY, path) for path in folders if os.path.isdir(path)]
        return self._catalogs


_NOBODY: Any = None

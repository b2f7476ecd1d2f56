"""The handles of one project, opened on first use. It holds no behaviour: actions take what they need from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property

from axil.base.clock import Clock, system_clock
from axil.base.light import TYPE_CHECKING, Any
from axil.errors import NotFound
from axil.git.refs import Head, head
from axil.git.repository import Repository, begin_discover
from axil.journal import REF

LOCAL_FILE = "axil.local.toml"
"""Settings of remotes for this machine alone, secrets among them; never in git."""

# What a handle needs is imported when it is opened: most commands use few of them.
if TYPE_CHECKING:
    from axil.data.index import WorkTreeIndex
    from axil.formats.project import ProjectFile
    from axil.git.process import Git
    from axil.journal.journal import Journal
    from axil.journal.operations import OperationLog
    from axil.pipeline.load import Params
    from axil.store.store import Store


class Project:
    """A project opened in one work tree.

    `environ` is the environment that commands get; only a face reads the real one.
    """

    def __init__(
        self,
        repository: Repository,
        first_head: Head,
        environ: Mapping[str, str],
        clock: Clock,
        *,
        journal_tip: str | None = None,
    ) -> None:
        self.repository = repository
        self._journal_tip = journal_tip
        self.__dict__["head"] = first_head  # Came with the repository's paths, from the same git process.
        self.root = repository.top
        self.environ = environ
        self.clock = clock
        self.home = os.path.join(repository.common_dir, "axil")
        """Where axil keeps what must survive: inside the common git folder, shared by all work trees."""
        self.tell: Callable[[str], None] = lambda words: None
        """Hears one line about what takes long or goes otherwise than usual; a face sets it."""
        self.interactive = False
        """Whether somebody can be asked for a password; a face sets it."""

    @cached_property
    def git(self) -> Git:
        return self.repository.git()

    @cached_property
    def head(self) -> Head:
        return head(self.git)

    @cached_property
    def index(self) -> WorkTreeIndex:
        from axil.data.index import WorkTreeIndex

        folder = os.path.join(self.repository.git_dir, "axil")
        os.makedirs(folder, exist_ok=True)
        return WorkTreeIndex(os.path.join(folder, "worktree.db"), clock=self.clock)

    @cached_property
    def store(self) -> Store:
        from axil.store.store import Store

        return Store(os.path.join(self.home, "store"), link=self.file.link, clock=self.clock)

    @cached_property
    def journal(self) -> Journal:
        from axil.journal.journal import Journal

        os.makedirs(self.home, exist_ok=True)
        return Journal(self.git, os.path.join(self.home, "journal.db"), clock=self.clock, tip=self._journal_tip)

    @cached_property
    def operations(self) -> OperationLog:
        from axil.journal.operations import OperationLog

        return OperationLog(os.path.join(self.home, "operations"))

    @cached_property
    def runs_folder(self) -> str:
        return os.path.join(self.home, "runs")

    @cached_property
    def file(self) -> ProjectFile:
        """The parsed axil.toml. Raises `BadInput` with file, line and key."""
        from axil.pipeline.load import load_project

        return load_project(self.root, self.index)

    @property
    def shared(self) -> bool:
        """Whether there is a storage remote, or was one of late; quicker than reading what it is."""
        known = bool(self.file.remotes) or os.path.lexists(self.path(LOCAL_FILE))
        return known or os.path.isdir(os.path.join(self.home, "remotes"))

    @cached_property
    def remotes(self) -> Mapping[str, Mapping[str, Any]]:
        """Name -> settings of the storage remotes, secrets included: not for showing. Raises `BadInput`."""
        from axil.pipeline.local import load_remotes

        return load_remotes(self.root, self.file, self.git)

    @cached_property
    def params(self) -> Params:
        """The parameters as they are in the work tree now. Raises `BadInput` with file and line."""
        from axil.pipeline.load import load_params

        return load_params(self.root, self.file, self.index)

    def new_id(self) -> str:
        """A fresh ULID of this project's clock."""
        from axil.base.ids import new_id

        return new_id(self.clock)

    def path(self, project_path: str) -> str:
        """The absolute path of `project_path`."""
        return os.path.join(self.root, project_path)

    def forget(self) -> None:
        """Drop what was read from files and HEAD, after an action changed them."""
        for name in ("head", "file", "params", "remotes"):
            self.__dict__.pop(name, None)


def open_project(
    start: str,
    environ: Mapping[str, str] | None = None,
    clock: Clock = system_clock,
    *,
    meanwhile: Callable[[], object] = bool,
) -> Project:
    """The project whose work tree holds the folder `start`; `meanwhile` is called while git looks for it.

    Raises `NotFound` where there is no git repository, or one without axil.toml.
    """
    found = begin_discover(start, REF)
    # git looks while what almost every command needs is loaded.
    import axil.data.index  # noqa: F401
    from axil.formats.project import FILE

    meanwhile()
    repository, first_head, tip = found()
    project = Project(repository, first_head, environ or {}, clock, journal_tip=tip)
    if not os.path.isfile(project.path(FILE)):
        raise NotFound(
            "this repository is not an axil project yet",
            f"{project.root} has no {FILE}",
            "run `axil init` to make it one; if the file was removed: git checkout -- axil.toml",
        )
    return project

"""The handles of one project, opened on first use. It holds no behaviour: actions take what they need from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from axil.base.clock import Clock, system_clock
from axil.base.hashing import hash_bytes
from axil.data.index import WorkTreeIndex
from axil.errors import BadInput, NotFound
from axil.formats.project import ProjectFile
from axil.git.process import Git
from axil.git.refs import Head, head
from axil.git.repository import Repository, discover_with_head
from axil.journal.journal import Journal
from axil.journal.operations import OperationLog
from axil.store import Store

FILE_NAME = "axil.toml"


class Params(NamedTuple):
    """The parameters file: its project path ("" if the project has none), its bytes, and the values as nested dicts."""

    path: str
    data: bytes
    values: dict[str, object]


class Project:
    """A project opened in one work tree.

    `environ` is the environment that commands get; only a face reads the real one.
    """

    def __init__(self, repository: Repository, first_head: Head, environ: Mapping[str, str], clock: Clock) -> None:
        self.repository = repository
        self.__dict__["head"] = first_head  # Came with the repository's paths, from the same git process.
        self.root = repository.top
        self.environ = environ
        self.clock = clock
        self.home = os.path.join(repository.common_dir, "axil")
        """Where axil keeps what must survive: inside the common git folder, shared by all work trees."""

    @cached_property
    def git(self) -> Git:
        return self.repository.git()

    @cached_property
    def head(self) -> Head:
        return head(self.git)

    @cached_property
    def index(self) -> WorkTreeIndex:
        folder = os.path.join(self.repository.git_dir, "axil")
        os.makedirs(folder, exist_ok=True)
        return WorkTreeIndex(os.path.join(folder, "worktree.db"), clock=self.clock)

    @cached_property
    def store(self) -> Store:
        return Store(os.path.join(self.home, "store"), link=self.file.link, clock=self.clock)

    @cached_property
    def journal(self) -> Journal:
        os.makedirs(self.home, exist_ok=True)
        return Journal(self.git, os.path.join(self.home, "journal.db"), clock=self.clock)

    @cached_property
    def operations(self) -> OperationLog:
        return OperationLog(os.path.join(self.home, "operations"))

    @cached_property
    def runs_folder(self) -> str:
        return os.path.join(self.home, "runs")

    @cached_property
    def file(self) -> ProjectFile:
        """The parsed axil.toml; parsing is remembered by content. Raises `BadInput` with file, line and key."""
        from axil.formats import project

        data = self.read(FILE_NAME)
        key = hash_bytes(data)
        if remembered := self.index.cached(project.CACHE_KIND, key):
            return project.load(remembered)
        parsed = project.parse(_text(data, FILE_NAME), FILE_NAME)
        self.index.remember(project.CACHE_KIND, {key: project.dump(parsed)})
        return parsed

    @cached_property
    def params(self) -> Params:
        """The parameters as they are in the work tree; parsing is remembered by content."""
        from axil.formats import params

        path = self.file.params_file or params.find(self.root)
        if not path:
            return Params("", b"", {})
        data = self.read(path)
        key = hash_bytes(path.encode() + b"\0" + data)
        if remembered := self.index.cached("params", key):
            return Params(path, data, json.loads(remembered))
        values = params.load(_text(data, path), params.kind_of(path), path)
        self.index.remember("params", {key: json.dumps(values).encode()})
        return Params(path, data, values)

    def path(self, project_path: str) -> str:
        """The absolute path of `project_path`."""
        return os.path.join(self.root, project_path)

    def read(self, project_path: str) -> bytes:
        with open(self.path(project_path), "rb") as file:
            return file.read()

    def forget(self) -> None:
        """Drop what was read from files and HEAD, after an action changed them."""
        for name in ("head", "file", "params"):
            self.__dict__.pop(name, None)


def open_project(start: str, environ: Mapping[str, str] | None = None, clock: Clock = system_clock) -> Project:
    """The project whose work tree holds the folder `start`.

    Raises `NotFound` where there is no git repository, or one without axil.toml.
    """
    project = Project(*discover_with_head(start), environ or {}, clock)
    if not os.path.isfile(project.path(FILE_NAME)):
        raise NotFound(
            "this repository is not an axil project yet",
            f"{project.root} has no {FILE_NAME}",
            "run `axil init` to make it one",
        )
    return project


def _text(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{source} is not UTF-8", f"line {line} has a byte that is no text", f"save {source} as UTF-8") from None

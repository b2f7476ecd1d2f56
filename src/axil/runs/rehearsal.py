"""The work tree of a rehearsal: data is cut to a few samples, as real files of its own (docs/formats/isolated.md).

What depends on data is cut before the first command: tracked data, what git ignores, and of dependencies in git the
files with endings of data. Their whole content stays what the planner knows, so keys do not depend on how it is cut.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from axil.base.light import NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.content import content_of
from axil.data.index import WorkTreeIndex
from axil.formats.pointer import Pointer
from axil.formats.project import Stage
from axil.formats.tree import DIR, EXEC, FILE, LINK, Entry
from axil.pipeline.graph import Graph, covering
from axil.runs.checkouts import Checkouts, remove
from axil.runs.cut import Names, Unfit, cut, cutter_of, unit_of
from axil.runs.events import OnEvent, StageLine
from axil.runs.isolated import Isolated
from axil.runs.outputs import SavedPath
from axil.runs.rundir import RunDir
from axil.runs.thin import MEDIA, ending, thin
from axil.store import Store

_CUTTING = ".axil-cut"
_NAMED = 3
"""So many tables of a folder are named each; of more it is told how many they are."""
_LARGE = 16 << 20
"""A larger file that is not cut is not copied either."""
Tell = Callable[[str, str], None]
"""(stage, words): something about the data that the stage is given."""


class Choice(NamedTuple):
    """The files of one folder, or a file by itself (then its name is ""), and which of them a rehearsal gets."""

    path: str
    files: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def thinned(self) -> bool:
        """Whether files are left out."""
        return len(self.kept) < len(self.files)

    @property
    def tables(self) -> list[str]:
        """The kept files that are cut to some of their rows, as far as their names tell."""
        return [name for name in self.kept if cutter_of(f"{self.path}/{name}" if name else self.path)]


def choose(path: str, files: Iterable[str], n: int, *, in_git: bool = False) -> Choice:
    """Which of the `files` below `path` a rehearsal on `n` samples gets; those in git only where they are data."""
    names = tuple(files)
    if names == ("",):
        return Choice(path, names, names)
    data = [name for name in names if not in_git or is_data(name)]
    kept = set(thin(data, n)) | (set(names) - set(data))
    return Choice(path, names, tuple(name for name in names if name in kept))


def deps_in_git(graph: Graph, data: Collection[str]) -> list[str]:
    """The dependencies that no stage makes, and that are none of the `data` beside git."""
    deps = dict.fromkeys(dep for stage in graph.stages.values() for dep in stage.deps)
    return [dep for dep in deps if not graph.sources(dep) and covering(dep, data) is None]


def is_data(path: str) -> bool:
    """Whether a file in git is data by its ending, and not code or settings."""
    return cutter_of(path) is not None or ending(path) in MEDIA


def planned(choice: Choice, n: int) -> str:
    """In words what is going to be done with a path; the content of its files is not looked at."""
    tables = len(choice.tables)
    if choice.files == ("",):
        return f"to {n} {unit_of(choice.path)}" if tables else "whole: not a kind of file that can be cut"
    words = f"{len(choice.kept):,} of {len(choice.files):,} files"
    return words + (f", {tables} of them cut to {n} rows" if tables else "")


def rehearsal(
    folder: RunDir,
    n: int,
    root: str,
    index: WorkTreeIndex,
    store: Store,
    checkouts: Checkouts,
    graph: Graph,
    progress: Progress,
    on_event: OnEvent,
) -> Rehearsal:
    """The work tree of the rehearsal in `folder`; what was done with its data is in the log of its first stage."""

    def tell(stage: str, words: str) -> None:
        line = f"axil: rehearsal: {words}"
        path = folder.log(stage)
        with contextlib.suppress(OSError), open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(line + "\n")
        on_event(StageLine(stage, line))

    return Rehearsal(root, index, store, checkouts, graph, progress, n=n, tell=tell)


class Rehearsal(Isolated):
    """`Isolated`, with data cut to `n` samples. `tell` is told what was done with each path."""

    def __init__(
        self,
        root: str,
        index: WorkTreeIndex,
        store: Store,
        checkouts: Checkouts,
        graph: Graph,
        progress: Progress = SILENT,
        *,
        n: int,
        tell: Tell = lambda stage, words: None,
    ) -> None:
        super().__init__(root, index, store, checkouts, graph, progress)
        self._n = n
        self._tell = tell
        self._data: dict[str, Pointer] = {}
        self._in_git: list[str] = []
        self._done = False

    def lend(self, data: Mapping[str, Pointer]) -> None:
        """See `Isolated.lend`; `data` are cut before the first command starts."""
        super().lend(data)
        self._data = {path: pointer for path, pointer in data.items() if path in self.given}
        in_git = deps_in_git(self._graph, self._data)
        self._in_git = [dep for dep in in_git if self._holds_data(dep)]
        for dep in in_git:
            if covering(dep, self._in_git) is not None:
                # The planner goes on to know it as it is now.
                whole = content_of(self._index, self.root, dep, progress=self._progress)
                if whole is not None:
                    self.given[dep] = whole
                    self._laid.add(dep)

    def restore(self, outs: Mapping[str, Pointer]) -> list[SavedPath]:
        """See `Isolated.restore`: results of earlier rehearsals are not cut."""
        super().lend(outs)
        return []

    def clear(self, stage: Stage) -> list[SavedPath]:
        """See `Isolated.clear`; all data is cut when this returns."""
        if not self._done:
            self._cut_all(stage.name)
            self._done = True
        return super().clear(stage)

    def _cut_all(self, stage: str) -> None:
        """Cut folders to some files first: that tells which rows of tables lead anywhere."""
        stored = {path: dict(files_stored(self._store, pointer)) for path, pointer in self._data.items()}
        choices = [choose(path, files, self._n) for path, files in stored.items()]
        for path in self._in_git:
            own = [name for name in files_below(self._at(path)) if not self._is_stored(path, name)]
            choices.append(choose(path, own, self._n, in_git=True))
        names = Names(name for one in choices if one.thinned for name in one.kept if cutter_of(name) is None)
        for one in choices:
            words = self._cut(one, stored.get(one.path), names)
            if words:
                self._tell(stage, f"{one.path}: {words}")

    def _holds_data(self, dep: str) -> bool:
        """Whether the dependency `dep`, which is in git, holds anything that is cut."""
        if any(path.startswith(dep + "/") for path in self._data):
            return True
        return any(is_data(name or dep) for name in files_below(self._at(dep)))

    def _is_stored(self, folder: str, name: str) -> bool:
        return covering(f"{folder}/{name}" if name else folder, self._data) is not None

    def _cut(self, one: Choice, stored: Mapping[str, Entry] | None, names: Names) -> str:
        """Lay in what the rehearsal gets of a path; in words what that is."""
        if stored is not None and not one.thinned and not one.tables:
            return "" if one.files != ("",) else "whole, it is not a kind of file that can be cut"
        told: list[str] = []
        if one.thinned:
            told.append(f"{len(one.kept):,} of {len(one.files):,} files")
        if stored is not None:
            remove(self._at(one.path))
            self._laid.add(one.path)
            self._place({name: stored[name] for name in set(one.kept) - set(one.tables)}, one.path, self._store)
            # Large ones are links into the store, and read only.
            linked = Store(self._store.root, link="hardlink", clock=self._store.clock)
            self._place({name: stored[name] for name in one.tables}, one.path, linked)
        else:
            for name in set(one.files) - set(one.kept):
                os.unlink(self._full(one.path, name))
        told += self._cut_tables(one, stored, names)
        return ", ".join(told)

    def _cut_tables(self, one: Choice, stored: Mapping[str, Entry] | None, names: Names) -> list[str]:
        """Cut the kept tables of a path to some rows; in words what came of it, of many in short."""
        tables = [name for name in one.tables if stored is None or stored[name].kind != LINK[0]]
        told: list[str] = []
        whole: list[str] = []
        for name in tables:
            full = self._full(one.path, name)
            folder, base = os.path.split(full)
            # With the ending at the end, by which files are told apart.
            new = os.path.join(folder, _CUTTING + base)
            try:
                done = cut(full, new, self._n, names)
                os.replace(new, full)
                told.append(f"{name} {done.words}".lstrip())
            except Unfit as error:
                if stored is not None:
                    os.unlink(full)
                    self._place({name: stored[name]}, one.path, self._store)
                whole.append(f"{name} whole ({error})".lstrip())
            finally:
                remove(new)
        if len(tables) > _NAMED and told:
            told = [f"{len(told):,} of them cut to {self._n} rows"]
        return told + whole[:_NAMED] + ([f"{len(whole) - _NAMED:,} more whole"] if len(whole) > _NAMED else [])

    def _place(self, entries: Mapping[str, Entry], path: str, store: Store) -> None:
        """Make files of `entries`, named as below `path`; large ones that stay whole are links to shared copies."""
        files = []
        for name, entry in entries.items():
            full = self._full(path, name)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            if entry.kind == LINK[0]:
                os.symlink(store.read(entry.oid), os.fsencode(full))
            elif entry.size > _LARGE and store is self._store:
                pointer = Pointer("file", entry.oid, entry.size, 1, entry.kind == EXEC[0])
                os.symlink(self._checkouts.provide(pointer, self._progress), full)
            else:
                files.append((entry.oid, entry.size, full, entry.kind == EXEC[0]))
        store.place_files(files, self._progress)

    def _full(self, path: str, name: str) -> str:
        return os.path.join(self._at(path), name) if name else self._at(path)


def files_stored(store: Store, pointer: Pointer) -> Iterator[tuple[str, Entry]]:
    """Every file below `pointer` by its path there, "" for a file itself; without empty folders."""
    if pointer.kind != "tree":
        yield "", Entry(b"", (EXEC if pointer.executable else FILE)[0], pointer.size, pointer.oid)
        return
    folders = [("", pointer.oid)]
    while folders:
        above, oid = folders.pop()
        for entry in store.entries(oid):
            name = above + os.fsdecode(entry.name)
            if entry.kind == DIR[0]:
                folders.append((name + "/", entry.oid))
            else:
                yield name, entry


def files_below(full: str) -> Iterator[str]:
    """The files below the absolute path `full`, "" for a file itself; links are left alone."""
    if os.path.isfile(full) and not os.path.islink(full):
        yield ""
    for folder, folders, files in os.walk(full):
        folders[:] = [name for name in folders if name not in (".git", ".axil", ".venv")]
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                yield os.path.relpath(path, full)

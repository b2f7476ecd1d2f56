"""The code a command depends on: the files it names and every project module they import (docs/pipeline.md).

The search is static: nothing is executed. Only files of the project count, never installed packages.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Sequence

from axil.base.light import NamedTuple
from axil.formats.project import FILE
from axil.pipeline.command import named
from axil.pipeline.normal import Import, Summary, imports_of
from axil.pipeline.sources import Sources

FOREIGN = frozenset({".git", ".axil", ".venv", "venv", "site-packages", "node_modules", "__pycache__"})
Roots = tuple[str, ...]
"""Folders in which modules are looked up, first match wins; "" is the project root."""


class Closure(NamedTuple):
    """The code of one stage."""

    code: dict[str, str]
    """Project path -> hash, sorted by path."""
    via: dict[str, str]
    """Project path -> the file that imports or names it; "" if the command itself does."""


class Finder:
    """Finds closures in one project. What is shared between stages is worked out once."""

    def __init__(self, root: str, sources: Sources) -> None:
        self.root = root
        self.sources = sources
        self._edges: dict[tuple[Roots, str], tuple[str, ...]] = {}
        self._searched: dict[tuple[Roots, str], tuple[tuple[str, ...], Roots]] = {}
        self._foreign: dict[str, bool] = {}

    def find(self, command: str, cwd: str, is_data: Callable[[str], bool], seen: Iterable[str] = ()) -> Closure:
        """The closure of `command` started in the project folder `cwd`.

        Files for which `is_data` is true (declared deps and outs, the params file) are no code unless they are Python.
        `seen` are files found at run time earlier: they count, with all they import, as long as they exist.
        """
        walk = _Walk(self, is_data)
        walk.command(command, cwd, "")
        for path in seen:
            walk.file(path, self.roots(path.rpartition("/")[0], cwd), "")
        return walk.closure()

    def roots(self, script_folder: str, cwd: str, extra: Iterable[str] = ()) -> Roots:
        """Where modules are looked up: like Python's path, and the usual source folders of a project."""
        return tuple(dict.fromkeys((script_folder, *extra, cwd, "", "src")))

    def foreign(self, path: str) -> bool:
        """Whether the project path belongs to a virtual environment, git or axil."""
        folder = path.rpartition("/")[0]
        if folder not in self._foreign:
            below = bool(folder) and (self.foreign(folder) or self.sources.is_file(f"{folder}/pyvenv.cfg"))
            self._foreign[folder] = below or folder.rpartition("/")[2] in FOREIGN
        return self._foreign[folder]

    def inside(self, word: str, cwd: str) -> str | None:
        """The project path that `word` of a command in `cwd` names, or None if it leads out of the project."""
        if word.startswith("~") or "\0" in word or len(word) > 4096:
            return None
        if word[:1].isalnum() and "/." not in word and "//" not in word and word[-1] != "/":
            return f"{cwd}/{word}" if cwd else word  # Most words: nothing to resolve.
        path = posixpath.normpath(posixpath.join(self.root, cwd, word))
        prefix = self.root.rstrip("/") + "/"
        if path + "/" == prefix:
            return ""
        return path[len(prefix) :] if path.startswith(prefix) else None

    def imported(self, path: str, summary: Summary, roots: Roots) -> tuple[str, ...]:
        """The project files that the file `path` imports directly."""
        key = (roots, path)
        if key not in self._edges:
            found = (file for one in summary.imports for file in self.resolve(one, roots, path))
            self._edges[key] = tuple(dict.fromkeys(found))
        return self._edges[key]

    def resolve(self, one: Import, roots: Roots, path: str) -> Iterable[str]:
        """The project files that the import `one`, standing in the file `path`, loads."""
        if one.level:
            base = path.rpartition("/")[0]
            for _ in range(one.level - 1):
                if not base:
                    return
                base = base.rpartition("/")[0]
            files, folders = self.search((base,), one.module) if one.module else (self._init(base), (base,))
        else:
            files, folders = self.search(roots, one.module)
        yield from files
        if folders:
            for name in one.names:
                yield from self._star(files) if name == "*" else self.search(folders, name)[0]

    def search(self, roots: Roots, dotted: str) -> tuple[tuple[str, ...], Roots]:
        """The files that importing `dotted` loads, parents' `__init__` included, and where its submodules are.

        A package wins over a module, and both over a folder without `__init__.py`, as in Python (PEP 420).
        """
        key = (roots, dotted)
        if key not in self._searched:
            name, _, rest = dotted.partition(".")
            self._searched[key] = self._search(roots, name, rest)
        return self._searched[key]

    def _search(self, roots: Roots, name: str, rest: str) -> tuple[tuple[str, ...], Roots]:
        portions = []
        for root in roots:
            path = f"{root}/{name}" if root else name
            if self.sources.is_folder(path):
                if init := self._init(path):
                    files, folders = self.search((path,), rest) if rest else ((), (path,))
                    return (*init, *files), folders
                portions.append(path)
            if self.sources.is_file(path + ".py"):
                return (path + ".py",), ()
        if not portions:
            return (), ()
        return self.search(tuple(portions), rest) if rest else ((), tuple(portions))

    def _init(self, folder: str) -> tuple[str, ...]:
        path = f"{folder}/__init__.py" if folder else "__init__.py"
        return (path,) if self.sources.is_file(path) else ()

    def _star(self, files: Sequence[str]) -> Iterable[str]:
        """The submodules that `from package import *` loads: those its `__all__` names."""
        if not files or not files[-1].endswith("/__init__.py"):
            return
        summary = self.sources.summary(files[-1])
        folder = files[-1].rpartition("/")[0]
        for name in summary.exports if summary else ():
            yield from self.search((folder,), name)[0]


class _Walk:
    """One search: follows commands and imports until nothing new turns up."""

    def __init__(self, finder: Finder, is_data: Callable[[str], bool]) -> None:
        self.finder = finder
        self.sources = finder.sources
        self.is_data = is_data
        self.code: dict[str, str] = {}
        self.via: dict[str, str] = {}

    def closure(self) -> Closure:
        return Closure(dict(sorted(self.code.items())), self.via)

    def command(self, text: str, cwd: str, via: str) -> None:
        """Everything that the command or shell script `text` names; `via` is the script it stands in, if any."""
        extra: list[str] = []
        for kind, word in named(text):
            inside = self.finder.inside(word, cwd)
            if kind == "module":
                self.module(word, self.finder.roots(cwd, cwd, extra), via)
            elif kind == "code":
                self.inline(word, cwd, extra, via)
            elif kind == "path":
                self.word(word, cwd, extra, via)
            elif kind == "folder" and inside is not None:
                cwd = inside
            elif kind == "pythonpath" and inside is not None:
                extra.append(inside)

    def inline(self, code: str, cwd: str, extra: Sequence[str], via: str) -> None:
        """What follows `-c`: Python code, or a shell command."""
        roots = self.finder.roots(cwd, cwd, extra)
        for one in imports_of(code):
            self.files(self.finder.resolve(one, roots, f"{cwd}/-c" if cwd else "-c"), roots, via)
        self.command(code, cwd, via)

    def module(self, dotted: str, roots: Roots, via: str) -> None:
        """The module that `-m dotted` starts."""
        files, folders = self.finder.search(roots, dotted)
        main = [f"{folder}/__main__.py" for folder in folders[:1] if self.sources.is_file(f"{folder}/__main__.py")]
        self.files((*files, *main), roots, via)

    def word(self, word: str, cwd: str, extra: Sequence[str], via: str) -> None:
        """A word of a command: a file, a folder that holds `__main__.py`, or a console script of the project."""
        path = self.finder.inside(word, cwd)
        if not path or path in (FILE, "pyproject.toml"):
            return
        if self.sources.is_folder(path) and self.sources.is_file(f"{path}/__main__.py"):
            path = f"{path}/__main__.py"
        if not self.sources.is_file(path):
            self.console_script(word, cwd, extra, via)
            return
        if self.finder.foreign(path):
            return
        # Names inside a shell script may be anything it reads or writes, so only code is followed from there.
        if path.endswith(".py") or not (self.is_data(path) or (via and not path.endswith((".sh", ".bash")))):
            self.file(path, self.finder.roots(path.rpartition("/")[0], cwd, extra), via, cwd)

    def console_script(self, word: str, cwd: str, extra: Sequence[str], via: str) -> None:
        """A command that the project's own pyproject.toml defines."""
        summary = self.sources.summary("pyproject.toml") if word.isprintable() and "/" not in word else None
        for name, module in summary.scripts if summary else ():
            if name == word:
                self.module(module, self.finder.roots(cwd, cwd, extra), via)

    def files(self, paths: Iterable[str], roots: Roots, via: str) -> None:
        for path in paths:
            self.file(path, roots, via)

    def file(self, path: str, roots: Roots, via: str, cwd: str = "") -> None:
        """`path` and all it imports; does nothing if it is known already or no file."""
        stack = [(path, via)]
        while stack:
            path, via = stack.pop()
            if path in self.code:
                continue
            summary = self.sources.summary(path)
            if summary is None:
                continue
            self.code[path] = summary.hash
            self.via[path] = via
            stack.extend((other, path) for other in reversed(self.finder.imported(path, summary, roots)))
            for text in summary.commands:
                self.command(text, cwd, path)

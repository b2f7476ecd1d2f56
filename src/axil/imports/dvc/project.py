"""A whole DVC project as axil.toml, tracked data, and a list of what became what."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from axil.base.light import Any, NamedTuple
from axil.errors import BadInput
from axil.formats import params as params_format
from axil.formats.project import ProjectFile, Stage
from axil.imports.dvc import files
from axil.imports.dvc.expand import DEFAULT_PARAMS, Resolved, Template
from axil.imports.dvc.files import Config, Out, project_path
from axil.imports.dvc.interpolate import Unresolved
from axil.imports.dvc.remotes import remotes
from axil.imports.dvc.sections import Row, Sections
from axil.imports.dvc.stages import InGit, Params, Translated, free_name, translate

Listing = Callable[[Out], "Collection[str] | None"]
"""Gives the files (paths inside) that a folder had, None if that is not known."""

Read = Callable[[str], "bytes | None"]
"""Gives the bytes of a file of the project, None if it is not there; raises `BadInput` for links and the like."""


class Data(NamedTuple):
    """Data that a `.dvc` file tracks."""

    out: Out
    source: str
    origin: str = ""


class Translation(NamedTuple):
    """The project in axil's words. Paths are project paths."""

    file: ProjectFile
    comments: Mapping[str, tuple[str, ...]]
    """Stage -> comments for axil.toml."""
    data: tuple[Data, ...]
    rows: tuple[Row, ...]
    """Of stages, remotes and settings; data are told about when they have been looked for."""
    spent: tuple[str, ...]
    """DVC's files of which nothing is left to translate, `.dvc` files aside."""
    metrics: tuple[str, ...]
    """Metrics files."""


class _Reader:
    """Reads everything of DVC's once."""

    def __init__(self, git: InGit, read: Read, config: Config) -> None:
        self.git, self.names, self.read, self.config = git, sorted(git.names), read, config
        self.loaded: dict[str, dict[str, Any] | None] = {}
        self.rows: list[Row] = []
        self.stages: list[tuple[Resolved, str, str]] = []
        """(stage, folder, file)."""
        self.data: list[Data] = []
        self.locked: dict[str, Out] = {}
        self.sections = Sections()
        self.kept: set[str] = set()
        """DVC's files that must stay: not everything in them was translated."""

    def load(self, path: str) -> dict[str, Any] | None:
        """The table in a params file. Raises `Unresolved`."""
        if path not in self.loaded:
            try:
                data = None if path.startswith("../") else self.read(path)
                kind = params_format.kind_of(path) if data is not None else ""
                self.loaded[path] = None if data is None else files.table(data, path, kind)
            except BadInput as error:
                raise Unresolved(f"{error.what}: {error.why}") from None
        return self.loaded[path]

    def everything(self) -> None:
        for name in self.names:
            base = posixpath.basename(name)
            if name.startswith(".dvc/") or "/.dvc/" in name:
                continue
            try:
                if base == "dvc.yaml":
                    self._pipeline(name)
                elif base == "dvc.lock":
                    for outs in files.locked(self._bytes(name), name).values():
                        self.locked |= {out.path: out for out in outs}
                elif (base.endswith(".dvc") and base != ".dvc") or base == "Dvcfile":
                    self._tracked(name)
            except (BadInput, Unresolved) as error:
                self.kept.add(name)
                self.rows.append(Row("setting", name, "", (" ".join(str(error).split("\n")),)))

    def _bytes(self, name: str) -> bytes:
        data = self.read(name)
        if data is None:
            raise BadInput(f"{name} is not in the work tree", "", f"git checkout -- {name}")
        return data

    def _pipeline(self, name: str) -> None:
        folder = posixpath.dirname(name)
        template = Template(files.table(self._bytes(name), name), folder, self.load, self.config.parsing)
        self.stages += [(stage, folder, name) for stage in template.stages()]
        if not self.sections.read(template, name):
            self.kept.add(name)

    def _tracked(self, name: str) -> None:
        found = files.dvc_file(self._bytes(name), name)
        self.rows += [Row("data", name, "", (f"{path}: {why}",)) for path, why in found.refused]
        if found.refused:
            self.kept.add(name)
        self.data += [Data(out, name, found.origin) for out in found.outs]
        if found.stage is not None:
            base = posixpath.basename(name).removesuffix(".dvc")
            self.stages.append((Resolved(base, _old_stage(found.stage), {}), posixpath.dirname(name), name))

    def params(self) -> Params:
        """The params file that most stages use; the one at the root if there is a choice."""
        used: Counter[str] = Counter()
        for stage, folder, _ in self.stages:
            for file in _params_files(stage.definition):
                try:
                    path = project_path(folder, posixpath.join(str(stage.definition.get("wdir") or "."), file))
                    if self.load(path) is not None:
                        used[path] += 1
                except (ValueError, Unresolved):
                    continue
        at_root = [name for name in params_format.NAMES if name in self.names]
        chosen = max(used, key=lambda path: (used[path], path == DEFAULT_PARAMS), default=at_root[0] if at_root else "")
        try:
            return Params(chosen, params_format.flatten(self.load(chosen) or {}, chosen)) if chosen else Params("", {})
        except (BadInput, Unresolved) as error:
            self.rows.append(Row("setting", chosen, "", (" ".join(str(error).split("\n")),)))
            return Params("", {})


def read_project(git: InGit, read: Read, config: Config, name: str, listing: Listing) -> Translation:
    """The DVC project that git has, called `name`. Raises nothing for what is wrong in it."""
    reader = _Reader(git, read, config)
    reader.everything()
    params = reader.params()
    stages: dict[str, Stage] = {}
    comments: dict[str, tuple[str, ...]] = {}
    rows: list[Row] = []
    often = Counter(stage.name for stage, _, _ in reader.stages)
    for resolved, folder, source in reader.stages:
        whole = (
            ".".join(filter(None, (*folder.split("/"), resolved.name))) if often[resolved.name] > 1 else resolved.name
        )
        became = free_name(whole, stages)
        done: Translated = translate(resolved, folder, became, params, git)
        if done.stage is None:
            reader.kept.add(source)
        else:
            stages[became] = done.stage
            if done.comments:
                comments[became] = done.comments
        rows.append(Row("stage", f"{source}: {resolved.name}", became if done.stage else "", done.remarks))
    stages = reader.sections.applied(
        stages, lambda path: listing(reader.locked[path]) if path in reader.locked else None
    )
    explicit = params.path if params.path and not _found_alone(params.path, git.names) else ""
    made = list(remotes(config))
    urls = {one.name: {"url": one.url} for one in made if one.name}
    file = ProjectFile(name=name, stages=stages, remotes=urls, params_file=explicit)
    rows += [Row("remote", one.source, f"{one.name}: {one.url}" if one.name else "", one.remarks) for one in made]
    rows += [*reader.rows, *reader.sections.rows, *_settings(reader, params)]
    return Translation(
        file,
        comments,
        tuple(reader.data),
        tuple(rows),
        tuple(_spent(reader)),
        tuple(path for stage in stages.values() for path in stage.metrics),
    )


def _settings(reader: _Reader, params: Params) -> Iterator[Row]:
    config = reader.config
    if config.secret:
        why = f"credentials and local settings are never copied: {', '.join(config.secret)}"
        yield Row("setting", ".dvc/config.local" if any(config.secret) else ".dvc/config", "", (why,))
    if config.others:
        yield Row("setting", ".dvc/config", "", (f"means something to DVC only: {', '.join(config.others)}",))
    for name in reader.names:
        if posixpath.basename(name) == ".dvcignore":
            lines = (reader.read(name) or b"").decode("utf-8", "replace").splitlines()
            if patterns := [line for line in lines if line.strip() and not line.startswith("#")]:
                yield Row("setting", name, "", (f"axil has no such list; it says: {', '.join(patterns[:5])}",))
    if params.path and params.path in reader.names:
        yield Row("setting", params.path, params.path)


def _spent(reader: _Reader) -> Iterator[str]:
    tracked = {one.source for one in reader.data}
    with_stages = {source for _, _, source in reader.stages}
    for name in reader.names:
        base, folder = posixpath.basename(name), posixpath.dirname(name)
        if name in reader.kept or name in tracked or name.startswith(".dvc/"):
            continue
        pipeline = posixpath.join(folder, "dvc.yaml")
        if base == "dvc.yaml" or name in with_stages or (base == "dvc.lock" and pipeline not in reader.kept):
            yield name


def _found_alone(path: str, names: Iterable[str]) -> bool:
    """Whether axil finds the params file `path` by itself: it is the only one at the root."""
    known = set(names)
    return [name for name in params_format.NAMES if name in known] == [path]


def _params_files(definition: Mapping[str, Any]) -> Iterator[str]:
    items = definition.get("params")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, str):
            yield DEFAULT_PARAMS
        elif isinstance(item, dict):
            yield from (str(file) for file, keys in item.items() if keys)


def _old_stage(content: Mapping[str, Any]) -> dict[str, Any]:
    """A stage that an old version of DVC wrote into a `.dvc` file, as dvc.yaml would have it."""
    outs: list[dict[Any, Any]] = []
    metrics: list[dict[Any, Any]] = []
    deps, params = [], []
    for item in content.get("outs") or []:
        if isinstance(item, dict):
            (metrics if item.get("metric") else outs).append({item.get("path"): {"persist": item.get("persist")}})
    for item in content.get("deps") or []:
        if isinstance(item, dict) and isinstance(item.get("params"), dict):
            params.append({item.get("path"): list(item["params"])})
        elif isinstance(item, dict):
            deps.append(item.get("path"))
    rest = {key: content[key] for key in ("cmd", "wdir", "always_changed", "desc", "meta") if key in content}
    frozen = content.get("locked") or content.get("frozen")
    return {**rest, "outs": outs, "metrics": metrics, "deps": deps, "params": params, "frozen": frozen}

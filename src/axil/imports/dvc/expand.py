"""The stages of a dvc.yaml with `vars`, `foreach` and `matrix` written out."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable, Iterator, Mapping

from axil.base.light import Any, NamedTuple
from axil.imports.dvc.interpolate import Scope, Unresolved, marked, resolve, to_text

Load = Callable[[str], "dict[str, Any] | None"]
"""Gives the table in the params file at a project path, None if there is no such file; raises `Unresolved`."""

MAX_STAGES = 10_000
DEFAULT_PARAMS = "params.yaml"


class Resolved(NamedTuple):
    """One stage as DVC would run it."""

    name: str
    definition: dict[str, Any]
    used: dict[str, Any]
    """What was written out: expression -> value."""
    error: str = ""
    """Why it could not be written out; then `definition` is as it stands in the file."""


class _Names:
    """A scope, and which params files went into it how."""

    def __init__(
        self, values: Mapping[str, Any], loaded: Mapping[str, tuple[str, ...] | None], budget: list[int] | None = None
    ) -> None:
        self.scope = Scope(values, budget)
        self.loaded = dict(loaded)

    def take(self, items: Any, folder: str, load: Load) -> None:
        """Add `vars`: tables, and files as `path` or `path:key,key`."""
        if not isinstance(items, list):
            raise Unresolved("`vars` must be a list")
        if marked(items):
            raise Unresolved("`vars` must not have ${...} in it")
        for item in items:
            if isinstance(item, dict):
                self.scope.merge(item)
            elif isinstance(item, str):
                self._file(item, folder, load)
            else:
                raise Unresolved("`vars` has something else than names of files and tables in it")

    def _file(self, item: str, folder: str, load: Load) -> None:
        name, _, words = item.partition(":")
        keys = tuple(key for key in words.split(",") if key) or None
        path = posixpath.normpath(posixpath.join(folder, name))
        if path in self.loaded:
            before = self.loaded[path]
            if keys is None and before is None:
                return
            if keys is None or before is None or set(keys) & set(before):
                raise Unresolved(f"{item} in `vars` is loaded twice")
        data = load(path)
        if data is None:
            raise Unresolved(f"{path}, named in `vars`, does not exist")
        if keys is not None:
            if missing := [key for key in keys if key not in data]:
                raise Unresolved(f"{path} has no `{missing[0]}`, named in `vars`")
            data = {key: data[key] for key in keys}
        self.scope.merge(data)
        self.loaded[path] = keys if keys is None else (*(self.loaded.get(path) or ()), *keys)

    def with_values(self, values: Mapping[str, Any]) -> _Names:
        return _Names({**self.scope.values, **values}, self.loaded, self.scope.budget)


class Template:
    """A dvc.yaml, ready to be written out."""

    def __init__(
        self, data: Mapping[str, Any], folder: str, load: Load, style: Mapping[str, str] | None = None
    ) -> None:
        """`data` is the file's table and `folder` where it lies. Raises `Unresolved` for bad `vars`."""
        self.data, self.folder, self.load, self.style = data, folder, load, style or {}
        self.names = _Names({}, {})
        if load(posixpath.join(folder, DEFAULT_PARAMS)) is not None:
            self.names.take([DEFAULT_PARAMS], folder, load)
        self.names.take(data.get("vars") or [], folder, load)

    def stages(self) -> Iterator[Resolved]:
        """Every stage, loops written out. One that cannot be comes with its error."""
        stages = data_table(self.data.get("stages"), "stages")
        count = 0
        for name, definition in stages.items():
            for stage in self._stage(name, definition):
                count += 1
                if count > MAX_STAGES:
                    raise Unresolved(f"it has more than {MAX_STAGES} stages")
                yield stage

    def section(self, name: str) -> list[Any]:
        """A list at the top of the file (metrics, plots, params), written out. Raises `Unresolved`."""
        value = self.data.get(name) or []
        if isinstance(value, dict):  # How `plots` was written for a while.
            value = [{key: item} for key, item in value.items()]
        if not isinstance(value, list):
            raise Unresolved(f"`{name}` is not a list")
        return [resolve(item, self.names.scope) for item in value]

    def _stage(self, name: str, definition: Any) -> Iterator[Resolved]:
        try:
            table = data_table(definition, name)
            if "matrix" in table:
                rest = {key: value for key, value in table.items() if key != "matrix"}
                axes = resolve(table["matrix"], self.names.scope)
                yield from self._each(name, rest, _matrix(axes, table["matrix"], self.names))
            elif "foreach" in table:
                loop = resolve(table["foreach"], self.names.scope)
                yield from self._each(
                    name, data_table(table.get("do"), f"{name}.do"), _foreach(loop, table["foreach"], self.names)
                )
            else:
                yield self._one(name, table, self.names)
        except Unresolved as error:
            yield Resolved(name, definition if isinstance(definition, dict) else {}, {}, str(error))

    def _each(self, name: str, definition: dict[str, Any], items: Iterator[tuple[str, _Names]]) -> Iterator[Resolved]:
        found: dict[str, _Names] = {}
        for key, names in items:
            found[key] = names  # The same key twice is one stage, the last.
            if len(found) > MAX_STAGES:
                raise Unresolved(f"it makes more than {MAX_STAGES} stages")
        for key, names in found.items():
            yield self._one(f"{name}@{key}", definition, names)

    def _one(self, name: str, definition: dict[str, Any], names: _Names) -> Resolved:
        try:
            mine = names.with_values({})
            where = resolve(definition.get("wdir") or "", mine.scope)
            folder = posixpath.join(self.folder, to_text(where)) if where else self.folder
            mine.take(definition.get("vars") or [], folder, self.load)
            mine.scope.used.clear()
            done = {
                key: resolve(value, mine.scope, key=key, style=self.style)
                for key, value in definition.items()
                if key != "vars"
            }
        except Unresolved as error:
            return Resolved(name, definition, {}, str(error))
        return Resolved(name, done, mine.scope.used)


def data_table(value: Any, name: str) -> dict[str, Any]:
    """`value` if it is a table ({} for nothing). Raises `Unresolved`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unresolved(f"`{name}` is not a table")
    return value


def _foreach(loop: Any, written: Any, names: _Names) -> Iterator[tuple[str, _Names]]:
    """(key, names) of every round; `written` is `loop` as it stands in the file."""
    if isinstance(loop, dict):
        for key, value in loop.items():
            yield to_text(key), names.with_values({"item": value, "key": to_text(key)})
    elif isinstance(loop, list):
        nested = any(isinstance(value, list | dict) for value in loop)
        for number, value in enumerate(loop):
            yield str(number) if nested else _word(value, written, number), names.with_values({"item": value})
    else:
        raise Unresolved("`foreach` is neither a list nor a table")


def _matrix(axes: Any, written: Any, names: _Names) -> Iterator[tuple[str, _Names]]:
    """(key, names) of every combination; `written` is `axes` as they stand in the file."""
    if not isinstance(axes, dict) or not all(isinstance(values, list) for values in axes.values()):
        raise Unresolved("`matrix` is not a table of lists")
    for combination in itertools.product(*(enumerate(values) for values in axes.values())):
        item, words = {}, []
        for axis, (number, value) in zip(axes, combination, strict=True):
            item[axis] = value
            nested = isinstance(value, list | dict)
            words.append(f"{axis}{number}" if nested else _word(value, written.get(axis), number))
        key = "-".join(words)
        yield key, names.with_values({"item": item, "key": key})


def _word(value: Any, written: Any, number: int) -> str:
    """`value` as part of a stage's name: DVC writes `true` if it stands in dvc.yaml, `True` if it is interpolated."""
    source = written[number] if isinstance(written, list) else written
    return str(value) if isinstance(source, str) else to_text(value)

"""`axil.params`: the run's parameters, by key or by attribute.

Inside a run they are exactly what the run recorded (`params.json` of its folder), and what the script reads is noted
(axil.tracking.reads); outside, they are the project's file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from axil.tracking.reads import note
from axil.tracking.run import folder as run_folder

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Base = Mapping[str, Any]
else:
    Base = Mapping

FILES = ("params.yaml", "params.yml", "params.toml", "params.json")


class Params(Base):
    """Nested parameters, read only: `params.train.lr`, `params["train"]["lr"]` and `params["train.lr"]` are one."""

    __slots__ = ("_at", "_source", "_values")

    def __init__(self, values: Mapping[str, Any], source: str = "", at: str = "") -> None:
        self._values = values
        self._source = source
        self._at = at
        """The dotted key of this table with a dot behind it, "" for all parameters."""

    def __getitem__(self, key: str) -> Any:
        if key in self._values:
            value = self._values[key]
            if isinstance(value, dict):
                return Params(value, self._source, f"{self._at}{key}.")
            note(f"{self._at}{key}")
            return value
        first, dot, rest = key.partition(".") if isinstance(key, str) else (key, "", "")
        inner = self._values.get(first) if dot else None
        if isinstance(inner, dict):
            return Params(inner, self._source, f"{self._at}{first}.")[rest]
        note(f"{self._at}{key}")  # that it is not there may decide what the script does
        raise KeyError(self._missing(key))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(self._missing(name)) from None

    def __contains__(self, key: object) -> bool:
        try:
            found = self[key]  # type: ignore[index]
        except KeyError:
            return False
        if isinstance(found, Params):
            note(found._at[:-1])
        return True

    def __iter__(self) -> Iterator[str]:
        note(self._at[:-1])
        return iter(self._values)

    def __len__(self) -> int:
        note(self._at[:-1])
        return len(self._values)

    def __repr__(self) -> str:
        return f"Params({dict(self._values)!r})"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(key for key in self._values if str(key).isidentifier())]

    def __reduce__(self) -> tuple[type[Params], tuple[Mapping[str, Any], str, str]]:
        return Params, (self._values, self._source, self._at)

    def _missing(self, key: object) -> str:
        known = ", ".join(map(str, self._values)) or "none"
        return f"no parameter {key!r} in {self._source or 'the parameters'} (there: {known})"


_current: Params | None = None


def current() -> Params:
    """The parameters of this process, read once."""
    global _current
    if _current is None:
        folder = run_folder()
        _current = load(os.path.join(folder, "params.json")) if folder else find(os.getcwd())
    return _current


def find(folder: str) -> Params:
    """The parameters file of the project `folder` is in, or none: empty parameters."""
    while True:
        for name in FILES:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return load(path)
        above = os.path.dirname(folder)
        if above == folder or os.path.exists(os.path.join(folder, "axil.toml")):
            return Params({}, "the project (it has no params file)")
        folder = above


def load(path: str) -> Params:
    """Read one parameters file by its ending; raises `ValueError` if it holds no mapping, `OSError` if unreadable."""
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".json"):
        import json

        values = json.loads(data)
    elif path.endswith(".toml"):
        import tomllib

        values = tomllib.loads(data.decode())
    else:
        values = _load_yaml(data, path)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected keys and values at the top, not {type(values).__name__}")
    return Params(values, path)


def _load_yaml(data: bytes, path: str) -> Any:
    try:
        from ruamel.yaml import YAML
    except ImportError:
        raise ImportError(
            f"reading {path} outside `axil run` needs the package ruamel.yaml (pip install ruamel.yaml)"
        ) from None
    return YAML(typ="safe", pure=True).load(data)

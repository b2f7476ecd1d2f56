"""`${...}` in dvc.yaml, written out as DVC does it: nested keys, list items, escapes, and tables in a command.

Values are what JSON knows. Expressions name values; they compute nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from shlex import quote

from axil.base.light import Any

_MARK = re.compile(r"(?<!\\)\$\{(.*?)\}")
_EXPRESSION = re.compile(r"[^.\[\]]+(?:\.[^.\[\]]+|\[[^.\[\]]+\])*")
MAX_TEXT = 64 << 20
"""How many characters and values everything that one dvc.yaml is written out to may have."""


class Unresolved(ValueError):
    """Why something in dvc.yaml cannot be written out."""


class Scope:
    """The values that `${...}` can name, and which of them were named."""

    def __init__(self, values: Mapping[str, Any] | None = None, budget: list[int] | None = None) -> None:
        """`budget` holds how much may still be written out; scopes of one file share it."""
        self.budget = [MAX_TEXT] if budget is None else budget
        self.values: dict[str, Any] = dict(values or {})
        self.used: dict[str, Any] = {}
        """Expression -> value, in the order of use."""

    def select(self, expression: str) -> Any:
        """The value that `expression` (as in `train.layers[0].size`) names. Raises `Unresolved`."""
        if not _EXPRESSION.fullmatch(expression.strip()):
            raise Unresolved(f"${{{expression}}} is not the name of a value")
        value: Any = self.values
        for step in expression.replace("[", ".").replace("]", "").split("."):
            value = _step(value, step.strip(), expression)
        self.used[expression.strip()] = value
        return value

    def spend(self, amount: int) -> None:
        """Count what is written out. Raises `Unresolved` when it is too much."""
        self.budget[0] -= amount
        if self.budget[0] < 0:
            raise Unresolved("dvc.yaml grows too large when it is written out")

    def merge(self, new: Mapping[str, Any]) -> None:
        """Add `new`; tables are united. Raises `Unresolved` for a value that is there already."""
        self.values = _united(self.values, new, "")


def resolve(value: Any, scope: Scope, *, key: str = "", style: Mapping[str, str] | None = None) -> Any:
    """`value` with every `${...}` in its strings written out.

    `key` is the key of the stage it stands under ("" where whole tables may be meant); `style` is the [parsing]
    section of DVC's configuration, which says how tables become options of a command. Raises `Unresolved`.
    """
    scope.spend(1)
    if isinstance(value, dict):
        return {
            _named(resolve(name, scope, key=key, style=style)): resolve(item, scope, key=key, style=style)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [resolve(item, scope, key=key, style=style) for item in value]
    return _text(value, scope, key, style or {}) if isinstance(value, str) else value


def marked(value: Any) -> bool:
    """Whether there is a `${...}` anywhere in `value`."""
    if isinstance(value, dict):
        return any(marked(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(map(marked, value))
    return isinstance(value, str) and bool(_MARK.search(value))


def to_text(value: Any, style: Mapping[str, str] | None = None) -> str:
    """`value` as DVC writes it into a text: `true`, and a table as options of a command."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return " ".join(_options(value, style or {}))
    return str(value)


def _text(template: str, scope: Scope, key: str, style: Mapping[str, str]) -> Any:
    marks = list(_MARK.finditer(template))
    if len(marks) == 1 and marks[0][0] == template:
        return _usable(scope.select(marks[0][1]), key)
    scope.spend(len(template))
    parts, position = [], 0
    for mark in marks:
        value = _usable(scope.select(mark[1]), key)
        parts += [template[position : mark.start()], to_text(value, style)]
        position = mark.end()
        scope.spend(len(parts[-1]))
    return "".join([*parts, template[position:]]).replace(r"\${", "${")


def _usable(value: Any, key: str) -> Any:
    """`value` if it may stand under `key`: lists and tables only where they are looped over, a table in a command."""
    if (
        isinstance(value, list | dict)
        and key
        and "foreach" not in key
        and not (key == "cmd" and isinstance(value, dict))
    ):
        raise Unresolved(f"a {'list' if isinstance(value, list) else 'table'} cannot stand in `{key}`")
    return value


def _step(value: Any, step: str, expression: str) -> Any:
    try:
        if isinstance(value, dict):
            return value[step]
        if isinstance(value, list):
            return value[int(step)]
    except (LookupError, ValueError):
        pass
    raise Unresolved(f"there is no value for ${{{expression}}}")


def _named(key: Any) -> Any:
    if isinstance(key, list | dict):
        raise Unresolved("a list or table cannot be a name")
    return key


def _united(old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> dict[str, Any]:
    both = dict(old)
    for name, value in new.items():
        there = both.get(name)
        if isinstance(there, dict) and isinstance(value, dict):
            both[name] = _united(there, value, f"{place}{name}.")
        elif name in both:
            raise Unresolved(f"`{place}{name}` is given twice by params files and vars")
        else:
            both[name] = value
    return both


def _options(table: Mapping[str, Any], style: Mapping[str, str]) -> Iterator[str]:
    for name, value in _flat(table, ""):
        if isinstance(value, bool):
            if value:
                yield f"--{name}"
            elif style.get("bool") == "boolean_optional":
                yield f"--no-{name}"
        elif isinstance(value, list):
            yield from _list_options(name, value, style)
        else:
            yield f"--{name} {quote(value) if isinstance(value, str) else value}"


def _list_options(name: str, values: list[Any], style: Mapping[str, str]) -> Iterator[str]:
    for number, value in enumerate(values):
        if isinstance(value, list | dict):
            raise Unresolved(f"a list in a list cannot become the option --{name}")
        word = quote(value) if isinstance(value, str) else str(value)
        yield f"--{name} {word}" if number == 0 or style.get("list") == "append" else word


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

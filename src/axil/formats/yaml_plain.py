"""YAML of the simplest form, read and edited without a YAML library, whose loading takes longer than most commands.

Only what every reader of YAML takes for the same is read here: block tables of ASCII names indented by spaces, each
value a number, `true`, `false` or a word on the line of its name, and comments. For anything else (quotes, lists,
anchors, dates, empty values, tabs, two equal names, …) the answer is None, and the library is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from axil.base.light import Any, NamedTuple
from axil.formats.yaml_scalar import render, scalar

_LINE = re.compile(
    r"(?P<indent> *)(?P<name>[A-Za-z_][A-Za-z0-9_-]*):"
    r"(?:[ ]+(?P<value>"
    r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
    r"|[-+]?[1-9](?:\.[0-9]+)?e[-+]?[0-9]+"
    r"|[A-Za-z_][A-Za-z0-9_./-]*"
    r"))?[ ]*(?:[ ]\#[ -~]*)?"
)
_NO_LINE = re.compile(r" *(?:#[ -~]*)?")
_UNLIKE_NAMES = frozenset(("true", "false", "null", "y", "n", "yes", "no", "on", "off"))
_UNLIKE_VALUES = frozenset(("null",))
_MAX_LINES, _MAX_DEPTH, _MAX_LENGTH = 2000, 20, 500


class Plain(NamedTuple):
    """What such a text says, and where: path of names -> start and end of the value."""

    nested: dict[str, Any]
    places: dict[tuple[str, ...], tuple[int, int]]


class _Table(NamedTuple):
    """A table that is being read."""

    indent: int
    path: tuple[str, ...]
    entries: dict[str, Any]


def read(text: str) -> Plain | None:
    """`text` read, or None if it is not of the simplest form."""
    lines = text.split("\n")
    if len(lines) > _MAX_LINES:
        return None
    found = Plain({}, {})
    stack = [_Table(0, (), found.nested)]
    opened = False
    at = 0
    for line in lines:
        start, at = at, at + len(line) + 1
        if _NO_LINE.fullmatch(line):
            continue
        match = _LINE.fullmatch(line) if len(line) <= _MAX_LENGTH else None
        if match is None or not _enter(stack, len(match["indent"]), opened):
            return None
        name, value = match["name"], match["value"]
        table = stack[-1]
        if name in table.entries or name.lower() in _UNLIKE_NAMES or (value and value.lower() in _UNLIKE_VALUES):
            return None
        opened = value is None
        if value is None:
            table.entries[name] = {}
            stack.append(_Table(-1, (*table.path, name), table.entries[name]))
        else:
            table.entries[name] = scalar(value)
            found.places[*table.path, name] = (start + match.start("value"), start + match.end("value"))
    return None if opened or not found.nested or len(stack) > _MAX_DEPTH else found


def _enter(stack: list[_Table], indent: int, opened: bool) -> bool:
    """Make the table whose entries are indented by `indent` the last of `stack`; False if there is none."""
    if opened:
        # Below a name without a value its own entries must follow: else that value would be null.
        if indent <= stack[-2].indent or len(stack) > _MAX_DEPTH:
            return False
        stack[-1] = stack[-1]._replace(indent=indent)
        return True
    while stack[-1].indent > indent:
        stack.pop()
    return stack[-1].indent == indent


def edit(text: str, path: Sequence[str], value: Any) -> str | None:
    """`text` with another number, truth value or string at `path`; None if that takes more than a look at the line."""
    if isinstance(value, list | dict):
        return None
    plain = read(text)
    place = plain.places.get(tuple(path)) if plain else None
    return text[: place[0]] + render(value) + text[place[1] :] if place else None

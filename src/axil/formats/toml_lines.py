"""Where each key of a TOML text stands: `tomllib` gives values only, and messages must name a line."""

from __future__ import annotations

import re

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_HEADER = re.compile(rf"[ \t]*\[\[?[ \t]*({_DOTTED})[ \t]*\]")
_PAIR = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")
_PART = re.compile(_KEY)
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'" r"|\#[^\n]*|[\[{]|[\]}]|\n", re.S
)


def locate(text: str) -> dict[tuple[str, ...], int]:
    """Line (from 1) of every table header and of every key outside inline tables. `text` is valid TOML."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    position, line = 0, 1
    while position < len(text):
        if header := _HEADER.match(text, position):
            table = _parts(header[1])
            for length in range(1, len(table) + 1):
                found.setdefault(table[:length], line)
        elif pair := _PAIR.match(text, position):
            key = (*table, *_parts(pair[1]))
            for length in range(len(table) + 1, len(key) + 1):
                found.setdefault(key[:length], line)
        begin = header or pair
        end = _end(text, begin.end() if begin else position)
        line += text.count("\n", position, end)
        position = end
    return found


def _end(text: str, position: int) -> int:
    """Just after the line break that ends the entry around `position`: not one inside a string or a bracket."""
    depth = 0
    for token in _TOKEN.finditer(text, position):
        word = token[0]
        if word in "[{":
            depth += 1
        elif word in "]}":
            depth -= 1
        elif word == "\n" and depth <= 0:
            return token.end()
    return len(text)


def _parts(dotted: str) -> tuple[str, ...]:
    """The names in a dotted key. Escapes in quoted names are left as written: only messages depend on it."""
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _PART.findall(dotted))

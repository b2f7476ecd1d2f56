"""One edit of a JSON text: the value is put in place, no other byte changes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from json.decoder import JSONDecoder

from axil.base.light import Any, NamedTuple

_SPACE = re.compile(r"[ \t\r\n]*")


class Member(NamedTuple):
    """One `"name": value` of an object, as positions in the text."""

    start: int
    value: int
    end: int


def edit(text: str, path: Sequence[str], value: Any, remove: bool) -> str:
    """`text` (valid JSON) with the member at `path` set, added or removed. Raises `ValueError` if it cannot be."""
    at = _skip(text, 1 if text.startswith("\ufeff") else 0)
    if at == len(text):
        text, at = text + "{}\n", at
    if text[at] != "{":
        raise ValueError("the file does not hold an object")
    for depth, name in enumerate(path):
        members, close = _members(text, at)
        below = path[depth + 1 :]
        if name not in members:
            return _insert(text, at, close, list(members.values()), name, _nested(below, value))
        member = members[name]
        if below and text[member.value] == "{":
            at = member.value
        elif remove:
            return _remove(text, at, close, list(members.values()), member)
        else:
            return text[: member.value] + _dump(_nested(below, value)) + text[member.end :]
    raise ValueError("the path is empty")


def _nested(path: Sequence[str], value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _members(text: str, at: int) -> tuple[dict[str, Member], int]:
    """The members of the object that starts at `at`, and where its closing brace stands."""
    decoder = JSONDecoder()
    members: dict[str, Member] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        start = at
        name, at = decoder.raw_decode(text, at)
        value = _skip(text, _skip(text, at) + 1)
        _, end = decoder.raw_decode(text, value)
        members[name] = Member(start, value, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members, at


def _insert(text: str, opening: int, close: int, members: list[Member], name: str, value: Any) -> str:
    """`text` with a new last member, on a line of its own if its neighbours stand so."""
    pair = f"{_dump(name)}: {_dump(value)}"
    if not members:
        return text[: opening + 1] + pair + text[close:]
    last = members[-1]
    before = text[opening + 1 if len(members) == 1 else members[-2].end : last.start].lstrip(",")
    gap = before if before.strip() == "" and before else " "
    return text[: last.end] + "," + gap + pair + text[last.end :]


def _remove(text: str, opening: int, close: int, members: list[Member], gone: Member) -> str:
    """`text` without the member `gone` and the comma that belonged to it."""
    index = members.index(gone)
    if len(members) == 1:
        return text[: opening + 1] + text[close:]
    if index + 1 < len(members):
        return text[: gone.start] + text[members[index + 1].start :]
    return text[: members[index - 1].end] + text[gone.end :]

"""One edit of a YAML text: the parser tells where a value stands, and only those characters are replaced."""

from __future__ import annotations

import json
from collections.abc import Sequence

from axil.base.light import Any
from axil.formats import yaml_plain
from axil.formats.yaml_scalar import render, scalar


def edit(text: str, path: Sequence[str], value: Any, remove: bool) -> str:
    """`text` (valid YAML) with the key at `path` set, added or removed.

    Raises `ValueError` where characters cannot simply be replaced. The caller compares what the result means.
    """
    quick = None if remove else yaml_plain.edit(text, path, value)
    if quick is not None:
        return quick
    from ruamel.yaml import YAML

    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    node = YAML(typ="safe", pure=True).compose(text)
    if node is None:
        return mark + text + ("" if text.endswith("\n") or not text else "\n") + _block(path, value, "", _newline(text))
    parent = None
    for depth, name in enumerate(path):
        pair = next((pair for pair in node.value if _name(pair[0]) == name), None) if node.id == "mapping" else None
        if pair is None:
            return mark + _insert(text, node, path[depth:], value)
        if depth + 1 == len(path):
            if remove and parent and len(node.value) == 1:
                return mark + _replace(text, parent, {})
            return mark + (_remove(text, node, pair) if remove else _replace(text, pair, value))
        parent, node = pair, pair[1]
        if node.id != "mapping":
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return mark + _replace(text, parent, value)
    raise ValueError("the path is empty")


def _name(node: Any) -> str:
    """A key as `params.load` names it."""
    if node.id != "scalar":
        return ""
    if node.tag in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp"):
        return str(node.value)
    return json.dumps(scalar(node.value))


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _end(node: Any) -> int:
    """Where the last character of `node` stands; a block's own mark lies after the comments that follow it."""
    while node.id != "scalar" and not node.flow_style:
        last = node.value[-1]
        node = last[1] if node.id == "mapping" else last
    return int(node.end_mark.index)


def _trimmed(text: str, start: int, end: int) -> int:
    """`end` without the blank space before it (block scalars end after their line breaks)."""
    while end > start and text[end - 1] in " \t\r\n":
        end -= 1
    return end


def _replace(text: str, pair: tuple[Any, Any], value: Any) -> str:
    key, node = pair
    start = int(node.start_mark.index)
    if node.id == "scalar" and node.value == "" and node.style is None:
        colon = text.index(":", int(key.end_mark.index)) + 1
        return text[:colon] + " " + render(value) + text[colon:]
    end = _trimmed(text, start, _end(node))
    if text[start:end].startswith(("&", "*")) or text[:start].rstrip(" ").endswith(("*", "&")):
        raise ValueError("the value is shared through an anchor")
    if node.id != "scalar" and not node.flow_style:
        start = text.index(":", int(key.end_mark.index)) + 1
        return text[:start] + " " + render(value) + text[end:]
    return text[:start] + render(value, node.style if node.id == "scalar" else None) + text[end:]


def _block(path: Sequence[str], value: Any, indent: str, newline: str) -> str:
    """`path` and `value` as lines of block style."""
    *above, last = path
    lines = [indent + "  " * depth + render(name) + ":" for depth, name in enumerate(above)]
    lines.append(indent + "  " * len(above) + f"{render(last)}: {render(value)}")
    return newline.join(lines) + newline


def _insert(text: str, node: Any, path: Sequence[str], value: Any) -> str:
    """`text` with a new last entry in the mapping `node`."""
    if node.id != "mapping":
        raise ValueError("the file does not hold `name: value` pairs")
    if node.flow_style:
        for missing in reversed(path[1:]):
            value = {missing: value}
        new = f"{render(path[0])}: {render(value)}"
        last = _end(node.value[-1][1]) if node.value else int(node.start_mark.index) + 1
        return text[:last] + (", " if node.value else "") + new + text[last:]
    first = int(node.value[0][0].start_mark.index)
    line_start = text.rfind("\n", 0, first) + 1
    indent = text[line_start:first]
    if indent.strip():
        raise ValueError("the table starts in the middle of a line")
    after = text.find("\n", _trimmed(text, first, _end(node)))
    after = len(text) if after < 0 else after + 1
    gap = "" if text[:after].endswith("\n") else _newline(text)
    return text[:after] + gap + _block(path, value, indent, _newline(text)) + text[after:]


def _remove(text: str, node: Any, pair: tuple[Any, Any]) -> str:
    """`text` without `pair`: its lines, or its part of a one-line table."""
    index = next(number for number, other in enumerate(node.value) if other is pair)
    start = int(pair[0].start_mark.index)
    end = max(_trimmed(text, start, _end(pair[1])), int(pair[0].end_mark.index))
    if node.flow_style:
        if len(node.value) == 1:
            return text[: node.start_mark.index] + "{}" + text[node.end_mark.index :]
        if index + 1 < len(node.value):
            return text[:start] + text[node.value[index + 1][0].start_mark.index :]
        return text[: _end(node.value[index - 1][1])] + text[end:]
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip():
        raise ValueError("the key does not start its line")
    line_end = text.find("\n", end)
    return text[:line_start] + ("" if line_end < 0 else text[line_end + 1 :])

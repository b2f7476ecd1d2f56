"""axil.toml as text: a whole new one, or one with a stage more (docs/formats/axil-toml.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from axil.base.light import Any
from axil.errors import BadInput
from axil.formats.project import FILE, ProjectFile, Stage, parse, written

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def render(file: ProjectFile, comments: Mapping[str, Iterable[str]] | None = None, head: Iterable[str] = ()) -> str:
    """The text of an axil.toml that says `file`; `comments` stand above stages, `head` under the project's name.

    Raises `BadInput` if `file` is not valid.
    """
    lines = ["[project]", f"name = {_value(file.name)}"]
    if file.params_file:
        lines.append(f"params = {_value(file.params_file)}")
    lines += _comments(head)
    for name, stage in file.stages.items():
        lines += ["", *_comments((comments or {}).get(name, ())), f"[stages.{_key(name)}]"]
        lines += [f"{key} = {_value(value)}" for key, value in written(stage).items()]
    for name, remote in file.remotes.items():
        lines += ["", f"[remotes.{_key(name)}]", f"url = {_value(remote['url'])}"]
    text = "\n".join(lines) + "\n"
    read = parse(text)
    stages = {name: stage._replace(line=0) for name, stage in read.stages.items()}
    if read._replace(stages=stages) != file._replace(stages={n: s._replace(line=0) for n, s in file.stages.items()}):
        raise BadInput(f"{FILE} would not say what it should", "a name or path in it cannot be written")
    return text


def add_stage(text: str, stage: Stage, source: str = FILE) -> str:
    """`text` with the table [stages.NAME] added, or replaced if it is there; everything else stays as it was.

    Raises `BadInput` if `text` or the result is not a valid project file.
    """
    import tomlkit

    parse(text, source)
    document = tomlkit.parse(text)
    table = tomlkit.table()
    for key, value in written(stage).items():
        table.add(key, value)
    stages = document.get("stages")
    if stages is None:
        stages = tomlkit.table(is_super_table=True)
        stages.add(stage.name, table)
        document.add("stages", stages)
    else:
        stages[stage.name] = table
    new = tomlkit.dumps(document)
    parsed = parse(new, source)
    if parsed.stages[stage.name]._replace(line=0) != stage._replace(line=0):
        raise BadInput(
            f"cannot add stage {stage.name} to {source}",
            "its tables are written in a way that cannot be edited safely",
            f"add [stages.{stage.name}] by hand",
        )
    return new


def _comments(lines: Iterable[str]) -> list[str]:
    return [f"# {_printable(line)}".rstrip() for line in lines]


def _printable(text: str) -> str:
    """`text` without control characters, which TOML does not allow in a comment."""
    return "".join(char if char.isprintable() else " " for char in text)


def _key(name: str) -> str:
    return name if name and _BARE.issuperset(name) else _value(name)


def _value(value: Any) -> str:
    """A TOML value; JSON's escapes are a subset of TOML's."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str) and "\n" in value and "'''" not in value and value.replace("\n", "").isprintable():
        return f"'''\n{value}'''"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

"""The params file: parameters as flat dotted keys, and edits that leave other lines alone (docs/formats/params.md).

YAML is read as version 1.2 (`1e-4` is a number, `no` a string); lists are values; dates are strings as written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from axil.base.light import Any, NamedTuple
from axil.base.quickjson import canonical
from axil.errors import BadInput
from axil.formats.project import suggest

Value = str | int | float | bool | None | list[Any] | dict[str, Any]
Flat = dict[str, Value]
NAMES = ("params.yaml", "params.yml", "params.toml", "params.json")
CACHE_KIND = "params-1"
_MAX_VALUES = 200_000
_MAX_DEPTH = 64


class Assignment(NamedTuple):
    """One change of a parameter; `op` is "set" (the key exists), "add" (set or make it) or "remove"."""

    key: str
    value: Value
    op: str = "set"


def kind_of(path: str) -> str:
    """ "yaml", "toml" or "json", by the name of the params file `path`. Raises `BadInput` for other names."""
    ending = os.path.splitext(path)[1].lower()
    kinds = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}
    if ending not in kinds:
        raise BadInput(f"{path} cannot be a params file", "its name must end in .yaml, .yml, .toml or .json")
    return kinds[ending]


def find(root: str) -> str:
    """The name of the params file in the folder `root`, or "". Raises `BadInput` if there are two."""
    found = [name for name in NAMES if os.path.isfile(os.path.join(root, name))]
    if len(found) > 1:
        raise BadInput(
            "there are two params files",
            f"{' and '.join(found)} stand side by side, and it is not clear which one counts",
            f'remove one, or name it in axil.toml: [project] params = "{found[0]}"',
        )
    return found[0] if found else ""


def load(text: str, kind: str, source: str = "params") -> dict[str, Any]:
    """The nested parameters in `text`; every key is a string. Raises `BadInput` with file, line and what is wrong."""
    loaders = {"yaml": _load_yaml, "toml": _load_toml, "json": _load_json}
    try:
        data = loaders[kind](text, source)
    except RecursionError:
        raise BadInput(f"{source} cannot be read", "it is nested too deeply") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise BadInput(f"{source} cannot be used", "it must hold `name: value` pairs, not a list or a single value")
    budget = [_MAX_VALUES]
    return {_key(key): _plain(value, source, budget, 1) for key, value in data.items()}


def flatten(nested: Mapping[str, Any], source: str = "params") -> Flat:
    """`nested` as dotted key -> value. Empty tables stay values. Raises `BadInput` if two spellings make one key."""
    flat: Flat = {}
    stack: list[tuple[str, Any]] = [(key, value) for key, value in reversed(list(nested.items()))]
    while stack:
        key, value = stack.pop()
        if isinstance(value, dict) and value:
            stack.extend((f"{key}.{name}", child) for name, child in reversed(list(value.items())))
        elif key in flat:
            raise BadInput(f"{source}: `{key}` is given twice", "once with a dot in its name and once nested")
        else:
            flat[key] = value
    return flat


def select(flat: Mapping[str, Value], keys: Iterable[str]) -> tuple[Flat, list[str]]:
    """The part of `flat` that `keys` name (a key with children takes them all), and the keys that name nothing."""
    found: Flat = {}
    missing = []
    for key in keys:
        if key in flat:
            found[key] = flat[key]
            continue
        prefix = key + "."
        below = {name: value for name, value in flat.items() if name.startswith(prefix)}
        found.update(below)
        if not below:
            missing.append(key)
    return found, missing


def parse_assignment(text: str) -> Assignment:
    """`key=value`, `+new.key=value` or `~key`, the value typed as in YAML. Raises `BadInput` for other shapes."""
    if text.startswith("~"):
        key, op, value = text[1:].strip(), "remove", ""
        if "=" in key:
            raise BadInput(f"cannot read --set {text}", "`~key` removes a key and takes no value")
    else:
        key, equals, value = text.partition("=")
        op = "add" if key.startswith("+") else "set"
        key = key.removeprefix("+").strip()
        if not equals:
            raise BadInput(f"cannot read --set {text}", "there is no `=`", f"write it as --set {key or 'key'}=value")
    if not key or "" in key.split(".") or any(char.isspace() or char in "\"'{}[]:#," for char in key):
        raise BadInput(f"cannot read --set {text}", f"{key!r} is not a dotted key", "write it as --set train.lr=0.1")
    return Assignment(key, None if op == "remove" else parse_value(value.strip()), op)


def parse_value(text: str) -> Value:
    """`text` as a YAML 1.2 value: number, true/false, null, [list], {table}, "quoted" or else a plain string."""
    from axil.formats.yaml_scalar import scalar

    if text[:1] in ("[", "{", '"', "'"):
        value = load(f"value: {text}", "yaml", f"the value {text}")["value"]
        return value if isinstance(value, list | dict | str) else text
    return "" if text == "" else scalar(text)


def check(flat: Mapping[str, Value], changes: Sequence[Assignment], source: str = "params") -> None:
    """Raises `BadInput` for a key that does not exist (unless it is an "add"), and where a table would meet a value."""
    for key, value, op in changes:
        below = [name for name in flat if name.startswith(key + ".")]
        if below and key not in flat and op == "set" and not isinstance(value, dict):
            raise BadInput(
                f"`{key}` in {source} is a table", f"it has: {', '.join(below[:12])}", "set one of these keys"
            )
        over = [name for name in flat if key.startswith(name + ".") and flat[name] not in (None, {})]
        if op == "add" and over:
            raise BadInput(f"cannot add `{key}` to {source}", f"`{over[0]}` is a value, not a table")
        if op != "add" and key not in flat and not below:
            hint = suggest(key, flat)
            raise BadInput(
                f"there is no parameter `{key}` in {source}",
                hint or (f"it has: {', '.join(sorted(flat)[:12])}" if flat else "it has no parameters"),
                f"to add a new one: --set +{key}=…" if op == "set" else "",
            )


def changed(nested: Mapping[str, Any], changes: Sequence[Assignment]) -> dict[str, Any]:
    """A copy of `nested` with `changes` applied."""
    import json

    result: dict[str, Any] = json.loads(json.dumps(nested))
    for change in changes:
        path = locate(result, change.key)
        table = result
        for name in path[:-1]:
            if not isinstance(table.get(name), dict):
                table[name] = {}
            table = table[name]
        if change.op == "remove":
            del table[path[-1]]
        else:
            table[path[-1]] = change.value
    return result


def locate(nested: Mapping[str, Any], dotted: str) -> list[str]:
    """The names that lead to the key `dotted`: a name in the file may have dots itself, so the longest match wins."""
    path: list[str] = []
    rest = dotted.split(".")
    table: Any = nested
    while rest:
        sizes = range(len(rest), 0, -1)
        size = next((n for n in sizes if isinstance(table, dict) and ".".join(rest[:n]) in table), 0)
        if not size:
            return path + rest
        name = ".".join(rest[:size])
        path.append(name)
        table, rest = table[name], rest[size:]
    return path


def assign(text: str, kind: str, changes: Sequence[Assignment], source: str = "params") -> str:
    """`text` with `changes` made one after the other; comments, order, quotes and all other lines stay.

    The result is read back and compared, so an edit is either right or refused. Raises `BadInput` for an unknown key
    or a place that cannot be edited safely (an anchor used twice, for example).
    """
    from axil.formats import json_edit, yaml_edit

    edits = {"yaml": yaml_edit.edit, "toml": _edit_toml, "json": json_edit.edit}
    for change in changes:
        nested = load(text, kind, source)
        check(flatten(nested, source), [change], source)
        wanted = changed(nested, [change])
        try:
            text = edits[kind](text, locate(nested, change.key), change.value, change.op == "remove")
            done = same(load(text, kind, source), wanted)
        except (ValueError, BadInput) as error:
            raise _not_edited(change, source, str(error)) from None
        if not done:
            raise _not_edited(change, source, "the file is written in a way that this edit would damage")
    return text


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same in type and content (1 is not 1.0, and nan is nan)."""
    return canonical(a) == canonical(b)


def _not_edited(change: Assignment, source: str, why: str) -> BadInput:
    return BadInput(f"cannot change `{change.key}` in {source}", why, f"edit {source} by hand")


def _edit_toml(text: str, path: Sequence[str], value: Value, remove: bool) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    if not remove and _has_null(value):
        raise ValueError("TOML has no null; use `~key` to remove the key")
    try:
        document = tomlkit.parse(text)
        table: Any = document
        for name in path[:-1]:
            if not isinstance(table.get(name), dict):
                table[name] = tomlkit.table()
            table = table[name]
        if remove:
            del table[path[-1]]
        else:
            table[path[-1]] = value
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise ValueError(str(error)) from None


def _has_null(value: Any) -> bool:
    if isinstance(value, list | dict):
        return any(_has_null(item) for item in (value.values() if isinstance(value, dict) else value))
    return value is None


def _load_yaml(text: str, source: str) -> Any:
    from axil.formats import yaml_plain

    plain = yaml_plain.read(text)
    return _load_any_yaml(text, source) if plain is None else plain.nested


def _load_any_yaml(text: str, source: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    class Constructor(SafeConstructor):
        """Dates stay as written: nobody's parameter should turn into a `datetime`."""

    Constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = Constructor
    try:
        return yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source} line {mark.line + 1}, column {mark.column + 1}" if mark else source
        raise BadInput(f"{place}: not valid YAML", error.problem or str(error), f"correct {source}") from None
    except (YAMLError, ValueError, OverflowError) as error:
        raise BadInput(f"{source}: not valid YAML", " ".join(str(error).split()), f"correct {source}") from None


def _load_toml(text: str, source: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{source}: not valid TOML", str(error), f"correct {source}") from None


def _load_json(text: str, source: str) -> Any:
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadInput(f"{source}: `{twice}` is given twice", "the same name stands twice in one object")
        return table

    try:
        return json.loads(text.removeprefix("\ufeff") or "{}", object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        place = f"{source} line {error.lineno}, column {error.colno}"
        raise BadInput(f"{place}: not valid JSON", error.msg, f"correct {source}") from None
    except ValueError as error:
        raise BadInput(f"{source}: not valid JSON", str(error), f"correct {source}") from None


def _key(key: Any) -> str:
    """A YAML key as a string, as it would be written."""
    import json

    return key if isinstance(key, str) else json.dumps(key, default=str)


def _plain(value: Any, source: str, budget: list[int], depth: int) -> Any:
    """`value` in plain JSON types; refuses what is too big (aliases of aliases), too deep, or not a parameter."""
    budget[0] -= 1
    if budget[0] < 0 or depth > _MAX_DEPTH:
        why = f"more than {_MAX_VALUES} values" if budget[0] < 0 else f"nested deeper than {_MAX_DEPTH} levels"
        raise BadInput(f"{source} cannot be used", why, "put large data into a file of its own and name it in `deps`")
    if isinstance(value, dict):
        return {_key(key): _plain(child, source, budget, depth + 1) for key, child in value.items()}
    if isinstance(value, list):
        return [_plain(child, source, budget, depth + 1) for child in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise BadInput(f"{source} cannot be used", f"it holds a value of type {type(value).__name__}")

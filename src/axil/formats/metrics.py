"""Metrics files: what a stage wrote as JSON, YAML, TOML or CSV becomes flat name -> number.

Nested keys are joined by dots. Numbers and booleans count; text, dates, lists and empty values are passed over.
Values that are NaN or infinite are passed over too: records are JSON, which has no word for them.
"""

from __future__ import annotations

import math

from axil.errors import BadInput

_MAX_BYTES = 8 << 20


def parse(data: bytes, path: str) -> dict[str, float]:
    """The numbers in the metrics file `path`, in its order. Raises `BadInput` naming the file and, if known, the line.

    A CSV file is either pairs (a header `metric,value` or `name,value`) or a table whose last row counts.
    """
    if len(data) > _MAX_BYTES:
        raise BadInput(
            f"{path} is no metrics file",
            f"it has {len(data)} bytes; over {_MAX_BYTES} is refused",
            "list it under outs",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} cannot be read", f"it is not UTF-8 text: {error}", "write it as UTF-8") from None
    try:
        if path.endswith((".csv", ".tsv")):
            return _csv(text, "\t" if path.endswith(".tsv") else ",")
        return flatten(_nested(text, path))
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{path} is no valid metrics file", " ".join(str(error).split()), "see what the stage wrote there"
        ) from None


def flatten(value: object, prefix: str = "") -> dict[str, float]:
    """The finite numbers inside nested mappings, keys joined by dots."""
    found: dict[str, float] = {}
    if isinstance(value, dict):
        for key, inner in value.items():
            found.update(flatten(inner, f"{prefix}.{key}" if prefix else str(key)))
    elif isinstance(value, bool | int | float) and prefix:
        try:
            number = float(value)
        except OverflowError:
            return found
        if math.isfinite(number):
            found[prefix] = number
    return found


def _nested(text: str, path: str) -> object:
    if not text.strip():
        return {}
    if path.endswith((".yaml", ".yml")):
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            return YAML(typ="safe", pure=True).load(text)
        except YAMLError as error:
            raise ValueError(str(error)) from None
    if path.endswith(".toml"):
        import tomllib

        return tomllib.loads(text)
    import json

    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"line 1: expected an object with names and numbers, not {type(value).__name__}")
    return value


def _csv(text: str, delimiter: str) -> dict[str, float]:
    import csv

    try:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if len(rows) < 2:
        return {}
    header = [cell.strip() for cell in rows[0]]
    if len(header) == 2 and header[0].lower() in ("metric", "name", "key") and header[1].lower() == "value":
        pairs = [(row[0].strip(), row[1]) for row in rows[1:] if len(row) >= 2]
    else:
        pairs = list(zip(header, rows[-1], strict=False))
    found = {}
    for name, cell in pairs:
        try:
            number = float(cell)
        except ValueError:
            continue
        if name and math.isfinite(number):
            found[name] = number
    return found

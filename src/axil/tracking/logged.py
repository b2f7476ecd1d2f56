"""`axil.log_params`: settings that a script or its libraries report (docs/formats/logged.md)."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

MAX_TEXT = 500
"""Longer texts are cut: libraries like to report whole prompts and models."""
_MAX_DEPTH = 16


def log_params(values: Mapping[str, Any] | None = None, /, **params: Any) -> None:
    """Record settings of this run that are not in the params file: `axil.log_params(optimizer="adam", depth=4)`.

    Nested mappings become dotted names; what is no number, text or truth value is kept as its text. They appear as
    the run's params `logged.NAME`. Outside `axil run` nothing is written. Never raises.
    """
    try:
        folder = os.environ.get("AXIL_RUN_DIR", "")
        found = dict(_flat({**values, **params} if values is not None else params, "", 0))
        if folder and found:
            _append(os.path.join(folder, "logged.jsonl"), found)
    except Exception as error:
        _warn(f"could not log params: {error}")


def _flat(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "items") and depth < _MAX_DEPTH:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key), depth + 1)
    else:
        yield name, _plain(value)


def _plain(value: Any) -> bool | int | float | str | None:
    if value is None or isinstance(value, bool | str):
        pass
    elif type(value) is int and abs(value) < 1 << 63:
        return value
    else:
        try:
            number = value.item() if hasattr(value, "item") else value
            if isinstance(number, bool):
                return number
            if isinstance(number, int) and abs(number) < 1 << 63:
                return int(number)
            if isinstance(number, float) and number - number == 0.0:
                return float(number)
        except Exception:  # an array of many items: its text says more
            pass
        value = str(value)
    return value[:MAX_TEXT] if isinstance(value, str) else value


_warned: set[str] = set()


def _warn(message: str) -> None:
    if message not in _warned and len(_warned) < 20:
        _warned.add(message)
        try:  # noqa: SIM105 - contextlib takes as long to load as all of this
            sys.stderr.write(f"axil: {message}\n")
        except Exception:
            pass  # there is nobody left to tell


def _append(path: str, params: Mapping[str, Any]) -> None:
    import json

    line = json.dumps({"stage": os.environ.get("AXIL_STAGE", ""), "params": params}) + "\n"
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # One write, so that many processes may log at once. A line cut short by a full disk spoils only itself.
        if os.write(fd, line.encode("ascii")) != len(line):
            os.write(fd, b"\n")
            raise OSError("the disk is full")
    finally:
        os.close(fd)

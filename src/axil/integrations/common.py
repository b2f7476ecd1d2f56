"""What the integrations share: values out of whatever libraries hand over, and folders of artifacts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

from axil import tracking

Function = TypeVar("Function", bound=Callable[..., Any])
_said: set[str] = set()


def missing(package: str, what: str, error: ImportError) -> ImportError:
    """The error to raise when the library of an integration cannot be imported."""
    return ImportError(f"{what} needs the package {package} (pip install {package}): {error}")


def warn(message: str) -> None:
    """Say something on stderr, once."""
    if message not in _said and len(_said) < 20:
        _said.add(message)
        with suppress(Exception):  # there is nobody left to tell
            sys.stderr.write(f"axil: {message}\n")


def harmless(method: Function) -> Function:
    """`method` with what it raises turned into a warning: a training goes on when its logging cannot."""

    @wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except Exception as error:
            warn(f"could not log from {method.__qualname__}: {error!r}")
            return None

    return wrapped  # type: ignore[return-value]


def number(value: Any) -> float | None:
    """`value` as a number if it is one (or an array or tensor of one), else None."""
    if isinstance(value, str | bytes):
        return None
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except Exception:  # of whatever library it is from: it is no number then
        return None


def numbers(values: Mapping[str, Any] | None, prefix: str = "") -> dict[str, float]:
    """The numbers among `values`, nested mappings joined by dots."""
    found: dict[str, float] = {}
    for name, value in (values or {}).items():
        if isinstance(value, Mapping):
            found.update(numbers(value, f"{prefix}{name}."))
        elif (one := number(value)) is not None:
            found[f"{prefix}{name}"] = one
    return found


def log(values: Mapping[str, Any] | None, step: float | None = None, prefix: str = "") -> None:
    """Log the numbers among `values`."""
    found = numbers(values, prefix)
    if found:
        tracking.log(found, step=step)


def keep(path: str, name: str) -> bool:
    """Hand a file or folder over as an artifact of the run; says whether it was taken."""
    take = getattr(tracking, "log_artifact", None)
    if take is None:
        warn(f"{name} is not kept: this version of axil has no artifacts")
        return False
    take(path, name)
    return True


def keep_all(folder: str, prefix: str = "") -> None:
    """Hand over everything in `folder`, each under its name."""
    if os.path.isdir(folder):
        for name in sorted(os.listdir(folder)):
            keep(os.path.join(folder, name), f"{prefix}{name}")

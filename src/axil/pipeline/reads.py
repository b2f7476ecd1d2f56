"""Parameters that a stage was found to read at run time, besides those it declares."""

from __future__ import annotations

from collections.abc import Iterable

from axil.formats.params import Flat, select

ALL = ""
"""Stands for all parameters there are, as the name of a table does for all in it."""


def chosen(flat: Flat, declared: Iterable[str], read: Iterable[str]) -> Flat:
    """The parameters a result depends on: the `declared` and the `read` ones. What is not there is left out."""
    names = list(read)
    return dict(flat) if ALL in names else select(flat, [*declared, *names])[0]


def tidied(read: Iterable[str]) -> list[str]:
    """`read` without the keys inside a table that was read as a whole."""
    names = set(read)
    if ALL in names:
        return [ALL]
    return sorted(name for name in names if not any(name.startswith(f"{table}.") for table in _tables(name, names)))


def _tables(name: str, names: set[str]) -> list[str]:
    parts = name.split(".")
    return [above for count in range(1, len(parts)) if (above := ".".join(parts[:count])) in names]

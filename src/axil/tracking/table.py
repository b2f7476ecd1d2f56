"""A table as a CSV file, whatever a script has it in."""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def write(path: str, table: Any, columns: Iterable[str] | None = None) -> None:
    """Write `table` to `path`: a data frame of pandas or polars, rows, or a mapping of columns.

    Rows are mappings (the columns are all their keys, in the order they come) or sequences. Raises `TypeError`.
    """
    if hasattr(table, "to_csv"):  # pandas; its index is kept unless it only counts
        table.to_csv(path, index=type(table.index).__name__ != "RangeIndex")
        return
    if hasattr(table, "write_csv"):  # polars
        table.write_csv(path)
        return
    import csv

    names = list(columns) if columns is not None else []
    rows, names = _rows(table, names)
    with open(path, "w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if names:
            writer.writerow(names)
        writer.writerows(rows)


def _rows(table: Any, names: list[str]) -> tuple[Iterable[Iterable[Any]], list[str]]:
    if isinstance(table, Mapping):
        from itertools import zip_longest

        names = names or list(table)
        return zip_longest(*(table[name] for name in names), fillvalue=""), names
    rows = list(table)
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = names or list(dict.fromkeys(key for row in rows for key in row))
        return ([row.get(name, "") for name in names] for row in rows), names
    if any(isinstance(row, str) or not hasattr(row, "__iter__") for row in rows):
        raise TypeError("a row is neither a mapping nor a sequence")
    return rows, names

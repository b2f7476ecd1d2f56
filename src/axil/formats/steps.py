"""Tables and lines that hold values over steps (CSV, TSV, JSONL, JSON), as many libraries write them.

A row is a mapping of names to values; its step is that of the first column that is named like one, else the count of
rows. Texts, empty cells and times are no values. The bytes are untrusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MAX_LINE = 1 << 20
"""Bytes of a line; a longer one is passed over."""
MAX_NAME = 250
MAX_COLUMNS = 2000
STEPS = ("step", "global_step", "_step", "iteration", "iter", "epoch")
"""Columns that hold the step, the first one there winning (also after a `/`, as in `trainer/global_step`)."""
_TIMES = frozenset({"time", "timestamp", "_timestamp", "wall_time", "walltime", "_runtime"})
_MAX_STEP = 2.0**53


class Value(NamedTuple):
    """One value at one step."""

    name: str
    step: float
    value: float


class Lines:
    """Whole lines out of bytes that come in pieces; those that are too long are counted and dropped."""

    def __init__(self) -> None:
        self.bad = 0
        self._rest = b""
        self._dropping = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes, without their ends."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if self._dropping:
                self._dropping = False
            elif len(line) > MAX_LINE:
                self.bad += 1
            elif line.strip():
                yield line.rstrip(b"\r")
        if len(self._rest) > MAX_LINE:
            self.bad += not self._dropping
            self._rest, self._dropping = b"", True

    def finish(self) -> Iterator[bytes]:
        """A last line without an end."""
        rest, self._rest = self._rest, b""
        if rest.strip() and not self._dropping:
            yield rest


class _Rows:
    """The rows of a growing file, one a line."""

    def __init__(self) -> None:
        self.lines = Lines()
        self._rows = 0

    @property
    def bad(self) -> int:
        return self.lines.bad

    def feed(self, data: bytes) -> Iterator[Value]:
        """The values of the rows that `data` completes."""
        for line in self.lines.feed(data):
            yield from self._row(line)

    def finish(self) -> Iterator[Value]:
        """Those of a last row without a line end."""
        for line in self.lines.finish():
            yield from self._row(line)

    def _row(self, line: bytes) -> Iterator[Value]:
        raise NotImplementedError


class Table(_Rows):
    """The rows of a growing CSV or TSV file, its first line being the header."""

    def __init__(self, delimiter: str) -> None:
        super().__init__()
        self._delimiter = delimiter
        self._header: list[str] = []
        self._step = -1

    def _row(self, line: bytes) -> Iterator[Value]:
        import csv

        try:
            cells = next(csv.reader([line.decode("utf-8-sig")], delimiter=self._delimiter), [])
        except (UnicodeDecodeError, csv.Error):
            self.lines.bad += 1
            return
        if not self._header:
            self._header = [cell.strip() for cell in cells[:MAX_COLUMNS]]
            self._step = step_column(self._header)
            return
        if len(cells) > len(self._header):
            self.lines.bad += 1
            return
        step, self._rows = float(self._rows), self._rows + 1
        if 0 <= self._step < len(cells) and cells[self._step].strip():
            given = number(cells[self._step])
            if given is None or not _is_step(given):
                self.lines.bad += 1
                return
            step = given
        for at, (name, cell) in enumerate(zip(self._header, cells, strict=False)):
            value = number(cell) if at != self._step and is_name(name) else None
            if value is not None:
                yield Value(name, step, value)


class Objects(_Rows):
    """The rows of a growing file with one JSON object a line."""

    def _row(self, line: bytes) -> Iterator[Value]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            self.lines.bad += 1
            return
        yield from values_of(row, self._rows)
        self._rows += 1


def document(data: bytes) -> list[Value]:
    """The values in a whole JSON file: a list of rows, or an object of lists (of rows, or of numbers by step).

    Raises `ValueError` if it is neither.
    """
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict | list):
        raise ValueError("it is neither a list nor an object")
    found: list[Value] = []
    for name, items in value.items() if isinstance(value, dict) else [("", value)]:
        for at, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                found += values_of(item, at)
            elif is_name(name) and isinstance(item, int | float) and (plain := number(item)) is not None:
                found.append(Value(name, float(at), plain))
    return found


def values_of(row: Mapping[str, object], count: int) -> Iterator[Value]:
    """The values of one row; names inside nested objects are joined by dots."""
    flat = [(name, cell) for name, cell in _flat(row, "", 0) if isinstance(cell, int | float)][:MAX_COLUMNS]
    at = step_column([name for name, _ in flat])
    given = number(flat[at][1]) if at >= 0 else None
    step = given if given is not None and _is_step(given) else float(count)
    for position, (name, cell) in enumerate(flat):
        value = number(cell) if position != at and is_name(name) else None
        if value is not None:
            yield Value(name, step, value)


def step_column(names: list[str]) -> int:
    """The position of the column that holds the step, -1 if none does."""
    last = [name.rpartition("/")[2].lower() for name in names]
    return next((last.index(word) for word in STEPS if word in last), -1)


def is_name(name: str) -> bool:
    """Whether values called so are wanted."""
    return bool(name) and len(name) <= MAX_NAME and name.rpartition("/")[2].lower() not in _TIMES


def number(cell: object) -> float | None:
    """`cell` as a number (it may be NaN or infinite); None if it is none."""
    if isinstance(cell, str):
        cell = cell.strip()
        if not cell or "_" in cell:
            return None
    elif not isinstance(cell, int | float):
        return None
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return None


def _is_step(value: float) -> bool:
    return abs(value) <= _MAX_STEP  # false for NaN, too


def _flat(row: Mapping[str, object], prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    for key, value in row.items():
        if isinstance(value, dict):
            if depth < 16:
                yield from _flat(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value

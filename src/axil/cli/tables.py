"""Tables and trees of text, fitted to the terminal. Drawn here because rich would cost 50 ms in every listing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from axil.base.light import NamedTuple
from axil.cli.face import Face
from axil.cli.style import bare, cut, cut_front, safe, width

GAP = "  "
NARROWEST = 8
WIDEST_FLOOR = 12
"""A flexible column keeps this much of its title."""


class Column(NamedTuple):
    """A column; what is cut loses its end, but titles their beginning: names of forks differ at the end."""

    title: str
    right: bool = False
    """Align numbers."""
    flexible: int = False
    """May be cut where space is short, 2 before 1."""
    drop: int = 0
    """Whole columns go from the highest number on, 0 never."""
    tail: bool = False
    """Cells too lose their beginning instead of their end."""


class Cell(NamedTuple):
    """What a table shows: `text` is plain and may be cut, `color` paints it afterwards."""

    text: str
    color: str = ""


def table(
    face: Face,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell] | Sequence[Cell | str] | Sequence[str]],
    *,
    indent: str = "",
) -> list[str]:
    """Print rows under a dim header, in the width there is; returns the titles of columns that found no room.

    Flexible columns are cut first, down to a few cells; then whole columns go, by their `drop` number.
    """
    cells = [[cell if isinstance(cell, Cell) else Cell(str(cell)) for cell in row] for row in rows]
    cells = [[cell._replace(text=safe(cell.text)) for cell in row] for row in cells]
    widths = [
        max([width(column.title), *(width(row[number].text) for row in cells)]) for number, column in enumerate(columns)
    ]
    shown, widths = _fit(columns, widths, None if face.width is None else face.width - len(indent))
    style = face.style
    if any(column.title for column in columns):
        titles = [
            _padded(cut_front(columns[number].title, widths[number]), columns[number], widths[number])
            for number in shown
        ]
        face.line(style.dim((indent + GAP.join(titles)).rstrip()))
    for row in cells:
        parts = []
        for number in shown:
            shorten = cut_front if columns[number].tail else cut
            text = _padded(shorten(row[number].text, widths[number]), columns[number], widths[number])
            word = text.strip()
            parts.append(text.replace(word, style.color(row[number].color, word), 1) if word else text)
        face.line((indent + GAP.join(parts)).rstrip())
    return [column.title for number, column in enumerate(columns) if number not in shown]


def _padded(text: str, column: Column, cells: int) -> str:
    space = " " * (cells - width(text))
    return space + text if column.right else text + space


def _fit(columns: Sequence[Column], widths: list[int], limit: int | None) -> tuple[list[int], list[int]]:
    """Which columns are shown, and how wide each is."""
    shown = list(range(len(columns)))
    if limit is None:
        return shown, widths
    widths = list(widths)

    def excess() -> int:
        return sum(widths[number] for number in shown) + len(GAP) * (len(shown) - 1) - limit

    floor = {
        number: min(widths[number], max(NARROWEST, min(width(columns[number].title), WIDEST_FLOOR))) for number in shown
    }

    def shrinkable() -> int:
        return sum(widths[number] - floor[number] for number in shown if columns[number].flexible)

    while excess() > shrinkable() and (losers := [number for number in shown if columns[number].drop]):
        shown.remove(max(losers, key=lambda number: (columns[number].drop, number)))
    while excess() > 0 and (wide := [n for n in shown if columns[n].flexible and widths[n] > floor[n]]):
        # The widest of the most flexible gives first, so that two long columns end up equal.
        widths[max(wide, key=lambda number: (columns[number].flexible, widths[number]))] -= 1
    return shown, widths


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[bool] = ()) -> str:
    """A Markdown table."""
    marks = ["--:" if number < len(right) and right[number] else "---" for number in range(len(columns))]
    lines = [columns, marks, *rows]
    return "".join("| " + " | ".join(_markdown_cell(cell) for cell in line) + " |\n" for line in lines)


def _markdown_cell(text: str) -> str:
    return safe(bare(text)).replace("|", "\\|").replace("<", "&lt;")


def comma_separated(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV table (RFC 4180 quoting, `\\n` line ends); floats in full."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return out.getvalue()


BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], cells: int = 24, *, unicode: bool = True) -> str:
    """A curve in one line; gaps where a value is not finite. Longer series are averaged into `cells` pieces."""
    import itertools
    import math

    if len(values) > cells:
        edges = [len(values) * number // cells for number in range(cells + 1)]
        values = [_mean(values[start:end]) for start, end in itertools.pairwise(edges)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite or not unicode:
        return ""
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    return "".join(BLOCKS[min(7, int((value - low) / span * 8))] if math.isfinite(value) else " " for value in values)


def _mean(values: Sequence[float]) -> float:
    import math

    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan

"""A comparison as one table: for a terminal, as Markdown, as CSV."""

from __future__ import annotations

from collections.abc import Iterator

from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.cli.format import age, count, difference, duration, interval, number, seeds, size
from axil.cli.style import SYMBOLS
from axil.cli.tables import Cell, Column, comma_separated, markdown, table

if TYPE_CHECKING:
    from axil.actions.compare import Comparison, ParamRow, Side
    from axil.actions.contents import ContentChange
    from axil.cli.face import Face

FILES = 15
"""So many files are listed for each part; `-v`, `--md`, `--csv` and `--json` list all."""


class Line(NamedTuple):
    """One row: what each side has (None for nothing), and for each but the first how it differs from that."""

    section: str
    name: str
    cells: tuple[object, ...]
    """Plain values, or cells that are words already."""
    changed: bool = False
    deltas: tuple[tuple[float, bool | None] | None, ...] = ()
    """(difference, whether it is for the better), None where there is no difference to tell."""
    halves: tuple[float | None, ...] = ()
    """Of means over replicates: the half of each one's interval."""
    noise: tuple[bool, ...] = ()
    """For each delta, whether it is within noise."""


def render(face: Face, comparison: Comparison) -> None:
    """Print it as one table, section by section."""
    lines = list(_lines(comparison))
    shown = lines if face.verbose else list(_shortened(lines))
    with_deltas = any(line.deltas for line in shown)
    columns = [Column("", flexible=True)]
    for place, side in enumerate(comparison.sides):
        columns.append(Column(side.label, flexible=True))
        if place and with_deltas:
            columns.append(Column(""))
    rows: list[list[Cell]] = []
    section = ""
    for line in [*_heading(face, comparison), *shown]:
        if line.section != section:
            section = line.section
            rows.append([Cell(section, "bold"), *[Cell("")] * (len(columns) - 1)])
        rows.append(_row(line, with_deltas))
    table(face, columns, rows)
    for label, problem in _problems(comparison):
        face.warn(f"{label}: {problem}")
    if not lines:
        face.note("no differences")
    elif len(shown) < len(lines):
        face.hint("-v lists everything")


def _row(line: Line, with_deltas: bool) -> list[Cell]:
    row = [Cell(f"  {line.name}") if line.section else Cell(line.name, "dim")]
    for place, value in enumerate(line.cells):
        if isinstance(value, Cell):
            row.append(value)
        else:
            color = "yellow" if line.changed else ""
            row.append(Cell("–", "dim") if value is None else Cell(_words(line, place), color))
        if place and with_deltas:
            found = line.deltas[place - 1] if line.deltas else None
            noise = bool(line.noise) and line.noise[place - 1]
            color = "" if found is None else "dim" if noise else _verdict(found[1])
            row.append(Cell("" if found is None else difference(found[0], noise), color))
    return row


def _words(line: Line, place: int) -> str:
    """One side's value; a mean over replicates with its interval."""
    value, half = line.cells[place], line.halves[place] if line.halves else None
    return interval(value, half) if isinstance(value, float) and half is not None else number(value)


def _verdict(better: bool | None) -> str:
    return "" if better is None else "green" if better else "red"


def export(comparison: Comparison, *, as_markdown: bool) -> str:
    """The same rows with a column for the section; CSV has full numbers."""
    labels = [side.label for side in comparison.sides]
    titles = ["section", "name", *labels, *(f"change of {label}" for label in labels[1:])]
    rows: list[list[object]] = []
    for line in [*_plain_heading(comparison), *_lines(comparison)]:
        deltas = line.deltas or (None,) * (len(labels) - 1)
        noise = line.noise or (False,) * len(deltas)
        values = [value.text if isinstance(value, Cell) else _exported(value) for value in line.cells]
        if as_markdown and line.halves:
            values = [None if value is None else _words(line, place) for place, value in enumerate(line.cells)]
        changes = [
            None if each is None else difference(each[0], within) if as_markdown else each[0]
            for each, within in zip(deltas, noise, strict=True)
        ]
        rows.append([line.section, line.name, *values, *changes])
        if line.halves and not as_markdown:
            rows.append([line.section, f"{line.name} ±", *line.halves, *[None] * len(deltas)])
    if not as_markdown:
        return comma_separated(titles, rows)
    text = [[cell if isinstance(cell, str) else "" if cell is None else number(cell) for cell in row] for row in rows]
    return markdown(titles, text, right=[False, False] + [True] * (len(titles) - 2))


def _exported(value: object) -> object:
    return number(value) if isinstance(value, (bool, list, dict)) else value


def _heading(face: Face, comparison: Comparison) -> list[Line]:
    """Which run stands for each side."""
    sides, now = comparison.sides, face.now()
    lines = [Line("", "run", tuple(_run_cell(face, side, now) for side in sides))]
    if any(side.seconds for side in sides):
        cells = tuple(Cell(duration(side.seconds) if side.seconds else "", "dim") for side in sides)
        lines.append(Line("", "time", cells))
    if any(side.message for side in sides):
        lines.append(Line("", "message", tuple(Cell(side.message.split("\n", 1)[0]) for side in sides)))
    return lines


def _run_cell(face: Face, side: Side, now: float) -> Cell:
    if not side.run:
        return Cell("no run yet", "dim")
    symbol, word, color = SYMBOLS.get(side.state, ("?", side.state, ""))
    state = symbol if face.style.unicode else word
    if side.group:
        return Cell(f"{short(side.group)} {seeds(side.seeds, side.of)} {age(now - side.time)}", "")
    return Cell(f"{short(side.run)} {state} {age(now - side.time)}", color)


def _plain_heading(comparison: Comparison) -> list[Line]:
    sides = comparison.sides
    return [
        Line("run", "id", tuple(side.run for side in sides)),
        Line("run", "state", tuple(side.state for side in sides)),
        Line("run", "seconds", tuple(round(side.seconds, 3) or None for side in sides)),
        Line("run", "message", tuple(side.message for side in sides)),
    ]


def _lines(comparison: Comparison) -> Iterator[Line]:
    labels = [side.label for side in comparison.sides]
    for metric in comparison.metrics:
        deltas = tuple(
            (metric.deltas[label], metric.better[label]) if label in metric.deltas else None for label in labels[1:]
        )
        halves = tuple(metric.intervals[label].half if label in metric.intervals else None for label in labels)
        noise = tuple(metric.within_noise.get(label, False) for label in labels[1:])
        values = tuple(metric.values.get(label) for label in labels)
        yield Line("metrics", metric.name, values, False, deltas, halves if any(halves) else (), noise)
    for param in comparison.params:
        yield Line("params", param.key, tuple(_param(param, label) for label in labels), param.changed)
    yield from _code_lines(comparison, labels)
    for section, diffs in (("data", comparison.data), ("outputs", comparison.outputs)):
        found = [{change.path: change for change in diff.paths} for diff in diffs]
        for path in sorted({path for changes in found for path in changes}):
            yield _content_line(section, path, [changes.get(path) for changes in found])
    for fact in comparison.environment:
        yield Line("environment", fact.name, tuple(fact.values.get(label) for label in labels), fact.changed)


def _param(param: ParamRow, label: str) -> object:
    """The value, None if there is none: a parameter that is null is the word."""
    return ("null" if param.values[label] is None else param.values[label]) if label in param.values else None


def _code_lines(comparison: Comparison, labels: list[str]) -> Iterator[Line]:
    files = {diff.label: {file.path: file for file in diff.files} for diff in comparison.code}
    for path in sorted({path for each in files.values() for path in each}):
        cells = [Cell("")]
        name = path
        for label in labels[1:]:
            file = files[label].get(path)
            if file is None:
                cells.append(Cell("same", "dim"))
                continue
            if file.old_path and len(labels) == 2:
                name = f"{file.old_path} → {path}"
            lines = "binary" if file.added is None else f"+{file.added} −{file.removed}"
            word = "" if file.kind in ("changed", "renamed") else f" {file.kind}"
            cells.append(Cell(lines + word, "yellow"))
        yield Line("code", name, tuple(cells))


def _content_line(section: str, path: str, changes: list[ContentChange | None]) -> Line:
    base = next((change.old_size for change in changes if change is not None), None)
    cells = [Cell("–" if base is None else size(base), "dim")]
    for change in changes:
        if change is None:
            cells.append(Cell("–", "dim"))
        elif change.state == "same":
            cells.append(Cell("same", "dim"))
        else:
            cells.append(Cell(in_words(change), "yellow"))
    return Line(section, path, tuple(cells))


def in_words(change: ContentChange) -> str:
    """`100 changed`, `+3 −1 ~2 files`, `~1 file`, `added (12 files, 3.4 MB)`."""
    if change.state in ("added", "removed"):
        files = change.added if change.state == "added" else change.removed
        amount = change.new_size if change.state == "added" else change.old_size
        return f"{change.state} ({count(files, 'file')}{'' if amount is None else ', ' + size(amount)})"
    if change.problem:
        return "changed (not here)"
    parts = [(change.added, "+"), (change.removed, "−"), (change.changed, "~")]
    given = [f"{sign}{amount:,}" for amount, sign in parts if amount]
    if change.added + change.removed + change.changed == 1 and change.files and change.files[0].path == change.path:
        old, new = change.old_size or 0, change.new_size or 0
        return "changed" if old == new else f"changed ({size(old)} → {size(new)})"
    noun = "file" if change.added + change.removed + change.changed == 1 else "files"
    return f"{' '.join(given)} {noun}" if given else "changed"


def _shortened(lines: list[Line]) -> Iterator[Line]:
    """`lines` without the long tails: many files of code, and what is the same in the environment."""
    counts: dict[str, int] = {}
    for line in lines:
        if line.section == "environment" and not line.changed:
            continue
        counts[line.section] = counts.get(line.section, 0) + 1
        if line.section != "code" or counts["code"] <= FILES:
            yield line
    if counts.get("code", 0) > FILES:
        yield Line("code", f"… {counts['code'] - FILES} more files", ("",) * len(lines[0].cells))


def _problems(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """What could not be compared, each once."""
    problems = [(diff.label, diff.problem) for diff in comparison.code]
    problems += [(diff.label, diff.problem) for diff in (*comparison.data, *comparison.outputs)]
    yield from dict.fromkeys((label, problem) for label, problem in problems if problem)

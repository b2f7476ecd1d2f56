"""The points of a run as a table, one line a step of a stage."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.format import number
from axil.cli.style import safe
from axil.cli.tables import Cell, Column, table

if TYPE_CHECKING:
    from axil.actions.series import SeriesView
    from axil.cli.face import Face


def render_series(face: Face, view: SeriesView) -> None:
    """Print the curves side by side; where a step has several values the last one counts (`--json` has all)."""
    stages = list(dict.fromkeys(curve.stage for curve in view.series))
    for place, stage in enumerate(stages):
        curves = [curve for curve in view.series if curve.stage == stage]
        if len(stages) > 1:
            if place:
                face.line()
            face.line(face.style.bold(stage or "without a stage"))
        rows: dict[float, dict[str, float]] = {}
        for curve in curves:
            for step, value in zip(curve.steps, curve.values, strict=True):
                rows.setdefault(step, {})[curve.name] = value
        names = list(dict.fromkeys(curve.name for curve in curves))
        cells = [
            [Cell(f"{step:.15g}", "dim"), *(Cell(number(row[name]) if name in row else "") for name in names)]
            for step, row in sorted(rows.items())
        ]
        table(face, [Column("step", right=True), *(Column(safe(name), right=True) for name in names)], cells)
    if not view.series:
        face.note(f"run {view.run} logged nothing step by step")

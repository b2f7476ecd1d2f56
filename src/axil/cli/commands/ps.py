"""List the runs that go on and those that wait, in the order in which they begin."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json

if TYPE_CHECKING:
    import argparse

    from axil.actions.live import LiveRun
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.live import ps

    face.show(ps(face.project()), render)
    return 0


def render(face: Face, runs: tuple[LiveRun, ...], none: str = "no run is waiting or running here") -> None:
    from axil.base.ids import short
    from axil.cli.format import duration
    from axil.cli.tables import Cell, Column, table

    if not runs:
        face.note(none)
        return
    now = face.now()
    columns = [
        Column("run"),
        Column("state"),
        Column("experiment", flexible=True, tail=True),
        Column("for", right=True),
        Column("stage"),
        *([Column("gpus")] if any(one.gpus for one in runs) else []),
        Column("message", flexible=2, drop=5),
    ]
    rows: list[list[Cell | str]] = []
    for one in runs:
        name = short(one.run) + (f" ~{one.sample}" if one.sample else "")
        words = one.state + ("" if one.pid else " (nobody looks after it)")
        row: list[Cell | str] = [
            name,
            Cell(words, "blue" if one.state == "queued" else "cyan"),
            one.experiment,
        ]
        row += [duration(max(0.0, now - one.time)), ", ".join(one.stages)]
        row += [",".join(one.gpus)] if any(each.gpus for each in runs) else []
        rows.append([*row, one.message])
    table(face, columns, rows)
    face.hint("follow one: axil attach RUN; end one: axil stop RUN")

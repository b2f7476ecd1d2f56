"""Take back the last command that moved a branch, the work tree or tracked data. Repeat it to go further back."""

from __future__ import annotations

import time

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_force, add_json
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.undo import Logged, Undone
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-l", "--list", action="store_true", help="list the newest commands, change nothing")
    add_force(parser, "go on over later edits; they are put into the store first")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.undo import operations, undo

    project = face.project()
    if args.list:
        face.show(operations(project), render_list)
    else:
        face.show(undo(project, force=args.force, progress=face.progress()), render)
    return 0


def render(face: Face, value: Undone) -> None:
    face.line(f"undid: {safe(value.command)}")
    for words in value.restored:
        face.line(face.style.dim(f"  {safe(words)}"))
    for kept in value.saved:
        face.note(f"saved first: {safe(kept.description)}, {kept.oid[:12]}")


def render_list(face: Face, values: tuple[Logged, ...]) -> None:
    from axil.cli.tables import Cell, Column, table

    if not values:
        face.note("no command has changed anything yet")
        return
    now = time.time()
    rows = []
    for one in values:
        state = "undone" if one.undone else "" if one.here else "other work tree"
        cells = [Cell(fmt.age(now - one.time), "dim"), Cell(one.command, "dim" if state else ""), Cell(state, "dim")]
        rows.append(cells)
    table(face, [Column("age", right=True), Column("command", flexible=True), Column("")], rows)

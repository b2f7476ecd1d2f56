"""Turn a project of another tool into an axil project, on a new branch; the old branch stays as it is.

axil import dvc -n     say what would become what, and what would not
axil import dvc        do it; `axil undo` takes it back
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_dry_run, add_json, subcommands
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.import_dvc import Imported
    from axil.cli.face import Face
    from axil.imports.dvc.sections import Row


def configure(parser: argparse.ArgumentParser) -> None:
    add = subcommands(parser, "source")
    dvc = add("dvc", "import the DVC project of this git repository")
    dvc.add_argument("--branch", metavar="NAME", default="", help="the new branch (default: CURRENT_axil)")
    dvc.add_argument("--fetch", action="store_true", help="get data that is missing: from folders, or with `dvc fetch`")
    add_dry_run(dvc)
    add_json(dvc)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.import_dvc import import_dvc

    value = import_dvc(
        face.cwd,
        face.env,
        branch=args.branch,
        fetching=args.fetch,
        dry_run=args.dry_run,
        equip=face.equip,
        progress=face.progress(),
    )
    face.show(value, render)
    return 0


def render(face: Face, value: Imported) -> None:
    from axil.cli.tables import Cell, Column, table

    style = face.style
    columns = [Column("DVC", flexible=True), Column("", drop=2), Column("axil", flexible=2)]
    done = [row for row in value.rows if row.became]
    table(face, columns, [[Cell(row.source), Cell(row.kind, "dim"), Cell(row.became, "green")] for row in done])
    for title, rows in (("to know", done), ("not translated", [row for row in value.rows if not row.became])):
        if any(row.remarks for row in rows):
            face.line()
            face.line(style.bold(title))
            render_remarks(face, rows)
    face.line()
    if value.dry_run:
        face.line(f"the branch {style.bold(safe(value.branch))} would be made; nothing was changed")
        return
    face.line(f"on {style.bold(safe(value.branch))}{style.dim(f', imported from {safe(value.before)}')}")
    if value.missing:
        face.warn(f"the data of {fmt.count(len(value.missing), '.dvc file')} is not here; they stay as they are")
        face.note("to bring it: axil undo && axil import dvc --fetch   (or first: dvc fetch)")
    if value.message:
        face.warn(safe(value.message))
    face.hint(f"next: axil run; back to DVC: git switch {safe(value.before)}, or axil undo")


def render_remarks(face: Face, rows: list[Row]) -> None:
    """Every remark with what it is about; what a loop's stages have in common is said once."""
    about: dict[str, list[str]] = {}
    for row in rows:
        for remark in row.remarks:
            about.setdefault(remark, []).append(row.source)
    for remark, sources in about.items():
        more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
        face.line(f"  {safe(sources[0])}{more}: {face.style.dim(safe(remark))}")

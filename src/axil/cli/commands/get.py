"""Copy one file or folder out of any experiment or run, without switching: data, an output, code, or an artifact.

axil get digits_decay:models/digits.npz          into the current folder
axil get 01K3:metrics.json -o old.json           of a run, under another name
axil get 01K3:artifacts/train/confusion.png      what its script logged with axil.log_figure and its like
axil get digits_decay:                           list what there is
"""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_force, add_json, add_target
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.get import Got, Listing
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser, "source", "what to get; without PATH, list what there is", metavar="EXP|RUN:PATH")
    parser.add_argument("-o", "--out", metavar="OUT", default="", help="where to (default: the name, in this folder)")
    add_force(parser, "overwrite what is there")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.get import contents, get

    name, colon, path = args.source.partition(":")
    if not colon or not path.strip("/"):
        face.show(contents(face.project(), name), render_listing)
        return 0
    out = face.path(args.out or os.path.basename(path.rstrip("/")))
    face.show(get(face.project(), name, path, out, force=args.force, progress=face.progress()), render)
    return 0


def render(face: Face, value: Got) -> None:
    where = os.path.relpath(value.out, face.cwd)
    facts = f"{fmt.count(value.files, 'file')}, {fmt.size(value.size)}"
    face.line(f"{face.style.bold(safe(where))}  {face.style.dim(facts)}")


def render_listing(face: Face, value: Listing) -> None:
    from axil.cli.tables import Cell, Column, table

    rows = [
        [
            Cell(item.kind, "" if item.kind == "code" else "cyan"),
            Cell(item.path),
            Cell("" if item.size is None else fmt.count(item.files, "file"), "dim"),
            Cell("" if item.size is None else fmt.size(item.size), "dim"),
        ]
        for item in value.items
    ]
    table(face, [Column(""), Column("", flexible=True), Column("", right=True), Column("", right=True)], rows)

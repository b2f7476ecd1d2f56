"""Write a note about an experiment or a run; `axil show` prints it."""

from __future__ import annotations

from axil.base.ids import short
from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_target

if TYPE_CHECKING:
    import argparse

    from axil.actions.note import Noted
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser)
    parser.add_argument("text", metavar="TEXT", help="what to remember")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.note import note

    face.show(note(face.project(), args.target, args.text), render)
    return 0


def render(face: Face, value: Noted) -> None:
    name = f"run {short(value.target)}" if value.kind == "run" else value.target
    face.line(f"noted about {name}")

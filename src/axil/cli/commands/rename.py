"""Give an experiment another name; its runs, notes and children follow."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_experiment, add_json

if TYPE_CHECKING:
    import argparse

    from axil.actions.rename import Renamed
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_experiment(parser, "old", "the experiment (default: the current one)", nargs="?")
    parser.add_argument("new", metavar="NEW", help="its new name")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.experiments import current
    from axil.actions.rename import rename

    project = face.project()
    face.show(rename(project, args.old or current(project, "axil rename NEW"), args.new), render)
    return 0


def render(face: Face, value: Renamed) -> None:
    face.line(f"{value.old} is now {value.new}")

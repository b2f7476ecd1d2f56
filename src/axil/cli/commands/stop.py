"""End runs. Commands get time to save their state (`[machine] grace`, ten seconds); what they logged is kept."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_live

if TYPE_CHECKING:
    import argparse

    from axil.actions.live import Stopped
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_live(parser, "the runs to end", nargs="+")
    parser.add_argument("--now", action="store_true", help="kill at once, without time to save")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.live import stop

    face.show(stop(face.project(), args.runs, now=args.now), render)
    return 0


def render(face: Face, runs: tuple[Stopped, ...]) -> None:
    from axil.base.ids import short

    for one in runs:
        face.line(f"run {short(one.run)} {face.style.state(one.state, word=True)}")

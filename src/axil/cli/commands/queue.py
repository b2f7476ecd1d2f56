"""List the runs that wait; bring some forward, or take them out.

axil queue                  what waits, in order
axil queue --first RUN…     these begin before all others
axil queue --cancel RUN…    these do not run; they are recorded as stopped
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_live

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_live(parser, "the runs that --first or --cancel is about", nargs="*")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--first", action="store_true", help="let these runs begin before all others")
    what.add_argument("--cancel", action="store_true", help="take these runs out")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.live import bring_forward, cancel, ps
    from axil.cli.commands.ps import render
    from axil.errors import UsageError

    project = face.project()
    if bool(args.runs) != (args.first or args.cancel):
        raise UsageError("axil queue: RUN goes with --first or --cancel", "", "axil queue --cancel RUN")
    if args.first:
        bring_forward(project, args.runs)
    elif args.cancel:
        cancel(project, args.runs)
    waiting = tuple(one for one in ps(project) if one.state == "queued")
    face.show(waiting, lambda face, value: render(face, value, "no run is waiting here"))
    return 0

"""Follow a run while it goes on: what its stages print, and what they log step by step.

Ctrl-C leaves; the run goes on.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_live, natural

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_live(parser, "the run (default: the last one of this experiment)", name="run", nargs="?", default="")
    parser.add_argument("-n", "--tail", metavar="N", type=natural, help="N lines a stage of what was printed before")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.live import ended, follow, latest, look_after, outcome
    from axil.cli.commands.run import EXIT_CODES, View, summary

    project = face.project()
    look_after(project)
    if (over := ended(project, args.run)) is not None:
        face.show(over, summary)
        return EXIT_CODES.get(over.state, 1)
    folder = latest(project, args.run)
    view = View(face)
    try:
        for event in follow(project, folder, tail=args.tail):
            view.tell(event)
    except KeyboardInterrupt:
        leave(face, folder.id)
        return 0
    found = outcome(project, folder.id)
    face.show(found, summary)
    return EXIT_CODES.get(found.state, 1)


def leave(face: Face, run: str) -> None:
    """Say that Ctrl-C did not end the run."""
    from axil.base.ids import short

    face.note(f"\nrun {short(run)} goes on; end it with: axil stop {short(run)}")

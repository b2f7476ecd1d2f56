"""Wait until runs are over. The exit code is 0 if all succeeded, else that of the first one that did not."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_live, span

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face
    from axil.formats.record import Run


def configure(parser: argparse.ArgumentParser) -> None:
    add_live(parser, "the runs to wait for", nargs="+")
    parser.add_argument("--timeout", metavar="TIME", type=span, help="give up after this long (exit code 1)")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.live import wait

    try:
        found = wait(face.project(), args.runs, timeout=args.timeout)
    except KeyboardInterrupt:
        face.note("\nwhat was waited for goes on; end it with: axil stop RUN")
        return 130
    face.show(found, render)
    return next((code for one in found if (code := exit_code(one))), 0)


def exit_code(run: Run) -> int:
    """What the run's command would have given to the shell that waited for it."""
    if run.state == "succeeded":
        return 0
    if run.state == "stopped":
        return 130
    code = run.exit_code or 1
    return code if code > 0 else 128 - code


def render(face: Face, runs: tuple[Run, ...]) -> None:
    from axil.cli.commands.run import summary

    for one in runs:
        summary(face, one)

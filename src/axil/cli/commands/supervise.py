"""Supervise one detached run. axil starts this by itself; there is no need to type it."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the run")
    parser.add_argument("lock", metavar="FD", type=int, help="the descriptor that holds its lock")


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.supervise import supervise
    from axil.runs.rundir import inherited

    project = face.project()
    supervise(project, inherited(project.runs_folder, args.run, args.lock), queue=True)
    return 0

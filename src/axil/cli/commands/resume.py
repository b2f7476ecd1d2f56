"""Go on with a run that failed, was stopped or lost, in a work tree of its own.

Stages that had succeeded are not run again; a stage that was cut off finds its checkpoints. Code, parameters and data
are those of the run, whatever the work tree holds now.
"""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_jobs, add_json, add_target, natural

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser, help="the run: any attempt of it, or an experiment for its latest run")
    parser.add_argument("-d", "--detach", action="store_true", help="go on in the background")
    parser.add_argument("--keep", action="store_true", help="leave the work tree when the run is over")
    parser.add_argument("--gpus", metavar="N", type=natural, default=0, help="accelerators the run has for itself")
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.resume import resume
    from axil.actions.submit import Options
    from axil.cli.commands.run import carry_out

    project = face.project()
    options = Options(False, args.jobs, args.keep, args.detach, args.gpus)
    folder, asked = resume(project, args.target, options=options, host=os.uname().nodename, progress=face.progress())
    return carry_out(face, project, folder, asked, detached=args.detach)

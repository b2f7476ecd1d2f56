"""Show one experiment or one run in full.

An experiment: where it comes from, its best and latest run, what differs from its parent, notes.
A sweep or replicates: all of them, and what they come to.
A run: stages and why they ran, metrics and their curves, params, outputs, environment, the end of a failed log.

axil show 01K3 --series              every value it logged, step by step
axil show 01K3 --series 'val/*'      of these metrics
axil show 01K3 --series 'system/*'   what its processes and the machine used meanwhile
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_target

if TYPE_CHECKING:
    import argparse

    from axil.actions.show import ExperimentView, RunView
    from axil.actions.sweeps import SweepView
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser, help="an experiment or a run (default: the current experiment)", nargs="?", default="")
    parser.add_argument("--series", metavar="NAME", nargs="?", const="", help="the values logged step by step, of NAME")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.show import show

    if args.series is not None:
        from axil.actions.series import series
        from axil.cli.render_series import render_series

        face.show(series(face.project(), args.target, args.series), render_series)
        return 0
    face.show(show(face.project(), args.target), render)
    return 0


def render(face: Face, view: ExperimentView | RunView | SweepView) -> None:
    from axil.actions.show import ExperimentView, RunView
    from axil.cli.render_show import render_experiment, render_run

    if isinstance(view, RunView):
        render_run(face, view)
    elif isinstance(view, ExperimentView):
        render_experiment(face, view)
    else:
        from axil.cli.commands.sweep import render_view

        render_view(face, view)

"""Compare experiments or runs: metrics, params, code, data, outputs and environment in one answer.

  axil compare            the current experiment with its parent
  axil compare A          the current experiment with A
  axil compare A B [C …]  B and C with A

An experiment stands for its latest succeeded run; if that is one of several replicates (axil run --seeds), for the mean
of all of them: a difference that may as well be chance is within noise.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_formats, add_target

if TYPE_CHECKING:
    import argparse

    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser, "names", help="what to compare (see above)", nargs="*")
    parser.add_argument("--only-changed", action="store_true", help="only what differs")
    add_formats(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.compare import compare
    from axil.cli.render_compare import export, render

    comparison = compare(face.project(), args.names, only_changed=args.only_changed)
    if args.csv or args.md:
        face.raw(export(comparison, as_markdown=args.md))
    else:
        face.show(comparison, render)
    return 0

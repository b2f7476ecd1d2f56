"""Compare experiments or runs: metrics, params, code, data, outputs and environment in one answer.

The first one is what the others are measured against. An experiment stands for its latest succeeded run.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from axil.cli.options import add_formats, add_target

if TYPE_CHECKING:
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_target(parser, "first", help="what the others are measured against")
    add_target(parser, "others", help="one or more to compare with it", nargs="+")
    parser.add_argument("--only-changed", action="store_true", help="only what differs")
    add_formats(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.compare import compare
    from axil.cli.render_compare import export, render

    comparison = compare(face.project(), [args.first, *args.others], only_changed=args.only_changed)
    if args.csv or args.md:
        face.raw(export(comparison, as_markdown=args.md))
    else:
        face.show(comparison, render)
    return 0

"""Draw the pipeline: which stage comes after which.

  axil graph --dot | dot -Tsvg > pipeline.svg
  axil graph --mermaid >> README.md

Give stages or outputs to see only what they need.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_stages

if TYPE_CHECKING:
    import argparse

    from axil.actions.graph import GraphView
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_stages(parser, "only these stages (or outputs) and what they need", name="targets")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--dot", action="store_true", help="for Graphviz")
    group.add_argument("--mermaid", action="store_true", help="for Markdown on GitHub and GitLab")
    group.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.graph import graph

    view = graph(face.project(), args.targets)
    if args.dot or args.mermaid:
        face.raw(view.dot if args.dot else view.mermaid)
    else:
        face.show(view, render)
    return 0


def render(face: Face, view: GraphView) -> None:
    if not view.stages:
        face.note("axil.toml has no stages yet: axil stage add NAME -d INPUT -o OUTPUT -- COMMAND")
    for line in view.text.splitlines():
        if not face.style.unicode:
            line = line.translate(str.maketrans("└├─│", "`|-|"))
        face.line(line)

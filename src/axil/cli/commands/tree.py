"""Show the experiments as they descend from each other: best result, change against the parent, state, hypothesis."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from axil.cli import format
from axil.cli.options import add_json

if TYPE_CHECKING:
    from axil.actions.tree import ExperimentTree, TreeNode
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-a", "--all", action="store_true", help="the archived experiments too")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.tree import tree

    face.show(tree(face.project(), archived=args.all), render)
    return 0


def render(face: Face, tree: ExperimentTree) -> None:
    from axil.cli.tables import Column, table

    if not tree.nodes:
        face.note("no experiments yet: commit something, then `axil run`")
        return
    now = time.time()
    columns = [
        Column("experiment"),
        Column(tree.metric or "result", right=True),
        Column("change", right=True),
        Column("runs", right=True),
        Column("age", right=True),
        Column("hypothesis", shrink=True),
    ]
    rows = []
    open_levels: list[bool] = []
    for node in tree.nodes:
        open_levels[node.depth :] = [not node.last]
        rows.append(_row(face, node, open_levels, now))
    for line in table(columns, rows, face.width, face.style):
        face.line(line)


def _row(face: Face, node: TreeNode, open_levels: list[bool], now: float) -> list[str]:
    style = face.style
    branches = "".join("│  " if is_open else "   " for is_open in open_levels[1 : node.depth])
    if node.depth:
        branches += "└─ " if node.last else "├─ "
    name = style.bold(node.name) if node.current else style.dim(node.name) if node.archived else node.name
    marks = (style.green("* ") if node.current else "  ") + style.dim(branches)
    change = "" if node.change is None else format.delta(node.change)
    if node.better is not None:
        change = style.green(change) if node.better else style.red(change)
    runs = str(node.runs) if node.runs else style.dim("–")
    remark = node.hypothesis or style.dim("(archived)" if node.archived else "")
    return [
        marks + name,
        "" if node.value is None else format.number(node.value),
        change,
        f"{style.state(node.state)} {runs}" if node.state else runs,
        format.age(now - node.time) if node.time else "",
        remark,
    ]

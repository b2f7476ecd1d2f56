"""Show the experiments as they descend from each other: best result, change against the parent, state, hypothesis."""

from __future__ import annotations

import time

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_json
from axil.cli.style import SYMBOLS

if TYPE_CHECKING:
    import argparse

    from axil.actions.tree import ExperimentTree, TreeNode
    from axil.cli.face import Face
    from axil.cli.tables import Cell


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
        Column("experiment", flexible=True),
        Column(tree.metric or "result", right=True),
        Column("change", right=True),
        Column("runs", right=True),
        Column("age", right=True, drop=1),
        Column("hypothesis", flexible=True, drop=2),
    ]
    rows = []
    is_last: list[bool] = []
    for node in tree.nodes:
        is_last[node.depth :] = [node.last]
        rows.append(_row(face, node, is_last, now))
    table(face, columns, rows)


def _row(face: Face, node: TreeNode, is_last: list[bool], now: float) -> list[Cell]:
    from axil.cli.tables import Cell

    unicode = face.style.unicode
    stem, corner, tee = ("│  ", "└─ ", "├─ ") if unicode else ("|  ", "`- ", "|- ")
    lines = "".join("   " if last else stem for last in is_last[1 : node.depth])
    if node.depth:
        lines += corner if node.last else tee
    symbol, word, color = SYMBOLS.get(node.state, ("", "", ""))
    runs = f"{symbol if unicode else word} {node.runs}" if node.runs else ""
    where = f"({node.remote})" if node.remote else ""
    if node.archived and not node.hypothesis:
        where = "(archived)"
    return [
        Cell(("* " if node.current else "  ") + lines + node.name, _name_color(node)),
        Cell(_value(node)),
        Cell(
            "" if node.change is None else fmt.difference(node.change, node.within_noise),
            "dim" if node.within_noise else _color(node.better),
        ),
        Cell(runs, color),
        Cell(fmt.age(now - node.time) if node.time else "", "dim"),
        Cell("  ".join(filter(None, (where, node.hypothesis))), "dim" if node.archived else ""),
    ]


def _value(node: TreeNode) -> str:
    if node.value is None or not node.group:
        return "" if node.value is None else fmt.number(node.value)
    words = fmt.interval(node.value, node.half)
    return words if node.seeds == node.of else f"{words} ({fmt.seeds(node.seeds, node.of)})"


def _name_color(node: TreeNode) -> str:
    return "bold" if node.current else "dim" if node.archived or node.remote else ""


def _color(better: bool | None) -> str:
    return "" if better is None else "green" if better else "red"

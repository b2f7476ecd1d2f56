"""List runs with their metrics and parameters, the newest first; failed, stopped and lost ones too.

  axil runs --sort f1 -n 5
  axil runs --where 'f1 > 0.9 and train.lr < 0.1 and age < 7d'
  axil runs --csv > runs.csv

Parameters get a column where they differ among the runs shown. Replicates (axil run --seeds) are one line, mean ± 95 %
interval; --each lists them one by one, as --json, --csv and --md do.
"""

from __future__ import annotations

import math

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_experiment, add_formats, completing, natural

if TYPE_CHECKING:
    import argparse

    from axil.actions.runs import RunList
    from axil.cli.face import Face
    from axil.cli.tables import Cell
    from axil.journal.rows import RunRow

LIMIT = 20
STATES = ("succeeded", "failed", "stopped", "lost", "running", "queued")


def configure(parser: argparse.ArgumentParser) -> None:
    add_experiment(parser, help="only its runs (default: the runs of all experiments)", nargs="?", default="")
    sort = parser.add_argument(
        "--sort", "--sort-by", metavar="NAME", default="", help="by a metric (best first), a parameter, time, …"
    )
    completing(sort, "metrics")
    order = parser.add_mutually_exclusive_group()
    order.add_argument("--asc", action="store_false", dest="descending", default=None, help="smallest first")
    order.add_argument("--desc", action="store_true", dest="descending", default=None, help="largest first")
    parser.add_argument(
        "--where", metavar="COND", default="", help="only runs like this: 'f1 > 0.9 and not state = failed'"
    )
    parser.add_argument("--failed", action="store_true", help="only failed, stopped and lost runs")
    parser.add_argument(
        "--state", choices=STATES, metavar="STATE", help=f"only runs in this state: {', '.join(STATES)}"
    )
    parser.add_argument(
        "-n", "--limit", metavar="N", type=natural, default=LIMIT, help=f"at most N runs (default {LIMIT})"
    )
    parser.add_argument("-a", "--all", action="store_true", help="no limit")
    parser.add_argument("--each", action="store_true", help="each replicate on a line of its own")
    parser.add_argument("--samples", action="store_true", help="rehearsals (axil run --sample) too")
    parser.add_argument(
        "--params", metavar="GLOB", default="", help="show these parameters, as in 'train.*'; commas between several"
    )
    parser.add_argument("--metrics", metavar="GLOB", default="", help="show these metrics only")
    parser.add_argument("--only-changed", action="store_true", help="no columns that are the same in every run")
    add_formats(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.runs import UNSUCCESSFUL, runs

    states = UNSUCCESSFUL if args.failed else (args.state,) if args.state else ()
    whole = args.csv or args.md
    found = runs(
        face.project(),
        experiment=args.experiment,
        states=states,
        where=args.where,
        sort=args.sort,
        descending=args.descending,
        limit=None if args.all else args.limit,
        # An export is for another program to choose from: it has all parameters.
        params=args.params or ("*" if whole and not args.only_changed else ""),
        metrics=args.metrics,
        only_changed=args.only_changed,
        fold=not (args.each or whole or face.json),
        samples=args.samples,
    )
    if whole:
        face.raw(export(found, markdown=args.md))
    else:
        chosen = bool(states or args.where or args.samples)
        face.show(found, lambda face, value: render(face, value, experiment=args.experiment, chosen=chosen))
    return 0


def export(found: RunList, *, markdown: bool) -> str:
    """The runs as CSV with full numbers, or as Markdown for people."""
    from axil.base.clock import iso
    from axil.cli import tables
    from axil.cli.format import number

    titles = ["run", "experiment", "state", "started", "seconds", "message", *found.metrics, *found.params]
    rows: list[list[object]] = [
        [
            *(row.id, row.experiment, row.state, iso(row.time), round(row.seconds, 3) or None, row.message),
            *(row.metrics.get(name) for name in found.metrics),
            *(_exported(row, key) for key in found.params),
        ]
        for row in found.runs
    ]
    if not markdown:
        return tables.comma_separated(titles, rows)
    right = [False] * 4 + [True, False] + [True] * (len(found.metrics) + len(found.params))
    return tables.markdown(
        titles, [["" if cell is None else number(cell) for cell in row] for row in rows], right=right
    )


def _exported(row: RunRow, key: str) -> object:
    from axil.cli.format import number

    value = row.params.get(key)
    return number(value) if isinstance(value, (list, dict, bool)) else value


def render(face: Face, found: RunList, *, experiment: str = "", chosen: bool = False) -> None:
    from axil.cli.tables import Column, table

    if not found.runs:
        none = "no such runs" if chosen else "no runs yet: axil run makes the first one"
        face.note(f"{experiment} has no such runs" if experiment else none)
        return
    metrics, params = list(found.metrics), list(found.params)
    alone = experiment and all(row.experiment == experiment for row in found.runs)
    columns = [
        Column("run"),
        Column("" if face.style.unicode else "state"),
        *([] if alone else [Column("experiment", flexible=True, tail=True)]),
        Column("age", right=True, drop=2),
        Column("time", right=True, drop=30),
        *(
            Column(name, right=True, drop=0 if place == 0 else _weight(place, name, found))
            for place, name in enumerate(metrics)
        ),
        *(Column(key, right=True, drop=10 + place) for place, key in enumerate(params)),
        *([Column("message", flexible=2, drop=5)] if any(row.message for row in found.runs) else []),
    ]
    best = _best(found)
    now = face.now()
    rows = [_row(face, row, found, best, now, alone=bool(alone)) for row in found.runs]
    hidden = table(face, columns, rows)
    if hidden:
        face.hint(f"no room for: {', '.join(hidden)} (widen the window, or use --csv)")
    if found.more:
        face.hint(f"older runs are not shown: -n {2 * len(found.runs)}, or --all")


def _weight(place: int, name: str, found: RunList) -> int:
    """Metrics nobody declared go before parameters do, declared ones long after."""
    return 6 if name in found.directions else 50 + place


def _best(found: RunList) -> dict[str, float]:
    """Declared metric -> its best value among the runs shown."""
    best = {}
    for name in found.metrics:
        if name in found.directions and len(found.runs) > 1:
            values = [
                row.metrics.get(name, math.nan) for row in found.runs if row.state == "succeeded" and not row.sample
            ]
            values = [value for value in values if not math.isnan(value)]
            if values:
                best[name] = (max if found.directions[name] == "max" else min)(values)
    return best


def _row(face: Face, row: RunRow, found: RunList, best: dict[str, float], now: float, *, alone: bool) -> list[Cell]:
    from axil.base.ids import short
    from axil.cli.format import age, duration, interval, number, seeds
    from axil.cli.style import SYMBOLS
    from axil.cli.tables import Cell

    symbol, word, color = SYMBOLS.get(row.state, ("?", row.state, ""))
    group = found.groups.get(row.group) if found.folded else None
    name = short(row.id) + (f" #{row.attempt}" if row.attempt > 1 else "") + (f" ~{row.sample}" if row.sample else "")
    if group is not None:
        name = f"{short(group.group)} {seeds(group.succeeded, group.of)}" + (f" ~{row.sample}" if row.sample else "")
    cells = [Cell(name, "dim" if row.sample else "bold"), Cell(symbol if face.style.unicode else word, color)]
    if not alone:
        cells.append(Cell(row.experiment or "(no branch)", "" if row.experiment else "dim"))
    seconds = now - row.time if row.state == "running" else row.seconds
    cells += [Cell(age(now - row.time), "dim"), Cell(duration(seconds) if seconds else "", "dim")]
    for name in found.metrics:
        value = row.metrics.get(name)
        is_best = value is not None and best.get(name) == value and row.state == "succeeded" and not row.sample
        half = group.metrics[name].half if group is not None and name in group.metrics else None
        cells.append(Cell("" if value is None else interval(value, half), "green" if is_best else ""))
    cells += [Cell(number(row.params[key]) if key in row.params else "") for key in found.params]
    if any(each.message for each in found.runs):
        cells.append(Cell(row.message.split("\n", 1)[0]))
    return cells

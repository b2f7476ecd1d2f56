"""Find the change that moved a metric, and what in it did: code, parameters, data or environment.

  axil bisect main~20 main --metric f1     the commit between the two
  axil bisect digits digits_decay_wd       the experiment on the way from one to the other
  axil bisect RUN RUN                      two runs, uncommitted changes included

What was run before is not run again; the rest runs in work trees of its own, in about log2 of the steps. Steps that
fail are passed over. Ctrl-C leaves nothing behind: the same command goes on. Which end is older does not matter.
"""

from __future__ import annotations

import os

from axil.base.ids import short
from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.commands.run import seeds
from axil.cli.options import add_dry_run, add_jobs, add_json, add_target, completing
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.bisect import Bisection, Point
    from axil.actions.bisect_cause import Cause, Mix
    from axil.actions.bisect_parts import Part
    from axil.cli.face import Face

COLORS = {"good": "green", "bad": "red", "skipped": "yellow"}


def configure(parser: argparse.ArgumentParser) -> None:
    metavar = "EXP|RUN|COMMIT"
    add_target(parser, "good", help="where the metric was as it should be", metavar=metavar)
    add_target(
        parser, "bad", help="where it is not (default: the current experiment)", nargs="?", default="", metavar=metavar
    )
    add = parser.add_argument
    completing(add("--metric", metavar="NAME", default="", help="which metric (default: the headline)"), "metrics")
    add("--threshold", metavar="X", type=float, help="the value that parts good from bad (default: midway)")
    add("-t", "--target", metavar="STAGE", action="append", default=[], help="run this stage and what it needs")
    add("--seeds", metavar="N", type=seeds, default=[], help="take the mean of N runs with other seeds, or of 1,7,9")
    add("--retry-failed", action="store_true", help="run steps again that failed before")
    add_dry_run(parser)
    add_jobs(parser)
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.bisect import Question, bisect
    from axil.actions.bisect_meter import How
    from axil.cli.commands.run import View
    from axil.runs.events import ignore

    how = How(tuple(args.target), args.jobs, os.uname().nodename, args.retry_failed, tuple(args.seeds))
    value = bisect(
        face.project(),
        args.good,
        args.bad,
        Question(args.metric, args.threshold),
        how,
        dry_run=args.dry_run,
        on_point=lambda event: tell(face, event),
        on_event=View(face).tell if face.verbose else ignore,
        progress=face.progress(),
    )
    face.show(value, render_plan if args.dry_run else render)
    return 130 if value.state == "stopped" else 0


def tell(face: Face, event: Point | Mix) -> None:
    """A line about each step and each mixture that was measured, and a note before something runs."""
    from axil.actions.bisect_cause import Mix

    if face.json:
        return
    if isinstance(event, Mix):
        what = f"with {', '.join(event.parts)}"
        side = "moved" if event.moved else "skipped" if event.value is None else "same"
        face.line(_line(face, side, "older", what, event.value, event.recorded, event.why))
    elif event.value is None and not event.why:
        face.note(f"measuring {event.name} {safe(event.title)}".rstrip())
    else:
        face.line(_line(face, event.side, event.name, event.title, event.value, event.recorded, event.why))
    face.flush()


def _line(face: Face, side: str, name: str, title: str, value: float | None, recorded: bool, why: str) -> str:
    number = "" if value is None else fmt.number(value)
    remark = why or ("recorded" if recorded else "")
    words = f"{face.style.color(COLORS.get(side, 'dim'), f'{side:<7}')}  {safe(name):<9}  {number:>9}  {safe(title)}"
    return f"{words}  {face.style.dim(f'({safe(remark)})')}" if remark else words.rstrip()


def render_plan(face: Face, value: Bisection) -> None:
    """The steps with what is known of them, and how many runs it takes."""
    for point in value.points:
        face.line(_line(face, point.side, point.name, point.title, point.value, point.recorded, point.why))
    ends = "" if value.threshold is None else f", {value.metric} parted at {fmt.number(value.threshold)}"
    face.line(f"{fmt.count(len(value.points), 'step')}{ends}: at most {fmt.count(value.runs, 'run')} to find the one")


def render(face: Face, value: Bisection) -> None:
    """What moved the metric, in words."""
    if value.before is None or not value.candidates:
        face.note("stopped; the same command goes on from here")
        return
    old, new = value.before, value.candidates[-1]
    way = "rose" if (new.value or 0.0) > (old.value or 0.0) else "fell"
    moved = f"{safe(value.metric)} {way} from {fmt.number(old.value)} to {fmt.number(new.value)}"
    face.line()
    if len(value.candidates) == 1:
        by = new.author.partition(" <")[0]
        who = f" ({safe(by)}, {fmt.ago(face.now() - new.time)})" if by else ""
        face.line(f"{face.style.bold(moved)} with {new.kind} {safe(new.name)}  {safe(new.title)}{who}".rstrip())
    else:
        face.line(f"{face.style.bold(moved)} with one of these, of which only the last can be measured:")
        for point in value.candidates:
            face.line(f"  {point.kind} {safe(point.name)}  {safe(point.title)}".rstrip())
    if value.cause is not None:
        face.line(_cause(value.cause))
    if value.state == "stopped":
        face.note("stopped while looking for what in it did; the same command goes on from here")
    if old.run and new.run:
        face.hint(f"all that differs: axil compare {short(old.run)} {short(new.run)}")
    if new.kind == "experiment" and len(value.candidates) == 1 and len(value.points) > 2:
        face.hint(f"its commits: axil bisect --metric {value.metric} {old.name} {new.name}")


def _cause(cause: Cause) -> str:
    parts = ", ".join(_part(part) for part in cause.parts)
    if cause.kind == "environment":
        return "the environment did it: " + ", ".join(f"{one.name} {one.old} → {one.new}" for one in cause.environment)
    if cause.kind == "nothing":
        return "nothing that a stage depends on differs: it may be chance, or something that axil does not see"
    if cause.kind == "unknown":
        return f"what differs: {parts}"
    if cause.kind == "several":
        return f"only together do these do it: {parts}"
    only = "" if len(cause.parts) == 1 else " (no half of them does it alone)"
    return f"the {'parameters' if cause.kind == 'params' else cause.kind} did it: {parts}{only}"


def _part(part: Part) -> str:
    if part.kind == "params":
        old = "none" if part.change == "added" else fmt.number(part.old)
        new = "none" if part.change == "removed" else fmt.number(part.new)
        return f"{safe(part.name)} {safe(old)} → {safe(new)}"
    return safe(part.name) if part.change == "changed" else f"{safe(part.name)} ({part.change})"

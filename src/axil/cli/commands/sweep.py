"""Run many variants of the current experiment: a search over parameters, from one snapshot of code and data.

  axil sweep 'train.lr=log(1e-4,1e-1)' 'model=mlp,cnn' --trials 30    look for the best
  axil sweep 'layers=int(1,4)' 'p=0.1,0.3'                            every combination; -n only tells which
  axil sweep 'train.lr=log(1e-4,1e-1)' --prune --goal min:loss        end early what is clearly worse
  axil sweep resume [ID]                                              go on after an interruption
  axil sweep stop [ID]                                                end it and the trials under way
  axil sweep show [ID]                                                trials, the best first
  axil sweep list                                                     all sweeps

Trials are runs, not branches; keep one with axil fork NAME --from RUN. Ctrl-C begins no more trials, a second one stops
those under way.
"""

from __future__ import annotations

import os

from axil.base.ids import short
from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_dry_run, add_json, add_message, add_sample, add_set, natural, span
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from axil.actions.drive import Event, How
    from axil.actions.sweep import Begun, SweepPlan
    from axil.actions.sweeps import SweepRow, SweepView
    from axil.actions.trials import Trial
    from axil.cli.face import Face
    from axil.formats.record import Sweep
    from axil.project import Project

ACTIONS = ("resume", "stop", "list", "show")
SAMPLERS = ("grid", "random", "tpe", "cmaes")
PRUNERS = ("median", "halving")
_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("words", metavar="KEY=VALUES", nargs="*", help="what to vary: log(a,b), int(a,b), uniform(a,b), or a,b,c")
    add("-t", "--target", metavar="STAGE", action="append", default=[], help="run this stage and what it needs")
    add_dry_run(parser)
    add("--trials", metavar="N", type=natural, default=0, help="how many trials (default: all of a grid, or 20)")
    add("--sampler", choices=SAMPLERS, default="", help="how values are chosen (default: grid where it ends, else tpe)")
    add("--goal", metavar="METRIC", default="", help="what to look for: f1, max:f1 or min:loss (default: the headline)")
    add("--prune", action="store_true", help="end trials early that do clearly worse than others (median of the goal)")
    add("--pruner", choices=PRUNERS, default="", help="the same, and who judges: median, or halving, which ends more")
    add("--seed", metavar="N", type=int, default=0, help="what the sampler's random numbers start from")
    add("-j", "--jobs", metavar="N", type=natural, default=0, help="trials at once, within what the machine allows")
    add("--time-limit", metavar="2h", type=span, default=0.0, help="begin no more trials after so long")
    add("--gpus", metavar="N", type=natural, default=0, help="accelerators each trial has for itself")
    add("--retry-failed", action="store_true", help="with resume: run failed and stopped trials again")
    add("-d", "--detach", action="store_true", help="in the background")
    add_sample(parser)
    add_set(parser)
    add_message(parser, "commit the changed code and parameters with this message first")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    word = args.words[0] if args.words else ""
    if word not in ACTIONS:
        return _start(args, face)
    from axil.errors import UsageError

    if len(args.words) > 2 or (word == "list" and len(args.words) > 1):
        raise UsageError(f"axil sweep {word}: too many words", " ".join(args.words[1:]), f"axil sweep {word} [ID]")
    for option, why in (
        ("sample", "a sweep keeps the sample it was begun with"),
        ("dry_run", "it tells what a new sweep would do"),
    ):
        if getattr(args, option):
            what = f"axil sweep {word}: --{option.replace('_', '-')} goes with a new sweep"
            raise UsageError(what, why, f"axil sweep {word} [ID]")
    name = args.words[1] if len(args.words) > 1 else ""
    if word == "resume":
        return _resume(args, face, name)
    from axil.actions import sweeps

    if word == "stop":
        from axil.actions.drive import stop_sweep
        from axil.actions.trials import find

        sweep = find(face.project(), name)
        stop_sweep(face.project(), sweep)
        face.show(sweeps.view(face.project(), sweep.id), render_view)
    elif word == "list":
        face.show(sweeps.listed(face.project()), _render_list)
    else:
        face.show(sweeps.view(face.project(), name), render_view)
    return 0


def _start(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.sweep import Search, begin, plan

    project = face.project()
    pruner = args.pruner or "median" * args.prune
    search = Search(args.sampler, args.trials, args.goal, args.seed, pruner, args.sample)
    if args.dry_run:
        face.show(plan(project, args.words, search, args.target, assignments=args.assignments), render_plan)
        return 0
    begun = begin(
        project,
        args.words,
        search,
        args.target,
        assignments=args.assignments,
        message=args.message,
        gpus=args.gpus,
        progress=face.progress(),
    )
    return carry_on(project, face, begun, how(args), detach=args.detach)


def render_plan(face: Face, value: SweepPlan) -> None:
    """How many trials, of which stages, with which parameters."""
    goal = f", for {value.direction}:{safe(value.goal)}" if value.goal else ""
    face.line(f"{fmt.count(value.trials, 'trial')}  {value.sampler}{goal}")
    if value.shared:
        face.line(f"once      {', '.join(map(safe, value.shared))}")
    face.line(f"in each   {', '.join(map(safe, value.stages))}")
    for number, point in enumerate(value.points[:_SHOWN], 1):
        words = "  ".join(f"{safe(key)} {fmt.number(one)}" for key, one in point.items())
        face.line(f"{number:>5}  {words}")
    if len(value.points) > _SHOWN:
        face.note(f"… and {len(value.points) - _SHOWN} more")
    for key, text in value.space.items() if not value.points else ():
        face.line(f"       {safe(key)} in {safe(text)}")


def how(args: argparse.Namespace) -> How:
    """How trials are carried out, from the options."""
    from axil.actions.drive import How

    return How(args.jobs, args.time_limit, args.retry_failed, os.uname().nodename)


def carry_on(project: Project, face: Face, begun: Begun, how: How, *, detach: bool) -> int:
    """Drive what has just been recorded, here or in the background."""
    from axil.actions.drive import drive_detached

    for path, size in begun.left_out:
        face.warn(f"{path} ({fmt.size(size)}) is too large for git and not part of the snapshot: axil add {path}")
    if detach:
        drive_detached(project, begun.sweep, how)
        face.show({"sweep": begun.sweep.id}, lambda face, value: face.line(value["sweep"]))
        face.hint(f"how it goes: axil sweep show {short(begun.sweep.id)}; stop it: axil queue, axil stop")
        return 0
    return _drive(project, face, begun.sweep, how)


def _resume(args: argparse.Namespace, face: Face, name: str) -> int:
    from axil.actions.drive import drive_detached
    from axil.actions.trials import find

    project = face.project()
    sweep = find(project, name)
    if args.detach:
        drive_detached(project, sweep, how(args))
        face.show({"sweep": sweep.id}, lambda face, value: face.line(value["sweep"]))
        return 0
    return _drive(project, face, sweep, how(args))


def _drive(project: Project, face: Face, sweep: Sweep, how: How) -> int:
    """Drive the sweep to its end and show it; 0 if every trial succeeded, 130 if told to stop."""
    from axil.actions import sweeps
    from axil.actions.drive import Leaving, drive, missing

    if not face.json:
        many = fmt.count(sweep.trials, "replicate" if sweep.seeds else "trial")
        face.note(f"{many}; if this is interrupted: axil sweep resume {short(sweep.id)}")
    told: list[Event] = []

    def hear(event: Event) -> None:
        told.extend([event] if isinstance(event, Leaving) else [])
        tell(face, event)

    known = drive(project, sweep, how, hear)
    value = sweeps.view(project, sweep.id)
    face.show(value, render_view)
    states = {one.outcome for one in known.values() if one.number}
    left = missing(sweep, known)
    if states & {"queued", "running"} or (left and (told or not how.time_limit)):
        return 130
    if left:
        face.note(f"the time is over: {fmt.count(len(left), 'trial')} not begun; axil sweep resume {short(sweep.id)}")
    if sweep.goal and "succeeded" in states and all(one.value is None for one in known.values()):
        face.warn(f"no trial has the metric {safe(sweep.goal)}, so none is the best")
    return 0 if states <= {"succeeded", "pruned"} else 1


def tell(face: Face, event: Event) -> None:
    """A line about each trial that ends."""
    from axil.actions.drive import Leaving, TrialEnded
    from axil.actions.pruning import NotLogged

    if isinstance(event, NotLogged):
        known = f"trials log {', '.join(event.logged)}" if event.logged else "trials log nothing step by step"
        face.warn(f"no trial can be ended early, for {event.goal} is not logged step by step: {safe(known)}")
        face.note(f"log it in the script, axil.log({event.goal}=…, step=…), or choose another --goal")
    if face.json:
        return
    if isinstance(event, Leaving):
        words = "the trials under way are stopped" if event.now else "no more trials begin; Ctrl-C again stops"
        face.note(words if event.now else f"{words} the {event.under_way} under way")
    elif isinstance(event, TrialEnded):
        one = event.trial
        what = f"trial {one.number}" if one.number else "shared stages"
        params = "  ".join(f"{safe(key)} {fmt.number(value)}" for key, value in one.params.items())
        value = "" if one.value is None else fmt.number(one.value)
        state = face.style.state(one.state, word=True)
        state += "" if one.pruned is None else f" (pruned at step {one.pruned})"
        over = f"{event.over}/{event.of}" if one.number else ""
        face.line(f"{over:>7}  {what}  {state}  {params}  {value}".rstrip())
    face.flush()


def _render_list(face: Face, rows: Sequence[SweepRow]) -> None:
    from axil.cli.tables import Column, table

    if not rows:
        face.note("no sweeps yet: axil sweep 'train.lr=log(1e-4,1e-1)' makes the first one")
        return
    columns = [
        Column("sweep"),
        Column("experiment", flexible=True, tail=True),
        Column("state"),
        Column("trials", right=True),
        Column("sampler", drop=3),
        Column("goal", drop=2),
        Column("best", right=True),
        Column("space", flexible=2, drop=1),
    ]
    table(face, columns, [_sweep_cells(one) for one in rows])


def _sweep_cells(one: SweepRow) -> list[str]:
    best = "" if one.best is None else fmt.number(one.best)
    space = "  ".join(f"{key}={text}" for key, text in one.space.items())
    return [short(one.sweep), one.experiment, one.state, f"{one.over}/{one.trials}", one.sampler, one.goal, best, space]


def render_view(face: Face, value: SweepView) -> None:
    """The trials, the best first; then what is to be said about all of them."""
    from axil.cli.tables import Column, table

    style = face.style
    keys = list(value.space) or (["seed"] if value.seeds else [])
    metrics = [value.goal] if value.goal else list(value.statistics)[:4]
    columns = [
        Column("trial", right=True),
        Column("run"),
        Column("state"),
        *(Column(name, right=True) for name in metrics),
        *(Column(key, right=True) for key in keys),
        Column("time", right=True, drop=1),
    ]
    if value.sample:
        face.note(f"rehearsals on {fmt.count(value.sample, 'sample')}")
    rows = [_trial_cells(one, metrics, keys, value) for one in value.trials]
    table(face, columns, rows)
    for name, one in value.statistics.items() if value.seeds else ():
        face.line(f"{safe(name)}  {style.bold(fmt.interval(one.mean, one.half))}  (n = {one.n})")
    if value.best is not None and value.goal:
        params = "  ".join(f"{safe(key)} {fmt.number(one)}" for key, one in value.best.params.items())
        face.line(f"best  {style.bold(fmt.number(value.best.value))}  {params}")
        if not value.sample:
            face.hint(f"keep it: axil fork NAME --from {short(value.best.run)}")
    if value.importance:
        words = "  ".join(f"{safe(key)} {share:.0%}" for key, share in value.importance.items())
        face.line(f"importance ({value.measure})  {words}")
    if value.state == "unfinished":
        face.hint(f"go on: axil sweep resume {short(value.sweep)}")


def _trial_cells(one: Trial, metrics: Sequence[str], keys: Sequence[str], value: SweepView) -> list[str]:
    def shown(key: str) -> str:
        found = one.seed if value.seeds else one.params.get(key)
        return "" if found is None else fmt.number(found)

    return [
        str(one.number or "shared"),
        short(one.run),
        one.state if one.pruned is None else f"pruned at step {one.pruned}",
        *(fmt.number(one.metrics[name]) if name in one.metrics else "" for name in metrics),
        *(shown(key) for key in keys),
        fmt.duration(one.seconds) if one.seconds else "",
    ]

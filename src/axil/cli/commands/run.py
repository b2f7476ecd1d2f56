"""Run what changed in the pipeline and record code, parameters, environment and results.

Without a stage, everything runs that is not up to date. A stage named runs with what it needs. Exit code 1 if a stage
failed, 130 if the run was stopped.
"""

from __future__ import annotations

import os
from contextlib import suppress

from axil.base.exits import ending
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import (
    add_dry_run,
    add_force,
    add_jobs,
    add_json,
    add_message,
    add_sample,
    add_set,
    add_stages,
    count,
    natural,
    refused,
)
from axil.cli.style import safe
from axil.runs.events import (
    CurrentStage,
    Epoch,
    NothingToDo,
    RunEnded,
    RunStarted,
    StageFinished,
    StageLine,
    StageStarted,
    Stopping,
    Waiting,
)

if TYPE_CHECKING:
    import argparse

    from axil.actions.rehearsal import RehearsalPlan
    from axil.actions.run import RunResult
    from axil.actions.status import StageStatus
    from axil.actions.submit import Submitted
    from axil.cli.face import Face
    from axil.formats.record import Run, StageRecord
    from axil.project import Project
    from axil.runs.follow import Watched
    from axil.runs.rundir import RunDir

EXIT_CODES = {"succeeded": 0, "stopped": 130}


def configure(parser: argparse.ArgumentParser) -> None:
    add_stages(parser, "stages to run, with all they need (default: the whole pipeline)")
    add_dry_run(parser)
    add_jobs(parser)
    add_force(parser, "run the named stages (or all) even if nothing changed")
    add_set(parser)
    add_message(parser, "commit the changed code and parameters with this message, then run")
    parser.add_argument("-d", "--detach", action="store_true", help="run in the background, in a work tree of its own")
    parser.add_argument(
        "--seeds", metavar="N", type=seeds, default=[], help="replicates: N runs that differ in their seed, or 1,7,9"
    )
    parser.add_argument("--isolated", action="store_true", help="run in a work tree of its own, and wait for it")
    parser.add_argument("--keep", action="store_true", help="leave that work tree when the run is over")
    parser.add_argument(
        "--gpus", metavar="N", type=count, help="accelerators it has for itself (default: as its stages say)"
    )
    add_sample(parser)
    add_json(parser)


def seeds(text: str) -> list[int]:
    """`5` as the seeds 1 to 5, `1,7,9` (or `7,`) as they are."""
    if "," not in text:
        return list(range(1, natural(text) + 1))
    with suppress(ValueError):
        found = [int(part) for part in text.removesuffix(",").split(",")]
        if len(set(found)) == len(found) and min(found) >= 0 and max(found) < 1 << 32:
            return found
    raise refused(text, "a list of different seeds such as 1,7,9")


def _load() -> None:
    """Load the action, while git looks for the project."""
    import axil.actions.run  # noqa: F401


def run(args: argparse.Namespace, face: Face) -> int:
    _check(args)
    project = face.project(_load)
    if args.dry_run:
        _plan(project, args, face)
        return 0
    from axil.actions.run import run

    if args.seeds:
        return _replicates(args, face)
    if args.detach or args.isolated or args.sample:
        return _isolated(args, face)
    view = View(face)
    value = run(
        project,
        args.stages,
        assignments=args.assignments,
        message=args.message,
        force=args.force,
        jobs=args.jobs,
        host=os.uname().nodename,
        on_event=view.tell,
        progress=face.progress(),
    )
    face.show(value._replace(run=value.record) if face.json else value, render)
    return EXIT_CODES.get(value.run.state, 1)


def _plan(project: Project, args: argparse.Namespace, face: Face) -> None:
    if args.sample:
        from axil.actions.rehearsal import plan_rehearsal

        rehearsed = plan_rehearsal(project, args.sample, args.stages, assignments=args.assignments, force=args.force)
        face.show(rehearsed, render_rehearsal)
    else:
        from axil.actions.run import plan

        face.show(plan(project, args.stages, assignments=args.assignments, force=args.force), render_plan)
    if args.seeds:
        _note_seeds(face, args)


def _replicates(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.drive import How
    from axil.actions.sweep import begin_replicates
    from axil.cli.commands.sweep import carry_on

    project = face.project()
    begun = begin_replicates(
        project,
        args.seeds,
        args.stages,
        assignments=args.assignments,
        message=args.message,
        gpus=args.gpus or 0,
        sample=args.sample,
        progress=face.progress(),
    )
    jobs = args.jobs if args.jobs > 1 else 0
    return carry_on(project, face, begun, How(jobs, host=os.uname().nodename), detach=args.detach)


def _note_seeds(face: Face, args: argparse.Namespace) -> None:
    from axil.actions.sweep import seeded_stages

    _, changed = seeded_stages(face.project(), args.stages)
    face.note(f"{len(args.seeds)} times, for the seeds {', '.join(map(str, args.seeds))}: {', '.join(sorted(changed))}")


def _check(args: argparse.Namespace) -> None:
    """Raises `UsageError` for options that mean nothing together."""
    from axil.errors import UsageError

    if args.keep and not (args.detach or args.isolated or args.sample):
        raise UsageError(
            "axil run: --keep is about the work tree of an isolated run",
            "without -d or --isolated it runs in yours",
            "add -d or --isolated",
        )
    if args.gpus is not None and not args.detach:
        raise UsageError(
            "axil run: --gpus goes with -d", "only detached runs wait for accelerators", "add -d, or leave it out"
        )


def _isolated(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.submit import Options, submit

    project = face.project()
    options = Options(args.force, args.jobs, args.keep, args.detach, args.gpus, args.sample)
    folder, asked = submit(
        project,
        args.stages,
        assignments=args.assignments,
        message=args.message,
        options=options,
        host=os.uname().nodename,
        progress=face.progress(),
    )
    return carry_out(face, project, folder, asked, detached=args.detach)


def carry_out(face: Face, project: Project, folder: RunDir, asked: Submitted, *, detached: bool) -> int:
    """Let the run in `folder` go on by itself, or here, to its end; the exit code."""
    if detached:
        from axil.actions.detach import detach

        detach(project, folder)
        face.show(asked, render_submitted)
        return 0
    from axil.actions.supervise import supervise

    run = supervise(project, folder, on_event=View(face).tell, progress=face.progress())
    face.show(run, summary)
    return EXIT_CODES.get(run.state, 1)


def render_submitted(face: Face, asked: Submitted) -> None:
    for path, size in asked.left_out:
        face.warn(f"{path} ({fmt.size(size)}) is too large for git and not part of the snapshot: axil add {path}")
    face.line(asked.run)
    face.hint(f"watch it: axil attach {short(asked.run)}; all of them: axil ps")


def render_plan(face: Face, decisions: tuple[StageStatus, ...]) -> None:
    from axil.cli.commands.status import stages

    if not decisions:
        _no_stages(face)
    stages(face, decisions)


def render_rehearsal(face: Face, value: RehearsalPlan) -> None:
    """The plan, and what each path of the data would be cut to."""
    render_plan(face, value.stages)
    width = max((len(one.path) for one in value.data), default=0)
    for one in value.data:
        face.line(f"  {one.path:<{width}}  {face.style.dim(safe(one.words))}")


def render(face: Face, value: RunResult) -> None:
    run = value.run
    for lost in value.adopted:
        face.note(f"run {short(lost)} had been killed: recorded as lost")
    for path, size in value.left_out:
        face.warn(f"{path} ({fmt.size(size)}) is too large for git and not part of the snapshot: axil add {path}")
    for path in value.saved:
        face.note(f"{path} had edits that exist nowhere else: they were saved first; axil undo brings them back")
    if not run.stages:
        _no_stages(face)
    elif isinstance(run, NothingToDo):
        face.line("nothing to do: every output is up to date")
    else:
        summary(face, run)


def summary(face: Face, run: Run) -> None:
    """One line of what came of a run, and where to look if a stage failed."""
    style = face.style
    seconds = fmt.duration(run.ended - run.time)
    metrics = "  ".join(f"{safe(name)} {fmt.number(value)}" for name, value in list(run.metrics.items())[:6])
    what = f"rehearsal on {run.sample}: run" if run.sample else "run"
    face.line(f"{what} {short(run.id)} {style.state(run.state, word=True)} in {seconds}  {metrics}".rstrip())
    if run.error:
        face.warn(safe(run.error.splitlines()[-1]))
    for record in run.stages:
        if record.state == "failed":
            face.hint(f"what it printed: axil logs {short(run.id)} {record.name}")


def _no_stages(face: Face) -> None:
    face.note("axil.toml has no stages yet; add one: axil stage add NAME -d DEP -o OUT -- COMMAND")


class View:
    """Shows a run while it goes on: a line when a stage starts and when it ends, what it prints in between."""

    def __init__(self, face: Face) -> None:
        self.face = face
        self.width = 0
        self.progress = face.progress()

    def tell(self, event: Watched) -> None:
        """Show one event; with `--json` stdout belongs to the result alone."""
        if self.face.json:
            return
        match event:
            case RunStarted(stages=stages):
                self.width = max(map(len, stages), default=0)
                self.progress.begin("run", len(stages), "stages")
            case StageStarted(stage=stage, reason=reason):
                self._line(stage, self.face.style.cyan("▶" if self.face.style.unicode else ">"), reason, "dim")
            case StageLine(stage=stage, text=text, done=True) if not self.face.quiet:
                self.face.line(f"  {self.face.style.dim(f'{stage:<{self.width}} │')} {text}")
            case Epoch(stage=stage, step=step, metrics=metrics) if not self.face.quiet:
                values = "  ".join(f"{safe(name)} {fmt.number(value)}" for name, value in metrics.items())
                self.face.line(f"  {self.face.style.dim(f'{stage:<{self.width}} step {step:g}')}  {values}")
            case Waiting(run=run):
                self.face.note(f"run {short(run)} waits for its turn")
            case StageFinished(stage=stage, record=record):
                self._finished(stage, record)
            case Stopping(now=now):
                self.face.note("stopping at once" if now else "stopping: again Ctrl-C kills at once")
            case RunEnded():
                self.progress.end()
        # Whoever reads through a pipe (`axil run | tee log`) sees it when it happens, too.
        self.face.flush()

    def _finished(self, stage: str, record: StageRecord | CurrentStage) -> None:
        self.progress.advance()
        words = [record.reason]
        if record.state in ("succeeded", "failed", "stopped"):
            metrics = "  ".join(f"{safe(name)} {fmt.number(value)}" for name, value in record.metrics.items())
            words = [fmt.duration(record.seconds), metrics]
        if record.state == "failed":
            words.insert(0, ending(record.exit_code) if record.exit_code else record.reason)
        color = "red" if record.state == "failed" else "dim"
        self._line(stage, self.face.style.state(record.state), "  ".join(filter(None, words)), color)

    def _line(self, stage: str, symbol: str, words: str, color: str) -> None:
        self.face.line(f"{symbol} {stage:<{self.width}}  {self.face.style.color(color, safe(words))}".rstrip())

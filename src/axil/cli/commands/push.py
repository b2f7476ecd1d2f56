"""Share experiments: data and results go to the storage remote, then branch and record of runs to the git remote.

  axil push            the current experiment
  axil push A B        these
  axil push --all      every experiment, archived ones too
  axil push -n         say what would travel, and whether a colleague could reproduce it

Nothing is sent twice; a push that broke off is finished by giving it again.
"""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_dry_run, add_experiment, add_force, add_git_remote, add_json, add_remote
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.preflight import Preflight
    from axil.actions.push import PushResult
    from axil.cli.face import Face

SHOWN = 10


def configure(parser: argparse.ArgumentParser) -> None:
    add_experiment(parser, "names", "experiments to share (default: the current one)", nargs="*")
    parser.add_argument("-a", "--all", action="store_true", help="all experiments, archived ones too")
    add_remote(parser)
    add_git_remote(parser)
    add_dry_run(parser)
    add_force(parser, "replace what others pushed to the same branch, and go on without objects that are nowhere")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    project = face.project()
    if args.all and args.names:
        from axil.errors import UsageError

        raise UsageError("axil push takes names or --all, not both", "", "axil push --all shares everything")
    where = {"everything": args.all, "remote": args.remote, "git": args.git}
    if args.dry_run:
        from axil.actions.preflight import preflight

        face.show(preflight(project, args.names, **where, progress=face.progress()), render_preflight)
        return 0
    from axil.actions.push import push

    value = push(
        project,
        args.names,
        **where,
        force=args.force,
        host=os.uname().nodename,
        pid=os.getpid(),
        progress=face.progress(),
    )
    for words in value.words:
        face.note(f"{value.git}: {safe(words)}")
    face.show(value, render)
    return 0


def render(face: Face, value: PushResult) -> None:
    style = face.style
    if value.missing:
        kinds = fmt.count(len(value.missing), "object")
        first = ", ".join(dict.fromkeys(safe(one.path) for one in value.missing[:3]))
        face.warn(f"{kinds} that older commits or runs need are neither here nor on {value.storage}: {first}")
    for one in value.experiments:
        words = {
            "new": f"pushed to {value.git}",
            "updated": f"pushed to {value.git}",
            "archived": f"pushed to {value.git} as archived",
            "unchanged": f"as it is at {value.git}",
            "behind": f"{value.git} has newer commits: axil pull",
        }[one.state]
        face.line(f"{style.bold(safe(one.name))}  {words}  {style.dim(one.commit[:9])}")
    if value.storage:
        facts = f"{fmt.count(value.objects, 'object')}, {fmt.size(value.bytes)} to {value.storage}"
        face.line(f"data     {facts}" if value.objects else f"data     all of it is on {value.storage} already")
    for left in value.former:
        old, now = safe(left.name), safe(left.now)
        if left.merged:
            face.note(f"{old}, as {now} was called, is still at {value.git}: git push {value.git} --delete {old}")
        else:
            face.note(f"{old}, as {now} was called, is still at {value.git} and has other commits than {now}:")
            face.note(f"git fetch {value.git}; on {now}: git merge {value.git}/{old}")
    if value.journal:
        face.line("journal  runs, forks and notes are shared")
    if value.tries > 1:
        face.note(f"others pushed at the same time: it came through at the {value.tries}. try")


def render_preflight(face: Face, value: Preflight) -> None:
    style = face.style
    for one in value.experiments:
        facts = f"{fmt.count(one.commits, 'commit')}, {fmt.count(one.runs, 'run')}"
        face.line(f"{style.bold(safe(one.name))}  {facts} to {value.git}  {style.dim(one.state)}")
    if value.storage:
        facts = f"{fmt.count(value.objects, 'object')}, {fmt.size(value.bytes)}"
        face.line(f"data     {facts} to {value.storage}")
    for trouble in value.trouble:
        face.warn(trouble)
    for verdict in value.verdicts:
        if verdict.reproducible:
            face.line(f"{style.green('yes')}  a colleague could reproduce {safe(verdict.experiment)}")
            continue
        face.line(f"{style.red('no')}   a colleague could not reproduce {safe(verdict.experiment)} as it is:")
        for reason in verdict.reasons[:SHOWN]:
            face.line(f"  {reason.kind}  {safe(reason.text)}")
            face.hint(f"    {reason.hint}")
        if len(verdict.reasons) > SHOWN:
            face.line(style.dim(f"  … and {len(verdict.reasons) - SHOWN} more: --json has them all"))

"""Say where data and results are shared, and look after that place.

A storage remote is a folder (/mnt/share/project), a bucket (s3://, gs://, az://) or a folder on another machine
(ssh://host/folder). It is written in axil.toml, which all share; what only this machine knows, in axil.local.toml.
"""

from __future__ import annotations

import os
from contextlib import suppress

from axil.base.light import TYPE_CHECKING, Any
from axil.cli import format as fmt
from axil.cli.options import add_dry_run, add_force, add_json, completing, refused, span, subcommands
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.remote import Added, RemoteRow, Removed
    from axil.actions.upkeep import Checked, Mended, Pruning
    from axil.cli.face import Face
    from axil.transfer.salvage import Salvaged

SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    command = subcommands(parser)
    add = command("add", "add a storage remote to axil.toml")
    add.add_argument("name", metavar="NAME", help="its name; the one called origin is used without -r")
    add.add_argument("url", metavar="URL", help="a path, or s3://, gs://, az://, ssh://; https:// to read from")
    add.add_argument("--local", action="store_true", help="for this machine alone: into axil.local.toml, not into git")
    add.add_argument("--no-check", action="store_true", help="do not try whether the place can be used")
    add_json(add)
    add_json(command("list", "list the storage remotes, without secrets"))
    remove = command("rm", "take a storage remote out; what is stored there stays")
    _name(remove, required=True)
    add_json(remove)
    check = command("check", "check that a remote has what it should, and change nothing")
    _name(check)
    check.add_argument("--data", action="store_true", help="read every pack and compare it with its name")
    check.add_argument("--restore", action="store_true", help="also put every object together, as a fetch would")
    check.add_argument("--sample", metavar="5%", type=share, default=None, help="read so much, longest unread first")
    check.add_argument("--max-time", metavar="30m", type=span, default=None, help="stop reading after so long")
    add_json(check)
    repair = command("repair", "write the index of a remote anew from its packs, and let go of damaged packs")
    _name(repair)
    repair.add_argument("--data", action="store_true", help="read every pack; of damaged ones keep what is sound")
    add_dry_run(repair)
    add_json(repair)
    prune = command("prune", "free what no branch, run or push needs on a remote, a week after it was listed")
    _name(prune)
    add_dry_run(prune)
    prune.add_argument("--drop-roots", action="store_true", help="let go of pushes that no ref of git needs any more")
    prune.add_argument("--restore", metavar="ID", default="", help="put the pushes back that this list let go")
    prune.add_argument("--git", metavar="NAME", default="", help="the git remote whose refs count")
    add_force(prune, "do not ask")
    add_json(prune)


def _name(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    if required:
        action = parser.add_argument("name", metavar="NAME", help="the remote")
    else:
        words = "the remote (default: the only one, or origin)"
        action = parser.add_argument("name", metavar="NAME", nargs="?", default="", help=words)
    completing(action, "remotes")


def share(text: str) -> float:
    """`5%` or `0.05` as a share."""
    with suppress(ValueError):
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        if 0 < value <= 1:
            return value
    raise refused(text, "a share such as 5% or 0.05")


def run(args: argparse.Namespace, face: Face) -> int:
    return {"add": _add, "list": _list, "rm": _rm, "check": _check, "repair": _repair, "prune": _prune}[args.action](
        args, face
    )


def _add(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.remote import add

    url = args.url
    if "://" not in url and not url.startswith("~"):
        # A path counts from where it is typed; in the file it counts from the project's root.
        url = url if os.path.isabs(url) else os.path.relpath(face.path(url), face.project().root)
    face.show(add(face.project(), args.name, url, local=args.local, check=not args.no_check), _render_added)
    return 0


def _render_added(face: Face, value: Added) -> None:
    tried = "" if value.checked else "  (not tried)"
    face.line(f"{face.style.bold(safe(value.name))}  {safe(value.url)}  {face.style.dim(f'in {value.file}{tried}')}")
    if value.ignored:
        face.note(f"{value.file} is kept out of git by .git/info/exclude")
    elif value.file == "axil.toml":
        face.hint("commit axil.toml, so that others know; then: axil push")


def _list(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.remote import rows

    face.show(rows(face.project()), _render_rows)
    return 0


def _render_rows(face: Face, rows: tuple[RemoteRow, ...]) -> None:
    from axil.cli.tables import Cell, Column, table

    if not rows:
        face.note("no storage remote yet; add one: axil remote add origin s3://bucket/prefix (or a path)")
        return
    cells = []
    for row in rows:
        more = [f"{key} {value}" for key, value in row.settings.items()] + [f"{key} set" for key in row.secrets]
        name = Cell(("* " if row.default else "  ") + row.name, "bold" if row.default else "")
        cells.append([name, Cell(row.url), Cell(", ".join(row.files), "dim"), Cell(", ".join(more), "dim")])
    table(face, [Column(""), Column("", flexible=True), Column("", drop=1), Column("", drop=2)], cells)


def _rm(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.remote import remove

    face.show(remove(face.project(), args.name), _render_removed)
    return 0


def _render_removed(face: Face, value: Removed) -> None:
    face.line(f"{safe(value.name)} is out of {' and '.join(value.files)}; what is at {safe(value.url)} stays")


def _check(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.upkeep import check
    from axil.errors import UsageError

    if (args.sample or args.max_time) and not (args.data or args.restore):
        raise UsageError("--sample and --max-time say how much to read", "", "give --data or --restore with them")
    depth: Any = "restore" if args.restore else "data" if args.data else "structure"
    value = check(
        face.project(),
        args.name,
        depth=depth,
        sample=args.sample,
        max_seconds=args.max_time,
        progress=face.progress(),
    )
    face.show(value, _render_check)
    return int(not value.sound)


def _render_check(face: Face, value: Checked) -> None:
    style, report = face.style, value.report
    for fault in report.faults[:SHOWN]:
        what = f"{safe(fault.key)} {fault.oid[:12]}".rstrip()
        face.line(f"{style.red('damaged')}  {what}: {safe(fault.why)}")
    for gone in report.missing[:SHOWN]:
        face.line(f"{style.red('missing')}  object {gone.oid[:12]}, needed by {safe(gone.needed_by)[:40]}")
    hidden = max(len(report.faults) - SHOWN, 0) + max(len(report.missing) - SHOWN, 0)
    if hidden:
        face.line(style.dim(f"… and {hidden} more: --json has them all"))
    counts = f"{fmt.count(report.roots, 'push', 'pushes')}, {fmt.count(report.objects, 'object')}"
    face.line(f"{style.bold(safe(value.name))}  {counts} in {fmt.count(report.packs, 'pack')}")
    if value.depth != "structure":
        left = f", {report.unchecked:,} left for another time" if report.unchecked else ""
        face.line(f"read {fmt.count(report.checked, 'pack')}{left}")
    if report.orphans:
        count = fmt.count(len(report.orphans), "pack")
        face.note(f"{count} that no index names, as a push that broke off leaves: axil remote prune removes them")
        if not value.sound:
            face.hint("if an index was lost, axil remote repair names them again")
    if value.sound and not report.roots and not report.packs:
        face.line("nothing was pushed there yet")
    elif value.sound:
        more = style.dim("  (--data reads it all)") if value.depth == "structure" else ""
        face.line(style.green("nothing is wrong") + more)
    else:
        face.hint(
            "axil remote repair mends indexes, with --data packs, too; then axil push from a clone that has the data"
        )


def _repair(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.upkeep import repair

    value = repair(
        face.project(),
        args.name,
        data=args.data,
        dry_run=args.dry_run,
        host=os.uname().nodename,
        progress=face.progress(),
    )
    face.show(value, lambda face, value: _render_repair(face, value, args.dry_run))
    return int(bool(value.report.missing or (value.salvaged and value.salvaged.lost)))


def _render_repair(face: Face, value: Mended, dry_run: bool) -> None:
    report = value.report
    would = "would name" if dry_run else "names"
    objects, packs = fmt.count(report.objects, "object"), fmt.count(report.packs, "pack")
    face.line(f"{safe(value.name)}  the new index {would} {objects} in {packs}")
    if report.added:
        face.line(f"  {fmt.count(len(report.added), 'pack')} that no index named")
    for key in report.lost[:SHOWN]:
        face.warn(f"{safe(key)} is gone")
    if report.missing:
        face.warn(f"{fmt.count(report.missing, 'object')} went with them: axil push from a clone that has them")
    for fault in report.faults[:SHOWN]:
        face.warn(f"{safe(fault.key)}: {safe(fault.why)}")
    if value.salvaged is not None:
        _render_salvaged(face, value.salvaged, dry_run)


def _render_salvaged(face: Face, value: Salvaged, dry_run: bool) -> None:
    face.line(f"read {fmt.count(value.checked, 'pack')}, {len(value.damaged) or 'none'} damaged")
    for key in value.damaged[:SHOWN]:
        face.line(f"{face.style.red('damaged')}  {safe(key)}")
    if value.copied:
        face.line(f"  {fmt.count(value.copied, 'sound object')} {'to be ' * dry_run}copied out of them")
    if value.condemned:
        face.line(f"  listed as {value.condemned}; a prune in a week deletes them")
    if value.lost:
        face.warn(f"{fmt.count(len(value.lost), 'object')} in them cannot be read any more")
        face.hint("axil push from a clone that has them sends them again")


def _prune(args: argparse.Namespace, face: Face) -> int:
    from axil.actions import upkeep
    from axil.errors import UsageError

    if args.restore and (args.dry_run or args.drop_roots):
        raise UsageError(
            "axil remote prune: --restore stands alone",
            "it puts back at once what a list let go",
            "axil remote prune --restore ID",
        )
    project, host = face.project(), os.uname().nodename
    if args.restore:
        back = upkeep.restore(project, args.name, args.restore, host=host, progress=face.progress())
        face.show(back, lambda face, value: face.line(f"{fmt.count(len(value), 'push', 'pushes')} put back"))
        return 0
    value = upkeep.prune(
        project,
        args.name,
        git=args.git,
        dry_run=args.dry_run,
        drop_roots=args.drop_roots,
        host=host,
        agree=lambda planned: args.force or _agrees(face, planned),
        progress=face.progress(),
    )
    face.show(value, lambda face, value: _render_prune(face, value, args.dry_run))
    return 0


def _agrees(face: Face, planned: Pruning) -> bool:
    """Show the plan; ask where somebody sits at the terminal."""
    if face.json:
        return True
    _render_prune(face, planned, dry_run=True)
    work = planned.plan.mark.packs or planned.plan.mark.drops or any(not one.waits for one in planned.plan.sweeps)
    if not work or not (face.terminal and face.can_ask):
        return True
    return face.ask("go on?")


def _render_prune(face: Face, value: Pruning, dry_run: bool) -> None:
    style, plan = face.style, value.plan
    if value.done is not None:
        done = value.done
        if done.swept.packs:
            face.line(f"deleted  {fmt.count(done.swept.packs, 'pack')}, {fmt.size(done.swept.bytes)}")
        if done.condemned:
            face.line(f"listed   {fmt.size(done.plan.mark.bytes)} as {done.condemned}; a prune in a week deletes it")
        if not done.swept.packs and not done.condemned:
            face.line("nothing to do now")
        return
    if not dry_run:
        face.note("nothing was changed")
        return
    facts = f"{fmt.count(plan.packs, 'pack')}, {fmt.size(plan.bytes)}, {fmt.count(plan.live, 'object')} needed"
    face.line(f"{style.bold(safe(value.name))}  {facts}")
    for sweep in plan.sweeps:
        words = f"waits: {safe(sweep.waits)}" if sweep.waits else "to be deleted now"
        face.line(f"  {fmt.count(len(sweep.packs), 'pack')}, {fmt.size(sweep.bytes)} listed as {sweep.id}  {words}")
    if plan.mark.packs:
        count = fmt.count(len(plan.mark.packs), "pack")
        face.line(f"  {count}, {fmt.size(plan.mark.bytes)} to be listed now, and deleted by a prune in a week")
    for root in plan.mark.drops[:SHOWN]:
        face.line(f"  let go: push of {safe(', '.join(root.names))} by {safe(root.author)}")
    if plan.mark.later:
        face.line("  there is more than one list has room for: the next prune goes on with it")
    if plan.mark.young:
        face.line(style.dim(f"  {fmt.size(plan.mark.young)} that nothing needs are younger than a week, and stay"))
    for lease in plan.leases:
        who = f"{safe(lease.author)} on {safe(lease.host)}"
        face.note(f"a {lease.kind} of {who} is under way, or was killed less than half an hour ago")
    for why in plan.unreadable[:SHOWN]:
        face.warn(safe(why))
    if plan.missing:
        face.warn(f"{fmt.count(len(plan.missing), 'needed object')} not there; until they are, nothing is pruned")
    if not (plan.sweeps or plan.mark.packs or plan.mark.drops):
        face.line("  everything is needed" if not plan.mark.young else "  nothing to do now")

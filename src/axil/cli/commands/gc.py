"""Free the space of data that no branch, tag, run, work tree or undo needs.

It goes to a dated trash first and leaves that after 30 days; until then `axil gc --restore NAME` brings it back.
"""

from __future__ import annotations

import time

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_dry_run, add_force, add_json
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.gc import Collection, Trash
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_dry_run(parser)
    parser.add_argument("--tips", action="store_true", help="do not keep data that only older commits refer to")
    parser.add_argument(
        "--now", action="store_true", help="take objects younger than an hour too; no other axil may run"
    )
    parser.add_argument("--trash", action="store_true", help="list what can be brought back")
    parser.add_argument("--restore", metavar="NAME", default="", help="bring a folder of the trash back")
    add_force(parser, "with --tips: go on although versions are lost")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions import gc

    project = face.project()
    if args.trash:
        face.show(gc.list_trash(project), render_trash)
    elif args.restore:
        face.show(gc.restore(project, args.restore), lambda face, count: face.line(f"{args.restore} is back"))
    else:
        value = gc.collect(
            project,
            dry_run=args.dry_run,
            tips=args.tips,
            force=args.force,
            grace=0.0 if args.now else gc.GRACE,
            progress=face.progress(),
        )
        face.show(value, lambda face, value: render(face, value, args.dry_run))
    return 0


def render(face: Face, value: Collection, dry_run: bool) -> None:
    for one in value.lost:
        facts = f"{fmt.count(one.files, 'file')}, {fmt.size(one.size)}"
        face.line(f"{face.style.red('lost')}  {safe(one.name)}  {face.style.dim(facts)}")
    for ref in value.expired:
        face.line(face.style.dim(f"no longer kept: {ref}"))
    if value.objects:
        goes = "would go to the trash" if dry_run else f"moved to the trash as {value.trash}"
        face.line(f"{fmt.count(value.objects, 'object')}, {fmt.size(value.bytes)} {goes}")
    else:
        face.line("everything in the store is needed")
    verb = "would be removed" if dry_run else "removed"
    for path in value.leftovers.work_trees:
        face.line(face.style.dim(safe(f"work tree of a run that is over, {verb}: {path}")))
    if value.leftovers.copies:
        face.line(f"{fmt.count(len(value.leftovers.copies), 'copy', 'copies')} of data for runs {verb}")
    if value.emptied:
        face.line(f"old trash: {fmt.size(value.emptied)} {'would be' if dry_run else 'was'} deleted")
    if value.young:
        face.note(f"{fmt.count(value.young, 'unneeded object')} younger than an hour kept")


def render_trash(face: Face, values: tuple[Trash, ...]) -> None:
    if not values:
        face.line("the trash is empty")
    for one in values:
        face.line(f"{one.name}  {fmt.size(one.bytes)}  {face.style.dim(fmt.age(time.time() - one.made) + ' old')}")

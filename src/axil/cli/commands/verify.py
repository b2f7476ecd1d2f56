"""Check every stored object and every reference to one. Changes nothing unless told; exit code 1 if all is not well."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_json
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.verify import Verified
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quarantine", action="store_true", help="put damaged objects into the trash, so that they can be added again"
    )
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.verify import verify

    value = verify(face.project(), quarantine=args.quarantine, progress=face.progress())
    face.show(value, render)
    return 0 if value.sound else 1


def render(face: Face, value: Verified) -> None:
    style = face.style
    for one in value.damaged:
        face.line(f"{style.red('damaged')}  {one.oid[:12]}  {safe(one.why)}  {style.dim(one.path)}")
        _users(face, one.needed_by)
    for lost in value.missing:
        face.line(f"{style.red('missing')}  {lost.oid[:12]}")
        _users(face, lost.needed_by)
    for problem in value.problems:
        face.line(f"{style.yellow('unreadable')}  {safe(problem)}")
    facts = f"{fmt.count(value.objects, 'object')}, {fmt.size(value.bytes)}, {fmt.count(value.references, 'reference')}"
    if value.elsewhere:
        face.note(f"{fmt.count(value.elsewhere, 'object')} not here but on a remote: fetched when needed")
    if value.sound:
        face.line(f"{style.green('all is well')}: {facts} checked")
    else:
        wrong = len(value.damaged) + len(value.missing) + len(value.problems)
        face.line(f"{style.red(fmt.count(wrong, 'problem'))} in {facts}")
        if value.trash:
            face.line(f"damaged objects are in the trash as {value.trash}")
        elif value.damaged:
            face.hint("first put the damaged objects aside: axil verify --quarantine")
        face.hint("bring data back: axil add PATH where it still exists, or axil run to make it again")


def _users(face: Face, names: tuple[str, ...]) -> None:
    for name in names:
        face.line(face.style.dim(f"         needed by {safe(name)}"))

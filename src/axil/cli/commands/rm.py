"""Stop tracking files or folders and remove them from the work tree; the store keeps their bytes until `axil gc`."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_force, add_json, add_paths
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.remove import Removed
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, "tracked files or folders", tracked=True)
    parser.add_argument("-k", "--keep", action="store_true", help="keep the files, only stop tracking them")
    add_force(parser, "remove files with unsaved edits too (the edits are put into the store first)")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.remove import remove

    paths = [face.path(path) for path in args.paths]
    value = remove(face.project(), paths, keep=args.keep, force=args.force, progress=face.progress())
    face.show(value, render)
    return 0


def render(face: Face, values: tuple[Removed, ...]) -> None:
    for one in values:
        face.line(f"{safe(one.path)} is no longer tracked{'' if one.kept else ', and removed'}")
        for kept in one.saved:
            face.note(f"saved first: {safe(kept.description)}, {kept.oid[:12]}; `axil undo` brings it back")
    face.hint("axil undo brings it back")

"""Bring tracked data in line with its pointers, as after `git checkout`, `git merge` or `git clone`."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_force, add_json, add_paths
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.materialise import Materialised
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_paths(parser, "tracked files or folders (default: all)", tracked=True, nargs="*")
    add_force(parser, "overwrite unsaved edits too (they are put into the store first)")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.materialise import materialise

    paths = [face.path(path) for path in args.paths]
    face.show(materialise(face.project(), paths, force=args.force, progress=face.progress()), render)
    return 0


def render(face: Face, value: Materialised) -> None:
    written, removed = fmt.count(value.written, "file"), fmt.count(value.removed, "file")
    face.line(
        f"{written} written, {removed} removed" if value.written or value.removed else "all data is as its pointers say"
    )
    for kept in value.saved:
        face.note(f"saved first: {safe(kept.description)}, {kept.oid[:12]}; `axil undo` brings it back")

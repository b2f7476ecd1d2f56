"""List the data files that differ.

  axil diff                the work tree from what is recorded in the pointers
  axil diff A              the work tree from experiment, run or commit A
  axil diff A B            B from A
  axil diff -- data/raw    only this data

For code use git diff; for everything at once axil compare.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_target

if TYPE_CHECKING:
    import argparse

    from axil.actions.diff import DataDiff
    from axil.cli.face import Face

SHOWN = 20
SIGNS = {"added": ("+", "green"), "removed": ("−", "red"), "changed": ("~", "yellow"), "mode": ("x", "yellow")}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "axil diff [A [B]] [--name-only] [--json] [-- PATH …]"
    add_target(parser, "old", help="compare with this experiment, run or commit", nargs="?", default="", metavar="A")
    add_target(parser, "new", help="… this one instead of the work tree", nargs="?", default="", metavar="B")
    parser.add_argument("--name-only", action="store_true", help="only the paths of the files, one a line")
    parser.add_argument("-a", "--all", action="store_true", help=f"list all files, not the first {SHOWN} of each path")
    parser.add_argument("--exit-code", action="store_true", help="exit with 1 if something differs")
    add_json(parser)
    parser.command_after_dashes = "paths"  # type: ignore[attr-defined]


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.diff import diff

    paths = [face.project_path(path) for path in args.paths]
    found = diff(face.project(), args.old, args.new, paths, progress=face.progress())
    if args.name_only and not face.json:
        for change in found.paths:
            for file in change.files:
                face.line(file.path)
    else:
        face.show(found, lambda face, value: render(face, value, shown=None if args.all else SHOWN))
    return int(args.exit_code and bool(found.paths))


def render(face: Face, found: DataDiff, *, shown: int | None) -> None:
    from axil.cli.format import count, size
    from axil.cli.render_compare import in_words
    from axil.cli.style import safe

    if not found.paths:
        face.note(f"no tracked data differs between {found.old} and {found.new}")
        return
    style = face.style
    for change in found.paths:
        face.line(f"{style.bold(safe(change.path))}  {in_words(change)}")
        for file in change.files[:shown]:
            if file.path == change.path:
                continue
            sign, color = SIGNS[file.kind]
            sizes = [size(each) for each in (file.old_size, file.new_size) if each is not None]
            change_ = " → ".join(dict.fromkeys(sizes))
            inside = file.path.removeprefix(change.path + "/")
            face.line(f"  {style.color(color, sign)} {safe(inside)}  {style.dim(change_)}")
        if shown is not None and len(change.files) > shown:
            face.line(style.dim(f"  … {count(len(change.files) - shown, 'more file')} (--all lists them)"))
        if change.problem:
            face.warn(f"{change.path}: {change.problem}")
    if (found.old, found.new) == ("recorded", "work tree"):
        face.hint("axil add records the changes")
    if len(found.paths) > 1:
        face.line(style.dim(f"{found.added:,} added, {found.removed:,} removed, {found.changed:,} changed"))

"""Start a new experiment and go there: from this one, from another one, or from a run.

axil fork NAME                 a branch NAME from here; uncommitted changes come along
axil fork +SUFFIX              a branch CURRENT_SUFFIX
axil fork NAME --from RUN      with exactly the code, parameters, data and outputs of that run
"""

from __future__ import annotations

from axil.base.ids import short
from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json, add_message, add_set, completing
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.fork import Forked
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME|+SUFFIX", help="what characterises the change")
    add_message(parser, "the hypothesis: why this should help")
    action = parser.add_argument("--from", dest="source", metavar="EXP|RUN", default="", help="fork from there")
    completing(action, "targets")
    parser.add_argument("--checkpoint", action="store_true", help="start from the checkpoint that the run left")
    add_set(parser)
    add_json(parser)


def _load() -> None:
    """Load the action, while git looks for the project."""
    import axil.actions.fork  # noqa: F401


def run(args: argparse.Namespace, face: Face) -> int:
    project = face.project(_load)
    from axil.actions.fork import fork

    value = fork(
        project,
        args.name,
        why=args.message,
        source=args.source,
        checkpoint=args.checkpoint,
        assignments=args.assignments,
        progress=face.progress(),
    )
    face.show(value, render)
    return 0


def render(face: Face, value: Forked) -> None:
    style = face.style
    origin = f"run {short(value.run)} of {value.parent}" if value.run else value.parent
    face.line(f"on {style.bold(safe(value.name))}{style.dim(f', forked from {safe(origin)}')}")
    for path in value.unavailable:
        face.warn(f"{path} is not in the store any more; `axil run` makes it again")
    for kept in value.saved:
        face.note(f"saved first: {safe(kept.description)}, {kept.oid[:12]}; `axil undo` brings it back")
    if value.params:
        face.line(style.dim(f"  committed: {', '.join(map(safe, value.params))}"))

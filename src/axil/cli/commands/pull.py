"""Fetch, move the current experiment forward, and bring its data and its newest good outputs.

A branch that went another way here than there is left alone: the message says which git command merges it. `axil undo`
takes a pull back.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_force, add_git_remote, add_json, add_remote
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.pull import Pulled
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_remote(parser)
    add_git_remote(parser)
    add_force(parser, "go on even if edits would be lost; they are saved first, and undo brings them back")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.pull import pull

    value = pull(face.project(), remote=args.remote, git=args.git, force=args.force, progress=face.progress())
    face.show(value, render)
    return 0


def render(face: Face, value: Pulled) -> None:
    from axil.cli.commands.fetch import news
    from axil.cli.commands.switch import remarks, words_of

    news(face, value.git, tuple(one for one in value.changes if one.name != value.experiment), value.runs)
    if value.trouble:
        face.warn(value.trouble)
    steps = [f"{fmt.count(value.moved, 'new commit')} from {value.git}"] if value.moved else []
    if not value.there:
        steps.append(f"not at {value.git} yet: axil push shares it")
    if value.ahead:
        steps.append(f"{fmt.count(value.ahead, 'commit')} not at {value.git} yet")
    moved = words_of(value.switched)
    facts = ", ".join([*steps, *([moved] if moved else [])]) or "up to date"
    face.line(f"{face.style.bold(safe(value.experiment))}  {facts}")
    remarks(face, value.switched)

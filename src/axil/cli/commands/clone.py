"""Bring a project here: git's clone, the record of all runs, and the data of the current experiment.

Every experiment is visible at once (axil tree, axil runs); the data of the others come when you switch to them.
"""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_json
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.clone import Cloned
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the git repository, as for git clone")
    parser.add_argument("folder", metavar="DIR", nargs="?", default="", help="where to (default: its name)")
    parser.add_argument(
        "--remote-url",
        metavar="URL",
        default="",
        help="where this machine finds the storage remote, if not where axil.toml says",
    )
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.clone import clone

    value = clone(
        face.cwd,
        args.url,
        args.folder,
        environ=face.env,
        remote_url=args.remote_url,
        equip=face.equip,
        ask=face.can_ask,
        progress=face.progress(),
    )
    face.show(value, lambda face, value: render(face, value, face.cwd))
    return 0


def render(face: Face, value: Cloned, cwd: str) -> None:
    from axil.cli.commands.switch import remarks, words_of

    style = face.style
    where = os.path.relpath(value.root, os.path.realpath(cwd))
    facts = f"{fmt.count(value.experiments, 'experiment')}, {fmt.count(value.runs, 'run')}"
    face.line(f"cloned to {style.bold(safe(where))}  {style.dim(facts)}")
    if value.switched is not None:
        moved = words_of(value.switched)
        face.line(f"on {style.bold(safe(value.experiment))}" + style.dim(f"  {moved}" if moved else ""))
        remarks(face, value.switched)
    for trouble in value.trouble:
        face.warn(trouble)
    if value.trouble:
        face.note(f"the code is here all the same; once that is mended: cd {safe(where)} && axil pull")
    else:
        face.hint(f"next: cd {where} && axil status")

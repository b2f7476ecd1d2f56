"""Start using axil in a git repository: writes axil.toml and stages it; nothing else is changed."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_json

if TYPE_CHECKING:
    import argparse

    from axil.actions.init import Initialised
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="", help="the project's name (default: the folder's)")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.init import init

    face.show(init(face.cwd, face.env, name=args.name), render)
    return 0


def render(face: Face, value: Initialised) -> None:
    if value.already:
        face.line(f"{value.root} is already an axil project")
        return
    face.line(f"{value.name} is an axil project now: axil.toml is written and staged")
    face.hint("next: axil add PATH for data, axil stage add NAME -- CMD for a step, then axil run")

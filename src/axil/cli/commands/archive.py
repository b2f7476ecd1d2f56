"""Put experiments aside: out of `git branch` and `axil tree`, with their runs and data kept."""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_experiment, add_json

if TYPE_CHECKING:
    import argparse

    from axil.actions.archive import Moved
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_experiment(parser, "names", nargs="+")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.archive import archive

    project = face.project()
    face.show([archive(project, name) for name in args.names], render)
    return 0


def render(face: Face, values: list[Moved]) -> None:
    for name, _ in values:
        face.line(f"archived {name}; bring it back with `axil restore {name}`")

"""Delete experiments. Their runs stay recorded; `axil undo` brings the branch back."""

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
    from axil.actions.delete import delete

    project = face.project()
    face.show([delete(project, name) for name in args.names], render)
    return 0


def render(face: Face, values: list[Moved]) -> None:
    for name, commit in values:
        face.line(f"deleted {name} (was {commit[:9]}); undo with `axil undo`")

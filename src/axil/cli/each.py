"""Commands that do one thing to each of several experiments: archive, restore, delete."""

from __future__ import annotations

from collections.abc import Callable

from axil.base.light import TYPE_CHECKING
from axil.cli.options import add_experiment, add_json

if TYPE_CHECKING:
    import argparse

    from axil.actions.archive import Moved
    from axil.cli.face import Face
    from axil.project import Project


def configure(parser: argparse.ArgumentParser) -> None:
    """One or more experiments, and `--json`."""
    add_experiment(parser, "names", nargs="+")
    add_json(parser)


def do(args: argparse.Namespace, face: Face, action: Callable[[Project, str], Moved], words: str) -> int:
    """Call `action` for each name and say `words`, in which {name} and {commit} stand for what was moved."""

    def render(face: Face, values: list[Moved]) -> None:
        for name, commit in values:
            face.line(words.format(name=name, commit=commit[:9]))

    project = face.project()
    face.show([action(project, name) for name in args.names], render)
    return 0

"""Go to another experiment: its code, its tracked data and the outputs of its newest good run.

`axil switch -` goes back to the previous one; the current name brings data and outputs back in line.
"""

from __future__ import annotations

from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_experiment, add_force, add_json
from axil.cli.style import safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.switch import Switched
    from axil.cli.face import Face


def configure(parser: argparse.ArgumentParser) -> None:
    add_experiment(parser, "name", "the experiment, or - for the previous one")
    add_force(parser, "go even if edits would be lost; they are saved first, and undo brings them back")
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    project = face.project(_load)
    from axil.actions.switch import switch

    face.show(switch(project, args.name, force=args.force, progress=face.progress()), render)
    return 0


def _load() -> None:
    import axil.actions.switch
    import axil.store.place  # noqa: F401


def render(face: Face, value: Switched) -> None:
    moved = words_of(value)
    face.line(f"on {face.style.bold(safe(value.experiment))}{face.style.dim(f'  {moved}' if moved else '')}")
    remarks(face, value)


def words_of(value: Switched) -> str:
    """How many files moved; "" if none did."""
    counts = ((value.written, "written"), (value.removed, "removed"))
    return ", ".join(f"{fmt.count(count, 'file')} {word}" for count, word in counts if count)


def remarks(face: Face, value: Switched) -> None:
    """What could not be brought back, and what was put aside."""
    for path in value.unavailable:
        face.warn(f"{path} is not in the store any more; `axil run` makes it again")
    for kept in value.saved:
        face.note(f"saved first: {safe(kept.description)}, {kept.oid[:12]}; `axil undo` brings it back")
    if value.message:
        face.warn(value.message)

"""Write down words about an experiment or a run."""

from __future__ import annotations

from axil.actions.experiments import is_experiment
from axil.actions.operation import Step, perform
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import BadInput

if TYPE_CHECKING:
    from axil.project import Project


class Noted(NamedTuple):
    """What the note is about ("experiment" or "run", and its name or whole id), and the note."""

    kind: str
    target: str
    text: str


def note(project: Project, target: str, text: str) -> Noted:
    """Record `text` about the experiment or run `target` (a unique part of a run id is enough)."""
    from axil.formats.record import Note

    text = text.strip()
    if not text:
        raise BadInput("the note is empty", "", f'write it in quotes: axil note {target} "what you saw"')
    kind, name = ("experiment", target) if is_experiment(project, target) else project.journal.resolve(target)
    perform(project, f"note {name}", Step(records=(lambda stamp: Note(**stamp, target=name, text=text),)))
    return Noted(kind, name, text)

"""Names of new experiments: what git allows, what the project asks for, and what is free."""

from __future__ import annotations

import re

from axil.actions.experiments import HEADS, TRACKING
from axil.base.light import TYPE_CHECKING
from axil.errors import BadInput
from axil.formats.project import FILE
from axil.git.refs import check_name, conflict, list_refs

if TYPE_CHECKING:
    from axil.project import Project


def check_new_name(project: Project, name: str) -> None:
    """Raise `BadInput` unless an experiment can be made with that name."""
    check_name(name)
    pattern = project.file.name_pattern
    if pattern and not re.fullmatch(pattern, name):
        raise BadInput(
            f"“{name}” is not a name this project allows",
            f"{FILE} asks for names that match {pattern}",
            "choose another name, or change [experiments] names",
        )
    for ref in list_refs(project.git, HEADS, TRACKING):
        if ref.startswith(TRACKING):
            remote, _, there = ref.removeprefix(TRACKING).partition("/")
            if there == name:
                raise BadInput(
                    f"there is an experiment {name} already", f"it is at the git remote {remote}", f"axil switch {name}"
                )
            continue
        if ref == HEADS + name:
            raise BadInput(f"there is an experiment {name} already", "", f"go to it with axil switch {name}")
        if ref.startswith(f"{HEADS}{name}/") or f"{HEADS}{name}".startswith(ref + "/"):
            raise conflict(ref, HEADS + name)

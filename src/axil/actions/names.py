"""Names of new experiments: what git allows, what the project asks for, and what is free."""

from __future__ import annotations

import re
from collections.abc import Callable

from axil.actions.experiments import HEADS, TRACKING
from axil.base.light import TYPE_CHECKING
from axil.errors import BadInput
from axil.formats.project import FILE
from axil.git.refs import begin_list_refs, check_name, conflict, split_tracked

if TYPE_CHECKING:
    from axil.project import Project


def check_new_name(project: Project, name: str) -> None:
    """Raise `BadInput` unless an experiment can be made with that name."""
    begin_check_name(project, name)()


def begin_check_name(project: Project, name: str) -> Callable[[], None]:
    """`check_new_name` in two parts: whether the name is free is asked now and said when the answer is called."""
    check_name(name)
    pattern = project.file.name_pattern
    if pattern and not re.fullmatch(pattern, name):
        raise BadInput(
            f"“{name}” is not a name this project allows",
            f"{FILE} asks for names that match {pattern}",
            "choose another name, or change [experiments] names",
        )
    refs = begin_list_refs(project.git, HEADS, TRACKING)

    def check() -> None:
        for ref in refs():
            if ref.startswith(TRACKING):
                _refuse_remote(project, name, ref.removeprefix(TRACKING))
            elif ref == HEADS + name:
                raise BadInput(f"there is an experiment {name} already", "", f"go to it with axil switch {name}")
            elif ref.startswith(f"{HEADS}{name}/") or f"{HEADS}{name}".startswith(ref + "/"):
                raise conflict(ref, HEADS + name)

    return check


def _refuse_remote(project: Project, name: str, tracked: str) -> None:
    """Raise `BadInput` if `tracked` is the branch `name` of a git remote."""
    if not tracked.endswith(f"/{name}"):
        return
    from axil.git.remote import remotes

    remote, there = split_tracked(tracked, remotes(project.git))
    if there != name:
        return
    if now := project.journal.renamed().get(name):
        raise BadInput(
            f"the git remote {remote} still has the branch {name}",
            f"that is how {now} was called",
            f"choose another name, or delete it there: git push {remote} --delete {name}",
        )
    raise BadInput(f"there is an experiment {name} already", f"it is at the git remote {remote}", f"axil switch {name}")

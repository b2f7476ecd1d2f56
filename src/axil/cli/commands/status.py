"""Say what changed in code and data, and what `axil run` would do and why."""

from __future__ import annotations

from axil.base.ids import short
from axil.base.light import TYPE_CHECKING
from axil.cli import format as fmt
from axil.cli.options import add_json
from axil.cli.style import clean, safe

if TYPE_CHECKING:
    import argparse

    from axil.actions.status import DataStatus, ProjectStatus, StageStatus
    from axil.cli.face import Face

SHOWN = 10
_WORDS = {"A": "new", "M": "changed", "D": "deleted", "R": "renamed", "C": "copied", "T": "changed", "?": "untracked"}
_STATES = {"clean": "dim", "changed": "yellow", "missing": "red", "outdated": "yellow"}
ACTIONS = {
    "run": ("run", "yellow"),
    "restore": ("restore", "cyan"),
    "current": ("ok", "dim"),
    "waits": ("later", "dim"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace, face: Face) -> int:
    from axil.actions.status import status

    value = status(face.project(), progress=face.progress())
    for lost in value.adopted:
        face.note(f"run {short(lost)} had been killed: recorded as lost")
    face.show(value, render)
    return 0


def render(face: Face, value: ProjectStatus) -> None:
    _heading(face, value)
    _code(face, value)
    _data(face, value.data)
    stages(face, value.stages)
    if value.problem:
        what, why, hint = (clean(words) for words in value.problem)
        face.warn("\n  ".join(filter(None, (what, why, f"hint: {hint}" if hint else ""))))


def _heading(face: Face, value: ProjectStatus) -> None:
    style = face.style
    if value.experiment is None:
        face.line(f"on no experiment: HEAD is detached at {(value.commit or '')[:9]}")
    else:
        origin = style.dim(f"  from {safe(value.parent)}") if value.parent else ""
        face.line(f"experiment {style.bold(safe(value.experiment))}{origin}")
    if value.hypothesis:
        face.line(style.dim(f"  {safe(value.hypothesis)}"))
    if value.commit is None:
        face.line(style.dim("  no commit yet"))


def _code(face: Face, value: ProjectStatus) -> None:
    style = face.style
    for path in value.conflicts:
        face.line(f"  {style.red('conflict')}  {safe(path)}")
    if not value.code:
        face.line(f"code    {style.dim('nothing uncommitted')}")
        return
    face.line(f"code    {fmt.count(len(value.code), 'uncommitted change')}")
    for change in value.code[:SHOWN]:
        word = _WORDS.get(change.code.strip(".")[:1], "changed")
        face.line(f"  {style.dim(f'{word:<9}')} {safe(change.path)}")
    if len(value.code) > SHOWN:
        face.line(style.dim(f"  … and {len(value.code) - SHOWN} more: git status"))


def _data(face: Face, data: tuple[DataStatus, ...]) -> None:
    style = face.style
    for one in data:
        facts = f"{fmt.count(one.files, 'file')}, {fmt.size(one.size)}"
        state = style.color(_STATES[one.state], one.state)
        counts = ((one.added, "+"), (one.removed, "−"), (one.changed, "~"))
        detail = "".join(f" {sign}{count}" for count, sign in counts if count)
        face.line(f"data    {safe(one.path)}  {state}{detail}  {style.dim(facts)}")
        for path, kind in one.paths[:SHOWN]:
            face.line(f"  {style.dim(f'{kind:<9}')} {safe(path)}")
        if one.state == "outdated":
            face.hint(f"  the pointer changed (git checkout, merge?): axil materialise {one.path}")
        elif one.state == "missing":
            face.hint(f"  bring it back: axil materialise {one.path}")
        elif one.state == "changed":
            face.hint(f"  save it: axil add {one.path}")


def stages(face: Face, decisions: tuple[StageStatus, ...]) -> None:
    """One line a stage: what happens to it, and why; shared with `axil run -n`."""
    width = max((len(one.name) for one in decisions), default=0)
    for one in decisions:
        word, color = ACTIONS[one.action]
        face.line(f"{face.style.color(color, f'{word:<7}')} {one.name:<{width}}  {face.style.dim(safe(one.reason))}")

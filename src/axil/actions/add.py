"""Put files and folders under axil's care: bytes to the store, a pointer and a `.gitignore` line to git."""

from __future__ import annotations

import os
from collections.abc import Sequence

from axil.actions.operation import Step, data_moves, file_moves, log, read_file
from axil.actions.tracking import pointers
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data import save
from axil.errors import AxilError, BadInput
from axil.formats.pointer import Pointer
from axil.git.worktree import stage, tracked

if TYPE_CHECKING:
    from axil.project import Project


class Added(NamedTuple):
    """A tracked path as it is saved now."""

    path: str
    kind: str
    oid: str
    size: int
    files: int
    state: str
    """ "new", "changed" or "unchanged"."""


def project_path(project: Project, path: str) -> str:
    """The project path of the absolute `path`. Raises `BadInput` if it is outside the project or its root."""
    # The folder is resolved, the last step is not: a link itself is what the user named.
    folder, name = os.path.split(path.rstrip(os.sep) or path)
    real = os.path.join(os.path.realpath(folder), name)
    found = os.path.relpath(real, os.path.realpath(project.root))
    if found == os.curdir:
        raise BadInput("the whole project cannot be tracked", "git keeps the code", "name the folders that hold data")
    if found.split(os.sep)[0] == os.pardir:
        raise BadInput(f"{path} is outside the project", f"the project is {project.root}", "copy or move it inside")
    return found.replace(os.sep, "/")


def add(project: Project, paths: Sequence[str], *, progress: Progress = SILENT) -> tuple[Added, ...]:
    """Save the absolute `paths` (all tracked data if there are none) and stage their pointers.

    Raises `BadInput` or `NotFound` before anything is changed: files that git tracks, outputs of stages, paths
    outside the project, links that lead out, special files.
    """
    known = pointers(project)
    names = [project_path(project, path) for path in paths] or list(known)
    names = list(dict.fromkeys(names))
    for name in names:
        save.check_addable(project.root, name, {*known, *names})
    _check(project, [name for name in names if name not in known])
    files = {file for name in names for file in save.files_of(name)}
    before = {file: read_file(project, file) for file in sorted(files)}
    tracked_before = project.index.all_tracked()
    saved = save.add(project.index, project.store, project.root, names, tracked=known, progress=progress)
    settled = [name for name in names if paths and saved[name] == known.get(name)]
    if settled:
        # Who names data that has not changed wants to be sure: objects the store has lost are put there again.
        save.add(project.index, project.store, project.root, settled, tracked=known, recheck=True, progress=progress)
    moves = file_moves(project, before, {file: read_file(project, file) for file in before})
    if moves:
        data = data_moves((name, tracked_before.get(name), pointer) for name, pointer in saved.items())
        log(project, "add " + " ".join(names), Step(files=moves, data=data, keeps_data=True))
    # Also if nothing changed: a killed `axil add` may have written pointers that git does not know yet. By force,
    # because the user's own rules often leave out the whole folder, pointer included.
    _stage(project, [file for file in before if read_file(project, file) is not None])
    return tuple(_added(name, known.get(name), pointer) for name, pointer in saved.items())


def _stage(project: Project, files: Sequence[str]) -> None:
    try:
        stage(project.git, files, force=True)
    except AxilError as error:
        why = f"the data is saved and {', '.join(files)} written, but git could not stage them: {error.what}"
        raise AxilError(
            "the pointers are not staged", why, "give the same command again, or take it back: axil undo"
        ) from None


def _check(project: Project, names: Sequence[str]) -> None:
    """Refuse what somebody else keeps already: git, or a stage."""
    from shlex import quote

    in_git = tracked(project.git, names) if names else set()
    for name in names:
        inside = sorted(path for path in in_git if path == name or path.startswith(name + "/"))
        if inside:
            raise BadInput(
                f"{name} is tracked by git already",
                f"git has {inside[0]}" + (f" and {len(inside) - 1} more files in it" if len(inside) > 1 else ""),
                f"take it out of git, the files stay: git rm -r --cached {quote(name)} && axil add {quote(name)}",
            )
        for stage_ in project.file.stages.values():
            for out in stage_.made:
                if name == out or name.startswith(out + "/") or out.startswith(name + "/"):
                    raise BadInput(
                        f"{name} and the output {out} of stage {stage_.name} overlap",
                        "what a stage makes is kept with its runs",
                        "track only what no stage makes",
                    )


def _added(name: str, before: Pointer | None, now: Pointer) -> Added:
    state = "new" if before is None else "unchanged" if before == now else "changed"
    return Added(name, now.kind, now.oid.hex(), now.size, now.files, state)

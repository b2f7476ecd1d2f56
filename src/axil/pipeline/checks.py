"""Mistakes in a stage that are found before anything runs, told with file, line and the closest right name."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Collection, Iterable

from axil.errors import BadInput
from axil.formats.params import select
from axil.formats.pointer import SUFFIX
from axil.formats.project import FILE, Stage, suggest
from axil.pipeline.graph import Graph, covering
from axil.pipeline.load import Params


def check_stage(root: str, graph: Graph, stage: Stage, params: Params, given: Collection[str] = ()) -> None:
    """Raises `BadInput` if a dependency that no stage makes, a parameter or the work folder of `stage` is missing.

    What lies at or below one of `given` need not be there yet.
    """
    for dep in stage.deps:
        # A folder that only ever holds outputs need not be there yet, so any output in it is enough.
        if not graph.sources(dep) and not covering(dep, given) and not os.path.exists(os.path.join(root, dep)):
            raise missing_dep(root, graph, stage, dep)
    if stage.params:
        _, missing = select(params.flat, stage.params)
        if missing:
            raise _missing_param(stage, missing[0], params)
    if stage.cwd and not os.path.isdir(os.path.join(root, stage.cwd)):
        raise BadInput(
            f"{place(stage)}: stage {stage.name} cannot run in {stage.cwd}",
            "there is no such folder",
            _closest(root, stage.cwd, ()) or f"make it: mkdir -p {stage.cwd}",
        )


def place(stage: Stage) -> str:
    """Where the stage is written: file and, if known, line."""
    return f"{FILE} line {stage.line}" if stage.line else FILE


def holds_bytes(root: str, path: str) -> bool:
    """Whether the project path is a file or folder, or a link to one, and no pipe, socket or device."""
    mode = os.stat(os.path.join(root, path)).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def missing_dep(root: str, graph: Graph, stage: Stage, dep: str, maker: str = "") -> BadInput:
    """The error to raise: `stage` depends on `dep`, which is not there (although the stage `maker` should make it)."""
    what = f"{place(stage)}: stage {stage.name} depends on {dep}, which does not exist"
    if maker:
        return BadInput(what, f"stage {maker} did not make it", f"look at what {maker} writes: axil logs, axil graph")
    tracked = covering(dep, _tracked_above(root, dep))
    if tracked is not None:
        why = f"{tracked} is tracked data ({tracked}{SUFFIX}), but it is not in the work tree"
        return BadInput(what, why, f"put it back: axil materialise {dep}")
    known = [*graph.makers, *(path for other in graph.stages.values() for path in other.deps if path != dep)]
    hint = _closest(root, dep, known) or f"correct it in {FILE}, or add the data: axil add {dep}"
    return BadInput(what, "no stage makes it, and it is not in the project", hint)


def _tracked_above(root: str, path: str) -> list[str]:
    found = []
    while path:
        if os.path.isfile(os.path.join(root, path + SUFFIX)):
            found.append(path)
        path = path.rpartition("/")[0]
    return found


def _closest(root: str, path: str, known: Iterable[str]) -> str:
    """A hint with paths that are spelled like `path`, from `known` and from the deepest folder of it that exists."""
    folder = posixpath.dirname(path)
    while folder and not os.path.isdir(os.path.join(root, folder)):
        folder = posixpath.dirname(folder)
    try:
        names = os.listdir(os.path.join(root, folder))[:10_000]
    except OSError:
        names = []
    beside = (posixpath.join(folder, name) for name in names if not name.startswith("."))
    return suggest(path, dict.fromkeys([*known, *beside]))


def _missing_param(stage: Stage, key: str, params: Params) -> BadInput:
    what = f"{place(stage)}: stage {stage.name} uses the parameter `{key}`, which does not exist"
    if not params.path:
        return BadInput(what, "the project has no params file", "make params.yaml with it, or correct axil.toml")
    prefixes = {name[:end] for name in params.flat for end in range(len(name) + 1) if name[end : end + 1] in ("", ".")}
    hint = suggest(key, sorted(prefixes))
    return BadInput(what, f"{params.path} has no such key", hint or f"add it: axil run --set +{key}=…")

"""Make a git repository an axil project."""

from __future__ import annotations

import os
from collections.abc import Mapping

from axil.base.atomic import write_atomic
from axil.base.clock import Clock, system_clock
from axil.base.light import NamedTuple
from axil.errors import BadInput
from axil.formats.project import FILE
from axil.git.repository import discover_with_head
from axil.git.worktree import stage
from axil.project import Project

_TEMPLATE = """\
# What axil runs and how results are judged. `axil stage add --help` tells more.
[project]
name = {name}
# The metrics by which experiments are compared; the first one is the headline.
# metrics = {{ f1 = "max", loss = "min" }}

# [stages.train]
# cmd = "python train.py"
# deps = ["data/raw"]            # imported modules are found, not listed
# params = ["train"]             # keys of params.yaml
# outs = ["models/model.npz"]
# metrics = ["metrics.json"]
"""


class Initialised(NamedTuple):
    """The project's folder, its name, and whether it was a project before."""

    root: str
    name: str
    already: bool


def init(start: str, environ: Mapping[str, str], *, name: str = "", clock: Clock = system_clock) -> Initialised:
    """Write and stage axil.toml at the root of the repository that holds `start`; an existing one is kept.

    Raises `NotFound` where there is no git repository and `BadInput` if axil.toml is something else than a file.
    """
    project = Project(*discover_with_head(start), environ, clock)
    path = project.path(FILE)
    os.makedirs(project.home, exist_ok=True)
    if os.path.isfile(path):
        return Initialised(project.root, project.file.name or _folder_name(project), True)
    if os.path.lexists(path):
        raise BadInput(f"{FILE} is not a file", f"{path} is in the way", "move it and try again")
    name = name or _folder_name(project)
    write_atomic(path, _TEMPLATE.format(name=_quoted(name)).encode())
    stage(project.git, [FILE])
    return Initialised(project.root, name, False)


def _folder_name(project: Project) -> str:
    return os.path.basename(project.root)


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    import json

    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)

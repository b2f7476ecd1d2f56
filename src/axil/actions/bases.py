"""What runs are made from, read back from a git tree instead of the user's work tree."""

from __future__ import annotations

from collections.abc import Mapping

from axil.actions.submit import Base
from axil.actions.tracking import pointers_at
from axil.base.light import TYPE_CHECKING
from axil.errors import BadInput, NotFound
from axil.formats import params
from axil.formats import project as projects
from axil.git.catfile import CatFile
from axil.pipeline.graph import build
from axil.pipeline.load import parse_params
from axil.runs.outputs import pointer_of
from axil.runs.stage import output

if TYPE_CHECKING:
    from axil.formats.record import Output
    from axil.journal.rows import Value
    from axil.project import Project


def base_at(project: Project, tree: str, data: Mapping[str, Output] = {}) -> Base:
    """Code, parameters and tracked data as the git tree (or commit) `tree` has them; `data` is what it does not tell.

    Commit, experiment, author and targets are left empty. Raises `NotFound` if there is no project in it, `BadInput`
    for a broken axil.toml or pointer.
    """
    with CatFile(project.git) as cat:
        toml = cat.blob(f"{tree}:{projects.FILE}")
        if toml is None:
            raise NotFound(f"there is no {projects.FILE} in {tree[:9]}")
        try:
            file = projects.parse(toml.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise BadInput(f"{projects.FILE} is not UTF-8", str(error)) from None
        names = [file.params_file] if file.params_file else params.NAMES
        found = ((name, cat.blob(f"{tree}:{name}")) for name in names)
        path, content = next(((name, one) for name, one in found if one is not None), ("", b""))
    known = pointers_at(project, tree)
    return Base(
        snapshot=tree,
        commit="",
        experiment="",
        author="",
        params_file=path,
        params=content,
        graph=build(file.stages),
        targets=(),
        data={**{name: output(pointer) for name, pointer in known.items()}, **data},
        edited=tuple(name for name, out in data.items() if pointer_of(out) != known.get(name)),
    )


def flat_of(project: Project, base: Base) -> Mapping[str, Value]:
    """The parameters of `base`, dotted key -> value."""
    return parse_params(base.params_file, base.params, project.index) if base.params_file else {}

"""The commit that holds a translated DVC project, and what is to be said about it."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence

from axil.actions.import_dvc_source import read
from axil.base.light import TYPE_CHECKING
from axil.data.ignore import NAME, pattern, taken_over
from axil.data.pointers import nested_in, pointer_path
from axil.errors import BadInput
from axil.formats.pointer import Pointer, render
from axil.formats.project import FILE
from axil.formats.project_text import render as render_project
from axil.git.commits import commit_tree
from axil.imports.dvc.project import Translation
from axil.imports.dvc.sections import Row
from axil.imports.dvc.stages import InGit

if TYPE_CHECKING:
    from axil.project import Project


def commit(
    project: Project,
    base: str,
    found: Translation,
    pointers: Mapping[str, Pointer],
    spent: Sequence[str],
    git: InGit,
) -> str:
    """The commit with the translated project, on top of `base`; no ref points at it yet."""
    from axil.git.trees import changed_tree

    files = {FILE: render_project(found.file, found.comments, _head(project, found)).encode()}
    files |= {pointer_path(path): render(pointer) for path, pointer in pointers.items()}
    if taken := sorted(files.keys() & git.names):
        raise BadInput(f"{taken[0]} is in git already", "it is where axil would write", "move it and try again")
    outs = {path for stage in found.file.stages.values() for path in stage.outs}
    ignores = _ignores(project, {*pointers, *filter(git.has, outs)}, _made(found))
    files |= {path: data for path, data in ignores.items() if data}
    deletes = [*spent, *(name for name in git.names if name in outs or nested_in(name, outs))]
    deletes += [path for path, data in ignores.items() if not data and path in git.names]
    tree = changed_tree(project.git, base, files, dict.fromkeys(deletes))
    return commit_tree(project.git, tree, [base], "Import the DVC project into axil\n")


def _made(found: Translation) -> set[str]:
    return {path for stage in found.file.stages.values() for path in stage.made}


def _head(project: Project, found: Translation) -> list[str]:
    """What stands in axil.toml about metrics: which way is better, only people know."""
    if not found.metrics:
        return []
    return [
        "Which way is better? The first metric is the headline.",
        f"metrics = {{ {', '.join(_metric_names(project, found))} }}",
    ]


def _metric_names(project: Project, found: Translation) -> list[str]:
    """`NAME = "max"` for each metric in files that are there, or for one that is to be named."""
    import json

    from axil.formats import metrics

    names: dict[str, None] = {}
    for path in found.metrics:
        try:
            data = read(project, path)
            names |= dict.fromkeys(metrics.parse(data, path) if data else ())
        except BadInput:
            continue
    return [f'{json.dumps(name)} = "max"' for name in list(names)[:8]] or ['NAME = "max"']


def _ignores(project: Project, own: Collection[str], moved: Collection[str]) -> dict[str, bytes]:
    """Every `.gitignore` in which lines become axil's: all for `own`, for `moved` those that are there."""
    lines: dict[str, tuple[set[bytes], set[bytes]]] = {}
    for place, paths in enumerate((own, moved)):
        for path in paths:
            name = posixpath.join(posixpath.dirname(path), NAME)
            lines.setdefault(name, (set(), set()))[place].add(pattern(path))
    files: dict[str, bytes] = {}
    for name, (wanted, there) in sorted(lines.items()):
        old = read(project, name) or b""
        new = taken_over(old, wanted, there)
        if new != old:
            files[name] = new
    return files


def advice(project: Project, found: Translation) -> Iterator[Row]:
    """What the user has to know or do afterwards."""
    if found.metrics:
        line = f"metrics = {{ {', '.join(_metric_names(project, found))} }}"
        why = f'DVC does not say which way is better: add under [project] in {FILE}, with "min" where less is: {line}'
        yield Row("setting", "metrics", "", (why,))
    if found.file.stages:
        why = "results are not taken over: DVC notes no code, which belongs to a result; the first `axil run` runs all"
        yield Row("setting", "dvc.lock", "", (why,))

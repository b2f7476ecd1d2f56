"""What stands at the top of dvc.yaml: metrics and plots of outputs that stages make, and what axil has no word for."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator, Mapping

from axil.base.light import Any, NamedTuple
from axil.formats.project import Stage
from axil.imports.dvc.expand import Template
from axil.imports.dvc.files import project_path
from axil.imports.dvc.interpolate import Unresolved
from axil.imports.dvc.stages import is_metrics, some

MAX_PARTS = 50
"""A folder is named part by part only if it falls into few parts."""


class Row(NamedTuple):
    """One thing of the DVC project and what became of it."""

    kind: str
    """stage, data, remote or setting."""
    source: str
    became: str
    """"" if nothing: then the remarks say why."""
    remarks: tuple[str, ...] = ()


class Sections:
    """The metrics and plots named at the top of dvc.yaml files."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}
        """Path -> metrics or plots."""
        self.rows: list[Row] = []

    def read(self, template: Template, source: str) -> bool:
        """Take what stands in `template`; says whether that was all there is."""
        drawn: list[str] = []
        for name in ("metrics", "plots"):
            try:
                items = template.section(name)
            except Unresolved as error:
                self.rows.append(Row("setting", f"{source}: {name}", "", (str(error),)))
                continue
            for path, options in [pair for item in items for pair in _plots(item)]:
                self._take(name, path, template.folder, source)
                drawn += options
        if drawn:
            why = f"axil draws tables by itself; not carried over: {some(sorted(set(drawn)))}"
            self.rows.append(Row("setting", f"{source}: plots", "", (why,)))
        others = [name for name in ("artifacts", "datasets", "hydra") if template.data.get(name)]
        for name in others:
            value = template.data[name]
            names = some([str(key) for key in value]) if isinstance(value, dict) else str(len(value))
            why = f"axil has no {name}: {names}; {source} stays on the new branch for them"
            self.rows.append(Row("setting", f"{source}: {name}", "", (why,)))
        return not others

    def applied(
        self, stages: Mapping[str, Stage], listing: Callable[[str], Collection[str] | None]
    ) -> dict[str, Stage]:
        """`stages` in which outputs that are named as metrics or plots are just that.

        A folder with metrics in it is named part by part, if `listing` knows the files that it had in the last run.
        """
        changed = dict(stages)
        makers = {path: stage.name for stage in stages.values() for path in stage.made}
        inside: dict[str, list[str]] = {}
        for path, kind in self.paths.items():
            if path in makers:
                changed[makers[path]] = _moved(changed[makers[path]], path, kind)
                continue
            above = posixpath.dirname(path)
            while above and above not in makers:
                above = posixpath.dirname(above)
            if kind == "metrics" and above and is_metrics(path):
                inside.setdefault(above, []).append(path)
            elif kind == "metrics":
                self._left(path, "no stage makes it: name it under metrics of the stage that does")
        for folder, paths in inside.items():
            self._split(changed, makers[folder], folder, paths, listing(folder))
        return changed

    def _take(self, name: str, path: Any, folder: str, source: str) -> None:
        try:
            self.paths.setdefault(project_path(folder, path), name)
        except ValueError as error:
            self.rows.append(Row("setting", f"{source}: {name}", "", (f"{path}: {error}",)))

    def _left(self, path: str, why: str) -> None:
        self.rows.append(Row("setting", f"metrics: {path}", "", (why,)))

    def _split(
        self, stages: dict[str, Stage], name: str, folder: str, metrics: list[str], files: Collection[str] | None
    ) -> None:
        """Name the parts of the output `folder` of a stage, so that `metrics` can be among them."""
        stage = stages[name]
        parts = _parts({f"{folder}/{file}" for file in files or ()}, folder, set(metrics))
        if folder in stage.outs and folder not in stage.keep and set(metrics) <= parts and len(parts) <= MAX_PARTS:
            outs = [out for out in stage.outs if out != folder] + sorted(parts - set(metrics))
            stages[name] = stage._replace(outs=tuple(outs), metrics=(*stage.metrics, *metrics))
            why = f"named part by part, as it was when DVC last ran {name}: {some(sorted(parts))}"
            self.rows.append(Row("setting", f"the output {folder}", name, (why,)))
            return
        for path in metrics:
            hint = f"name the parts of {folder} one by one in axil.toml, this one under metrics"
            self._left(path, f"it lies inside {folder}, one output of stage {name}: {hint}")


def _moved(stage: Stage, path: str, kind: str) -> Stage:
    """`stage` with its output `path` as metrics or plots."""
    if path not in stage.outs or (kind == "metrics" and not is_metrics(path)):
        return stage
    stage = stage._replace(outs=tuple(out for out in stage.outs if out != path))
    if kind == "plots":
        return stage._replace(plots=(*stage.plots, path))
    return stage._replace(metrics=(*stage.metrics, path))


def _parts(files: set[str], folder: str, apart: set[str]) -> set[str]:
    """The fewest paths that cover `files` of `folder` so that those of `apart` stand alone."""
    open_folders = {folder}
    for path in apart:
        while (path := posixpath.dirname(path)) not in open_folders and path:
            open_folders.add(path)
    parts = set()
    for file in files:
        part = file
        while posixpath.dirname(part) not in open_folders:
            part = posixpath.dirname(part)
        parts.add(part)
    return parts


def _plots(item: Any) -> Iterator[tuple[Any, Collection[str]]]:
    """(path, how it is drawn) of an entry of `plots` or `metrics`; a plot may have a name and its files under `y`."""
    if not isinstance(item, dict):
        yield item, ()
        return
    for name, options in item.items():
        table = options if isinstance(options, dict) else {}
        files_of_y = table.get("y")
        if isinstance(files_of_y, dict):
            rest = {key: value for key, value in table.items() if key != "y"}
            yield from ((path, rest) for path in files_of_y)
        else:
            yield name, table

"""The stages of axil.toml: listing them, and adding one without touching the rest of the file."""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import BadInput, Blocked

if TYPE_CHECKING:
    from axil.formats.project import Stage
    from axil.project import Project


class StageAdded(NamedTuple):
    """What was written to axil.toml, and what the user may have to do next."""

    stage: Stage
    replaced: bool
    after: tuple[str, ...]
    """The stages it will wait for."""
    missing: tuple[str, ...]
    """Deps that do not exist and that no stage makes."""
    unknown_params: tuple[str, ...]
    """Param keys that the params file does not have."""


def stages(project: Project) -> tuple[Stage, ...]:
    """The stages in running order. Raises `BadInput` if axil.toml has stages that cannot be ordered."""
    from axil.pipeline.graph import build

    return tuple(build(project.file.stages).stages.values())


def add_stage(project: Project, stage: Stage, *, force: bool = False) -> StageAdded:
    """Write `stage` to axil.toml (atomically; comments and order stay) after checking the graph it makes.

    Raises `Blocked` if a stage of that name exists and not `force`, `BadInput` for a bad stage or graph; then nothing
    is changed.
    """
    from axil.actions.operation import Step, file_moves, log, read_file
    from axil.actions.tracking import pointers
    from axil.base.atomic import write_atomic
    from axil.formats import project_text
    from axil.formats.project import FILE
    from axil.pipeline.graph import build, check_tracked

    replaced = stage.name in project.file.stages
    if replaced and not force:
        line = project.file.stages[stage.name].line
        raise Blocked(
            f"there is a stage {stage.name} already",
            f"it is in {FILE}, line {line}",
            "choose another name, or --force to replace it",
        )
    stage = checked(stage)
    graph = build({**project.file.stages, stage.name: stage})
    check_tracked(graph, pointers(project))
    before = {FILE: read_file(project, FILE)}
    after = {FILE: project_text.add_stage((before[FILE] or b"").decode("utf-8"), stage).encode()}
    write_atomic(project.path(FILE), after[FILE])
    if moves := file_moves(project, before, after):
        log(project, f"stage add {stage.name}", Step(files=moves))
    project.forget()
    missing = tuple(dep for dep in stage.deps if not graph.sources(dep) and not os.path.lexists(project.path(dep)))
    flat = project.params.flat
    unknown = tuple(
        key for key in stage.params if key not in flat and not any(each.startswith(f"{key}.") for each in flat)
    )
    return StageAdded(stage, replaced, graph.upstream[stage.name], missing, unknown)


def checked(stage: Stage) -> Stage:
    """`stage` with every path in its one spelling. Raises `BadInput` naming what cannot be used."""
    from axil.formats.project import check_path, check_stage_name

    try:
        check_stage_name(stage.name)
    except ValueError as error:
        raise BadInput(f"{stage.name!r} cannot be the name of a stage", str(error)) from None
    if not stage.cmd.strip():
        raise BadInput(f"stage {stage.name} has no command", "", "give it after --: -- python train.py")

    def once(key: str, paths: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(check_path(path) for path in paths))
        except ValueError as error:
            raise BadInput(f"stage {stage.name}: a path in {key} cannot be used", str(error)) from None

    stage = stage._replace(
        deps=once("deps", stage.deps),
        outs=once("outs", stage.outs),
        metrics=once("metrics", stage.metrics),
        plots=once("plots", stage.plots),
        series=once("series", stage.series),
        keep=once("keep", stage.keep),
        cwd="".join(once("cwd", (stage.cwd,))) if stage.cwd else "",
    )
    for path in stage.keep:
        if path not in stage.made:
            raise BadInput(f"stage {stage.name}: {path} cannot be kept", "it is not one of the outputs of the stage")
    return stage

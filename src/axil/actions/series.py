"""The points that a run logged step by step, and what the machine was measured to do meanwhile."""

from __future__ import annotations

import contextlib
import os

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axil.formats.record import Run
    from axil.formats.series import Point
    from axil.project import Project

SYSTEM = "system/"
"""Stands before the names of what was measured, to tell it from what the script logged."""


class Curve(NamedTuple):
    """One metric of one stage: at the same place of each tuple is one point, in the order of logging."""

    name: str
    stage: str
    steps: tuple[float, ...]
    times: tuple[float, ...]
    """Seconds since the epoch."""
    values: tuple[float, ...]


class SeriesView(NamedTuple):
    """The curves of one run."""

    run: str
    experiment: str
    state: str
    series: tuple[Curve, ...]


def series(project: Project, name: str, pattern: str = "") -> SeriesView:
    """The curves of the run `name` (of an experiment: its latest) whose names match `pattern` (`val/*`; "" for all).

    A name may stand behind its stage's: `train/loss`. Of a stage whose result was taken from another run the curves
    are that run's. What the machine was measured to do is called `system/…` and comes only if asked for. Raises
    `NotFound` for an unknown run, for one whose points are not here, and if nothing matches.
    """
    from axil.actions.targets import choose
    from axil.runs import rundir

    run = choose(project, name, succeeded=False).run
    if run is None:
        raise NotFound(f"experiment {name} has no run yet", "", "axil run makes the first one")
    for oid in (run.series, run.system):
        _bring(project, run.id, oid)
    found = _curves(points_of(project, run.id, run.series, rundir.SERIES))
    own = {(curve.stage, curve.name) for curve in found}  # A resumed run has those of its earlier attempts.
    found += [curve for curve in _taken(project, run) if (curve.stage, curve.name) not in own]
    if pattern.startswith(SYSTEM):
        found += _curves(points_of(project, run.id, run.system, rundir.SYSTEM), SYSTEM)
    chosen = [curve for curve in found if _fits(curve, pattern)]
    if pattern and not chosen:
        known = ", ".join(sorted({curve.name for curve in found})[:20])
        raise NotFound(f"run {run.id} logged no {pattern}", f"it has: {known}" if known else "it logged nothing")
    return SeriesView(run.id, run.experiment, run.state, tuple(chosen))


def _fits(curve: Curve, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    names = (curve.name, f"{curve.stage}/{curve.name}")
    return not pattern or pattern in names or any(fnmatchcase(name, pattern) for name in names)


def _taken(project: Project, run: Run) -> list[Curve]:
    """The curves of stages whose results come from other runs, so far as these are here or can be had."""
    stages: dict[str, set[str]] = {}
    for stage in run.stages:
        if stage.source:
            stages.setdefault(stage.source, set()).add(stage.name)
    found: list[Curve] = []
    for source, names in stages.items():
        with contextlib.suppress(AxilError):
            series = project.journal.run(source).series
            _bring(project, source, series)
            found += [curve for curve in _curves(points_of(project, source, series, "")) if curve.stage in names]
    return found


def points_of(project: Project, run: str, oid: str, file: str) -> Iterator[Point]:
    """The points in the object `oid`, or, as long as the run has no such, in the `file` of its folder; else none."""
    from axil.formats.series import points

    try:
        if oid:
            data = project.store.read(bytes.fromhex(oid))
        else:
            with open(os.path.join(project.runs_folder, run, file), "rb") as opened:
                data = opened.read()
    except (OSError, AxilError):
        return iter(())
    return points(data)


def _bring(project: Project, run: str, oid: str) -> None:
    """Fetch the points `oid` ("" for none) of a run, if they are not here. Raises `NotFound`."""
    from axil.actions.sharing import bring

    if not oid or project.store.has(bytes.fromhex(oid)):
        return
    if not project.remotes or bring(project, {bytes.fromhex(oid)}):
        raise NotFound(f"the points of run {run} are not here", "they are in another clone", "push them there")


def _curves(points: Iterator[Point], before: str = "") -> list[Curve]:
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for point in points:
        found.setdefault((point.stage, point.name), []).append((point.step, point.time, point.value))
    return [
        Curve(before + name, stage, *(tuple(column) for column in zip(*rows, strict=True)))
        for (stage, name), rows in found.items()
    ]

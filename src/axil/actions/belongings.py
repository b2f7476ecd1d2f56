"""What an experiment needs from the store, and for what: tracked data of its commits, what its runs made and used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from axil.actions.roots import of_blobs
from axil.actions.tracking import pointers_at
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.data.pointers import is_pointer
from axil.errors import AxilError
from axil.formats.pointer import SUFFIX
from axil.git.history import blobs_at

if TYPE_CHECKING:
    from axil.base.hashing import Oid
    from axil.journal.rows import RunRow
    from axil.project import Project

_AT_ONCE = 500


class Belonging(NamedTuple):
    """An object that an experiment needs. `current`: without it nobody can reproduce the experiment as it is now."""

    oid: Oid
    path: str
    by: str
    """In words: “digits”, “run 01K…”, “an older commit”."""
    current: bool
    experiment: str = ""
    """Of which experiment it is current."""


class Belongings(NamedTuple):
    """All of them, each object once, the current ones first; `runs` are the experiments' runs, newest first."""

    items: tuple[Belonging, ...]
    runs: tuple[RunRow, ...]
    problems: tuple[str, ...]
    """Pointers in older commits that cannot be read."""

    @property
    def oids(self) -> list[Oid]:
        """The objects."""
        return [one.oid for one in self.items]


def belongings(project: Project, tips: Mapping[str, str]) -> Belongings:
    """What the experiments `tips` (name -> commit) need.

    Current is what the newest commit tracks, and what the best and the newest good run made.
    """
    found: list[Belonging] = []
    problems: list[str] = []
    for name, tip in tips.items():
        found += [Belonging(one.oid, path, name, True, name) for path, one in pointers_at(project, tip).items()]
    rows = {name: runs_of(project, name) for name in tips}
    telling = {row.id: name for name, each in rows.items() for row in telling_runs(project, each)}
    everyone = {row.id for each in rows.values() for row in each}
    for output in project.journal.outputs() if everyone else ():
        if output.run in everyone:
            current = output.run in telling and output.role == "out"
            words = f"{output.role} of stage {output.stage}" if output.role == "log" else output.path or output.role
            name = telling[output.run] if current else ""
            found.append(Belonging(output.oid, words, f"run {short(output.run)}", current, name))
    older = {blob: min(paths) for blob, paths in blobs_at(project.git, f"*{SUFFIX}", tips.values()).items()}
    older = {**_snapshots(project, sorted(everyone)), **older}
    for root in of_blobs(project.git, older, "", problems):
        found.append(Belonging(root.oid, root.needed_by.strip(), "an older commit or a run", False))
    once: dict[Oid, Belonging] = {}
    for one in sorted(found, key=lambda one: not one.current):
        once.setdefault(one.oid, one)
    runs = sorted((row for each in rows.values() for row in each), key=lambda row: row.id, reverse=True)
    return Belongings(tuple(once.values()), tuple(runs), tuple(problems))


def runs_of(project: Project, name: str) -> list[RunRow]:
    """The runs of an experiment, newest first; none if the journal does not know it."""
    if name not in project.journal.experiments():
        return []
    return project.journal.runs(experiment=name, attempts=True)


def telling_runs(project: Project, rows: Sequence[RunRow]) -> list[RunRow]:
    """Of `rows`: the best and the newest of those that succeeded."""
    good = [row for row in rows if row.state == "succeeded"]
    best = best_run(project, good)
    return ([best] if best and best.id != good[0].id else []) + good[:1]


def best_run(project: Project, rows: Sequence[RunRow]) -> RunRow | None:
    """The succeeded run with the best headline metric; the newest if there is none."""
    metric = project.file.headline
    good = [row for row in rows if row.state == "succeeded"]
    rated = [row for row in good if not math.isnan(row.metrics.get(metric, math.nan))]
    if not rated:
        return good[0] if good else None
    lower = project.file.metrics.get(metric) == "min"
    return (min if lower else max)(rated, key=lambda row: row.metrics[metric])


def _snapshots(project: Project, runs: Sequence[str]) -> dict[str, str]:
    """Pointer files in the snapshots of `runs`: git blob -> path."""
    from axil.git.diff import ls_tree
    from axil.journal.tree import SNAPSHOT, folder

    found: dict[str, str] = {}
    for at in range(0, len(runs), _AT_ONCE):
        folders = [f"{folder('run', run)}/{SNAPSHOT}" for run in runs[at : at + _AT_ONCE]]
        try:
            entries = ls_tree(project.git, project.journal.tip, suffix=SUFFIX, paths=folders)
        except AxilError:
            continue  # A journal that lost objects: `axil verify` tells, and the runs' own records are whole.
        for entry in entries:
            inside = entry.name.partition(f"/{SNAPSHOT}/")[2]
            if is_pointer(inside) and entry.mode.startswith("100"):
                found.setdefault(entry.oid, inside)
    return found


def absent(project: Project, items: Iterable[Belonging], away: Iterable[Oid]) -> tuple[Belonging, ...]:
    """Those of `items` that are in `away`."""
    gone = set(away)
    return tuple(one for one in items if one.oid in gone)

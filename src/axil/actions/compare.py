"""Two or more experiments or runs side by side: params, metrics, code, data, outputs, environment, in one value."""

from __future__ import annotations

import contextlib

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError, UsageError
from axil.journal.rows import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from axil.actions.code import CodeFile
    from axil.actions.contents import ContentChange
    from axil.actions.replicates import Replicates
    from axil.actions.targets import Chosen
    from axil.base.statistics import Interval
    from axil.formats.pointer import Pointer
    from axil.formats.record import Run
    from axil.project import Project

LISTED = 1000
"""So many changed files of one folder are listed in a comparison; the counts are always whole."""


class Side(NamedTuple):
    """One of the things compared; `label` is how the other parts of the comparison call it."""

    label: str
    experiment: str
    run: str
    """ "" if the experiment has no run: then the tip of its branch is compared, without results."""
    why: str
    """Why this run: "named", "latest succeeded", "latest", "no run yet"."""
    state: str
    time: float
    seconds: float
    message: str
    tree: str
    """The git tree or commit that is compared."""
    group: str = ""
    """The replicates that the run is the newest of, if all of them stand for the experiment together."""
    seeds: int = 0
    """How many of them succeeded."""
    of: int = 0
    """How many there were to be."""


class ParamRow(NamedTuple):
    """A parameter: label -> value, without the sides that do not have it."""

    key: str
    values: dict[str, Value]
    changed: bool


class MetricRow(NamedTuple):
    """A metric: label -> value; `deltas` and `better` are against the first side."""

    name: str
    direction: str
    """ "max", "min", or "" if the project does not say."""
    values: dict[str, float]
    deltas: dict[str, float]
    better: dict[str, bool | None]
    changed: bool
    intervals: dict[str, Interval] = {}
    """Of sides that are replicates: mean and interval; the mean is their value."""
    within_noise: dict[str, bool] = {}
    """Where a side is replicates: whether the delta may as well be none (then it is neither better nor worse)."""


class CodeDiff(NamedTuple):
    """Files of git that differ from the first side, apart from pointers and the params file."""

    label: str
    files: tuple[CodeFile, ...]
    added: int
    """Lines."""
    removed: int
    problem: str = ""


class ContentDiff(NamedTuple):
    """Tracked data, or outputs, that differ from the first side."""

    label: str
    paths: tuple[ContentChange, ...]
    problem: str = ""


class EnvironmentRow(NamedTuple):
    """A fact of the environment, such as "python" or a package: label -> value."""

    name: str
    values: dict[str, str]
    changed: bool


class Comparison(NamedTuple):
    """One answer: the first side is the one the others are measured against."""

    sides: tuple[Side, ...]
    metrics: tuple[MetricRow, ...]
    params: tuple[ParamRow, ...]
    code: tuple[CodeDiff, ...]
    data: tuple[ContentDiff, ...]
    outputs: tuple[ContentDiff, ...]
    environment: tuple[EnvironmentRow, ...]


def compare(project: Project, names: Sequence[str], *, only_changed: bool = False) -> Comparison:
    """Compare experiments (their latest succeeded run; without runs the branch itself) and runs.

    If that run is one of several replicates, their means with their intervals stand for the experiment.
    One name is compared with the current experiment; without names the current experiment with its parent.
    Raises `UsageError` where that leaves nothing to compare, `NotFound` for an unknown name.
    """
    from axil.actions.targets import choose

    if len(names) < 2:
        names = _with_current(project, names)
    return compare_chosen(project, [choose(project, name) for name in names], only_changed=only_changed)


def _with_current(project: Project, names: Sequence[str]) -> list[str]:
    from axil.actions.targets import resolve

    current = resolve(project, "").experiment
    assert current is not None
    if names and names[0] != current.name:
        return [names[0], current.name]
    if names or current.parent is None:
        why = "it is the current experiment" if names else f"{current.name} is a baseline, it has no parent"
        raise UsageError("nothing to compare with", why, "name two experiments or runs: axil compare A B")
    return [current.parent, current.name]


def compare_chosen(project: Project, chosen: Sequence[Chosen], *, only_changed: bool = False) -> Comparison:
    """`compare` for runs that were chosen already."""
    sides, groups = _with_groups(project, _sides(chosen))
    labels = [side.label for side in sides]
    params = {side.label: _params(project, each) for side, each in zip(sides, chosen, strict=True)}
    metrics = {side.label: each.run.metrics if each.run else {} for side, each in zip(sides, chosen, strict=True)}
    for label, group in groups.items():
        metrics[label] = {name: one.mean for name, one in group.metrics.items()}
        if group.seed_key in params[label]:
            params[label] = {**params[label], group.seed_key: list(group.seeds)}
    environment = {side.label: environment_of(project, each.run) for side, each in zip(sides, chosen, strict=True)}
    outputs = {side.label: _outputs(project, each) for side, each in zip(sides, chosen, strict=True)}
    comparison = Comparison(
        sides,
        tuple(_with_intervals(row, groups) for row in metric_rows(labels, metrics, project.file.metrics)),
        param_rows(labels, params),
        tuple(_code(project, sides[0], side) for side in sides[1:]),
        _data(project, sides),
        tuple(ContentDiff(label, _contents(project, outputs[labels[0]], outputs[label])) for label in labels[1:]),
        environment_rows(labels, environment),
    )
    return _changed_only(comparison) if only_changed else comparison


def _sides(chosen: Sequence[Chosen]) -> tuple[Side, ...]:
    sides: list[Side] = []
    for each in chosen:
        run = each.run
        label, number = each.name, 2
        while label in {side.label for side in sides}:
            # The same name twice still needs two columns.
            label, number = f"{each.name}#{number}", number + 1
        if run is None:
            sides.append(Side(label, each.experiment, "", each.why, "", 0.0, 0.0, "", each.tip))
            continue
        seconds = run.ended - run.time if run.ended else 0.0
        tree = run.snapshot or run.commit
        sides.append(Side(label, each.experiment, run.id, each.why, run.state, run.time, seconds, run.message, tree))
    return tuple(sides)


def _with_groups(project: Project, sides: tuple[Side, ...]) -> tuple[tuple[Side, ...], dict[str, Replicates]]:
    """`sides` where replicates stand for an experiment, and label -> those replicates."""
    groups: dict[str, Replicates] = {}
    for side in sides:
        row = project.journal.find(side.run) if side.run and side.why != "named" else None
        if row is not None and row.group:
            from axil.actions.replicates import replicates

            groups[side.label] = replicates(project, row.group)
    marked = (
        side._replace(group=group.group, seeds=group.succeeded, of=group.of)
        if (group := groups.get(side.label))
        else side
        for side in sides
    )
    return tuple(marked), groups


def _with_intervals(row: MetricRow, groups: Mapping[str, Replicates]) -> MetricRow:
    """`row` with the intervals of replicates, and the differences that they do not bear out marked."""
    found = {label: group.metrics[row.name] for label, group in groups.items() if row.name in group.metrics}
    if not found:
        return row
    from axil.base.statistics import Interval, difference, within_noise

    sides = {label: found.get(label) or Interval(value, None, 1) for label, value in row.values.items()}
    base = next(iter(sides))
    noise = {
        label: within_noise(difference(sides[base], sides[label]))
        for label in row.deltas
        if label in found or base in found
    }
    better = {label: None if noise.get(label) else better for label, better in row.better.items()}
    return row._replace(intervals=found, within_noise=noise, better=better)


def param_rows(labels: Sequence[str], params: Mapping[str, Mapping[str, Value]]) -> tuple[ParamRow, ...]:
    """One row a parameter, in the order of the first side that has it."""
    keys = dict.fromkeys(key for label in labels for key in params[label])
    rows = []
    for key in keys:
        values = {label: params[label][key] for label in labels if key in params[label]}
        rows.append(ParamRow(key, values, _differ(list(values.values()), len(labels))))
    return tuple(rows)


def _differ(values: Sequence[object], sides: int) -> bool:
    # The type counts: 1 and true are equal in Python, and not the same setting.
    return len(values) < sides or any(value != values[0] or type(value) is not type(values[0]) for value in values)


def metric_rows(
    labels: Sequence[str], metrics: Mapping[str, Mapping[str, float]], directions: Mapping[str, str]
) -> tuple[MetricRow, ...]:
    """One row a metric: those the project declares first, in its order, then the others by name."""
    found = {name for label in labels for name in metrics[label]}
    names = [name for name in directions if name in found]
    names += sorted(found - set(names))
    rows = []
    for name in names:
        direction = directions.get(name, "")
        values = {label: metrics[label][name] for label in labels if name in metrics[label]}
        base = values.get(labels[0])
        deltas = {label: value - base for label, value in values.items() if base is not None and label != labels[0]}
        better = {label: _better(delta, direction) for label, delta in deltas.items()}
        rows.append(MetricRow(name, direction, values, deltas, better, _differ(list(values.values()), len(labels))))
    return tuple(rows)


def _better(delta: float, direction: str) -> bool | None:
    return None if not direction or delta == 0 or delta != delta else (delta > 0) == (direction == "max")


def environment_rows(labels: Sequence[str], found: Mapping[str, Mapping[str, str]]) -> tuple[EnvironmentRow, ...]:
    """One row a fact; nothing of sides without a run counts as a change."""
    known = [label for label in labels if found[label]]
    rows = []
    for name in dict.fromkeys(name for label in known for name in found[label]):
        values = {label: found[label][name] for label in known if name in found[label]}
        rows.append(EnvironmentRow(name, values, _differ(list(values.values()), len(known))))
    return tuple(rows)


def _params(project: Project, chosen: Chosen) -> Mapping[str, Value]:
    if chosen.run is not None:
        return chosen.run.params
    if not chosen.tip:
        return {}
    from axil.formats import params
    from axil.git.objects import read_many

    path = project.params.path or project.file.params_file
    blob = read_many(project.git, [f"{chosen.tip}:{path}"])[0] if path else None
    if blob is None:
        return {}
    values: Mapping[str, Value] = params.flatten(
        params.load(blob.data.decode("utf-8", "replace"), params.kind_of(path), path), path
    )
    return values


def environment_of(project: Project, run: Run | None) -> dict[str, str]:
    """Facts about where a run happened, packages of results that it took over included; {} without a run."""
    if run is None:
        return {}
    packages: dict[str, str] = {}
    for source in dict.fromkeys(stage.source for stage in run.stages if stage.source):
        # A stage whose result was taken over imported nothing in this run: its packages are those of that one.
        with contextlib.suppress(AxilError):
            packages |= project.journal.run(source).environment.packages
    environment = run.environment
    facts = {
        "python": f"{environment.implementation} {environment.python}".strip(),
        "platform": environment.platform,
        "machine": environment.machine,
        "host": run.host,
    }
    facts.update(sorted((packages | environment.packages).items()))
    facts.update((path, oid[:12]) for path, oid in sorted(environment.locks.items()))
    return {name: value for name, value in facts.items() if value}


def _outputs(project: Project, chosen: Chosen) -> dict[str, Pointer]:
    """What the run made; of an experiment without one, what is there of the experiment it comes from."""
    from axil.actions.outputs import outputs_of
    from axil.formats.pointer import Pointer

    if chosen.run is None:
        return outputs_of(project, chosen.experiment) if chosen.experiment else {}
    return {
        path: Pointer(out.kind, bytes.fromhex(out.oid), out.size, out.files, out.executable)
        for stage in chosen.run.stages
        for path, out in stage.outs.items()
    }


def _code(project: Project, base: Side, side: Side) -> CodeDiff:
    from axil.actions.code import code_changes
    from axil.formats.pointer import SUFFIX

    if not base.tree or not side.tree:
        return CodeDiff(side.label, (), 0, 0, "no snapshot of the code was recorded")
    shown_elsewhere = project.params.path
    try:
        files = code_changes(
            project.git, base.tree, side.tree, lambda path: path.endswith(SUFFIX) or path == shown_elsewhere
        )
    except AxilError as error:
        return CodeDiff(side.label, (), 0, 0, f"the snapshot is not in this clone: {error.why or error.what}")
    return CodeDiff(side.label, files, sum(file.added or 0 for file in files), sum(file.removed or 0 for file in files))


def _data(project: Project, sides: Sequence[Side]) -> tuple[ContentDiff, ...]:
    from axil.actions.contents import pointers_in

    found: list[dict[str, Pointer] | str] = []
    for side in sides:
        try:
            found.append(pointers_in(project, side.tree) if side.tree else "no snapshot of the code was recorded")
        except AxilError as error:
            found.append(f"{error.what}: {error.why}" if error.why else error.what)
    first = found[0]
    diffs = []
    for side, pointers in zip(sides[1:], found[1:], strict=True):
        if isinstance(first, str) or isinstance(pointers, str):
            diffs.append(ContentDiff(side.label, (), first if isinstance(first, str) else str(pointers)))
        else:
            diffs.append(ContentDiff(side.label, _contents(project, first, pointers)))
    return tuple(diffs)


def _contents(project: Project, old: Mapping[str, Pointer], new: Mapping[str, Pointer]) -> tuple[ContentChange, ...]:
    from axil.actions.contents import compare_contents

    return compare_contents(project, old, new, limit=LISTED)


def _changed_only(comparison: Comparison) -> Comparison:
    def differing(diffs: tuple[ContentDiff, ...]) -> tuple[ContentDiff, ...]:
        # What differs on one side is kept on all of them: that it is the same there says something too.
        paths = {change.path for diff in diffs for change in diff.paths if change.state != "same"}
        return tuple(diff._replace(paths=tuple(each for each in diff.paths if each.path in paths)) for diff in diffs)

    return comparison._replace(
        metrics=tuple(row for row in comparison.metrics if row.changed),
        params=tuple(row for row in comparison.params if row.changed),
        data=differing(comparison.data),
        outputs=differing(comparison.outputs),
        environment=tuple(row for row in comparison.environment if row.changed),
    )

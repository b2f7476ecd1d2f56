"""One run or one experiment on a page."""

from __future__ import annotations

import time

from axil.base.exits import ending
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING
from axil.cli.format import ago, count, difference, duration, interval, number, seeds, size
from axil.cli.style import SYMBOLS, safe
from axil.cli.tables import Cell, Column, sparkline, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from axil.actions.compare import Comparison, MetricRow
    from axil.actions.replicates import Replicates
    from axil.actions.show import ExperimentView, RunView
    from axil.cli.face import Face
    from axil.formats.record import Run, Series, StageRecord
    from axil.journal.rows import NoteRow, RunRow

_MAX_LOGGED = 20


_ARTIFACTS = 50
"""So many are listed; `axil get RUN:` lists all."""


def render_run(face: Face, view: RunView) -> None:
    """Print everything about a run, the most wanted first."""
    run, style = view.run, face.style
    where = f"  {safe(run.experiment)}" if run.experiment else ""
    face.line(f"{style.state(run.state, word=True)}  {style.bold('run ' + run.id)}{where}")
    if view.replicates is not None:
        face.line(f"  {_place(run, view.replicates)}")
    if run.sample:
        face.line(style.dim(f"  a rehearsal on {count(run.sample, 'sample')}"))
    if run.message:
        face.line(f"  {safe(run.message)}")
    facts = [f"started {_moment(run.time)} ({ago(face.now() - run.time)})"]
    if run.ended:
        facts.append(f"took {duration(run.ended - run.time)}")
    facts.append(f"by {run.author.partition(' <')[0]}" + (f" on {run.host}" if run.host else ""))
    face.line(style.dim("  " + safe(", ".join(facts))))
    if run.usage:
        face.line(style.dim("  " + _usage(run.usage)))
    for line in run.error.splitlines():
        face.line(style.red("  " + safe(line)))
    _attempts(face, view)
    _stages(face, run)
    _metrics(face, view)
    _params(face, run)
    outs = [(path, out) for stage in run.stages for path, out in stage.outs.items()]
    _pairs(face, "outputs", [(path, size(out.size) + _files(out.kind, out.files)) for path, out in outs])
    _artifacts(face, view)
    left = [(path, out) for stage in run.stages for path, out in stage.checkpoint.items()]
    _pairs(face, "checkpoints", [(path, size(out.size) + _files(out.kind, out.files)) for path, out in left])
    _environment(face, run)
    _notes(face, view.notes)
    _tails(face, run)
    if any(stage.checkpoint for stage in run.stages) and not any(row.id > run.id for row in view.attempts):
        face.hint(f"axil resume {short(run.id)} goes on from its checkpoint")
    if run.state == "failed":
        face.hint(f"axil logs {short(run.id)} shows all of it")


def _place(run: Run, group: Replicates) -> str:
    """Which of the replicates a run is."""
    words = f"{seeds(group.succeeded, group.of)}: axil sweep show {short(group.group)}"
    if not run.trial:
        return f"what the replicates share; {words}"
    seed = "" if run.seed is None else f" (seed {run.seed})"
    return f"replicate {run.trial}{seed}; {words}"


def _params(face: Face, run: Run) -> None:
    """The params; of those that libraries logged, which may be hundreds, only some."""
    logged = [key for key in run.params if key.startswith("logged.")]
    hidden = set() if face.verbose else set(logged[_MAX_LOGGED:])
    _pairs(face, "params", [(key, number(value)) for key, value in run.params.items() if key not in hidden])
    if hidden:
        face.line(face.style.dim(f"  and {len(hidden)} more logged params (-v shows them)"))


def _files(kind: str, files: int) -> str:
    return f", {count(files, 'file')}" if kind == "tree" else ""


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _section(face: Face, title: str) -> None:
    face.line()
    face.line(face.style.bold(title))


def _attempts(face: Face, view: RunView) -> None:
    """The other attempts of a run that was resumed, and which one this is."""
    if not view.attempts:
        return
    _section(face, "attempts")
    rows = []
    for row in view.attempts:
        symbol, word, color = SYMBOLS.get(row.state, ("?", row.state, ""))
        here = "this one" if row.id == view.run.id else ""
        state = Cell(symbol if face.style.unicode else word, color)
        cells = [Cell(str(row.attempt)), state, Cell(short(row.id), "bold"), Cell(row.state), Cell(here, "dim")]
        rows.append(cells)
    table(face, [Column("", right=True), *(Column("") for _ in range(4))], rows, indent="  ")


def _stages(face: Face, run: Run) -> None:
    if not run.stages:
        return
    _section(face, "stages")
    rows = [_stage_row(face, stage) for stage in run.stages]
    columns = [Column(""), Column(""), Column("", right=True), Column("", flexible=True)]
    table(face, columns, rows, indent="  ")


def _stage_row(face: Face, stage: StageRecord) -> list[Cell]:
    symbol, word, color = SYMBOLS.get(stage.state, ("?", stage.state, ""))
    reason = stage.reason
    if stage.source and stage.state == "cached":
        reason = f"result of run {short(stage.source)}" + (f": {reason}" if reason else "")
    if stage.tries > 1:
        reason = f"attempt {stage.tries}" + (f"; {reason}" if reason else "")
    if stage.exit_code:
        reason = ending(stage.exit_code) + (f"; {reason}" if reason else "")
    seconds = stage.state if stage.state in ("cached", "current", "skipped") else duration(stage.seconds)
    state = Cell(symbol if face.style.unicode else word, color)
    return [state, Cell(stage.name), Cell(seconds, "dim"), Cell(reason, "dim")]


def _metrics(face: Face, view: RunView) -> None:
    run = view.run
    names = [name for name in view.directions if name in run.metrics]
    names += sorted(run.metrics.keys() - set(names))
    names += sorted(view.curves.keys() - set(names))
    if not names:
        return
    means = view.replicates.metrics if view.replicates is not None and run.trial else {}
    _section(face, "metrics")
    rows = []
    for name in names:
        value = run.metrics.get(name)
        values = view.curves.get(name, ())
        curve = sparkline(values, unicode=face.style.unicode) if len(values) > 1 else ""
        steps = _series_words(run.summary.get(name), view.directions.get(name, ""))
        cells = [Cell(name), Cell("" if value is None else number(value), "" if means else "bold")]
        if means:
            mean = means.get(name)
            words = "" if mean is None else f"{interval(mean.mean, mean.half)} ({count(mean.n, 'seed')})"
            cells.append(Cell(words, "bold"))
        rows.append([*cells, Cell(curve, "cyan"), Cell(steps, "dim")])
    columns = [Column("", flexible=True), Column("", right=True), *[Column("", right=True)] * bool(means)]
    table(face, [*columns, Column("", drop=1), Column("", drop=2)], rows, indent="  ")


def _series_words(series: Series | None, direction: str) -> str:
    """`30 steps, best 0.94`, or the range where nobody said which end is the better one."""
    if series is None or series.count < 2:
        return ""
    if not direction:
        return f"{series.count:,} steps, {number(series.min)} … {number(series.max)}"
    return f"{series.count:,} steps, best {number(series.max if direction == 'max' else series.min)}"


def _pairs(face: Face, title: str, pairs: Sequence[tuple[str, str]]) -> None:
    if pairs:
        _section(face, title)
        table(face, [Column("", flexible=True), Column("", flexible=True)], pairs, indent="  ")


def _usage(usage: Mapping[str, float]) -> str:
    """`used 1.8 CPUs on average, at most 512 MB of memory`."""
    facts = [f"{usage['cpu']:.1f} CPUs on average"] if "cpu" in usage else []
    facts += [f"{usage['gpu']:.1f} GPUs on average"] if "gpu" in usage else []
    facts += [f"at most {size(int(usage['memory']))} of memory"] if "memory" in usage else []
    return "used " + ", ".join(facts)


def _artifacts(face: Face, view: RunView) -> None:
    kept = view.run.artifacts
    pairs = [(path, size(of)) for path, of in list(view.artifacts.items())[:_ARTIFACTS]]
    more = max(len(view.artifacts), kept.files if kept is not None else 0) - len(pairs)
    if more > 0:
        pairs.append((f"… and {more:,} more" if pairs else f"{count(more, 'file')}, not on this machine", ""))
    _pairs(face, "artifacts", pairs)
    if pairs:
        face.hint(f"axil get {short(view.run.id)}:artifacts/PATH copies one")


def _environment(face: Face, run: Run) -> None:
    environment = run.environment
    facts = [
        f"{environment.implementation} {environment.python}".strip(),
        f"{environment.platform} {environment.machine}".strip(),
        count(environment.cpus, "CPU") if environment.cpus else "",
        count(len(environment.packages), "package") if environment.packages else "",
        *environment.locks,
    ]
    facts = [fact for fact in facts if fact]
    if not facts:
        return
    _section(face, "environment")
    face.line("  " + safe(", ".join(facts)))
    if face.verbose:
        rows = [[name, version] for name, version in sorted(environment.packages.items())]
        table(face, [Column(""), Column("")], rows, indent="    ")


def _notes(face: Face, notes: Sequence[NoteRow]) -> None:
    if notes:
        _section(face, "notes")
    for note in notes:
        who = note.author.partition(" <")[0]
        face.line(face.style.dim(safe(f"  {_moment(note.time)} {who}")))
        for line in note.text.splitlines():
            face.line(f"    {safe(line)}")


def _tails(face: Face, run: Run) -> None:
    for stage in run.stages:
        if stage.tail and stage.state in ("failed", "stopped", "lost"):
            _section(face, f"the last lines of {stage.name}")
            for line in stage.tail.splitlines():
                face.line("  " + face.style.dim("│ " if face.style.unicode else "| ") + line)


def render_experiment(face: Face, view: ExperimentView) -> None:
    """Print where an experiment comes from, what it came to, and what it changes."""
    experiment, style = view.experiment, face.style
    marks = "  (current)" * view.current + "  (archived)" * experiment.archived
    face.line(f"{style.bold(safe(experiment.name))}{style.dim(marks)}")
    if experiment.hypothesis:
        face.line(f"  {safe(experiment.hypothesis)}")
    face.line(style.dim("  " + safe(_origin(face, view))))
    if view.children:
        face.line(style.dim("  forked to " + safe(", ".join(view.children))))
    _results(face, view)
    if view.changes is not None:
        _changes(face, view)
    _notes(face, view.notes)
    if not view.states:
        face.hint("axil run makes the first run" if view.current else f"axil switch {experiment.name}, then axil run")


def _origin(face: Face, view: ExperimentView) -> str:
    experiment = view.experiment
    words = f"fork of {experiment.parent}" if experiment.parent else "baseline"
    if experiment.parent and experiment.inferred:
        words += " (as its history says)"
    if experiment.commit:
        words += f" at {experiment.commit[:9]}"
    if experiment.run:
        words += f", run {short(experiment.run)}"
    if experiment.author:
        words += f", by {experiment.author.partition(' <')[0]}"
    if experiment.created:
        words += f", {ago(face.now() - experiment.created)}"
    return words


def _results(face: Face, view: ExperimentView) -> None:
    if not view.states:
        return
    total = sum(view.states.values())
    states = ", ".join(f"{amount} {state}" for state, amount in view.states.items())
    _section(face, f"{count(total, 'run')}{face.style.dim(f' ({states})') if len(view.states) > 1 else ''}")
    rows = []
    group = view.replicates
    if group is not None:
        rows.append(_group_row(face, group, view))
    if view.best is not None and (view.latest is None or view.best.id != view.latest.id):
        rows.append(_run_row(face, "best", view.best, view))
    if view.latest is not None and (group is None or view.latest.group != group.group):
        same = view.best is not None and view.best.id == view.latest.id and total > 1
        rows.append(_run_row(face, "latest, best" if same else "latest", view.latest, view))
    columns = [
        Column(""),
        Column(""),
        Column(""),
        Column("", right=True),
        Column("", flexible=1),
        Column("", flexible=2, drop=1),
    ]
    table(face, columns, rows, indent="  ")


def _run_row(face: Face, what: str, row: RunRow, view: ExperimentView) -> list[Cell]:
    symbol, word, color = SYMBOLS.get(row.state, ("?", row.state, ""))
    names = [name for name in view.directions if name in row.metrics] or sorted(row.metrics)[:3]
    metrics = "  ".join(f"{name} {number(row.metrics[name])}" for name in names)
    return [
        Cell(what, "dim"),
        Cell(short(row.id), "bold"),
        Cell(symbol if face.style.unicode else word, color),
        Cell(ago(face.now() - row.time), "dim"),
        Cell(metrics),
        Cell(row.message.split("\n", 1)[0]),
    ]


def _group_row(face: Face, group: Replicates, view: ExperimentView) -> list[Cell]:
    symbol, word, color = SYMBOLS.get(group.state, ("?", group.state, ""))
    names = [name for name in view.directions if name in group.metrics] or sorted(group.metrics)[:3]
    means = (f"{name} {interval(group.metrics[name].mean, group.metrics[name].half)}" for name in names)
    return [
        Cell(seeds(group.succeeded, group.of), "dim"),
        Cell(short(group.group), "bold"),
        Cell(symbol if face.style.unicode else word, color),
        Cell(ago(face.now() - group.time), "dim"),
        Cell("  ".join(means), "bold"),
        Cell(group.message.split("\n", 1)[0]),
    ]


def _changes(face: Face, view: ExperimentView) -> None:
    """What differs from the parent, a line for each thing."""
    from axil.cli.render_compare import in_words

    changes, style = view.changes, face.style
    assert changes is not None
    parent, own = changes.sides[0].label, changes.sides[1].label
    rows = [
        [Cell(row.name), _change(row, own)]
        for row in changes.metrics
        if row.name in view.directions and own in row.deltas
    ]
    for param in changes.params:
        old, new = (number(param.values[side]) if side in param.values else "–" for side in (parent, own))
        rows.append([Cell(param.key), Cell(f"{old} → {new}", "yellow")])
    for file in changes.code[0].files:
        amount = "binary" if file.added is None else f"+{file.added} −{file.removed}"
        rows.append([Cell(file.path), Cell(amount, "dim")])
    for diff in (changes.data[0], changes.outputs[0]):
        rows += [[Cell(change.path), Cell(in_words(change), "dim")] for change in diff.paths]
    _section(face, f"against {safe(parent)}{style.dim(_which(changes))}")
    if rows:
        table(face, [Column("", flexible=True), Column("", flexible=True)], rows, indent="  ")
    else:
        face.line(style.dim("  nothing differs yet"))


def _change(row: MetricRow, own: str) -> Cell:
    noise = row.within_noise.get(own, False)
    return Cell(difference(row.deltas[own], noise), "dim" if noise else _verdict(row.better[own]))


def _verdict(better: bool | None) -> str:
    return "" if better is None else "green" if better else "red"


def _which(changes: Comparison) -> str:
    """The runs whose results are compared."""
    parent, own = (f"run {short(side.run)}" if side.run else "the branch" for side in changes.sides)
    return f"  ({parent} → {own})"

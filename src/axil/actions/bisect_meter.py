"""The value of a metric at any code and data: from a run that is recorded already, else by running it.

Runs go on in work trees of their own and belong to no experiment: they are in no list of results but `axil runs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from axil.actions import parameters
from axil.actions.bases import base_at
from axil.actions.submit import Marks, Options, make
from axil.actions.supervise import supervise
from axil.actions.tracking import pointers_at
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.diff import below
from axil.errors import AxilError
from axil.formats.params import Assignment
from axil.git.commits import begin_stamp, name_in
from axil.git.trees import changed_tree
from axil.pipeline.graph import covering
from axil.runs.events import OnEvent, ignore

if TYPE_CHECKING:
    from axil.formats.pointer import Pointer
    from axil.formats.record import Output, Run
    from axil.journal.rows import RunRow
    from axil.project import Project


class Value(NamedTuple):
    """What a metric is somewhere; None where that cannot be said, and `why`."""

    value: float | None
    run: str
    """The run that tells, "" for none."""
    recorded: bool
    """It was in the journal before."""
    why: str = ""
    failed: bool = False
    """It failed in an earlier run, and was not run again."""


class Code(NamedTuple):
    """What is measured: a git tree, the commit it is near to, `data` that the tree does not tell, and its seed."""

    tree: str
    commit: str
    data: Mapping[str, Output] = {}
    seed: int | None = None


class How(NamedTuple):
    """How runs are carried out."""

    targets: tuple[str, ...] = ()
    jobs: int = 1
    host: str = ""
    retry_failed: bool = False
    """Run again what has failed before."""
    seeds: tuple[int, ...] = ()
    """The metric is the mean over runs with these seeds."""
    seed_key: str = ""


class Stopped(Exception):
    """A run was told to stop, and so the whole is to end."""


class Meter:
    """Measures `metric`; what was measured once is not measured again. `stop` says whether to begin no more runs."""

    def __init__(
        self,
        project: Project,
        metric: str,
        how: How,
        *,
        stop: Callable[[], bool] = bool,
        on_event: OnEvent = ignore,
        progress: Progress = SILENT,
    ) -> None:
        self.project = project
        self.metric = metric
        self.how = how
        self.made = 0
        """How many runs were made in which something had to run."""
        self.last: Run | None = None
        """The last of these."""
        self.stop = stop
        self._on_event = on_event
        self._progress = progress
        self._rows: dict[str, list[RunRow]] = {}
        self._known: dict[tuple[str, int | None], Value | None] = {}

    def look_up(self, trees: Iterable[str]) -> set[str]:
        """Ask the journal for runs of `trees`; those of which there are some, whether they tell or not."""
        if self.how.seeds:
            return set()  # The code with a seed in it is another tree, made when it is needed.
        found = self.project.journal.of_snapshots(list(dict.fromkeys(trees)))
        self._rows |= found
        return set(found)

    def of_run(self, run: Run) -> Value:
        """What a finished run says."""
        value = run.metrics.get(self.metric)
        if value is not None:
            return Value(value, run.id, True)
        words = f"it has: {', '.join(run.metrics)}" if run.metrics else "it has no metrics"
        why = words if run.state == "succeeded" else f"it {run.state}{_last_words(run)}"
        return Value(None, run.id, True, f"run {short(run.id)}: {why}")

    def known(self, code: Code) -> Value | None:
        """What is known without running anything; ask `look_up` first."""
        key = (code.tree, code.seed)
        if key not in self._known and code.tree in self._rows:
            self._known[key] = self._told_by(code.tree, self._rows[code.tree])
        return None if code.data else self._known.get(key)

    def measure(self, code: Code, message: str) -> Value:
        """The metric at `code`, of several seeds the mean. Raises `Stopped` if a run was, or is to be, stopped."""
        if not self.how.seeds:
            return self._one(code, message)
        if (known := self.known(code)) is not None:
            return known
        found = []
        for seed in self.how.seeds:
            found.append(self._seeded(code, seed, message))
            if found[-1].value is None:
                break
        values = [one.value for one in found if one.value is not None]
        mean = sum(values) / len(values) if len(values) == len(found) else None
        self._known[code.tree, None] = value = found[-1]._replace(
            value=mean, recorded=all(one.recorded for one in found)
        )
        return value

    def run(self, code: Code, message: str, *, force: bool = False) -> Value:
        """Run the pipeline of `code` now; with `force` even where results of its stages are recorded."""
        if self.stop():
            raise Stopped
        project, how = self.project, self.how
        try:
            base = base_at(project, code.tree, code.data)
            author = name_in(begin_stamp(project.git)())
            base = base._replace(commit=code.commit, author=author, targets=how.targets)
            options = Options(force=force, jobs=how.jobs)
            marks = Marks(seed=code.seed, seed_key=how.seed_key if code.seed is not None else "")
            folder = make(project, base, message=message, options=options, host=how.host, marks=marks)
        except AxilError as error:
            if self.stop():
                raise Stopped from error  # The signal ended a git that was asked.
            return Value(None, "", False, one_line(error))
        try:
            run = supervise(project, folder, on_event=self._on_event, progress=self._progress)
        finally:
            folder.release()
        if run.state == "stopped":
            raise Stopped
        anew = any(stage.state not in ("cached", "current") for stage in run.stages) or not run.stages
        if anew:
            self.made, self.last = self.made + 1, run
        return self.of_run(run)._replace(recorded=not anew)

    def _seeded(self, code: Code, seed: int, message: str) -> Value:
        """The metric at `code` with one seed."""
        try:
            base = base_at(self.project, code.tree, code.data)
            if self.how.seed_key:
                change = Assignment(self.how.seed_key, seed)
                content = parameters.assigned(base.params, base.params_file, [change])
                tree = changed_tree(self.project.git, code.tree, {base.params_file: content}, ())
                code = code._replace(tree=tree)
        except AxilError as error:
            return Value(None, "", False, one_line(error))
        return self._one(code._replace(seed=seed), f"{message}, seed {seed}")

    def _one(self, code: Code, message: str) -> Value:
        found = self.known(code)
        if found is None and not code.data:
            rows = self.project.journal.of_snapshots([code.tree], code.seed).get(code.tree, [])
            found = self._told_by(code.tree, rows)
        found = found or self.run(code, message)
        if not code.data:
            self._known[code.tree, code.seed] = found
        return found

    def _told_by(self, tree: str, rows: Sequence[RunRow]) -> Value | None:
        """What a good run says, else that one failed; None if nothing is known.

        The newest run of an experiment comes first; of those of bisections the first, so that all later ones agree.
        """
        known = pointers_at(self.project, tree)
        ordered = [row for row in rows if row.experiment] + [row for row in rows[::-1] if not row.experiment]
        failed: Value | None = None
        for row in ordered:
            if row.state == "succeeded" and self.metric in row.metrics and self._used(row.id, known):
                return Value(row.metrics[self.metric], row.id, True)
            if row.state == "failed" and not self.how.retry_failed and self._used(row.id, known, failed=True):
                failed = failed or Value(None, row.id, True, f"run {short(row.id)} failed", True)
        return failed

    def _used(self, run: str, known: Mapping[str, Pointer], *, failed: bool = False) -> bool:
        """Whether the run used the tracked data `known` as they are there; False where that cannot be told.

        With `failed`, whether it is a command of it that failed besides, and not the way there.
        """
        stages = self.project.journal.stages(run)
        for stage in stages:
            for dep, oid in stage.deps.items():
                if (over := covering(dep, known)) is not None:
                    if below(self.project.store, known[over], dep[len(over) + 1 :]) != oid:
                        return False
                elif any(path.startswith(dep + "/") for path in known):
                    return False
        return not failed or any(stage.state == "failed" for stage in stages)


def _last_words(run: Run) -> str:
    """Why a run failed, as far as one line tells."""
    if run.error:
        return f": {run.error.splitlines()[-1 if run.error.startswith('Traceback') else 0]}"
    stage = next((one for one in run.stages if one.state == "failed"), None)
    lines = stage.tail.strip().splitlines() if stage else []
    return (f" in {stage.name}" if stage else "") + (f": {lines[-1]}" if lines else "")


def one_line(error: AxilError) -> str:
    """What is wrong, and why."""
    return ": ".join(words.partition("\n")[0] for words in (error.what, error.why) if words)

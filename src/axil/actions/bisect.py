"""Find the change that moved a metric: among the commits between two, along a lineage of experiments, or two runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from axil.actions.bisect_cause import Cause, Mix, Seeker
from axil.actions.bisect_line import Step, between
from axil.actions.bisect_meter import Code, How, Meter, Stopped, Value
from axil.actions.lost import adopt
from axil.actions.sweep import seeded_stages
from axil.base.halving import looks, next_step
from axil.base.ids import short
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.errors import AxilError, BadInput
from axil.runs.events import OnEvent, ignore
from axil.runs.interrupt import caught

if TYPE_CHECKING:
    from axil.project import Project


class Point(NamedTuple):
    """One step of the line, and what is known of it."""

    kind: str
    """ "commit", "experiment" or "run"."""
    name: str
    commit: str
    title: str
    author: str
    time: float
    side: str
    """ "good", "bad", "skipped" (it cannot be measured), or "" if it was not looked at."""
    value: float | None
    run: str
    recorded: bool
    """The value was known, nothing had to run."""
    why: str
    """Why it was skipped."""


class Bisection(NamedTuple):
    """What was found. `points` are the steps, the oldest first."""

    metric: str
    direction: str
    """ "max", "min", or "" if the project does not say."""
    good: Point
    bad: Point
    threshold: float | None
    """None while an end is not measured."""
    points: tuple[Point, ...]
    state: str
    """ "planned", "found" or "stopped"."""
    before: Point | None
    """The last step before the change."""
    candidates: tuple[Point, ...]
    """The step that moved the metric; several where those between could not be measured."""
    cause: Cause | None
    runs: int
    """How many runs were made; of a plan, how many it takes at most to find the step."""


class Question(NamedTuple):
    """What is looked for."""

    metric: str = ""
    """ "" for the headline."""
    threshold: float | None = None
    """What parts good from bad; None for midway between the ends."""


OnPoint = Callable[[Point | Mix], None]


def bisect(
    project: Project,
    good: str,
    bad: str = "",
    question: Question = Question(),  # noqa: B008
    how: How = How(),  # noqa: B008
    *,
    dry_run: bool = False,
    on_point: OnPoint = lambda point: None,
    on_event: OnEvent = ignore,
    progress: Progress = SILENT,
) -> Bisection:
    """Measure steps between `good` and `bad` ("" for the current experiment) until one that moved the metric is left.

    Recorded results are used; what has to run runs in work trees of its own. Told to stop, it ends with what it knows;
    the same call goes on from there. Raises `BadInput` if the ends do not differ in the metric, `AxilError` if one of
    them has none.
    """
    adopt(project)
    metric = question.metric or project.file.headline
    if not metric:
        raise BadInput("which metric?", "axil.toml declares none", "axil bisect --metric f1 GOOD BAD")
    line = between(project, good, bad)
    if how.seeds:
        how = how._replace(seed_key=seeded_stages(project, how.targets)[0])
    asked: list[int] = []
    meter = Meter(project, metric, how, stop=lambda: bool(asked), on_event=on_event, progress=progress)
    search = _Search(line.steps, line.good_is_newer, meter, question.threshold, on_point)
    if dry_run:
        return search.answer("planned")
    with caught(asked.append):
        try:
            search.run()
        except Stopped:
            return search.answer("stopped")
        except AxilError:
            if not asked:
                raise
            return search.answer("stopped")  # The signal ended a program that axil was waiting for.
    return search.answer("found")


class _Search:
    """The state of a bisection: values of steps by their number, the ends of what is left, the threshold."""

    def __init__(
        self, steps: Sequence[Step], good_is_newer: bool, meter: Meter, threshold: float | None, tell: OnPoint
    ) -> None:
        self._steps = steps
        self._good_is_newer = good_is_newer
        self._meter = meter
        self._wanted = threshold
        self._tell = tell
        self._values: dict[int, Value] = {}
        self._skipped: set[int] = set()
        self._low, self._high = 0, len(steps) - 1
        self._cause: Cause | None = None
        self._state = ""
        recorded = meter.look_up(step.tree for step in steps)
        self._free = {number for number, step in enumerate(steps) if step.run or step.tree in recorded}
        for end in (self._low, self._high):
            if (known := self._known(steps[end])) is not None:
                self._values[end] = known

    def run(self) -> None:
        """Measure the ends, then what is between them, then look for the cause. Raises `Stopped`."""
        for end in (self._low, self._high):
            if (measured := self._measure(end)).value is None:
                raise self._useless(end, measured)
        self._check()
        for end in (self._low, self._high):
            self._tell(self._point(end))
        while (number := next_step(self._low, self._high, self._skipped, self._free)) is not None:
            if number in self._free and self._known(self._steps[number]) is None:
                self._free.discard(number)  # Its runs do not tell: of other data, or cut off.
                continue
            value = self._measure(number).value
            if value is None:
                self._skipped.add(number)
            elif self._moved(value):
                self._high = number
            else:
                self._low = number
            self._tell(self._point(number))
        self._cause = self._seek()

    def _measure(self, number: int) -> Value:
        if number not in self._values:
            step = self._steps[number]
            if self._known(step) is None:
                self._tell(self._point(number))
            words = f"bisect {self._meter.metric}: {step.name} {step.title}".rstrip()
            self._values[number] = self._known(step) or self._meter.measure(_code(step), words)
        return self._values[number]

    def _known(self, step: Step) -> Value | None:
        """What the journal has for the step: its own run's value, or that of a run of the same code and data."""
        if step.run is not None and not self._meter.how.seeds:
            value = self._meter.of_run(step.run)
            if value.value is not None or step.kind == "run":
                return value
        return self._meter.known(_code(step))

    def _check(self) -> None:
        """Raises if the ends do not differ as they must."""
        old, new = self._values[self._low], self._values[self._high]
        metric, words = self._meter.metric, self._words()
        if old.value == new.value:
            raise BadInput(f"GOOD and BAD do not differ in {metric}", words, "name other ends, or another --metric")
        if self._moved(float(old.value or 0)) or not self._moved(float(new.value or 0)):
            raise BadInput(f"the threshold {self._threshold:g} does not part GOOD from BAD", words, "take one between")

    def _useless(self, end: int, value: Value) -> AxilError:
        """The error for an end without the metric."""
        hint = "name another end" + (f", or see axil logs {short(value.run)}" if value.run else "")
        hint += "; --retry-failed runs it again" if value.failed else ""
        return AxilError(f"{self._role(end)} {self._point(end).name} has no {self._meter.metric}", value.why, hint)

    def _words(self) -> str:
        ends = sorted((self._low, self._high), key=self._role, reverse=True)
        return ", ".join(f"{self._role(one)} {self._point(one).name}: {self._values[one].value:g}" for one in ends)

    def _role(self, number: int) -> str:
        return "GOOD" if (number == len(self._steps) - 1) == self._good_is_newer else "BAD"

    @property
    def _threshold(self) -> float | None:
        ends = [self._values.get(number, Value(None, "", False)).value for number in (0, len(self._steps) - 1)]
        if ends[0] is None or ends[1] is None:
            return None
        return self._wanted if self._wanted is not None else (ends[0] + ends[1]) / 2

    def _moved(self, value: float) -> bool:
        """Whether `value` is on the side of the newer end."""
        threshold = self._threshold
        assert threshold is not None
        rising = (self._values[len(self._steps) - 1].value or 0.0) > (self._values[0].value or 0.0)
        return value > threshold if rising else value < threshold

    def _seek(self) -> Cause:
        """What it was between the last step before the change and the first one after it."""
        project = self._meter.project
        ends = self._steps[self._low], self._steps[self._high]
        runs = [project.journal.run(self._values[number].run) for number in (self._low, self._high)]
        seeker = Seeker(self._meter, _code(ends[0]), _code(ends[1]), (runs[0], runs[1]), self._moved, self._tell)
        return seeker.find()

    def answer(self, state: str) -> Bisection:
        """What is known now."""
        self._state = state
        metric, project = self._meter.metric, self._meter.project
        points = tuple(self._point(number) for number in range(len(self._steps)))
        good, bad = (points[-1], points[0]) if self._good_is_newer else (points[0], points[-1])
        if self._cause is not None and self._cause.kind == "unknown":
            state = "stopped"
        found = self._cause is not None or (state == "stopped" and self._narrowest())
        return Bisection(
            metric,
            project.file.metrics.get(metric, ""),
            good,
            bad,
            self._threshold,
            points,
            state,
            points[self._low] if found else None,
            points[self._low + 1 : self._high + 1] if found else (),
            self._cause,
            self._at_most() if state == "planned" else self._meter.made,
        )

    def _narrowest(self) -> bool:
        """Whether nothing between the ends of what is left can be measured any more."""
        return self._threshold is not None and next_step(self._low, self._high, self._skipped) is None

    def _at_most(self) -> int:
        """How many runs it takes to find the step, without those that tell what did it."""
        each = len(self._meter.how.seeds) or 1
        free = {number for number in self._free if self._known(self._steps[number]) is not None}
        ends = [number for number in (0, len(self._steps) - 1) if number not in self._values]
        if ends:
            return (len(ends) + looks(self._low, self._high, free)) * each
        low, high, skipped = self._low, self._high, set[int]()
        while (number := next_step(low, high, skipped, free)) is not None and number in free:
            value = self._known(self._steps[number])
            if value is None or value.value is None:
                skipped.add(number)
            elif self._moved(value.value):
                high = number
            else:
                low = number
        return looks(low, high, skipped) * each

    def _point(self, number: int) -> Point:
        step = self._steps[number]
        value = self._values.get(number)
        if value is None and self._state == "planned":
            value = self._known(step)
        told = value or Value(None, "", False)
        return Point(
            step.kind,
            step.name,
            step.commit,
            step.title,
            step.author,
            step.time,
            self._side(number, value),
            told.value,
            told.run,
            told.recorded,
            told.why,
        )

    def _side(self, number: int, value: Value | None) -> str:
        if number in (0, len(self._steps) - 1):
            return self._role(number).lower()
        if value is None:
            return ""
        if value.value is None:
            return "skipped"
        if self._threshold is None:
            return ""
        return "good" if self._moved(value.value) == self._good_is_newer else "bad"


def _code(step: Step) -> Code:
    return Code(step.tree, step.commit, step.data)

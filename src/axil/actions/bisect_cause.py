"""What it was that moved a metric between two steps: environment, parameters, data or code, and of these which.

The older code is run with only a part of the differences replaced; halves of what moves the metric are tried until one
is left, or until no half does it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from axil.actions.bisect_meter import Code, Meter, Stopped, Value, one_line
from axil.actions.bisect_parts import Difference, Part
from axil.actions.compare import environment_of
from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.errors import AxilError

if TYPE_CHECKING:
    from axil.formats.record import Run

_PLACE = ("host", "platform")
"""Facts about where a run was that change from day to day and move no metric."""
KINDS = ("params", "data", "code")

_OLDER, _NEWER = (f"environment of now, {name} code" for name in ("older", "newer"))


class Fact(NamedTuple):
    """A fact of the environment that differs: "python", or a package."""

    name: str
    old: str
    new: str


class Mix(NamedTuple):
    """The older code, with `parts` of the newer one, and what came of it."""

    parts: tuple[str, ...]
    """ "params lr", "code train.py"; or "environment of now, older code" where nothing is replaced."""
    value: float | None
    run: str
    recorded: bool
    moved: bool
    """It is on the newer one's side."""
    why: str


class Cause(NamedTuple):
    """What moved the metric."""

    kind: str
    """ "params", "data", "code", "environment"; "several" if only parts of different kinds together move it; "unknown"
    if it was not looked for to the end; "nothing" if nothing differs that a stage depends on."""
    parts: tuple[Part, ...]
    """The least that was found to move it."""
    environment: tuple[Fact, ...]
    mixes: tuple[Mix, ...]
    """What was tried."""


class Seeker:
    """Looks for what moved the metric from `old` to `new`, two measured pieces of code."""

    def __init__(
        self,
        meter: Meter,
        old: Code,
        new: Code,
        runs: tuple[Run, Run],
        moved: Callable[[float], bool],
        tell: Callable[[Mix], None],
    ) -> None:
        self._meter = meter
        self._old, self._new = old, new
        self._difference = Difference(meter.project, old, new)
        self._runs = runs
        self._moved = moved
        self._tell = tell
        self._mixes: list[Mix] = []

    def find(self) -> Cause:
        """What did it; "unknown" if a run was told to stop, with what had been tried until then."""
        parts = self._difference.relevant(self._runs)
        facts = _facts(*(self._facts(run) for run in self._runs))
        try:
            if facts and self._environment():
                return self._cause("environment", (), facts)
            return self._parts(parts)
        except Stopped:
            return self._cause("unknown", parts, facts)

    def _parts(self, parts: tuple[Part, ...]) -> Cause:
        groups = [group for kind in KINDS if (group := tuple(part for part in parts if part.kind == kind))]
        if not groups:
            return self._cause("nothing", ())
        for group in groups:
            if len(groups) == 1 or self._moves(group):
                return self._cause(group[0].kind, self._narrowed(group))
        return self._cause("several", parts)

    def _narrowed(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The least part of `parts`, which move the metric, that halving finds to move it."""
        while len(parts) > 1:
            half = len(parts) // 2
            found = next((some for some in (parts[:half], parts[half:]) if self._moves(some)), None)
            if found is None:
                break
            parts = found
        return parts

    def _moves(self, parts: Sequence[Part]) -> bool:
        names = tuple(f"{part.kind} {part.name}" for part in parts)
        try:
            value = self._meter.measure(self._difference.mixed(parts), f"bisect: {', '.join(names)} of the newer code")
        except AxilError as error:
            value = Value(None, "", False, one_line(error))
        return self._tried(names, value)

    def _environment(self) -> bool:
        """Whether it is where it ran: one of the two comes out like the other one, where that ran."""
        old, new = self._runs
        value = self._elsewhere(self._old, old, new)
        if value is None and (value := self._elsewhere(self._new, new, old)) is not None:
            return not self._tried((_NEWER,), value)
        last = self._meter.last
        if value is None and (last is None or _facts(self._facts(last), self._facts(old))):
            value = self._meter.run(self._old, "bisect: the older code in the environment of now", force=True)
        if value is not None and self._tried((_OLDER,), value):
            return True
        if (last := self._meter.last) is None or not _facts(self._facts(last), self._facts(new)):
            return False
        value = self._meter.run(self._new, "bisect: the newer code in the environment of now", force=True)
        return not self._tried((_NEWER,), value) and value.value is not None

    def _elsewhere(self, code: Code, run: Run, other: Run) -> Value | None:
        """What `code`, whose value is from `run`, came to in an earlier bisection where the `other` run was."""
        journal = self._meter.project.journal
        for row in journal.of_snapshots([code.tree], code.seed).get(code.tree, []):
            good = row.state == "succeeded" and self._meter.metric in row.metrics
            if good and row.id != run.id and not row.experiment:
                found = journal.run(row.id)
                if not _facts(self._facts(found), self._facts(other)):
                    return self._meter.of_run(found)
        return None

    def _facts(self, run: Run) -> dict[str, str]:
        return environment_of(self._meter.project, run)

    def _tried(self, names: tuple[str, ...], value: Value) -> bool:
        moved = value.value is not None and self._moved(value.value)
        self._mixes.append(Mix(names, value.value, value.run, value.recorded, moved, value.why))
        self._tell(self._mixes[-1])
        return moved

    def _cause(self, kind: str, parts: tuple[Part, ...], facts: tuple[Fact, ...] = ()) -> Cause:
        return Cause(kind, parts, facts, tuple(self._mixes))


def _facts(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Fact, ...]:
    """What differs of facts that both have: a package that only one imported came with its code."""
    both = [name for name in old if name in new and name not in _PLACE and old[name] != new[name]]
    return tuple(Fact(name, old[name], new[name]) for name in both)

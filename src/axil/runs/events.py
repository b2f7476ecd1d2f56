"""What a run tells a face while it goes on. Events arrive in the thread that called `execute`, in order."""

from __future__ import annotations

from collections.abc import Callable

from axil.base.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from axil.formats.record import Run, StageRecord
    from axil.journal.rows import OutputRow


class CurrentStage(NamedTuple):
    """A stage that nothing had to be done for; `outs` and `metrics` are those of the recorded result."""

    name: str
    reason: str
    outs: Mapping[str, OutputRow]
    metrics: dict[str, float]
    exit_code: int | None
    state: Literal["current"] = "current"
    seconds: float = 0.0


class NothingToDo(NamedTuple):
    """A run in which every stage is current. Most faces need no more than this; loading records takes longer."""

    stages: tuple[CurrentStage, ...]
    record: Callable[[], Run]
    """Makes the record that such a run would have."""
    state: Literal["succeeded"] = "succeeded"


class RunStarted(NamedTuple):
    """The run `run` begins; `stages` are all it looks at, in order."""

    run: str
    stages: tuple[str, ...]
    folder: str
    """Its run directory."""


class StageStarted(NamedTuple):
    """The stage's command starts, for this one-line reason."""

    stage: str
    reason: str
    cmd: str
    time: float


class StageLine(NamedTuple):
    """A line the command printed, without its end. `done` is false for a line still growing (a progress bar)."""

    stage: str
    text: str
    done: bool = True


class StageFinished(NamedTuple):
    """The stage is over: it ran, was restored (`cached`), was `current`, or was skipped; see `record.state`."""

    stage: str
    record: StageRecord | CurrentStage


class Stopping(NamedTuple):
    """The user asked to stop: commands were told to end; `now` when they are killed without more waiting."""

    now: bool


class RunEnded(NamedTuple):
    """The run is over and, if `recorded`, in the journal."""

    run: Run | NothingToDo
    recorded: bool


class Epoch(NamedTuple):
    """What a stage logged at one step, told when it goes on to another step or is over."""

    stage: str
    step: float
    metrics: dict[str, float]


class Waiting(NamedTuple):
    """The run has not begun."""

    run: str


RunEvent = RunStarted | StageStarted | StageLine | StageFinished | Stopping | RunEnded
OnEvent = Callable[[RunEvent], None]


def ignore(event: RunEvent) -> None:
    """The face that shows nothing."""

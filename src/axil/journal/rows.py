"""The light values the journal's index answers with: plain tuples, so that reading them imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from axil.base.light import NamedTuple

Value = str | int | float | bool | list[object] | dict[str, object] | None
"""A parameter's value as it stands in JSON."""


class OutputRow(NamedTuple):
    """Content at a path of a finished stage: `oid` in hex, `size` in bytes, `files` how many a tree holds."""

    kind: str
    """ "file" or "tree"."""
    oid: str
    size: int
    files: int = 1
    executable: bool = False


class StageRow(NamedTuple):
    """One stage of one recorded run: what it used, what it made, and which run it was."""

    name: str
    state: str
    reason: str
    cmd: str
    cwd: str
    key: str
    """ "" when it could not be computed."""
    deps: dict[str, str]
    """Project path -> oid in hex, "" for a missing one."""
    params: dict[str, Value]
    code: dict[str, str]
    """Module path -> normalised hash."""
    seen: list[str]
    """Modules found at run time that the static search did not find."""
    env: dict[str, str]
    """Name -> hash of the value."""
    outs: dict[str, OutputRow]
    """Outs, metrics and plots by project path; partial ones if the stage failed."""
    metrics: dict[str, float]
    run: str
    """The run's id."""
    author: str
    time: float
    """When the run started, seconds since the epoch."""
    experiment: str = ""
    """The current name of the run's experiment."""
    started: float = 0.0
    seconds: float = 0.0
    exit_code: int | None = None
    source: str = ""
    """For a cached stage: the run whose result was used."""
    log: str = ""
    """Oid of the log in hex."""
    tail: str = ""
    read: list[str] = []
    """Parameters that were read at run time; a table's name stands for all in it, "" for all there are."""
    start: dict[str, str] = {}
    """Path -> oid of the checkpoint it went on from."""
    checkpoint: dict[str, OutputRow] = {}
    """What its checkpoints held when it was cut off."""
    sample: int = 0
    """Of a rehearsal: to how many samples its data was cut."""


class RunRow(NamedTuple):
    """One line of a list of runs."""

    id: str
    experiment: str
    """The experiment's current name, renames followed; "" for a run on a detached HEAD."""
    state: str
    time: float
    """Start, seconds since the epoch."""
    ended: float
    """0 if the end is unknown."""
    message: str
    author: str
    params: dict[str, Value]
    metrics: dict[str, float]
    retracted: bool = False
    sample: int = 0
    """Size of the sample the run used; 0 for all data."""
    sweep: str = ""
    trial: int = 0
    """Its number in the sweep or group, from 1; 0 for none."""
    group: str = ""
    """The replicates it is one of."""
    seed: int | None = None
    attempt: int = 1
    resumes: str = ""
    """Of a later attempt: the id of the run's first one."""
    pruned: int | None = None
    """The step at which its sweep ended it early."""

    @property
    def seconds(self) -> float:
        """How long the run took; 0 if the end is unknown."""
        return self.ended - self.time if self.ended else 0.0


class Experiment(NamedTuple):
    """An experiment as the journal knows it; names are the current ones, renames followed."""

    name: str
    parent: str | None
    """Current name of the parent, None for a baseline."""
    inferred: bool
    """No fork record tells its origin: it was made with plain git."""
    hypothesis: str
    author: str
    created: float
    """Seconds since the epoch, 0 if unknown."""
    commit: str
    """The fork point, "" if unknown."""
    run: str
    """Id of the run it was forked from, or ""."""
    archived: bool
    deleted: bool
    identity: str = ""
    """Stays the same through renames, and differs when a name is used again."""
    parent_identity: str = ""
    tip: str = ""
    """For an archived or deleted experiment: the commit its branch was at."""
    remote: str = ""
    """The git remote that has its branch, if this clone has none of its own yet."""


def by_name(experiments: Iterable[Experiment]) -> dict[str, Experiment]:
    """One experiment a name: the living one, else the archived, else the deleted; the youngest of equals."""
    chosen: dict[str, Experiment] = {}
    for one in sorted(experiments, key=lambda e: (not e.deleted, not e.archived, e.created, e.identity)):
        chosen[one.name] = one
    return dict(sorted(chosen.items()))


class Summary(NamedTuple):
    """What the runs of one experiment come to."""

    runs: int
    latest: str
    """Id of the newest run."""
    state: str
    """Of the newest run."""
    time: float
    """Of the newest run."""
    best: float | None = None
    """The metric asked for: the mean of the replicates that the newest succeeded run is one of; if it is a single run,
    the best of all results, where replicates count as one, with their mean."""
    best_run: str = ""
    """The run with that value; of replicates the newest."""
    group: str = ""
    """The replicates whose mean it is."""


class NoteRow(NamedTuple):
    """Words about an experiment or a run."""

    id: str
    target: str
    """The name or run id as it was written."""
    text: str
    author: str
    time: float


class OutputRef(NamedTuple):
    """A stored object that a run needs: an "out", "log", "series", "artifacts", "system", "checkpoint" or "data".

    That is its `role`. `path` is "" for all but outs, checkpoints and data.
    """

    oid: bytes
    run: str
    stage: str
    role: str
    path: str
    kind: str
    """ "file" or "tree"."""


class Problem(NamedTuple):
    """A journal entry that could not be used: where it is in the journal's tree, and why."""

    path: str
    why: str

"""Journal records: the immutable JSON facts axil keeps in git (docs/formats/journal.md).

A record is written once and never edited. Unknown fields are ignored, so a newer axil's records stay readable;
an unknown `kind` is kept and skipped. Oids are 64 hex digits, times seconds since the epoch (UTC).
`encode` and `decode` are the only way between records and bytes.
"""

from __future__ import annotations

import json
from typing import Literal

from axil.base.structs import msgspec
from axil.errors import BadInput
from axil.formats import record_check as check

RunState = Literal["queued", "running", "succeeded", "failed", "stopped", "lost"]
StageState = Literal["succeeded", "failed", "stopped", "lost", "cached", "current", "skipped"]
Scalar = str | int | float | bool | None


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """Content at a path: `kind` is "file" or "tree", `size` in bytes, `files` how many files a tree holds."""

    kind: Literal["file", "tree"]
    oid: str
    size: int
    files: int = 1
    executable: bool = False


class StageRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one stage of a run used and made; `key` is empty when it could not be computed."""

    name: str
    state: StageState
    reason: str
    cmd: str
    cwd: str = ""
    key: str = ""
    deps: dict[str, str] = {}
    """Path -> oid, or "" for a missing one."""
    params: dict[str, Scalar | list[object] | dict[str, object]] = {}
    code: dict[str, str] = {}
    """Project-relative module path -> normalised hash."""
    seen: list[str] = []
    """Modules found at run time that the static search did not find."""
    read: list[str] = []
    """Parameters that the stage's processes read, declared or not; a table's name stands for all in it, "" for all."""
    env: dict[str, str] = {}
    """Name -> hash of the value; the value itself is never stored."""
    outs: dict[str, Output] = {}
    """Outs, metrics and plots; partial ones if the stage failed."""
    metrics: dict[str, float] = {}
    start: dict[str, str] = {}
    """Path -> oid of the checkpoint that the command found there and went on from."""
    checkpoint: dict[str, Output] = {}
    """Path -> what its checkpoints held when the stage was cut off: it failed, was stopped or lost."""
    started: float = 0.0
    seconds: float = 0.0
    exit_code: int | None = None
    source: str = ""
    """For a cached stage: the run whose result was used."""
    log: str = ""
    """Oid of the log."""
    tail: str = ""
    """The log's last lines, for a failed stage."""
    tries: int = 1
    """How many times the command was started; the rest is about the last time."""
    sample: int = 0
    """Of a rehearsal: to how many samples its data was cut; 0 for all of it. It is a part of `key`."""


class Series(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric over steps in short: the points themselves are in the object `RunRecord.series`."""

    count: int
    last: float
    min: float
    max: float
    last_step: float = 0.0


class Environment(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a run happened: never a value of an environment variable."""

    python: str = ""
    implementation: str = ""
    platform: str = ""
    machine: str = ""
    cpus: int = 0
    packages: dict[str, str] = {}
    """Distribution -> version, of the packages the run's processes imported."""
    locks: dict[str, str] = {}
    """Lock file path -> oid of its content."""
    axil: str = ""


class Record(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="kind"):
    """What every record has: a ULID, the time it was made, and who made it ("Name <mail>")."""

    id: str
    time: float
    author: str = ""


class Fork(Record, frozen=True, omit_defaults=True, kw_only=True, tag="fork"):
    """`name` was made from `parent` at `commit` (and from `run`, if it was forked from one)."""

    name: str
    parent: str
    commit: str
    run: str = ""
    hypothesis: str = ""


class Run(Record, frozen=True, omit_defaults=True, kw_only=True, tag="run"):
    """One execution of the pipeline at `snapshot` (a git tree); `time` is its start, `id` its run id."""

    experiment: str
    """Branch name at that time; "" on a detached HEAD."""
    commit: str = ""
    snapshot: str = ""
    state: RunState
    message: str = ""
    targets: list[str] = []
    ended: float = 0.0
    host: str = ""
    exit_code: int | None = None
    stages: list[StageRecord] = []
    params: dict[str, Scalar | list[object] | dict[str, object]] = {}
    """All parameters, flat: dotted key -> value."""
    metrics: dict[str, float] = {}
    """Final values, flat."""
    summary: dict[str, Series] = {}
    series: str = ""
    """Oid of the points logged step by step (docs/formats/series.md)."""
    artifacts: Output | None = None
    """The tree of figures, tables and files that the stages logged, a folder for each stage."""
    system: str = ""
    """Oid of what the machine was measured to do meanwhile, as a series."""
    usage: dict[str, float] = {}
    """That in short: `cpu` (mean, in cores), `memory` (peak, bytes), `gpu` (mean, 1 is all of one)."""
    environment: Environment = Environment()
    error: str = ""
    """Why it did not come to its end, if no stage says so: what axil itself had to say."""
    group: str = ""
    """The replicates it is one of: the id of their `Sweep`."""
    seed: int | None = None
    sweep: str = ""
    """The sweep it belongs to."""
    trial: int = 0
    """Its number in the sweep or group, from 1; 0 for the run of the stages that all trials share."""
    data: dict[str, Output] = {}
    """Path -> what the run was given there, where neither its code nor a pointer in it says so."""
    attempt: int = 1
    resumes: str = ""
    """Of a later attempt: the id of the run's first one."""
    pruned: int | None = None
    """The step at which its sweep ended it early, for it was clearly worse than others."""
    sample: int = 0
    """Of a rehearsal: to how many samples its data was cut; 0 for a run on all of it."""


class Sweep(Record, frozen=True, omit_defaults=True, kw_only=True, tag="sweep"):
    """Many runs of one `snapshot`: the trials of a search, or replicates (`seeds`). Its runs name its id."""

    experiment: str = ""
    commit: str = ""
    snapshot: str = ""
    """The git tree of all its runs, but for the parameters it changes."""
    data: dict[str, Output] = {}
    """What its runs are given at paths that git does not keep."""
    targets: list[str] = []
    shared: list[str] = []
    """Stages that no trial changes and that have no result yet: they run first, once."""
    space: dict[str, str] = {}
    """Parameter -> its values as they were typed (formats/space.py)."""
    keys: list[str] = []
    """The parameters in the order typed, which numbers the points of a grid; those not here follow by name."""
    seeds: list[int] = []
    """Of replicates: their seeds, in order."""
    seed_key: str = ""
    """Of replicates: the parameter that is set to the seed, "" for none."""
    goal: str = ""
    direction: Literal["max", "min"] = "max"
    sampler: str = "grid"
    trials: int = 0
    """How many trials there are to be."""
    seed: int = 0
    """What the sampler's random numbers start from."""
    pruner: str = ""
    """Who judges which trials are ended early, "" if none is."""
    gpus: int = 0
    message: str = ""
    sample: int = 0
    """Its runs are rehearsals on so many samples; 0 for all of the data."""


class Note(Record, frozen=True, omit_defaults=True, kw_only=True, tag="note"):
    """Words about an experiment or a run (`target`: branch name or run id)."""

    target: str
    text: str


class Rename(Record, frozen=True, omit_defaults=True, kw_only=True, tag="rename"):
    """The experiment `old` is called `new` from now on."""

    old: str
    new: str


class Archive(Record, frozen=True, omit_defaults=True, kw_only=True, tag="archive"):
    """The experiment `name` (tip `commit`) left `git branch` for refs/axil/archive/."""

    name: str
    commit: str


class Restore(Record, frozen=True, omit_defaults=True, kw_only=True, tag="restore"):
    """The archived experiment `name` is a branch again."""

    name: str
    commit: str


class Delete(Record, frozen=True, omit_defaults=True, kw_only=True, tag="delete"):
    """The experiment `name` (tip `commit`) was deleted; its runs stay."""

    name: str
    commit: str


class Retract(Record, frozen=True, omit_defaults=True, kw_only=True, tag="retract"):
    """The record `target` no longer counts (an undone fork, note, rename …); it stays readable."""

    target: str


AnyRecord = Fork | Run | Sweep | Note | Rename | Archive | Restore | Delete | Retract

KINDS: dict[str, type[Record]] = {
    "fork": Fork,
    "run": Run,
    "sweep": Sweep,
    "note": Note,
    "rename": Rename,
    "archive": Archive,
    "restore": Restore,
    "delete": Delete,
    "retract": Retract,
}
MAX_RECORD = check.MAX_RECORD


def kind_of(record: AnyRecord) -> str:
    """The record's `kind`, which is also its folder in the journal."""
    return str(type(record).__struct_config__.tag)


def encode(record: AnyRecord) -> bytes:
    """Canonical bytes: JSON with sorted keys, no spaces, UTF-8 (lone surrogates escaped), one newline at the end.

    Control characters in free text become U+FFFD. Raises `BadInput` for a record that `decode` would refuse.
    """
    source = f"{kind_of(record)} {record.id!r}"
    checked = _typed(check.clean(msgspec.to_builtins(record), source), source)
    values = check.plain(msgspec.to_builtins(checked))
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
    # A path that is not UTF-8 holds lone surrogates: backslashreplace writes them as the JSON escapes \udcXX.
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > MAX_RECORD:
        raise BadInput(f"the journal record {source} is too long", f"{len(data)} bytes of at most {MAX_RECORD}")
    return data


def decode(data: bytes, source: str) -> AnyRecord | None:
    """The record in `data`; None if its `kind` is one this version does not know.

    `source` (where the bytes are from) names the record in errors. Raises `BadInput` for anything malformed.
    """
    if len(data) > MAX_RECORD:
        raise BadInput(f"the journal record {source} is not valid", f"{len(data)} bytes of at most {MAX_RECORD}")
    try:
        values = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the journal record {source} is not valid", f"not JSON: {error}") from None
    kind = values.get("kind") if isinstance(values, dict) else None
    if not isinstance(kind, str):
        raise BadInput(f"the journal record {source} is not valid", "not an object with a text `kind`")
    if kind not in KINDS:
        return None
    return _typed(check.clean(values, source), source)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _typed(values: object, source: str) -> AnyRecord:
    try:
        record: AnyRecord = msgspec.convert(values, AnyRecord)
    except (msgspec.ValidationError, RecursionError, OverflowError) as error:
        raise BadInput(f"the journal record {source} is not valid", str(error)) from None
    check.check_ulid(source, "id", record.id)
    check.check_time(source, "time", record.time)
    if len(record.author) > check.MAX_NAME or "\n" in record.author:
        raise check.refused(source, "author", record.author, "is not one line of text")
    if isinstance(record, Run):
        _check_run(record, source)
    elif isinstance(record, Sweep):
        _check_sweep(record, source)
    elif isinstance(record, Retract):
        check.check_ulid(source, "target", record.target)
    elif isinstance(record, Note):
        check.check_name(source, "target", record.target)
    elif isinstance(record, Rename):
        check.check_name(source, "old", record.old)
        check.check_name(source, "new", record.new)
    else:
        check.check_name(source, "name", record.name)
        check.check_hex(source, "commit", record.commit, _GIT_OID)
        if isinstance(record, Fork):
            check.check_ulid(source, "run", record.run, empty=True)
            if record.parent:
                check.check_name(source, "parent", record.parent)
    return record


_GIT_OID = (0, 40, 64)
_OID = (0, 64)


def _check_run(run: Run, source: str) -> None:
    if run.experiment:
        check.check_name(source, "experiment", run.experiment)
    check.check_hex(source, "commit", run.commit, _GIT_OID)
    check.check_hex(source, "snapshot", run.snapshot, _GIT_OID)
    check.check_hex(source, "series", run.series, _OID)
    check.check_hex(source, "system", run.system, _OID)
    if run.artifacts is not None:
        _check_output(run.artifacts, source, "artifacts")
    check.check_ulid(source, "group", run.group, empty=True)
    check.check_ulid(source, "sweep", run.sweep, empty=True)
    if not 0 <= run.trial < 1 << 31:
        raise check.refused(source, "trial", run.trial, "is not the number of a trial")
    if run.pruned is not None and not 0 <= run.pruned < 1 << 53:
        raise check.refused(source, "pruned", run.pruned, "is not a step")
    check.check_time(source, "ended", run.ended)
    _check_sample(run.sample, source, "sample")
    for path, oid in run.environment.locks.items():
        check.check_hex(source, f"environment.locks.{path}", oid, _OID)
    _check_outputs(run.data, source, "data")
    check.check_ulid(source, "resumes", run.resumes, empty=True)
    if (run.attempt > 1) != bool(run.resumes) or run.attempt < 1 or run.resumes == run.id:
        raise check.refused(source, "attempt", run.attempt, f"does not go with resumes: {run.resumes}")
    for number, stage in enumerate(run.stages):
        _check_stage(stage, source, f"stages[{number}]")


def _check_sweep(sweep: Sweep, source: str) -> None:
    if sweep.experiment:
        check.check_name(source, "experiment", sweep.experiment)
    check.check_hex(source, "commit", sweep.commit, _GIT_OID)
    check.check_hex(source, "snapshot", sweep.snapshot, _GIT_OID)
    _check_outputs(sweep.data, source, "data")
    _check_sample(sweep.sample, source, "sample")


def _check_sample(sample: int, source: str, at: str) -> None:
    if not 0 <= sample < 1 << 31:
        raise check.refused(source, at, sample, "is not a number of samples")


def _check_stage(stage: StageRecord, source: str, at: str) -> None:
    if not 0 < len(stage.name) <= check.MAX_NAME or "\n" in stage.name:
        raise check.refused(source, f"{at}.name", stage.name, "is not one line of text")
    check.check_time(source, f"{at}.started", stage.started)
    check.check_time(source, f"{at}.seconds", stage.seconds)
    check.check_hex(source, f"{at}.key", stage.key, _OID)
    check.check_hex(source, f"{at}.log", stage.log, _OID)
    check.check_ulid(source, f"{at}.source", stage.source, empty=True)
    _check_sample(stage.sample, source, f"{at}.sample")
    for path, oid in stage.deps.items():
        check.check_hex(source, f"{at}.deps.{path}", oid, _OID)
    for path, oid in stage.start.items():
        check.check_hex(source, f"{at}.start.{path}", oid, _OID)
    _check_outputs(stage.outs, source, f"{at}.outs")
    _check_outputs(stage.checkpoint, source, f"{at}.checkpoint")


def _check_outputs(outs: dict[str, Output], source: str, at: str) -> None:
    for path, output in outs.items():
        check.check_path(source, at, path)
        _check_output(output, source, f"{at}.{path}")


def _check_output(output: Output, source: str, at: str) -> None:
    check.check_hex(source, f"{at}.oid", output.oid, (64,))
    if output.size < 0 or output.files < 0:
        raise check.refused(source, at, output.size, "is a negative size")

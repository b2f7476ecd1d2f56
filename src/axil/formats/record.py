"""Journal records: the immutable JSON facts axil keeps in git (docs/formats/journal.md).

A record is written once and never edited. Unknown fields are ignored, so a newer axil's records stay readable;
an unknown `kind` is kept and skipped. Oids are 64 hex digits, times seconds since the epoch (UTC).
"""

from __future__ import annotations

from typing import Literal

import msgspec

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
    env: dict[str, str] = {}
    """Name -> hash of the value; the value itself is never stored."""
    outs: dict[str, Output] = {}
    """Outs, metrics and plots; partial ones if the stage failed."""
    metrics: dict[str, float] = {}
    started: float = 0.0
    seconds: float = 0.0
    exit_code: int | None = None
    source: str = ""
    """For a cached stage: the run whose result was used."""
    log: str = ""
    """Oid of the log."""
    tail: str = ""
    """The log's last lines, for a failed stage."""


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
    environment: Environment = Environment()


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


AnyRecord = Fork | Run | Note | Rename | Archive | Restore | Delete | Retract

"""The files of a run directory (docs/formats/run-directory.md): spec.json, state.jsonl and trace files.

Pure: bytes <-> values. `state.jsonl` is append-only; a last line cut short by a crash is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from axil.base.structs import msgspec
from axil.errors import Damaged
from axil.formats.record import Output, Run, Scalar, StageRecord

VERSION = 1


class Start(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The checkpoint that a stage of a resumed run goes on from, and the inputs that it belongs to."""

    run: str
    """The attempt that left it."""
    paths: dict[str, Output]
    deps: dict[str, str] = {}
    params: dict[str, Scalar | list[object] | dict[str, object]] = {}
    env: dict[str, str] = {}


class Spec(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was asked: written once, before anything runs."""

    version: int = VERSION
    id: str
    time: float
    root: str
    """The work tree, as an absolute path."""
    experiment: str = ""
    commit: str = ""
    snapshot: str = ""
    """The git tree of the code that runs."""
    author: str = ""
    host: str = ""
    message: str = ""
    targets: list[str] = []
    outs: list[str] = []
    """Every path the run may write, to keep a second run of the same work tree from writing them too."""
    params: dict[str, Scalar | list[object] | dict[str, object]] = {}
    pid: int = 0
    boot: str = ""
    """Which start of the system `pid` and the processes belong to."""
    source: str = ""
    """Of an isolated run: the work tree it was asked for in; `root` is its own."""
    data: dict[str, Output] = {}
    """Of an isolated run: what was at paths that git does not keep, and is given to it."""
    detached: bool = False
    force: bool = False
    jobs: int = 1
    keep: bool = False
    """The isolated work tree stays when the run is over."""
    gpus: int = 0
    """How many accelerators it waits for and has for itself."""
    group: str = ""
    seed: int | None = None
    seed_key: str = ""
    sweep: str = ""
    trial: int = 0
    checkpoints: dict[str, list[str]] = {}
    """Stage -> where it keeps its checkpoints: what is there is saved if it is cut off."""
    edited: list[str] = []
    """The paths of `data` that no pointer in the snapshot tells the content of."""
    attempt: int = 1
    resumes: str = ""
    """Of a later attempt: the id of the run's first one."""
    starts: dict[str, Start] = {}
    """Of a later attempt: stage -> the checkpoint it goes on from."""
    series: str = ""
    """Of a later attempt: oid of what the earlier ones had logged."""
    sample: int = 0
    """Of a rehearsal: to how many samples its data is cut."""


class Supervised(msgspec.Struct, frozen=True, tag="supervised", tag_field="event"):
    """A process of axil took charge of the run: its pid and start time in clock ticks since boot."""

    pid: int
    ticks: int


class Admitted(msgspec.Struct, frozen=True, tag="admitted", tag_field="event"):
    """The run waits no more: it began at `time` (seconds since the epoch), with these accelerators for itself."""

    time: float
    gpus: list[str] = []


class Staged(msgspec.Struct, frozen=True, tag="stage", tag_field="event"):
    """A stage's record as it is now: state `lost` while it runs (which is the truth if nothing follows)."""

    record: StageRecord


class Started(msgspec.Struct, frozen=True, tag="process", tag_field="event"):
    """The process group of a stage's command: its leader's pid and start time in clock ticks since boot."""

    stage: str
    pid: int
    ticks: int


class Pruned(msgspec.Struct, frozen=True, tag="pruned", tag_field="event"):
    """Whoever drives the run's sweep decided to end it at `step`; the signal to end follows."""

    step: int


class Ended(msgspec.Struct, frozen=True, tag="ended", tag_field="event"):
    """The finished record, about to go to the journal."""

    run: Run


Event = Supervised | Admitted | Staged | Started | Pruned | Ended


class State(NamedTuple):
    """A run so far: the fold of its events."""

    stages: dict[str, StageRecord]
    processes: dict[str, Started]
    run: Run | None
    supervisor: Supervised | None = None
    admitted: Admitted | None = None
    pruned: int | None = None
    """The step at which it was to be ended."""


class Trace(NamedTuple):
    """What one Python process of a run loaded."""

    stage: str
    version: str
    implementation: str
    prefix: str
    modules: list[str]
    """Project-relative paths."""
    packages: dict[str, str]
    """Top-level module name -> the site folder it came from."""


_spec = msgspec.json.Decoder(Spec)
_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


def encode_spec(spec: Spec) -> bytes:
    """spec.json."""
    return _encoder.encode(spec) + b"\n"


def decode_spec(data: bytes, source: str) -> Spec:
    """Read spec.json; raises `Damaged` naming `source`."""
    try:
        spec = _spec.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(f"{source} is not a run's spec", str(error)) from None
    if spec.version > VERSION:
        raise Damaged(f"{source} was written by a newer axil", f"version {spec.version}, known is {VERSION}")
    return spec


def encode_event(event: Event) -> bytes:
    """One line of state.jsonl."""
    return _encoder.encode(event) + b"\n"


def decode_event(line: bytes) -> Event | None:
    """What one line of state.jsonl says; None if it cannot be read (cut short, or of a newer axil)."""
    try:
        return _event.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def fold(data: bytes) -> State:
    """The state a run reached. Lines that are no events (cut short, or of a newer axil) are passed over."""
    run = supervisor = admitted = pruned = None
    stages: dict[str, StageRecord] = {}
    processes: dict[str, Started] = {}
    for line in data.split(b"\n"):
        event = decode_event(line)
        if event is None:
            continue
        if isinstance(event, Staged):
            stages[event.record.name] = event.record
        elif isinstance(event, Started):
            processes[event.stage] = event
        elif isinstance(event, Supervised):
            supervisor = event
        elif isinstance(event, Admitted):
            admitted = event
        elif isinstance(event, Pruned):
            pruned = event.step
        else:
            run = event.run
    return State(stages, processes, run, supervisor, admitted, pruned)


def parse_trace(data: bytes) -> Trace | None:
    """One trace file: NUL-separated `key`, `value` pairs, the last one `end`; None if it is not whole."""
    fields = data.decode("utf-8", "surrogateescape").split("\0")
    if len(fields) < 2 or fields[-2] != "end":
        return None
    found: dict[str, str] = {}
    modules: list[str] = []
    packages: dict[str, str] = {}
    site = ""
    for key, value in _pairs(fields[:-2]):
        if key == "module":
            modules.append(value)
        elif key == "site":
            site = value
        elif key == "package":
            packages[value] = site
        else:
            found[key] = value
    get = found.get
    return Trace(get("stage", ""), get("version", ""), get("implementation", ""), get("prefix", ""), modules, packages)


def _pairs(fields: list[str]) -> Iterable[tuple[str, str]]:
    return zip(fields[::2], fields[1::2], strict=False)


class _Read(msgspec.Struct, frozen=True):
    key: str
    stage: str = ""


_read = msgspec.json.Decoder(_Read)
_MAX_KEY = 1000
_MAX_KEYS = 10_000


def parse_reads(data: bytes) -> dict[str, set[str]]:
    """read.jsonl: stage -> the parameters its processes read. Written by any program, so what is no line is ignored."""
    found: dict[str, set[str]] = {}
    for line in data.split(b"\n"):
        try:
            read = _read.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        keys = found.setdefault(read.stage, set())
        if len(keys) < _MAX_KEYS and len(read.key) <= _MAX_KEY and read.key.isprintable():
            keys.add(read.key)
    return found


def encode_params(nested: dict[str, Any]) -> bytes:
    """params.json: the parameters as the child sees them."""
    return _encoder.encode(nested) + b"\n"

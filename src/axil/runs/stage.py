"""One stage of a run, from its decision to its record: environment, command, outputs, metrics."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.quickjson import canonical
from axil.formats.pointer import Pointer
from axil.formats.project import Stage
from axil.journal.rows import OutputRow, StageRow
from axil.pipeline import keys
from axil.pipeline.keys import StageInputs
from axil.pipeline.planner import Decision
from axil.runs.events import CurrentStage
from axil.runs.outputs import pointer_of
from axil.runs.traces import python_path

if TYPE_CHECKING:
    from axil.formats.record import Output, StageRecord, StageState
    from axil.formats.runfiles import Start

SEED = "AXIL_SEED"
"""Variable with the seed of a run that is one of several replicates."""
SAMPLE = "AXIL_SAMPLE"
"""Variable with the number of samples of a rehearsal; other runs do not have it, even if the user has set it."""
TAIL_LINES = 20
_TAIL_BYTES = 16 << 10


class Names(NamedTuple):
    """What a command learns of its run through its environment."""

    folder: str
    run: str
    experiment: str
    root: str
    protect: tuple[str, ...] = ()
    """Folders it must not change, where the kernel can enforce that."""
    seedless: frozenset[str] = frozenset()
    """Stages that the run's seed is no input of: they do not learn it, so their results are the same for all seeds."""
    source: str = ""
    """Of an isolated run: the work tree it was asked for in."""
    attempt: int = 1
    sample: int = 0
    """Of a rehearsal: to how many samples its data is cut."""


def environment(environ: Mapping[str, str], names: Names, stage: str, attempt: int = 1) -> dict[str, str]:
    """The environment of a stage's command: the caller's, and what connects the command to its run."""
    if stage in names.seedless:
        environ = {name: value for name, value in environ.items() if name != SEED}
    source = {"AXIL_SOURCE": names.source} if names.source else {}
    sample = {SAMPLE: str(names.sample)} if names.sample else {}
    return {
        **{name: value for name, value in environ.items() if name != SAMPLE},
        "AXIL_RUN_DIR": names.folder,
        "AXIL_RUN": names.run,
        "AXIL_EXPERIMENT": names.experiment,
        "AXIL_STAGE": stage,
        "AXIL_ATTEMPT": str(names.attempt - 1 + attempt),
        "AXIL_ROOT": names.root,
        **source,
        **sample,
        # Without it Python keeps lines back when its output is no terminal, and live output would come in lumps.
        "PYTHONUNBUFFERED": environ.get("PYTHONUNBUFFERED") or "1",
        "PYTHONPATH": python_path(environ),
    }


def seeded(stage: Stage, seed_key: str) -> bool:
    """Whether the seed is an input of the stage itself: through the parameter `seed_key`, or as it lists AXIL_SEED."""
    return SEED in stage.env or bool(seed_key and reads(stage, (seed_key,)))


def reads(stage: Stage, keys: Iterable[str]) -> bool:
    """Whether one of the parameters `keys` is among those of the stage."""
    return any(
        f"{one}.".startswith(f"{key}.") or f"{key}.".startswith(f"{one}.") for key in keys for one in stage.params
    )


def current(decision: Decision) -> CurrentStage:
    """What a run tells of a stage that is as it should be, when it makes no record."""
    hit = _hit(decision)
    return CurrentStage(decision.stage, decision.reason, hit.outs, hit.metrics, hit.exit_code)


def reused(stage: Stage, decision: Decision, started: float, seconds: float) -> StageRecord:
    """The record of a stage whose recorded result was taken: `cached` or `current`."""
    hit = _hit(decision)
    return _record(
        stage,
        decision.inputs,
        state="cached" if decision.action == "restore" else "current",
        reason=decision.reason,
        key=decision.key or "",
        seen=list(decision.seen),
        read=list(decision.read),
        outs={path: _output_row(row) for path, row in hit.outs.items()},
        metrics=hit.metrics,
        started=started,
        seconds=seconds,
        exit_code=hit.exit_code,
        source=hit.source or hit.run,
        log=hit.log,
    )


def _hit(decision: Decision) -> StageRow:
    if decision.hit is None:
        raise AssertionError(f"{decision.stage}: no recorded result to reuse")
    return decision.hit


def start(decision: Decision, tracked: Mapping[str, Pointer], left: Start | None) -> dict[str, Pointer] | None:
    """The checkpoints a command starts from: what an earlier attempt `left`, else `tracked` ones.

    None if what was left belongs to other inputs.
    """
    if left is None or decision.inputs is None:
        return dict(tracked)
    now = decision.inputs
    if (now.deps, canonical(now.params), now.env) != (left.deps, canonical(left.params), left.env):
        return None
    return {**tracked, **{path: pointer_of(out) for path, out in left.paths.items()}}


def running(
    stage: Stage,
    decision: Decision,
    started: float,
    tries: int = 1,
    start: Mapping[str, Pointer] = MappingProxyType({}),
) -> StageRecord:
    """The record of a stage that starts now; its state is `lost`, which is true unless something else follows."""
    return _record(
        stage,
        decision.inputs,
        state="lost",
        reason=decision.reason,
        key=decision.key or "",
        seen=list(decision.seen),
        read=list(decision.read),
        start={path: pointer.oid.hex() for path, pointer in start.items()},
        started=started,
        tries=tries,
    )


def skipped(stage: Stage, reason: str) -> StageRecord:
    """The record of a stage that never started."""
    return _record(stage, None, state="skipped", reason=reason)


def finished(
    record: StageRecord,
    state: StageState,
    *,
    inputs: StageInputs,
    seen: list[str],
    read: list[str],
    outs: Mapping[str, Pointer],
    checkpoint: Mapping[str, Pointer],
    metrics: dict[str, float],
    ended: float,
    exit_code: int | None,
    tail: str = "",
) -> StageRecord:
    """The record of a stage whose command is over, made from the one it had while running."""
    from axil.base.structs import msgspec

    return msgspec.structs.replace(
        record,
        state=state,
        key=keys.key(inputs),
        params=inputs.params,
        code=inputs.code,
        seen=seen,
        read=read,
        outs={path: output(pointer) for path, pointer in outs.items()},
        checkpoint={path: output(pointer) for path, pointer in checkpoint.items()},
        metrics=metrics,
        seconds=ended - record.started,
        exit_code=exit_code,
        tail=tail,
    )


def tail_of(log: str) -> str:
    """The last lines of a log, at most 20 and 16 KiB."""
    try:
        with open(log, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            data = file.read()
    except FileNotFoundError:
        return ""
    lines = data.decode("utf-8", "replace").splitlines()
    if size > _TAIL_BYTES and len(lines) > 1:
        del lines[0]  # most likely cut
    return "\n".join(lines[-TAIL_LINES:])


def metrics_of(stage: Stage, root: str) -> tuple[dict[str, float], list[str]]:
    """The numbers in the stage's metrics files, and a line about each file that could not be read."""
    from axil.errors import BadInput
    from axil.formats import metrics

    found: dict[str, float] = {}
    problems = []
    for path in stage.metrics:
        try:
            with open(os.path.join(root, path), "rb") as file:
                found.update(metrics.parse(file.read(), path))
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}")
        except BadInput as error:
            problems.append(f"{error.what}: {error.why}")
    return found, problems


def _record(stage: Stage, inputs: StageInputs | None, *, state: StageState, reason: str, **rest: object) -> StageRecord:
    from axil.base.structs import msgspec
    from axil.formats.record import StageRecord

    record = StageRecord(stage.name, state, reason, stage.cmd, stage.cwd)
    if inputs is not None:
        rest |= {"deps": inputs.deps, "params": inputs.params, "code": inputs.code, "env": inputs.env}
        rest["sample"] = inputs.sample
    return msgspec.structs.replace(record, **rest)


def output(pointer: Pointer) -> Output:
    """Content as records keep it."""
    from axil.formats.record import Output

    return Output(pointer.kind, pointer.oid.hex(), pointer.size, pointer.files, pointer.executable)


def _output_row(row: OutputRow) -> Output:
    from axil.formats.record import Output

    return Output("tree" if row.kind == "tree" else "file", row.oid, row.size, row.files, row.executable)

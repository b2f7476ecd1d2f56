"""The end of a run: logs, series and artifacts into the store, one record for the journal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

from axil.base.light import TYPE_CHECKING, Any
from axil.errors import AxilError, NotFound
from axil.runs import artifacts
from axil.runs.rundir import ARTIFACTS, LOGGED, SERIES, SYSTEM, RunDir
from axil.runs.system import summary as usage
from axil.store import Saved, Store

STITCHED = "stitched.jsonl"
"""In the folder of a later attempt: the series with those of the earlier ones."""

if TYPE_CHECKING:
    from axil.formats.record import Environment, Output, Run, RunState, Scalar, StageRecord
    from axil.formats.runfiles import Spec
    from axil.formats.series import Summary


def conclude(
    folder: RunDir,
    spec: Spec,
    state: RunState,
    stages: Iterable[StageRecord],
    *,
    store: Store,
    summary: Summary,
    environment: Environment,
    ended: float,
    error: str = "",
) -> Run:
    """The run's record. Its logs, series and artifacts are stored, durably, when this returns.

    Of a later attempt the series goes on from what the earlier ones had logged.
    """
    from axil.base.structs import msgspec

    series = folder.file(SERIES)
    stages = list(stages)
    if spec.series:
        series = folder.file(STITCHED)
        summary, stages = _continued(folder, spec, stages, store, summary)
    oids, kept = _store_files(folder, series, store)
    records = [msgspec.structs.replace(one, log=oids.get(folder.log(one.name), one.log)) for one in stages]
    pruned = folder.state().pruned if spec.sweep and state in ("stopped", "lost") else None
    failed = next((one for one in records if one.state == "failed"), None)
    return record_of(
        spec,
        state=state,
        ended=ended,
        exit_code=failed.exit_code if failed else 0 if state == "succeeded" else None,
        stages=records,
        metrics=_final_metrics(records, summary),
        summary={name: series for stage in summary.stages() for name, series in summary.series(stage).items()},
        series=oids.get(series, ""),
        artifacts=kept,
        system=oids.get(folder.file(SYSTEM), ""),
        usage=usage(folder.file(SYSTEM)),
        environment=environment,
        params={**spec.params, **_logged(folder)},
        error=error if pruned is None else f"pruned at step {pruned}",
        pruned=pruned,
    )


def record_of(spec: Spec, **came: Any) -> Run:
    """The record of the run that `spec` asked for; `came` are the fields that say what came of it."""
    from axil.formats.record import Run

    return Run(
        id=spec.id,
        time=spec.time,
        author=spec.author,
        experiment=spec.experiment,
        commit=spec.commit,
        snapshot=spec.snapshot,
        message=spec.message,
        targets=spec.targets,
        host=spec.host,
        group=spec.group,
        seed=spec.seed,
        sweep=spec.sweep,
        trial=spec.trial,
        data={path: spec.data[path] for path in spec.edited},
        attempt=spec.attempt,
        resumes=spec.resumes,
        sample=spec.sample,
        **{"params": spec.params, **came},
    )


def snapshots(run: Run) -> dict[str, str]:
    """The git tree to keep beside the run's record."""
    return {run.id: run.snapshot} if run.snapshot else {}


def _final_metrics(records: list[StageRecord], summary: Summary) -> dict[str, float]:
    """Metrics of all stages in their order, later ones winning, so that it does not matter which were cached."""
    found = summary.final("")
    for record in records:
        found.update(record.metrics)
    return found


def _logged(folder: RunDir) -> Mapping[str, Scalar]:
    """The params that processes of the run have reported."""
    try:
        with open(folder.file(LOGGED), "rb") as file:
            from axil.formats import logged

            return logged.parse(file.read(logged.MAX_BYTES))
    except OSError:
        return {}


def _continued(
    folder: RunDir, spec: Spec, stages: list[StageRecord], store: Store, summary: Summary
) -> tuple[Summary, list[StageRecord]]:
    """Sum up earlier attempts and this one together; the stages with the last values of both."""
    from axil.base.structs import msgspec
    from axil.runs.stitch import stitch

    try:
        earlier = store.read(bytes.fromhex(spec.series))
    except NotFound:
        earlier = b""  # It was not on this machine when the run was resumed; the earlier attempt's record names it.
    anew = {one.name for one in stages if one.state not in ("cached", "current", "skipped") and not one.start}
    whole = stitch(earlier, folder.file(SERIES), folder.file(STITCHED), anew)
    # What a metrics file said counts more than what was logged.
    return whole, [
        msgspec.structs.replace(one, metrics={**whole.final(one.name), **one.metrics}) if one.start else one
        for one in stages
    ]


def _store_files(folder: RunDir, series: str, store: Store) -> tuple[Mapping[str, str], Output | None]:
    """Put logs, series and artifacts into the store in one commit; absolute path -> oid in hex, and the artifacts.

    Empty logs and series are left out.
    """
    paths = [series, folder.file(SYSTEM)]
    with contextlib.suppress(FileNotFoundError):
        paths += [folder.file("logs", name) for name in sorted(os.listdir(folder.file("logs")))]
    paths = [path for path in paths if _size(path)]
    if not paths and not os.path.isdir(folder.file(ARTIFACTS)):
        return {}, None
    with store.batch() as batch:
        answers = batch.put_files(paths)
        kept = artifacts.put(batch, folder.file(ARTIFACTS))
        batch.commit()
    found = {}
    for path, answer in zip(paths, answers, strict=True):
        if not isinstance(answer, Saved):
            raise AxilError(f"{path} could not be saved", answer.strerror or str(answer), "the run's folder is kept")
        found[path] = answer.oid.hex()
    return found, kept


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0

"""The tracking store: MLflow's runs and experiments in memory, their metrics and params in the run of axil."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterable
from threading import RLock
from typing import Any

from mlflow.entities import (
    DatasetInput,
    Experiment,
    ExperimentTag,
    LifecycleStage,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunInfo,
    RunStatus,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_STATE, RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchUtils

from axil import tracking
from axil.integrations.common import harmless, keep_all, warn
from axil.integrations.mlflow.kept import KeptRun
from axil.integrations.mlflow.models import ModelStore

_PARENT, _NAME = "mlflow.parentRunId", "mlflow.runName"
_DEFAULT = "0"


class AxilStore(ModelStore):
    """Made by MLflow for the tracking URI `axil:`, once a process."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = RLock()
        self._folder = _folder()
        self._experiments: dict[str, Experiment] = {}
        self._runs: dict[str, KeptRun] = {}
        self._experiment(_DEFAULT, Experiment.DEFAULT_EXPERIMENT_NAME)
        if "AXIL_RUN_DIR" in os.environ:
            warn("MLflow logs to this run (set MLFLOW_TRACKING_URI to send it elsewhere)")

    # -- experiments -----------------------------------------------------------------------------------------------

    def _experiment(self, experiment_id: str, name: str, tags: Iterable[ExperimentTag] = ()) -> Experiment:
        now = _now()
        made = self._experiments[experiment_id] = Experiment(
            experiment_id=experiment_id,
            name=name,
            artifact_location=self.place(experiment_id),
            lifecycle_stage=LifecycleStage.ACTIVE,
            tags=list(tags),
            creation_time=now,
            last_update_time=now,
        )
        return made

    def _change(self, experiment_id: str, **changes: Any) -> None:
        """Replace an experiment by one that differs: MLflow's own have no public way to change."""
        old = self.get_experiment(experiment_id)
        facts = {**dict(old), **changes}
        if isinstance(facts["tags"], dict):
            facts["tags"] = [ExperimentTag(key, value) for key, value in facts["tags"].items()]
        self._experiments[old.experiment_id] = Experiment(**facts)

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: list[ExperimentTag] | None = None
    ) -> str:
        with self._lock:
            if self.get_experiment_by_name(name) is not None:
                raise MlflowException(f"Experiment '{name}' already exists.", RESOURCE_ALREADY_EXISTS)
            return str(self._experiment(str(len(self._experiments)), name, tags or ()).experiment_id)

    def get_experiment(self, experiment_id: str | None) -> Experiment:
        """Also one that another process of the run has made: all that matters here is that there is one."""
        with self._lock:
            key = str(experiment_id or _DEFAULT)
            return self._experiments.get(key) or self._experiment(key, key)

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        return next((one for one in self._experiments.values() if one.name == experiment_name), None)

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = SEARCH_MAX_RESULTS_DEFAULT,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> Any:
        stages = LifecycleStage.view_type_to_stages(view_type)
        there = [one for one in self._experiments.values() if one.lifecycle_stage in stages]
        found = SearchExperimentsUtils.filter(there, filter_string)
        found = SearchExperimentsUtils.sort(found, order_by or ["creation_time DESC", "experiment_id ASC"])
        return PagedList(*SearchUtils.paginate(found, page_token, max_results))

    def set_experiment_tag(self, experiment_id: str, tag: ExperimentTag) -> None:
        self._change(experiment_id, tags={**self.get_experiment(experiment_id).tags, tag.key: tag.value})

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        tags = self.get_experiment(experiment_id).tags
        self._change(experiment_id, tags={name: value for name, value in tags.items() if name != key})

    def delete_experiment(self, experiment_id: str) -> None:
        self._change(experiment_id, lifecycle_stage=LifecycleStage.DELETED)

    def restore_experiment(self, experiment_id: str) -> None:
        self._change(experiment_id, lifecycle_stage=LifecycleStage.ACTIVE)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        self._change(experiment_id, name=new_name)

    # -- runs ------------------------------------------------------------------------------------------------------

    def create_run(
        self, experiment_id: str | None, user_id: str, start_time: int, tags: list[RunTag] | None, run_name: str | None
    ) -> Run:
        with self._lock:
            kept = {tag.key: tag.value for tag in tags or []}
            name = run_name or kept.get(_NAME, "")
            prefix = self._prefix(name, _PARENT in kept)
            kept[_NAME] = name or prefix.rstrip("/") or os.environ.get("AXIL_STAGE", "") or "run"
            run = self._add_run(uuid.uuid4().hex, self.get_experiment(experiment_id), prefix, start_time, user_id)
            run.tags = kept
            run.facts["run_name"] = kept[_NAME]
            return run.entity()

    def _prefix(self, name: str, child: bool) -> str:
        """What stands before the names of a run's metrics: nothing for a process's first run."""
        if not child and not self._runs:
            return ""
        taken = {run.prefix for run in self._runs.values()}
        wanted = name or ("child" if child else "run")
        number, prefix = 1, f"{wanted}/" if name else f"{wanted}-1/"
        while prefix in taken:
            number += 1
            prefix = f"{wanted}-{number}/"
        return prefix

    def _add_run(self, run_id: str, experiment: Experiment, prefix: str, started: int, user: str) -> KeptRun:
        run = self._runs[run_id] = KeptRun(
            prefix,
            run_id=run_id,
            experiment_id=experiment.experiment_id,
            user_id=user,
            status=RunStatus.to_string(RunStatus.RUNNING),
            start_time=started,
            end_time=None,
            lifecycle_stage=LifecycleStage.ACTIVE,
            artifact_uri=self.place(experiment.experiment_id, run_id),
            run_name=prefix.rstrip("/"),
        )
        return run

    def _run(self, run_id: str) -> KeptRun:
        """Also of a run that another process has begun and handed on by its id (MLFLOW_RUN_ID)."""
        with self._lock:
            if run_id not in self._runs:
                if not (isinstance(run_id, str) and len(run_id) == 32 and run_id.isalnum()):
                    raise MlflowException(f"Run '{run_id}' not found", RESOURCE_DOES_NOT_EXIST)
                # In the experiment that was set last: MLflow insists on it.
                self._add_run(run_id, list(self._experiments.values())[-1], "", _now(), "")
            return self._runs[run_id]

    def get_run(self, run_id: str) -> Run:
        with self._lock:
            return self._run(run_id).entity()

    def update_run_info(self, run_id: str, run_status: int, end_time: int | None, run_name: str | None) -> RunInfo:
        run = self._run(run_id)
        if run_status is not None:
            run.facts["status"] = RunStatus.to_string(run_status)
            if RunStatus.is_terminated(run_status):
                self._ended(run)
        if end_time is not None:
            run.facts["end_time"] = end_time
        if run_name:
            run.facts["run_name"] = run.tags[_NAME] = run_name
        return run.info

    @harmless
    def _ended(self, run: KeptRun) -> None:
        tracking.flush()
        keep_all(self.path(run.facts["experiment_id"], run.facts["run_id"]), run.prefix)

    def delete_run(self, run_id: str) -> None:
        self._run(run_id).facts["lifecycle_stage"] = LifecycleStage.DELETED

    def restore_run(self, run_id: str) -> None:
        self._run(run_id).facts["lifecycle_stage"] = LifecycleStage.ACTIVE

    def _search_runs(
        self,
        experiment_ids: list[str],
        filter_string: str | None,
        run_view_type: int,
        max_results: int,
        order_by: list[str] | None,
        page_token: str | None,
    ) -> tuple[list[Run], str | None]:
        stages = LifecycleStage.view_type_to_stages(run_view_type)
        with self._lock:
            there = [
                run.entity()
                for run in self._runs.values()
                if run.facts["experiment_id"] in experiment_ids and run.facts["lifecycle_stage"] in stages
            ]
        found = SearchUtils.sort(SearchUtils.filter(there, filter_string), order_by)
        runs, token = SearchUtils.paginate(found, page_token, max_results)
        return runs, token

    # -- what is logged --------------------------------------------------------------------------------------------

    def log_metric(self, run_id: str, metric: Metric) -> None:
        self.log_batch(run_id, [metric], [], [])

    def log_param(self, run_id: str, param: Param) -> None:
        self.log_batch(run_id, [], [param], [])

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        self.log_batch(run_id, [], [], [tag])

    def delete_tag(self, run_id: str, key: str) -> None:
        self._run(run_id).tags.pop(key, None)

    def log_batch(self, run_id: str, metrics: list[Metric], params: list[Param], tags: list[RunTag]) -> None:
        with self._lock:
            run = self._run(run_id)
            if run.facts["lifecycle_stage"] != LifecycleStage.ACTIVE:
                raise MlflowException(f"The run {run_id} must be in the 'active' state.", INVALID_STATE)
            run.log_metrics(metrics)
            for metric in metrics:
                if model_id := getattr(metric, "model_id", None):
                    self.add_model_metric(model_id, run_id, metric)
            run.log_params(params)
            for tag in tags:
                run.tags[tag.key] = str(tag.value)
                if tag.key == _NAME:
                    run.facts["run_name"] = tag.value

    def get_metric_history(
        self, run_id: str, metric_key: str, max_results: int | None = None, page_token: str | None = None
    ) -> Any:
        history = self._run(run_id).metrics.history(metric_key)
        return PagedList(history[:max_results], None)

    def log_inputs(
        self, run_id: str, datasets: list[DatasetInput] | None = None, models: list[LoggedModelInput] | None = None
    ) -> None:
        run = self._run(run_id)
        run.datasets += datasets or []
        run.models_in += models or []

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        self._run(run_id).models_out += models or []

    def record_logged_model(self, run_id: str, mlflow_model: Any) -> None:
        """Nothing: the model's own folder says it, and only older MLflows call this."""

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> None:
        """Nothing: traces are not kept."""

    def place(self, *parts: str) -> str:
        """The URI of a folder for artifacts."""
        from mlflow.utils.file_utils import path_to_local_file_uri

        return str(path_to_local_file_uri(os.path.join(self._folder, *parts)))

    def path(self, *parts: str) -> str:
        """The same as a path."""
        return os.path.join(self._folder, *parts)


def _folder() -> str:
    """Where artifacts are until they are handed over; outside `axil run` a folder that goes with the process."""
    run = os.environ.get("AXIL_RUN_DIR", "")
    if run:
        return os.path.join(run, "mlflow")
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="axil-mlflow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _now() -> int:
    return int(time.time() * 1000)

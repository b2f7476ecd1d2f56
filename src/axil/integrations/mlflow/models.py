"""Logged models (MLflow 3) of the tracking store: their facts in memory, their files among the run's artifacts."""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from mlflow.entities import (
    LoggedModel,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    Metric,
)
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking.abstract_store import AbstractStore

from axil.integrations.common import harmless, keep


class ModelStore(AbstractStore):
    """The part of the store that knows models."""

    def __init__(self) -> None:
        super().__init__()
        self._models: dict[str, dict[str, Any]] = {}
        """Model id -> fields of `LoggedModel`, its params and tags as dictionaries."""

    def place(self, *parts: str) -> str:
        """The URI of a folder for artifacts."""
        raise NotImplementedError

    def path(self, *parts: str) -> str:
        """The same as a path."""
        raise NotImplementedError

    def create_logged_model(
        self,
        experiment_id: str = "0",
        name: str | None = None,
        source_run_id: str | None = None,
        tags: list[LoggedModelTag] | None = None,
        params: list[LoggedModelParameter] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        model_id, now = f"m-{uuid.uuid4().hex}", _now()
        self._models[model_id] = {
            "experiment_id": experiment_id,
            "model_id": model_id,
            "name": name or f"model-{len(self._models) + 1}",
            "artifact_location": self.place("models", model_id),
            "creation_timestamp": now,
            "last_updated_timestamp": now,
            "source_run_id": source_run_id,
            "status": LoggedModelStatus.PENDING,
            "model_type": model_type,
            "tags": {tag.key: tag.value for tag in tags or ()},
            "params": {param.key: param.value for param in params or ()},
            "metrics": [],
        }
        return self.get_logged_model(model_id)

    def _facts(self, model_id: str) -> dict[str, Any]:
        if model_id not in self._models:
            raise MlflowException(f"Logged model '{model_id}' not found", RESOURCE_DOES_NOT_EXIST)
        return self._models[model_id]

    def get_logged_model(self, model_id: str, allow_deleted: bool = False) -> LoggedModel:
        return LoggedModel(**self._facts(model_id))

    def finalize_logged_model(self, model_id: str, status: LoggedModelStatus) -> LoggedModel:
        facts = self._facts(model_id)
        facts["status"] = status
        facts["last_updated_timestamp"] = _now()
        if status == LoggedModelStatus.READY:
            self._keep(model_id, facts["name"])
        return self.get_logged_model(model_id)

    @harmless
    def _keep(self, model_id: str, name: str) -> None:
        folder = self.path("models", model_id)
        if os.path.isdir(folder):
            keep(folder, f"models/{name}")

    def set_logged_model_tags(self, model_id: str, tags: list[LoggedModelTag]) -> None:
        self._facts(model_id)["tags"].update({tag.key: tag.value for tag in tags})

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        self._facts(model_id)["tags"].pop(key, None)

    def log_logged_model_params(self, model_id: str, params: list[LoggedModelParameter]) -> None:
        self._facts(model_id)["params"].update({param.key: param.value for param in params})

    def delete_logged_model(self, model_id: str) -> None:
        self._facts(model_id)
        del self._models[model_id]

    def add_model_metric(self, model_id: str, run_id: str, metric: Metric) -> None:
        """Note that `metric` was measured with the model."""
        if model_id in self._models:
            facts = self._models[model_id]
            facts["metrics"] = [*(one for one in facts["metrics"] if one.key != metric.key), metric]

    def search_logged_models(
        self,
        experiment_ids: list[str],
        filter_string: str | None = None,
        datasets: list[dict[str, Any]] | None = None,
        max_results: int | None = None,
        order_by: list[dict[str, Any]] | None = None,
        page_token: str | None = None,
    ) -> Any:
        there = [LoggedModel(**facts) for facts in self._models.values() if facts["experiment_id"] in experiment_ids]
        if filter_string or datasets or order_by:
            # Only here: it loads SQLAlchemy, which mlflow-skinny does not bring.
            from mlflow.utils.search_logged_model_utils import SearchLoggedModelsUtils

            there = SearchLoggedModelsUtils.filter_logged_models(there, filter_string, datasets)
            there = SearchLoggedModelsUtils.sort(there, order_by)
        return PagedList(there[:max_results], None)


def _now() -> int:
    return int(time.time() * 1000)

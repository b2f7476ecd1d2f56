"""One run of MLflow as the store keeps it, and how its values become those of axil's run."""

from __future__ import annotations

from collections import deque
from typing import Any

from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunInputs, RunOutputs, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from axil import tracking

HISTORY = 10_000
"""How many values of a metric MLflow can read back; axil's series has all of them."""
_WORDS = {"True": True, "False": False, "None": None}


class Metrics:
    """The values of one run's metrics: the last of each, and some before it."""

    def __init__(self) -> None:
        self._values: dict[str, deque[Metric]] = {}

    def add(self, metric: Metric) -> float | None:
        """Keep `metric`; returns the step to log it at, None to count up.

        MLflow says step 0 where a script said none, so a second 0 means "the next".
        """
        values = self._values.setdefault(metric.key, deque(maxlen=HISTORY))
        uncounted = bool(values) and metric.step == 0 and values[-1].step == 0
        values.append(metric)
        return None if uncounted else metric.step

    def last(self) -> list[Metric]:
        return [values[-1] for values in self._values.values()]

    def history(self, name: str) -> list[Metric]:
        return list(self._values.get(name, ()))


class KeptRun:
    """`prefix` stands before the names of what it logs; `facts` are the fields of MLflow's `RunInfo`."""

    def __init__(self, prefix: str, **facts: Any) -> None:
        self.prefix = prefix
        self.facts = facts
        self.tags: dict[str, str] = {}
        self.metrics = Metrics()
        self.datasets: list[Any] = []
        self.models_in: list[Any] = []
        self.models_out: list[Any] = []
        self._params: dict[str, str] = {}

    @property
    def info(self) -> RunInfo:
        """The run's facts as MLflow wants them."""
        return RunInfo(**self.facts)

    def log_metrics(self, metrics: list[Metric]) -> None:
        """Keep them and log them, those of one step together."""
        together: dict[float | None, dict[str, float]] = {}
        for metric in metrics:
            step, name = self.metrics.add(metric), self.prefix + metric.key
            row = together.setdefault(step, {})
            if name in row:  # twice in one batch
                tracking.log({name: row.pop(name)}, step=step)
            row[name] = metric.value
        for step, values in together.items():
            tracking.log(values, step=step)

    def log_params(self, params: list[Param]) -> None:
        """Keep them and log them. MLflow promises that a param never changes."""
        fresh = {}
        for param in params:
            value = str(param.value)
            if self._params.setdefault(param.key, value) != value:
                raise MlflowException(
                    f"Changing param values is not allowed. Param with key='{param.key}' was already logged with "
                    f"value='{self._params[param.key]}' for run ID='{self.facts['run_id']}'.",
                    INVALID_PARAMETER_VALUE,
                )
            fresh[self.prefix + param.key] = plain(value)
        if fresh:
            tracking.log_params(fresh)

    def entity(self) -> Run:
        """The run as MLflow wants it."""
        data = RunData(
            metrics=self.metrics.last(),
            params=[Param(key, value) for key, value in self._params.items()],
            tags=[RunTag(key, value) for key, value in self.tags.items()],
        )
        inputs = RunInputs(dataset_inputs=list(self.datasets), model_inputs=list(self.models_in))
        return Run(self.info, data, inputs, RunOutputs(model_outputs=list(self.models_out)))


def plain(text: str) -> bool | int | float | str | None:
    """What `text` says: MLflow makes texts of all params."""
    if text in _WORDS:
        return _WORDS[text]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if value == value and abs(value) < 1e300 and "_" not in text else text
    return text

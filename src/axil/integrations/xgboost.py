"""A callback for XGBoost: `xgboost.train(..., callbacks=[AxilCallback()])`, or of its scikit-learn classes."""

from __future__ import annotations

from typing import Any

from axil import tracking
from axil.integrations.common import harmless, log, missing

try:
    from xgboost.callback import TrainingCallback
except ImportError as error:
    raise missing("xgboost", "axil.integrations.xgboost", error) from error


class AxilCallback(TrainingCallback):
    """Logs each evaluation as `DATASET/METRIC` at every round, and at the end the best round if there is one."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self._prefix = prefix

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, Any]) -> bool:
        """Log the newest values; never stops the training."""
        self._log(epoch, evals_log)
        return False

    @harmless
    def _log(self, epoch: int, evals_log: dict[str, Any]) -> None:
        newest: dict[str, Any] = {}
        for data, metrics in evals_log.items():
            for metric, values in metrics.items():
                value = values[-1]
                newest[f"{data}/{metric}"], spread = value if isinstance(value, tuple) else (value, None)
                if spread is not None:  # cross-validation gives mean and deviation
                    newest[f"{data}/{metric}_std"] = spread
        log(newest, epoch, self._prefix)

    def after_training(self, model: Any) -> Any:
        """Log the best round that early stopping has found."""
        self._best(model)
        return model

    @harmless
    def _best(self, model: Any) -> None:
        best = model.attributes() if hasattr(model, "attributes") else {}
        if "best_iteration" in best:
            rest = {"best_iteration": float(best["best_iteration"]), "best_score": float(best["best_score"])}
            log(rest, None, self._prefix)
        tracking.flush()

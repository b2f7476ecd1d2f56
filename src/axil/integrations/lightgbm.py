"""A callback for LightGBM: `lightgbm.train(..., callbacks=[axil_callback()])`, or `fit` of its scikit-learn classes.

LightGBM callbacks are plain functions, so this module does not even import it.
"""

from __future__ import annotations

from typing import Any

from axil.integrations.common import harmless, log


class _Callback:
    order = 25
    """After early stopping has seen the values (30 would be too late: it ends the training by an exception)."""
    before_iteration = False

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    @harmless
    def __call__(self, env: Any) -> None:
        values: dict[str, float] = {}
        for data, metric, value, _, *spread in env.evaluation_result_list or ():
            # Cross-validation says "valid binary_logloss" for both, and gives a deviation.
            name = f"{data}/{metric.removeprefix(f'{data} ')}"
            values[name] = value
            if spread:
                values[f"{name}_std"] = spread[0]
        log(values, env.iteration, self._prefix)


def axil_callback(prefix: str = "") -> Any:
    """Logs each evaluation as `DATASET/METRIC` at every round."""
    return _Callback(prefix)

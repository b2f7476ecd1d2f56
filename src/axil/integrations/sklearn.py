"""Helpers for scikit-learn: loops of `partial_fit` or `warm_start`, and the results of a search.

For everything else `mlflow.sklearn.autolog()` needs no helper. scikit-learn itself is not imported: only methods that
its estimators have are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from axil import tracking
from axil.integrations.common import harmless, log, number, numbers

_WATCHED = ("loss_", "best_loss_", "oob_improvement_", "n_iter_", "train_score_", "inertia_")


def steps(estimator: Any, count: int, *, scores: Mapping[str, Callable[[], float]] | None = None) -> Iterator[int]:
    """Yield 0 … count-1; after each step log what the estimator says of itself, and each of `scores`.

    for epoch in steps(model, 20, scores={"val/f1": lambda: f1_score(y_val, model.predict(X_val))}):
        model.partial_fit(X, y, classes=classes)
    """
    if count < 0:
        raise ValueError(f"count must not be negative, and it is {count}")
    log_estimator(estimator)
    for step in range(count):
        yield step
        log(_state(estimator), step)
        for name, score in (scores or {}).items():
            _score(name, score, step)


@harmless
def _score(name: str, score: Callable[[], float], step: int) -> None:
    log({name: score()}, step)


@harmless
def log_estimator(estimator: Any, prefix: str = "") -> None:
    """Log the parameters of an estimator or pipeline, as `get_params` tells them."""
    plain = {name: value for name, value in estimator.get_params().items() if not hasattr(value, "get_params")}
    tracking.log_params({f"{prefix}{name.replace('__', '.')}": value for name, value in plain.items()})


@harmless
def log_search(search: Any, prefix: str = "search/") -> None:
    """Log a fitted GridSearchCV (or another search): each candidate is a step, in the order of the search.

    The best candidate's parameters become logged params, its score `search/best_score`.
    """
    results: Mapping[str, Any] = search.cv_results_
    rows = [name for name in results if name.startswith(("mean_", "std_", "param_"))]
    for at in range(len(results["params"])):
        # A number among the parameters is worth a curve; text is not.
        log({name: results[name][at] for name in rows}, at, prefix)
    best = {"best_index": search.best_index_, "best_score": getattr(search, "best_score_", None)}
    log(numbers(best), None, prefix)
    tracking.log_params({f"{prefix}{name.replace('__', '.')}": value for name, value in search.best_params_.items()})


@harmless
def _state(estimator: Any) -> dict[str, float]:
    """The numbers an estimator holds about its last step."""
    found: dict[str, float] = {}
    for name in _WATCHED:
        value = getattr(estimator, name, None)
        if value is not None and not isinstance(value, str) and hasattr(value, "__len__"):
            value = value[-1] if len(value) else None
        if (one := number(value)) is not None:
            found[name.rstrip("_")] = one
    return found

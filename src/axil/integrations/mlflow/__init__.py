"""MLflow's tracking store for the URI `axil:`, so that what logs to MLflow logs to the run.

Stages find MLFLOW_TRACKING_URI set (runs/trace/sitecustomize.py). MLflow's own folder store is in maintenance and
refuses to start, and its database loads SQLAlchemy; what a run needs of a store fits into memory.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from axil.integrations.mlflow.store import AxilStore


def open_store(store_uri: str | None = None, artifact_uri: str | None = None) -> AxilStore:
    """The store for `axil:`; MLflow calls this, once a process."""
    try:
        from axil.integrations.mlflow.store import AxilStore
    except ImportError as error:
        raise ImportError(
            f"axil does not understand this version of MLflow: {error}; "
            "set MLFLOW_TRACKING_URI (empty for MLflow's own default) to log elsewhere"
        ) from error
    return AxilStore()

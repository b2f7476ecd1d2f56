"""A logger for PyTorch Lightning: `Trainer(logger=AxilLogger())`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from axil import tracking
from axil.integrations.common import harmless, keep, log, missing

# Lightning comes under two names whose classes do not know each other: the one in use is taken.
if sys.modules.get("pytorch_lightning") and "lightning.pytorch" not in sys.modules:
    from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
    from pytorch_lightning.utilities import rank_zero_only
else:
    try:
        from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
        from lightning.pytorch.utilities import rank_zero_only
    except ImportError as error:
        try:
            from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
            from pytorch_lightning.utilities import rank_zero_only
        except ImportError:
            raise missing("lightning", "axil.integrations.lightning", error) from error


class AxilLogger(Logger):
    """Logs metrics to the run's series and hyperparameters to its logged params, from the process of rank 0.

    `prefix` stands before the names. With `log_model` the best checkpoint is kept as an artifact at the end.
    """

    def __init__(self, prefix: str = "", *, log_model: bool = False) -> None:
        super().__init__()
        self._prefix = prefix
        self._log_model = log_model
        self._checkpoints: Any = None

    @property
    def name(self) -> str:
        """Empty: Lightning puts checkpoints into `checkpoints/`, at the same place in every run."""
        return ""

    @property
    def version(self) -> str:
        """Empty, as `name`: the run is the version."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """`axil.tracking`, to log whatever is not logged through Lightning."""
        return tracking

    @rank_zero_only
    @harmless
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log `metrics`; Lightning calls this."""
        log(metrics, step, self._prefix)

    @rank_zero_only
    @harmless
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Log `params` (a mapping or a namespace); Lightning calls this."""
        values = params if hasattr(params, "items") else vars(params)
        tracking.log_params({f"{self._prefix}{name}": value for name, value in values.items()})

    @harmless
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Remember who knows the best checkpoint."""
        self._checkpoints = checkpoint_callback

    @rank_zero_only
    @harmless
    def save(self) -> None:
        """Write what is buffered."""
        tracking.flush()

    @rank_zero_only
    @harmless
    def finalize(self, status: str) -> None:
        """The training is over."""
        tracking.flush()
        best = getattr(self._checkpoints, "best_model_path", "")
        if self._log_model and best:
            keep(best, f"{self._prefix}model.ckpt")

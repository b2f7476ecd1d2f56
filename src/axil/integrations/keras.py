"""A callback for Keras 3 (and tf.keras): `model.fit(..., callbacks=[AxilCallback()])`."""

from __future__ import annotations

from typing import Any

from axil import tracking
from axil.integrations.common import harmless, log, missing

try:
    from keras.callbacks import Callback
except ImportError as error:
    raise missing("keras", "axil.integrations.keras", error) from error


class AxilCallback(Callback):  # type: ignore[misc]
    """Logs the values of each epoch; with `every` also those of every `every`-th batch, under `batch/`."""

    def __init__(self, prefix: str = "", *, every: int = 0) -> None:
        super().__init__()
        self._prefix = prefix
        self._every = every
        self._batches = 0

    @harmless
    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Log how `fit` was called, and the optimizer."""
        optimizer = getattr(self.model, "optimizer", None)
        config = optimizer.get_config() if optimizer is not None else {}
        tracking.log_params({f"{self._prefix}fit": self.params, f"{self._prefix}optimizer": config})

    @harmless
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log the epoch's values."""
        log(logs, epoch, self._prefix)

    @harmless
    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Log now and then within an epoch."""
        if self._every and self._batches % self._every == 0:
            log(logs, self._batches, f"{self._prefix}batch/")
        self._batches += 1

    @harmless
    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write what is buffered."""
        tracking.flush()

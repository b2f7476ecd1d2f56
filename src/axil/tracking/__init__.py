"""What a training script imports through `import axil` (docs/tracking.md).

Standard library only. Logging never raises into a training loop: a full disk or a value that is no number
becomes one warning on stderr.
"""

from __future__ import annotations

from axil.tracking.logged import log_params as log_params
from axil.tracking.steps import track as track
from axil.tracking.writer import flush as flush
from axil.tracking.writer import log as log

TYPE_CHECKING = False  # `typing` is not imported: it would take longer than all of axil.tracking

if TYPE_CHECKING:
    from axil.tracking.params import Params

    params: Params

__all__ = ["flush", "log", "log_params", "params", "track"]


def __getattr__(name: str) -> object:
    if name == "params":
        from axil.tracking.params import current

        return current()
    raise AttributeError(f"module 'axil.tracking' has no attribute {name!r}")

"""What a training script imports through `import axil` (docs/tracking.md).

Standard library only. Logging never raises into a training loop: a full disk, a value that is no number or a name
that leads elsewhere becomes one warning on stderr.
"""

from __future__ import annotations

from axil.tracking.artifacts import log_artifact as log_artifact
from axil.tracking.artifacts import log_figure as log_figure
from axil.tracking.artifacts import log_image as log_image
from axil.tracking.artifacts import log_table as log_table
from axil.tracking.logged import log_params as log_params
from axil.tracking.samples import sample as sample
from axil.tracking.steps import track as track
from axil.tracking.writer import flush as flush
from axil.tracking.writer import log as log

TYPE_CHECKING = False  # `typing` is not imported: it would take longer than all of axil.tracking

if TYPE_CHECKING:
    from axil.tracking.parameters import Params

    params: Params

__all__ = [
    "flush", "log", "log_artifact", "log_figure", "log_image", "log_params", "log_table", "params", "sample", "track",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name == "params":
        from axil.tracking.parameters import current

        return current()
    raise AttributeError(f"module 'axil.tracking' has no attribute {name!r}")

"""axil: machine-learning experiments as git branches.

Training scripts use `axil.log`, `axil.log_figure` and its like, `axil.params`, `axil.track`, `axil.sample` and
`axil.flush`; they are loaded on first use, so that `import axil` costs next to nothing (docs/tracking.md).
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it as true; importing `typing` would cost more than all the rest

if TYPE_CHECKING:
    from axil.tracking import flush as flush
    from axil.tracking import log as log
    from axil.tracking import log_artifact as log_artifact
    from axil.tracking import log_figure as log_figure
    from axil.tracking import log_image as log_image
    from axil.tracking import log_params as log_params
    from axil.tracking import log_table as log_table
    from axil.tracking import params as params
    from axil.tracking import sample as sample
    from axil.tracking import track as track
    from axil.version import __version__ as __version__

__all__ = [
    "__version__", "flush", "log", "log_artifact", "log_figure", "log_image", "log_params", "log_table", "params",
    "sample", "track",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name == "__version__":
        from axil.version import __version__

        return __version__
    if name in __all__:
        from axil import tracking

        return getattr(tracking, name)
    raise AttributeError(f"module 'axil' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

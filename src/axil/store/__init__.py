"""Objects on this machine: immutable blobs and trees named by their hash, verified whenever they are read.

`from axil.store import Store` loads only what the name needs: the quick commands read no object.
"""

from __future__ import annotations

from axil.base.clutter import TEMPORARY_PREFIX
from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    from axil.store.batch import Batch
    from axil.store.hashing import Saved
    from axil.store.place import Placed
    from axil.store.store import Store, Usage

__all__ = ["TEMPORARY_PREFIX", "Batch", "Placed", "Saved", "Store", "Usage"]

_MODULES = {"Batch": "batch", "Placed": "place", "Saved": "hashing", "Store": "store", "Usage": "store"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

"""Objects on this machine: immutable blobs and trees named by their hash, verified whenever they are read."""

from axil.store.batch import Batch
from axil.store.hashing import Saved
from axil.store.place import Placed
from axil.store.store import Store, Usage

__all__ = ["Batch", "Placed", "Saved", "Store", "Usage"]

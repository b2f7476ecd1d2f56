"""Objects of a remote that are read as a whole, with a bound: what a remote holds may be of any size."""

from __future__ import annotations

from axil.errors import Damaged
from axil.formats import sharing
from axil.remotes.base import Remote


def get_small(remote: Remote, key: str, most: int = sharing.MAX_BYTES) -> bytes:
    """All bytes of the object `key`. Raises `Damaged` if it has more than `most`, and then has read no more."""
    data = remote.get(key, 0, most + 1)
    if len(data) > most:
        raise Damaged(f"{remote.url}: {key} is too large", f"it has more than {most} bytes")
    return data

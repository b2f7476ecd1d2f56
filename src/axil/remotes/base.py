"""What every storage remote can do: eight verbs over immutable objects named by keys, with their contracts.

A key is a relative path of ASCII parts (`packs/ab/ab12…`). The protocol above (docs/formats/remote.md) never relies on
more than this: no renames, no locks, no listing that is up to date to the second.
"""

from __future__ import annotations

from collections.abc import Iterator

from axil.base.light import NamedTuple, Protocol
from axil.errors import AxilError, NotFound


class Absent(NotFound):
    """There is no object with this key (or not yet, where a store lags behind)."""


class Unreachable(AxilError):
    """The remote did not answer, or broke off: trying again may help."""


class Denied(AxilError):
    """The remote refuses: credentials, permissions, a read-only remote, a full disk. Trying again does not help."""


class Stat(NamedTuple):
    """An object: its length in bytes, and when it was written, in seconds since the epoch by the remote's clock."""

    key: str
    size: int
    written: float


class Remote(Protocol):
    """One place of storage. Safe for use by several threads at once, and by several processes and machines.

    Every verb may raise `Unreachable` or `Denied`, naming the remote's url and the key, besides what it says.
    """

    url: str
    """For messages: without credentials."""

    jobs: int
    """How many requests at a time make it fast."""

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Store `data`: all or nothing is visible, durable on return. What was there is replaced.

        The protocol gives every object a name of its own; only leases are written again under theirs.
        """

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """Like `put`, unless there is an object with this key: then False.

        Some stores ignore the condition, so True may come to two callers: nothing may depend on it alone.
        """

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The `length` bytes from `start` on, or all that follow. Raises `Absent`.

        A range that reaches over the end gives what there is: the caller checks the length it wants.
        """

    def stat(self, key: str) -> Stat | None:
        """What is known of an object without reading it; None if there is none."""

    def list(self, prefix: str) -> Iterator[Stat]:
        """Every object whose key begins with `prefix` (which ends with a slash, or is "" for all), in any order.

        May miss objects written a moment ago and show ones deleted a moment ago.
        """

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""

    def usable(self) -> None:
        """Raise `Denied` or `Unreachable` with advice if the remote cannot be used as it is set up."""

    def close(self) -> None:
        """Let go of connections; the remote is not used afterwards."""

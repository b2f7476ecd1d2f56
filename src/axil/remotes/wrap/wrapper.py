"""What all wrappers share: every request of the inner remote goes through one method."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from axil.base.light import TypeVar
from axil.remotes.base import Remote, Stat

T = TypeVar("T")

VERBS = ("put", "create", "get", "stat", "list", "delete", "usable")


class Wrapper:
    """A remote that does what `inner` does, each request through `around`, and each listing through `listing`."""

    def __init__(self, inner: Remote) -> None:
        self.inner = inner

    @property
    def url(self) -> str:
        """See `Remote.url`."""
        return self.inner.url

    @property
    def jobs(self) -> int:
        """See `Remote.jobs`."""
        return self.inner.jobs

    def around(self, verb: str, key: str, size: int, act: Callable[[], T]) -> T:
        """Do `act`, the request `verb` about `key`; `size` says how many bytes go there or are wanted (-1: unknown)."""
        return act()

    def listing(self, prefix: str) -> Iterator[Stat]:
        """What `list` gives."""
        return self.inner.list(prefix)

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """See `Remote.put`."""
        self.around("put", key, len(data), lambda: self.inner.put(key, data))

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """See `Remote.create`."""
        return self.around("create", key, len(data), lambda: self.inner.create(key, data))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Remote.get`."""
        size = -1 if length is None else length
        return self.around("get", key, size, lambda: self.inner.get(key, start, length))

    def stat(self, key: str) -> Stat | None:
        """See `Remote.stat`."""
        return self.around("stat", key, 0, lambda: self.inner.stat(key))

    def list(self, prefix: str) -> Iterator[Stat]:
        """See `Remote.list`."""
        return self.listing(prefix)

    def delete(self, key: str) -> None:
        """See `Remote.delete`."""
        self.around("delete", key, 0, lambda: self.inner.delete(key))

    def usable(self) -> None:
        """See `Remote.usable`."""
        self.around("usable", "", 0, lambda: self.inner.usable())

    def close(self) -> None:
        """See `Remote.close`."""
        self.inner.close()

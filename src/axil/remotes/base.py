"""What every storage remote can do: eight verbs over immutable objects named by keys, with their contracts.

A key is a relative path of ASCII parts (`packs/ab/ab12…`). What is built on remotes never relies on more than this: no
renames, no locks, no listing that is up to date to the second.
"""

from __future__ import annotations

from collections.abc import Iterator

from axil.base.light import Any, NamedTuple, Protocol
from axil.errors import AxilError, BadInput, NotFound

MAX_KEY = 512
_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_REST = _START | {"."}


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

    Every verb may raise `Unreachable` or `Denied`, naming the remote's url and the key, besides what it says. After
    either of them, what a writing verb was to do may have happened or not; doing it again is safe.
    """

    @property
    def url(self) -> str:
        """For messages: without credentials."""

    @property
    def jobs(self) -> int:
        """How many requests at a time make it fast."""

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Store `data`: all or nothing is visible, durable on return. What was there is replaced.

        The protocol gives every object a name of its own; only leases are written again under theirs. Some stores take
        the old object away before the new one is there: nothing may depend on a lease being seen at every moment.
        """

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """Like `put`, unless there is an object with this key: then False.

        Some stores ignore the condition, so True may come to two callers: nothing may depend on it alone.
        """

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The `length` bytes from `start` on, or all that follow. Raises `Absent`.

        A range that reaches over the end, or begins there, gives what there is: the caller checks the length it wants.
        """

    def stat(self, key: str) -> Stat | None:
        """What is known of an object without reading it; None if there is none."""

    def list(self, prefix: str) -> Iterator[Stat]:
        """Every object whose key begins with `prefix` (which ends with a slash, or is "" for all), in any order, once.

        May miss objects written a moment ago and show ones deleted a moment ago. Whatever else lies there, under names
        that are no keys, is passed over. Errors come while the answer is read.
        """

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""

    def usable(self) -> None:
        """Raise `Denied` or `Unreachable` with advice if the remote cannot be used as it is set up."""

    def close(self) -> None:
        """Let go of connections; the remote is not used afterwards."""


def check_key(key: str) -> str:
    """`key`, if it is one: parts of letters, digits, `_`, `-` and `.`, no part starting with a dot. Raises `BadInput`.

    So no key leaves a remote, names what a remote keeps for itself, or needs quoting anywhere.
    """
    if len(key) > MAX_KEY or not all(is_part(part) for part in key.split("/")):
        raise BadInput(f"{key[:MAX_KEY]!r} is not the key of a stored object", "it has other than plain parts")
    return key


def check_prefix(prefix: str) -> str:
    """`prefix`, if it is "" or a key with a slash behind it. Raises `BadInput`."""
    if prefix and not prefix.endswith("/"):
        raise BadInput(f"{prefix[:MAX_KEY]!r} is not a prefix of keys", "it does not end with a slash")
    if prefix:
        check_key(prefix[:-1])
    return prefix


def is_key(text: str) -> bool:
    """Whether `text` is a key (`check_key`)."""
    return len(text) <= MAX_KEY and all(is_part(part) for part in text.split("/"))


def is_part(part: str) -> bool:
    """Whether `part` can stand between the slashes of a key."""
    return bool(part) and part[0] in _START and _REST.issuperset(part)


def check_range(start: int, length: int | None) -> None:
    """Raises `ValueError` for a range that is none: it is the program's mistake."""
    if start < 0 or (length is not None and length < 0):
        raise ValueError(f"not a range: {start}, {length}")


def as_bytes(data: Any) -> bytes:
    """`data` (bytes, bytearray or memoryview) as bytes; bytes are not copied."""
    return data if isinstance(data, bytes) else bytes(data)

"""For tests: a remote that fails by plan, lags behind when it lists, and remembers every operation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

from axil.base.light import Literal, NamedTuple, TypeVar
from axil.remotes.base import Remote, Stat, Unreachable
from axil.remotes.wrap.wrapper import Wrapper

T = TypeVar("T")


class Operation(NamedTuple):
    """One request as it arrived; `key` is the prefix of a listing."""

    verb: str
    key: str


class Fault(NamedTuple):
    """What goes wrong with one operation.

    `before` and `after` raise `error` (default: `Unreachable`) before or after the operation had its effect; an
    exception that is no `AxilError` stands for a crash. `truncate` halves what `get` answers, or what `put` and
    `create` store; `flip` turns one bit of it. A listing fails, or ends, in the middle.
    """

    how: Literal["before", "after", "truncate", "flip"]
    error: BaseException | None = None


class Faulty(Wrapper):
    """`plan` says what happens to which operation, counted from 0 in the order of their arrival.

    With `lag`, every listing shows the state of that many changes ago (those made through this wrapper).
    """

    def __init__(self, inner: Remote, plan: Mapping[int, Fault] | None = None, lag: int = 0) -> None:
        super().__init__(inner)
        self.plan = dict(plan or {})
        self.lag = lag
        self.operations: list[Operation] = []
        self._changes: list[tuple[str, Stat | None]] = []
        self._lock = threading.RLock()

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """See `Remote.put`."""
        fault = self._arrives("put", key)
        self._do(fault, key, lambda: self._changing(key, lambda: self.inner.put(key, _harmed(fault, data))))

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """See `Remote.create`."""
        fault = self._arrives("create", key)
        return self._do(fault, key, lambda: self._changing(key, lambda: self.inner.create(key, _harmed(fault, data))))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Remote.get`."""
        fault = self._arrives("get", key)
        return bytes(_harmed(fault, self._do(fault, key, lambda: self.inner.get(key, start, length))))

    def stat(self, key: str) -> Stat | None:
        """See `Remote.stat`."""
        return self._do(self._arrives("stat", key), key, lambda: self.inner.stat(key))

    def delete(self, key: str) -> None:
        """See `Remote.delete`."""
        fault = self._arrives("delete", key)
        self._do(fault, key, lambda: self._changing(key, lambda: self.inner.delete(key)))

    def usable(self) -> None:
        """See `Remote.usable`."""
        self._do(self._arrives("usable", ""), "", lambda: self.inner.usable())

    def list(self, prefix: str) -> Iterator[Stat]:
        """See `Remote.list`."""
        return self._list(self._arrives("list", prefix), prefix)

    def _list(self, fault: Fault | None, prefix: str) -> Iterator[Stat]:
        if fault is not None and fault.how == "before":
            raise self._error(fault, prefix)
        found = self._past(prefix)
        if fault is None:
            yield from found
            return
        yield from found[: len(found) // 2]
        if fault.how == "after":
            raise self._error(fault, prefix)

    def _past(self, prefix: str) -> tuple[Stat, ...]:
        """What a listing of `lag` changes ago gave."""
        with self._lock:
            found = {stat.key: stat for stat in self.inner.list(prefix)}
            undone = self._changes[len(self._changes) - min(self.lag, len(self._changes)) :]
            for key, before in reversed(undone):
                found.pop(key, None)
                if before is not None and key.startswith(prefix):
                    found[key] = before
        return tuple(found.values())

    def _arrives(self, verb: str, key: str) -> Fault | None:
        with self._lock:
            self.operations.append(Operation(verb, key))
            return self.plan.get(len(self.operations) - 1)

    def _do(self, fault: Fault | None, key: str, act: Callable[[], T]) -> T:
        if fault is not None and fault.how == "before":
            raise self._error(fault, key)
        answer = act()
        if fault is not None and fault.how == "after":
            raise self._error(fault, key)
        return answer

    def _changing(self, key: str, act: Callable[[], T]) -> T:
        with self._lock:
            before = self.inner.stat(key)
            answer = act()
            if answer is not False:
                self._changes.append((key, before))
        return answer

    def _error(self, fault: Fault, key: str) -> BaseException:
        why = f"fault injected {fault.how} the operation"
        return fault.error or Unreachable(f"cannot reach {self.url}/{key}", why, "it is a test")


def _harmed(fault: Fault | None, data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    if fault is None or not len(data):
        return data
    if fault.how == "truncate":
        return data[: len(data) // 2]
    if fault.how == "flip":
        middle = len(data) // 2
        return bytes(data[:middle]) + bytes((data[middle] ^ 1,)) + bytes(data[middle + 1 :])
    return data

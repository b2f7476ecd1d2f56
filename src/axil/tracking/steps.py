"""The step a script is at, for `log` calls that name none: each thread has loops of its own."""

from __future__ import annotations

from _thread import _local

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeVar

    Item = TypeVar("Item")


class Loop:
    """A `track` loop under way, and its step."""

    __slots__ = ("step",)

    def __init__(self, step: int) -> None:
        self.step = step


class Loops(_local):
    """The loops under way in this thread, the innermost last."""

    def __init__(self) -> None:
        self.stack: list[Loop] = []


loops = Loops()


class Track:
    """What `track` returns: goes over the items, as often as they can be gone over."""

    def __init__(self, items: Iterable[Any], start: int, total: int | None, name: str) -> None:
        self._items = items
        self._start = start
        self._total = total
        self._name = name

    def __len__(self) -> int:
        return len(self._items)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        from axil.tracking.bar import Bar

        stack = loops.stack
        bar = Bar(self._name, self._length()) if not stack else None
        here = Loop(self._start)
        stack.append(here)
        try:
            for item in self._items:
                yield item
                here.step += 1
                if bar is not None:
                    bar.step()
        finally:
            if here in stack:
                stack.remove(here)
            if bar is not None:
                bar.close()

    def _length(self) -> int | None:
        if self._total is not None:
            return self._total
        try:
            return len(self)
        except Exception:  # also of a user's own `__len__`: not to know how long it takes is no reason to fail
            return None


def track(items: Iterable[Item], *, start: int = 0, total: int | None = None, name: str = "") -> Iterable[Item]:
    """Go over `items`; inside the loop `axil.log` uses its count (from `start`) as the step.

    Shows how far the outermost loop is on stderr: a bar on a terminal, else a line now and then. `total` is how many
    items there will be if `len(items)` does not tell; `name` stands before the bar.
    """
    return Track(items, start, total, name)

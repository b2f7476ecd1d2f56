"""The step a script is at, for `log` calls that name none."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeVar

    Item = TypeVar("Item")

current: list[int] = []
"""The steps of the `track` loops under way, the innermost last."""


def track(items: Iterable[Item], *, start: int = 0) -> Iterator[Item]:
    """Go over `items`; inside the loop `axil.log` uses its count (from `start`) as the step."""
    step = start
    for item in items:
        current.append(step)
        try:
            yield item
        finally:
            current.pop()
        step += 1

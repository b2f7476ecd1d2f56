"""Finding, on a line of steps, the one where a thing changed: which to look at next, and how many looks that takes."""

from __future__ import annotations

from collections.abc import Container, Iterable


def next_step(low: int, high: int, skipped: Container[int], free: Iterable[int] = ()) -> int | None:
    """The step between `low` and `high` to look at next; None if all of them are `skipped`, or there are none.

    That is the one nearest to the middle; of the `free` ones, which cost nothing, as long as there are some.
    """
    inner = [step for step in free if low < step < high and step not in skipped]
    inner = inner or [step for step in range(low + 1, high) if step not in skipped]
    return min(inner, key=lambda step: (abs(2 * step - low - high), step), default=None)


def looks(low: int, high: int, skipped: Container[int] = ()) -> int:
    """How many looks between `low` and `high` it takes at most, if none has to be skipped."""
    inner = sum(step not in skipped for step in range(low + 1, high))
    return inner.bit_length()

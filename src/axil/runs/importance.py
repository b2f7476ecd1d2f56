"""How much each parameter of a sweep moved its goal: the share of the goal's variance between groups of like values.

A parameter's values are put into groups (a choice: its values; numbers: up to four of like size), and the variance of
the groups' means is compared with that of all trials, less what chance alone would give (the epsilon squared of a
one-way analysis of variance).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from axil.base.light import TYPE_CHECKING
from axil.base.quickjson import canonical
from axil.formats import space as spaces
from axil.formats.space import Dimension
from axil.journal.rows import Value

if TYPE_CHECKING:
    from axil.formats.record import Sweep

FEWEST = 4
"""With fewer trials nothing can be said."""
_GROUPS = 4


def importance(sweep: Sweep, good: Sequence[tuple[Mapping[str, Value], float]]) -> tuple[dict[str, float], str]:
    """Parameter -> its share, all shares together at most 1, the greatest first; and the measure's name."""
    space = spaces.of_record(sweep.space)
    if len(good) < FEWEST or not space:
        return {}, ""
    found = {key: _share([params[key] for params, _ in good], [value for _, value in good], one)
             for key, one in space.items() if all(key in params for params, _ in good)}  # fmt: skip
    total = max(1.0, math.fsum(found.values()))
    shares = {key: share / total for key, share in found.items()}
    return dict(sorted(shares.items(), key=lambda item: -item[1])), "variance explained"


def _share(values: Sequence[Value], goals: Sequence[float], dimension: Dimension) -> float:
    groups: dict[object, list[float]] = {}
    for label, goal in zip(_labels(values, dimension), goals, strict=True):
        groups.setdefault(label, []).append(goal)
    n, k = len(goals), len(groups)
    mean = math.fsum(goals) / n
    total = math.fsum((goal - mean) ** 2 for goal in goals)
    if k < 2 or n <= k or not total:
        return 0.0
    between = math.fsum(len(group) * (math.fsum(group) / len(group) - mean) ** 2 for group in groups.values())
    by_chance = (k - 1) * (total - between) / (n - k)
    return min(1.0, max(0.0, (between - by_chance) / total))


def _labels(values: Sequence[Value], dimension: Dimension) -> list[object]:
    """Which group each value is in."""
    if dimension.kind == "choice" or len({canonical(value) for value in values}) <= _GROUPS:
        return [canonical(value) for value in values]
    order = sorted(range(len(values)), key=lambda place: float(values[place]))  # type: ignore[arg-type]
    size = min(_GROUPS, max(2, len(values) // 4))
    labels: list[object] = [0] * len(values)
    for rank, place in enumerate(order):
        labels[place] = rank * size // len(values)
    return labels

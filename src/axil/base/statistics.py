"""Means of few values with their 95 % intervals (Student's t). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from axil.base.light import NamedTuple

_T = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448,
    2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484,
    2.0452, 2.0423,
)  # fmt: skip
"""Student's t, two-sided 95 %, for 1 to 30 degrees of freedom."""


class Interval(NamedTuple):
    """The mean of `n` values lies within `half` of the true one, 95 times of 100; None if that cannot be known."""

    mean: float
    half: float | None
    n: int
    deviation: float | None = None
    """Standard deviation of the sample."""


def interval(values: Sequence[float]) -> Interval:
    """The mean of `values` (at least one) and its interval."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2 or not math.isfinite(mean):
        return Interval(mean, None, n)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return Interval(mean, quantile(n - 1) * math.sqrt(variance / n), n, math.sqrt(variance))


def difference(a: Interval, b: Interval) -> Interval:
    """`b` - `a` with its interval (Welch's: the two may scatter differently).

    A single value is taken to scatter as the other side does; of two single values nothing can be known.
    """
    mean = b.mean - a.mean
    if a.deviation is None or b.deviation is None:
        known = a if b.deviation is None else b
        if known.deviation is None or min(a.n, b.n) != 1:
            return Interval(mean, None, min(a.n, b.n))
        return Interval(mean, quantile(known.n - 1) * known.deviation * math.sqrt(1 + 1 / known.n), 1)
    parts = a.deviation**2 / a.n, b.deviation**2 / b.n
    total = sum(parts)
    if not total:
        return Interval(mean, 0.0, min(a.n, b.n))
    freedom = total**2 / (parts[0] ** 2 / (a.n - 1) + parts[1] ** 2 / (b.n - 1))
    return Interval(mean, quantile(freedom) * math.sqrt(total), min(a.n, b.n))


def within_noise(change: Interval) -> bool:
    """Whether a difference may well be none: its interval holds 0."""
    return change.half is not None and abs(change.mean) <= change.half and change.half > 0


def quantile(freedom: float) -> float:
    """Student's t, two-sided 95 %; between whole degrees of freedom that of the lower one, which is the wider."""
    if freedom < 1:
        return _T[0]
    if freedom < 31:
        return _T[int(freedom) - 1]
    z = 1.959964
    # Cornish-Fisher: exact to four digits from here on.
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)

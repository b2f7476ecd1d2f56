"""Values in words: sizes, times, ages, numbers, counts. Short, and the same everywhere."""

from __future__ import annotations

import math

from axil.base.progress import size as size


def duration(seconds: float) -> str:
    """A span as `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 0:
        return "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def age(seconds: float) -> str:
    """How long ago, in one unit: `now`, `5 min`, `3 h`, `2 d`, `7 w`, `2 y`."""
    for limit, unit, name in (
        (60, 0, "now"),
        (3600, 60, "min"),
        (2 * 86400, 3600, "h"),
        (14 * 86400, 86400, "d"),
        (2 * 365 * 86400, 7 * 86400, "w"),
    ):
        if seconds < limit:
            return f"{int(seconds // unit)} {name}" if unit else name
    return f"{int(seconds // (365 * 86400))} y"


def ago(seconds: float) -> str:
    """`age` as a part of a sentence: `just now`, `5 min ago`."""
    words = age(max(0.0, seconds))
    return "just now" if words == "now" else f"{words} ago"


def number(value: object, digits: int = 4) -> str:
    """A metric or parameter as text: floats in `digits` significant digits (more before the point), no noise zeros."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        if value == int(value) and abs(value) < 1e15:
            return str(int(value)) if abs(value) >= 1000 or value == 0 else f"{value:.1f}"
        text = f"{value:.0f}" if 10**digits <= abs(value) < 1e15 else f"{value:.{digits}g}"
        return text.replace("e-0", "e-").replace("e+", "e")
    if isinstance(value, (list, dict)):
        import json

        return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
    return str(value)


def delta(value: float, digits: int = 3) -> str:
    """A difference with its sign: `+0.012`, `−0.3`, `±0`."""
    if value == 0:
        return "±0"
    if math.isnan(value):
        return "nan"
    return ("+" if value > 0 else "−") + number(abs(value), digits)


def count(amount: int, one: str, many: str = "") -> str:
    """`1 file`, `1,797 files`."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def interval(mean: float, half: float | None) -> str:
    """A mean and how far the true one may be from it: `0.912 ± 0.004`; without that the mean alone."""
    return number(mean) if half is None else f"{number(mean)} ± {number(half, 2)}"


def seeds(succeeded: int, of: int) -> str:
    """How many replicates a mean is over: `5 seeds`, `4 of 5 seeds`."""
    return count(of, "seed") if succeeded == of else f"{succeeded} of {count(of, 'seed')}"


def difference(value: float, noise: bool) -> str:
    """A difference between means, and whether it may be none: `+0.012`, `+0.004 within noise`."""
    return f"{delta(value)} within noise" if noise else delta(value)

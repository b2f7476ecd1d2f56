"""Lengths of time as people write them: `90` (seconds), `"90s"`, `"30m"`, `"1h 30m"`, `"2d"`."""

from __future__ import annotations

from axil.base.light import Any

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_MOST = 3660 * 86400.0


def parse_span(value: Any) -> float:
    """The seconds that `value` (a number, or a text with units) means. Raises `ValueError` saying what is wrong."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        seconds = _parsed(value)
    else:
        raise ValueError('it must be a length of time such as "2h", "30m" or 90 (seconds)')
    if not 0 < seconds <= _MOST:
        raise ValueError(f"it must be more than 0 seconds and less than ten years, not {value!r}")
    return seconds


def written_span(seconds: float) -> str:
    """`seconds` as `parse_span` reads it, in the largest unit that is exact."""
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds!r}".removesuffix(".0") + "s"


def _parsed(text: str) -> float:
    import re

    # "1h30m" is "1h 30m"; whatever is neither a number with a unit nor space is caught by the last group.
    spaced = re.sub(r"([a-z])(\d)", r"\1 \2", text)
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?) *(s|min|m|h|d)?(?![A-Za-z0-9.])|(\S)", spaced)
    if not parts or any(wrong for _, _, wrong in parts) or (len(parts) > 1 and any(not unit for _, unit, _ in parts)):
        raise ValueError(f'{text!r} is no length of time: write "2h", "1h 30m", "45s", or a number of seconds')
    return sum(float(number) * _SECONDS[unit or "s"] for number, unit, _ in parts)

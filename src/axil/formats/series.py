"""series.jsonl: metric values over steps, one JSON object a line (docs/formats/series.md).

Written by training processes in any language (axil.tracking.writer here), so the reader takes every line as untrusted:
what is not a point is counted and skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from axil.base.structs import msgspec
from axil.formats.record import Series

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Line(msgspec.Struct, frozen=True):
    """One line as written; `step` is None if the writer left the counting to the reader."""

    metrics: dict[str, float | str]
    step: float | None = None
    time: float = 0.0
    stage: str = ""


class Point(NamedTuple):
    """A metric's value at a step; `value` may be NaN or infinite."""

    stage: str
    name: str
    step: float
    time: float
    value: float


_decoder = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


class Reader:
    """Turns the bytes of a growing series file into points; feed it the bytes in order, in pieces of any size."""

    def __init__(self) -> None:
        self.bad_lines = 0
        self._rest = b""
        self._steps: dict[tuple[str, str], float] = {}

    def feed(self, data: bytes) -> Iterator[Point]:
        """The points of the lines that `data` completes."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if line.strip():
                yield from self._points(line)

    def finish(self) -> Iterator[Point]:
        """The point of a last line without a line end, if it is whole."""
        rest, self._rest = self._rest, b""
        if rest.strip():
            yield from self._points(rest)

    def _points(self, data: bytes) -> Iterator[Point]:
        line = _decode(data)
        if line is None:
            self.bad_lines += 1
            return
        for name, raw in line.metrics.items():
            value = _NOT_FINITE.get(raw.lower()) if isinstance(raw, str) else raw
            if value is None:
                self.bad_lines += 1
                continue
            series = (line.stage, name)
            step = self._steps.get(series, 0.0) if line.step is None else line.step
            self._steps[series] = step + 1
            yield Point(line.stage, name, step, line.time, value)


def _decode(data: bytes) -> Line | None:
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        pass
    # Writers that print NaN and Infinity bare are many (Python's own json does): not JSON, but clear enough.
    if b"NaN" not in data and b"Infinity" not in data:
        return None
    import json

    try:
        return msgspec.convert(json.loads(data, parse_constant=_constant), Line)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None


def _constant(word: str) -> str:
    return {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}[word]


def encode(point: Point) -> bytes:
    """The line that says `point`."""
    value = point.value if math.isfinite(point.value) else str(point.value)
    return _encoder.encode(Line({point.name: value}, point.step, point.time, point.stage)) + b"\n"


class Summary:
    """What a run's record keeps of its series: per stage and metric the count, last, smallest and largest value."""

    def __init__(self) -> None:
        self._tallies: dict[str, dict[str, _Tally]] = {}

    def add(self, point: Point) -> None:
        """Count one more point."""
        stage = self._tallies.setdefault(point.stage, {})
        tally = stage.get(point.name)
        if tally is None:
            tally = stage[point.name] = _Tally()
        tally.count += 1
        tally.final = point.value
        if math.isfinite(point.value):
            tally.last = point.value
            tally.last_step = point.step
            tally.min = min(tally.min, point.value)
            tally.max = max(tally.max, point.value)

    def stages(self) -> list[str]:
        """The stages that logged something."""
        return list(self._tallies)

    def series(self, stage: str) -> dict[str, Series]:
        """Metric -> summary. All numbers are of finite values; a metric that never was finite is left out."""
        return {
            name: Series(tally.count, tally.last, tally.min, tally.max, tally.last_step)
            for name, tally in self._tallies.get(stage, {}).items()
            if tally.min <= tally.max
        }

    def final(self, stage: str) -> dict[str, float]:
        """Metric -> last value; a metric whose last value is NaN or infinite has none (JSON records hold no NaN)."""
        return {name: tally.final for name, tally in self._tallies.get(stage, {}).items() if math.isfinite(tally.final)}


class _Tally:
    __slots__ = ("count", "final", "last", "last_step", "max", "min")

    def __init__(self) -> None:
        self.count = 0
        self.final = math.nan
        self.last = math.nan
        self.last_step = 0.0
        self.min = math.inf
        self.max = -math.inf


def line(stage: str, step: float, time: float, metrics: Mapping[str, float]) -> bytes:
    """One line of a series file, its end included."""
    values = {name: value if math.isfinite(value) else str(value) for name, value in metrics.items()}
    return msgspec.json.encode(Line(values, step, time, stage)) + b"\n"


def points(data: bytes) -> Iterator[Point]:
    """All points of a whole series file."""
    reader = Reader()
    yield from reader.feed(data)
    yield from reader.finish()

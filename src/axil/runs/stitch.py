"""The series of a resumed run: what earlier attempts had logged, then the new one (docs/formats/series.md)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from axil.formats.series import Point, Reader, Summary, encode

_PIECE = 1 << 20


def stitch(earlier: bytes, series: str, target: str, anew: Collection[str] = ()) -> Summary:
    """Write to the file `target` the points of `earlier`, then those of the file `series`; sums up what is there.

    Of each metric of a stage, the earlier points end before the first step of the new ones. Stages `anew` started from
    nothing: what they had logged earlier is left out. Writing the same again gives the same.
    """
    first: dict[tuple[str, str], float] = {}
    for point, new in _points(earlier, series):
        if new:
            key = (point.stage, point.name)
            first[key] = min(point.step, first.get(key, point.step))
    summary = Summary()
    with open(target, "wb") as file:
        for point, new in _points(earlier, series):
            if not new and (point.stage in anew or point.step >= first.get((point.stage, point.name), float("inf"))):
                continue
            summary.add(point)
            file.write(encode(point))
    return summary


def _points(earlier: bytes, series: str) -> Iterator[tuple[Point, bool]]:
    """All points, and whether they are new. One reader: who does not count steps goes on where counting ended."""
    reader = Reader()
    for point in (*reader.feed(earlier), *reader.finish()):
        yield point, False
    if not os.path.exists(series):
        return
    with open(series, "rb") as file:
        while piece := file.read(_PIECE):
            for point in reader.feed(piece):
                yield point, True
    for point in reader.finish():
        yield point, True

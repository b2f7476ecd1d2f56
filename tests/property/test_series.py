"""Whatever is logged, under whatever names, is what the series reader gives back."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from axil.formats.series import Reader, points
from axil.tracking.writer import Lines

NAMES = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["%", "%s", '"', "\\", "\n", "a.b"]
)
VALUES = st.floats(allow_nan=True, allow_infinity=True)
STEPS = st.none() | st.integers(-(2**52), 2**52) | st.floats(-1e15, 1e15)
ROWS = st.lists(
    st.tuples(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5), STEPS, st.floats(0, 4e9)), max_size=30
)


def expected(rows):
    """By a plain loop: each name has a step of its own, the one after its last."""
    following: dict[str, float] = {}
    for metrics, step, now in rows:
        for name, value in metrics.items():
            at = following.get(name, 0) if step is None else step
            following[name] = at + 1
            yield name, at, math.floor(now * 1000), value


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@given(ROWS, st.text(max_size=5), st.lists(st.integers(0, 30), max_size=3))
def test_round_trip(rows, stage, cuts):
    lines = Lines(stage.encode("utf-8", "replace").decode())
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    data = b"".join(lines.of(rows[begin:end]) for begin, end in itertools.pairwise(edges))
    found = list(points(data))
    wanted = sorted(expected(rows), key=repr)
    got = sorted(((p.name, p.step, round(p.time * 1000), p.value) for p in found), key=lambda p: repr((p[0],)))
    assert len(got) == len(wanted)
    unmatched = list(got)
    for name, step, time, value in wanted:
        at = next(
            place
            for place, (n, s, t, v) in enumerate(unmatched)
            if n == name and s == step and abs(t - time) <= 1 and same(v, value)
        )
        del unmatched[at]
    assert not unmatched


@given(ROWS, st.lists(st.binary(max_size=12).filter(lambda junk: b"\n" not in junk), max_size=4))
def test_rubbish_between_lines_spoils_nothing(rows, rubbish):
    lines = [line + b"\n" for line in Lines("s").of(rows).split(b"\n") if line]
    for place, junk in enumerate(rubbish):
        lines.insert(min(place * 3, len(lines)), junk + b"\n")
    reader = Reader()
    found = [*reader.feed(b"".join(lines)), *reader.finish()]
    assert len(found) >= sum(len(metrics) for metrics, _, _ in rows)

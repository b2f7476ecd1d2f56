"""Lengths of time: read as people write them, written so that they read back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.formats.span import parse_span, written_span


@pytest.mark.parametrize(
    "given,seconds",
    [(90, 90), (0.5, 0.5), ("90", 90), ("45s", 45), ("30m", 1800), ("30 min", 1800), ("2h", 7200), ("1h 30m", 5400),
     ("1h30m", 5400), ("1.5h", 5400), ("2d", 172800)],
)  # fmt: skip
def test_what_is_read(given, seconds):
    assert parse_span(given) == seconds


@pytest.mark.parametrize("given", [0, -1, True, None, [], "", "h", "2x", "1h 30", "1:30", "-2h", "1e9d", "2hh", "0s"])
def test_what_is_refused(given):
    with pytest.raises(ValueError):
        parse_span(given)


@given(st.floats(min_value=0.001, max_value=1e8) | st.integers(1, 10**8).map(float))
def test_round_trip(seconds):
    seconds = round(seconds, 3)
    assert parse_span(written_span(seconds)) == seconds

"""Sizes, times and numbers as people read them."""

from __future__ import annotations

import math

import pytest

from axil.base.ids import short
from axil.cli import format as words


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (3_440_000, "3.4 MB"),
        (999_999, "1.0 MB"),
        (123_456_789, "123 MB"),
        (10**18, "1000 PB"),
    ],
)
def test_size(count, text):
    assert words.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.04, "0.0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_duration(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (59, "now"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (47 * 3600, "47 h"),
        (2 * 86400, "2 d"),
        (13 * 86400, "13 d"),
        (14 * 86400, "2 w"),
        (3 * 365 * 86400, "3 y"),
    ],
)
def test_age(seconds, text):
    assert words.age(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.912345, "0.9123"), (0.1, "0.1"), (1.0, "1.0"), (0.0, "0"), (30, "30"), (12345.678, "12346"), (1e-7, "1e-7"),
        (1e300, "1e300"), (True, "true"), (None, "null"), ("adam", "adam"), ([1, 2], "[1, 2]"), (math.nan, "nan"),
        (-math.inf, "-inf"), (5000.0, "5000"), (-0.25, "-0.25"), ({"a": 1}, '{"a": 1}'),
    ],
)  # fmt: skip
def test_number(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0123, "+0.0123"), (-0.3, "−0.3"), (0.0, "±0"), (math.nan, "nan")])
def test_delta(value, text):
    assert words.delta(value) == text


def test_count():
    assert words.count(1, "file") == "1 file"
    assert words.count(1797, "file") == "1,797 files"
    assert words.count(2, "copy", "copies") == "2 copies"


def test_short_is_the_end_that_tells_runs_apart():
    assert short("01KARX2YZ0ABCDEFGHJKMNPQRS") == "KMNPQRS"

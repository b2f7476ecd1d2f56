"""Intervals against known values."""

from __future__ import annotations

import pytest

from axil.base.statistics import interval, quantile


def test_interval_of_five():
    one = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (one.mean, one.n) == (3.0, 5)
    assert one.half == pytest.approx(2.7764 * (2.5 / 5) ** 0.5)


def test_one_value_has_no_interval():
    assert interval([4.0]).half is None


@pytest.mark.parametrize(("freedom", "known"), [(31, 2.0395), (60, 2.0003), (1000, 1.9623)])
def test_quantile(freedom, known):
    assert quantile(freedom) == pytest.approx(known, abs=2e-4)

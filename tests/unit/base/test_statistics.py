"""Intervals against known values."""

from __future__ import annotations

import pytest

from axil.base.statistics import Interval, difference, interval, quantile, within_noise


def test_interval_of_five():
    one = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (one.mean, one.n) == (3.0, 5)
    assert one.half == pytest.approx(2.7764 * (2.5 / 5) ** 0.5)


def test_one_value_has_no_interval():
    assert interval([4.0]).half is None


@pytest.mark.parametrize(("freedom", "known"), [(31, 2.0395), (60, 2.0003), (1000, 1.9623)])
def test_quantile(freedom, known):
    assert quantile(freedom) == pytest.approx(known, abs=2e-4)


def test_difference_is_welchs():
    """Variances 7.9 and 3.8 of 15 each: 11.7² · 14 / (7.9² + 3.8²) = 24.9 degrees of freedom, of which 24 count."""
    change = difference(Interval(20.8, 0.0, 15, 7.9**0.5), Interval(23.0, 0.0, 15, 3.8**0.5))
    half = quantile(24) * (7.9 / 15 + 3.8 / 15) ** 0.5
    assert change.mean == pytest.approx(2.2)
    assert change.half == pytest.approx(half)
    assert not within_noise(change)


def test_a_single_value_scatters_as_the_others_do():
    many = interval([1.0, 2.0, 3.0])
    change = difference(many, interval([5.0]))
    assert change.half == pytest.approx(4.3027 * (1 + 1 / 3) ** 0.5)
    assert within_noise(change) and within_noise(difference(interval([5.0]), many))
    assert difference(interval([1.0]), interval([2.0])).half is None


def test_without_scatter_every_difference_is_real():
    assert not within_noise(difference(interval([1.0, 1.0]), interval([2.0, 2.0])))
    assert not within_noise(difference(interval([1.0, 1.0]), interval([1.0, 1.0])))

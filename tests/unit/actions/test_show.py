"""Curves keep their ends when they are thinned out."""

from __future__ import annotations

import pytest

from axil.actions.show import POINTS, _thinned
from axil.actions.targets import looks_like_run


@pytest.mark.parametrize("count", [0, 1, POINTS - 1, POINTS, POINTS + 1, 10 * POINTS + 7])
def test_thinning(count):
    values = [float(number) for number in range(count)]
    thinned = _thinned(values)
    assert len(thinned) == min(count, POINTS)
    assert list(thinned) == sorted(set(thinned))
    if count:
        assert (thinned[0], thinned[-1]) == (values[0], values[-1])


@pytest.mark.parametrize(
    ("name", "can_be"),
    [("01KARX", True), ("01karx2yz0", True), ("", False), ("baseline", False), ("a" * 27, False), ("0-1", False)],
)
def test_what_can_be_a_run(name, can_be):
    assert looks_like_run(name) is can_be

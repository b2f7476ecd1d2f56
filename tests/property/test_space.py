"""The space of a sweep: what is written is read, what is read holds its own values, and nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.errors import BadInput
from axil.formats import space

numbers = st.floats(1e-6, 1e6)
choices = st.lists(st.one_of(st.integers(-1000, 1000), st.from_regex(r"x[a-z]{0,8}", fullmatch=True)), min_size=1)


@given(choices.filter(lambda found: len(set(found)) == len(found)))
def test_choices_are_read_as_yaml(values):
    one = space.parse(["k=" + ",".join(map(str, values))])["k"]
    assert list(one.values) == values
    assert all(one.holds(value) for value in values)


@given(st.sampled_from(["uniform", "log"]), numbers, numbers, st.integers(2, 40))
def test_points_lie_between_the_ends(shape, a, b, points):
    low, high = sorted((a, b))
    one = space.parse([f"a.b={shape}({low!r},{high!r},{points})"])["a.b"]
    assert one.values[0] == low and one.values[-1] == high and len(one.values) == points
    assert not one.holds(high + 1) and not one.holds(True) and not one.holds("x")


@given(st.integers(-50, 50), st.integers(0, 60), st.integers(1, 7))
def test_whole_numbers(low, span, step):
    one = space.parse([f"n=int({low},{low + span},{step})"])["n"]
    assert list(one.values) == list(range(low, low + span + 1, step))
    assert all(one.holds(value) for value in one.values)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_grid_has_every_point_once(sizes):
    made = space.parse([f"k{n}=int(1,{size})" for n, size in enumerate(sizes)])
    points = [tuple(space.grid_point(made, n).values()) for n in range(space.grid_size(made))]
    assert len(set(points)) == len(points) and points == sorted(points)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(word):
    try:
        made = space.parse([word])
    except BadInput:
        return
    assert space.of_record(space.written([word])) == made


@pytest.mark.parametrize(
    "word",
    ["lr", "lr=", "=1", "lr=log(0,1)", "lr=log(1,2,1)", "lr=int(1.5,2)", "lr=int(3,1)", "lr=box(1,2)", "lr=1,,2",
     "lr=1,1", "+lr=1", "~lr=1", "lr=uniform(a,b)", "lr=uniform(0)", "lr=uniform(0,.inf)", "lr='a",
     "lr=uniform(0,1", "lr=1,2)", "lr=[1,2", "lr=f(1),g(2"],
)  # fmt: skip
def test_refused(word):
    with pytest.raises(BadInput):
        space.parse([word])

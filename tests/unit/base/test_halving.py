"""The choice of steps: a change is always found, in as few looks as promised, past steps that cannot be measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from axil.base.halving import looks, next_step


def found(last: int, change: int, broken: set[int], free: set[int]) -> tuple[list[int], list[int]]:
    """The steps that are left as candidates on a line from 0 to `last` that changes at `change`; what was looked at."""
    low, high, skipped, looked = 0, last, set[int](), list[int]()
    while (step := next_step(low, high, skipped, free)) is not None:
        assert low < step < high
        assert step not in looked
        looked.append(step)
        if step in broken:
            skipped.add(step)
        elif step >= change:
            high = step
        else:
            low = step
    return list(range(low + 1, high + 1)), looked


@given(st.data())
def test_the_change_is_found(data):
    last = data.draw(st.integers(1, 60))
    change = data.draw(st.integers(1, last))
    inner = st.sets(st.integers(1, last - 1)) if last > 1 else st.just(set())
    broken, free = data.draw(inner), data.draw(inner)
    left, looked = found(last, change, broken, free)
    assert change in left
    # Nothing is left together with the change but what cannot be told from it.
    assert set(left[:-1]) <= broken
    if not broken:
        assert len([step for step in looked if step not in free]) <= looks(0, last)


def test_looks_are_the_logarithm():
    assert [looks(0, last) for last in (1, 2, 3, 4, 8, 9, 1024)] == [0, 1, 2, 2, 3, 4, 10]
    assert looks(0, 8, {1, 2, 3, 4}) == 2


def test_free_steps_come_first():
    assert next_step(0, 100, set()) == 50
    assert next_step(0, 100, set(), [3, 70]) == 70
    assert next_step(0, 100, {70}, [3, 70]) == 3
    assert next_step(0, 100, set(), [0, 100]) == 50
    assert next_step(4, 5, set()) is None

"""Properties of stage keys: different inputs never share a preimage."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from axil.pipeline.keys import StageInputs, key, preimage

TEXT = st.text(alphabet=st.sampled_from('ab"\\,:{}[]\n\x00ü\udcff'), max_size=4)
TABLE = st.dictionaries(TEXT, TEXT, max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-2, 2) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
INPUTS = st.builds(
    StageInputs,
    cmd=TEXT,
    cwd=TEXT,
    deps=TABLE,
    params=st.dictionaries(TEXT, VALUES, max_size=3),
    code=TABLE,
    env=TABLE,
    outs=st.lists(TEXT, max_size=3, unique=True).map(tuple),
    sample=st.integers(0, 3),
)


def typed(value: object) -> object:
    """A form in which 1, 1.0 and True differ, as their types do."""
    if isinstance(value, dict):
        return ("dict", frozenset((name, typed(child)) for name, child in value.items()))
    if isinstance(value, list):
        return ("list", tuple(typed(child) for child in value))
    return (type(value).__name__, repr(value))


def meaning(inputs: StageInputs) -> list[object]:
    return [typed(value) if name != "outs" else frozenset(value) for name, value in inputs._asdict().items()]


@given(INPUTS, INPUTS)
def test_keys_are_equal_exactly_for_equal_inputs(first, second):
    assert (key(first) == key(second)) == (meaning(first) == meaning(second))


@given(INPUTS, st.sampled_from(StageInputs._fields), INPUTS)
def test_each_field_counts_by_itself(inputs, field, other):
    changed = inputs._replace(**{field: getattr(other, field)})
    assert (preimage(changed) == preimage(inputs)) == (meaning(changed) == meaning(inputs))


@given(INPUTS)
def test_a_preimage_can_be_read_back(inputs):
    version, table = json.loads(preimage(inputs))
    assert version == "axil-stage-1"
    assert StageInputs(**{**table, "outs": tuple(table["outs"])})._replace(outs=()) == inputs._replace(outs=())

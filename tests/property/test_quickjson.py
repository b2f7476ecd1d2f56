"""JSON without the `json` module is the same JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from axil.base.quickjson import canonical, loads

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def answer(function: Any, *arguments: Any, **options: Any) -> str:
    """What a call returned (`repr` tells NaN, -0.0 and 1 from 1.0), or the error it raised."""
    try:
        return repr(function(*arguments, **options))
    except (ValueError, TypeError, RecursionError) as error:
        return repr(error) if isinstance(error, ValueError) else type(error).__name__


@given(VALUES)
def test_values_are_written_as_json_does(value: Any) -> None:
    assert answer(canonical, value) == answer(json.dumps, value, sort_keys=True, separators=(",", ":"))


@given(VALUES)
def test_what_json_wrote_is_read_as_json_does(value: Any) -> None:
    text = json.dumps(value)
    assert answer(loads, text) == answer(json.loads, text)
    assert answer(loads, text.encode()) == answer(json.loads, text)


@given(st.text(alphabet='[]{},:"\\u0d8e.-+ \n\tntrfalsuINy\ufeff') | st.binary(max_size=12))
@example('"\ud800"')
@example(b'"\xff"')
@example(" [1] ")
@example("1e999")
@example("1" * 5000)
@example(b"\xff\xfe1\x00")
def test_anything_else_is_taken_or_refused_as_json_does(text: str | bytes) -> None:
    assert answer(loads, text) == answer(json.loads, text)


@pytest.mark.parametrize("value", [b"x", {1, 2}, object(), {"a": [b""]}, {"a": 1, 2: 3}])
def test_what_json_has_no_form_for_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)

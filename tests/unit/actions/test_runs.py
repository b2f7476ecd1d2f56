"""Which columns a list of runs has."""

from __future__ import annotations

import math

import pytest

from axil.actions.runs import metric_columns, param_columns
from axil.journal.rows import RunRow


def row(params=None, metrics=None, state="succeeded"):
    return RunRow("0" * 26, "e", state, 0.0, 0.0, "", "", params or {}, metrics or {})


def test_declared_metrics_come_first_then_the_commonest():
    rows = [row(metrics={"b": 1, "a": 1, "f1": 1}), row(metrics={"b": 1}), row(metrics={"loss": 1})]
    assert metric_columns(rows, ["loss", "f1", "never"]) == ("loss", "f1", "b", "a")


def test_metrics_that_never_change_go_if_asked():
    rows = [row(metrics={"a": 1.0, "b": 1.0}), row(metrics={"a": 1.0, "b": 2.0}), row(metrics={"a": 1.0, "b": 1.0})]
    assert metric_columns(rows, [], only_changed=True) == ("b",)


@pytest.mark.parametrize(("pattern", "names"), [("*", ("a.x", "b")), ("a.*", ("a.x",)), ("b, c", ("b",)), ("A.*", ())])
def test_patterns(pattern, names):
    rows = [row({"a.x": 1, "b": 1}, {"a.x": 1.0, "b": 1.0})]
    assert metric_columns(rows, [], pattern) == names
    assert param_columns(rows, pattern) == names


@pytest.mark.parametrize(
    ("one", "two", "differs"),
    [
        (0.1, 0.1, False),
        (0.1, 0.2, True),
        (1, True, True),
        (1, 1.0, True),
        (None, 0, True),
        ([1, 2], [1, 2], False),
        ({"a": 1}, {"a": 2}, True),
        ("1", 1, True),
    ],
)
def test_params_that_differ_are_columns(one, two, differs):
    assert param_columns([row({"p": one}), row({"p": two})]) == (("p",) if differs else ())


def test_a_param_that_only_some_have_is_a_column():
    assert param_columns([row({"p": 1}), row({"p": 1}), row()]) == ("p",)
    assert param_columns([]) == ()


def test_nan_is_a_value_like_another():
    assert metric_columns([row(metrics={"a": math.nan})], []) == ("a",)

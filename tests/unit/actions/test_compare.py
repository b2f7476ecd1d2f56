"""The rows of a comparison, without a repository."""

from __future__ import annotations

import math

import pytest

from axil.actions.compare import environment_rows, metric_rows, param_rows


def test_params_keep_their_order_and_lack_what_a_side_lacks():
    rows = param_rows(["a", "b"], {"a": {"x": 1, "y": None}, "b": {"z": 2, "x": 1}})
    assert [(row.key, row.values, row.changed) for row in rows] == [
        ("x", {"a": 1, "b": 1}, False),
        ("y", {"a": None}, True),
        ("z", {"b": 2}, True),
    ]


@pytest.mark.parametrize(
    ("one", "two", "changed"), [(1, True, True), (0, False, True), (1, 1.0, True), ([1], [1], False)]
)
def test_the_type_of_a_param_counts(one, two, changed):
    assert param_rows(["a", "b"], {"a": {"x": one}, "b": {"x": two}})[0].changed is changed


@pytest.mark.parametrize(
    ("old", "new", "direction", "better"),
    [
        (0.5, 0.6, "max", True),
        (0.5, 0.4, "max", False),
        (0.5, 0.4, "min", True),
        (0.5, 0.6, "min", False),
        (0.5, 0.5, "max", None),
        (0.5, 0.6, "", None),
        (0.5, math.nan, "max", None),
    ],
)
def test_better_follows_the_direction(old, new, direction, better):
    directions = {"m": direction} if direction else {}
    (row,) = metric_rows(["a", "b"], {"a": {"m": old}, "b": {"m": new}}, directions)
    assert row.better["b"] is better
    assert row.deltas["b"] == pytest.approx(new - old, nan_ok=True)


def test_there_is_no_delta_without_a_first_value():
    (row,) = metric_rows(["a", "b", "c"], {"a": {}, "b": {"m": 1.0}, "c": {"m": 2.0}}, {})
    assert row.deltas == row.better == {}
    assert row.changed


def test_every_delta_is_against_the_first():
    (row,) = metric_rows(["a", "b", "c"], {"a": {"m": 1.0}, "b": {"m": 2.0}, "c": {"m": 4.0}}, {})
    assert row.deltas == {"b": 1.0, "c": 3.0}


def test_declared_metrics_come_first():
    found = {"a": {"b": 1.0, "z": 1.0, "a": 1.0}}
    assert [row.name for row in metric_rows(["a"], found, {"z": "max", "q": "min"})] == ["z", "a", "b"]


def test_a_side_without_a_run_has_no_environment_to_differ():
    rows = environment_rows(["a", "b"], {"a": {"python": "3.11"}, "b": {}})
    assert [(row.name, row.changed) for row in rows] == [("python", False)]
    rows = environment_rows(["a", "b"], {"a": {"numpy": "1"}, "b": {"scipy": "2"}})
    assert [(row.name, row.changed) for row in rows] == [("numpy", True), ("scipy", True)]

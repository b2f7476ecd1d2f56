"""formats.series: every line is untrusted, nothing good is lost."""

from __future__ import annotations

import math

import pytest

from axil.formats.series import Reader, Summary, points


def test_reads_a_point_per_metric() -> None:
    line = b'{"step":7,"time":12.5,"stage":"train","metrics":{"loss":0.5,"f1":1}}\n'
    assert [tuple(point) for point in points(line)] == [
        ("train", "loss", 7, 12.5, 0.5),
        ("train", "f1", 7, 12.5, 1.0),
    ]


def test_last_line_without_end_counts_if_whole() -> None:
    assert [point.value for point in points(b'{"metrics":{"a":1}}')] == [1.0]
    assert list(points(b'{"metrics":{"a":1')) == []


def test_steps_left_out_count_up_per_stage_and_name() -> None:
    data = b'{"metrics":{"a":1}}\n{"metrics":{"a":2,"b":3}}\n{"step":9,"metrics":{"a":4}}\n{"metrics":{"a":5}}\n'
    assert [(point.name, point.step) for point in points(data)] == [("a", 0), ("a", 1), ("b", 0), ("a", 9), ("a", 10)]


@pytest.mark.parametrize(
    "text, value",
    [('"nan"', math.nan), ('"inf"', math.inf), ('"-inf"', -math.inf), ("NaN", math.nan), ("-Infinity", -math.inf)],
)
def test_values_that_json_cannot_say(text: str, value: float) -> None:
    (point,) = points(b'{"step":1,"metrics":{"loss":%s}}\n' % text.encode())
    assert point.value == value or (math.isnan(value) and math.isnan(point.value))


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"[]",
        b'{"metrics":{"a":"text"}}',
        b'{"metrics":[1]}',
        b'{"step":"x","metrics":{"a":1}}',
        b"\xff\xfe",
    ],
)
def test_a_bad_line_spoils_only_itself(line: bytes) -> None:
    reader = Reader()
    found = list(reader.feed(b'{"metrics":{"a":1}}\n' + line + b'\n{"metrics":{"a":2}}\n'))
    assert [point.value for point in found] == [1.0, 2.0]
    assert reader.bad_lines == 1


def test_pieces_of_any_size_give_the_same_points() -> None:
    data = b"".join(b'{"step":%d,"metrics":{"a":%d}}\n' % (step, step * 2) for step in range(50))
    reader = Reader()
    pieces = [point for start in range(0, len(data), 7) for point in reader.feed(data[start : start + 7])]
    assert pieces == list(points(data))
    assert len(pieces) == 50


def test_summary_is_of_finite_values_and_a_diverged_metric_has_no_final_one() -> None:
    summary = Summary()
    for point in points(b'{"metrics":{"a":3,"b":1}}\n{"metrics":{"a":1}}\n{"metrics":{"a":"nan"}}\n'):
        summary.add(point)
    a = summary.series("")["a"]
    assert (a.count, a.last, a.min, a.max, a.last_step) == (3, 1.0, 1.0, 3.0, 1.0)
    assert summary.final("") == {"b": 1.0}


def test_summary_keeps_stages_apart() -> None:
    summary = Summary()
    for point in points(b'{"stage":"x","metrics":{"a":1}}\n{"stage":"y","metrics":{"a":2}}\n'):
        summary.add(point)
    assert summary.stages() == ["x", "y"]
    assert summary.final("x") == {"a": 1.0}
    assert summary.series("nobody") == {}


def test_the_vector_of_the_format_page() -> None:
    data = b'{"metrics":{"a":1}}\n{"metrics":{"a":2,"b":3}}\n{"step":9,"metrics":{"a":"nan"}}\n'
    summary = Summary()
    for point in points(data):
        summary.add(point)
    a = summary.series("")["a"]
    assert (a.count, a.last, a.min, a.max, a.last_step) == (3, 2.0, 1.0, 2.0, 1.0)
    assert summary.final("") == {"b": 3.0}

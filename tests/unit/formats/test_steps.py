"""Tables and lines with values over steps, as libraries write them and as nobody should."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.formats import steps
from axil.formats.steps import Objects, Table, Value, document


def table(text: str | bytes, delimiter: str = ",") -> tuple[list[Value], int]:
    reader = Table(delimiter)
    data = text.encode() if isinstance(text, str) else text
    return [*reader.feed(data), *reader.finish()], reader.bad


def lines(text: str) -> tuple[list[Value], int]:
    reader = Objects()
    return [*reader.feed(text.encode()), *reader.finish()], reader.bad


def test_a_table_with_a_step() -> None:
    found, bad = table("epoch,loss,acc\n0,1.5,\n1,0.5,0.9\n")
    assert found == [Value("loss", 0, 1.5), Value("loss", 1, 0.5), Value("acc", 1, 0.9)]
    assert bad == 0


def test_the_step_is_the_best_of_the_columns() -> None:
    assert table("epoch,step,loss\n1,20,0.5\n")[0] == [Value("epoch", 20, 1), Value("loss", 20, 0.5)]
    assert table("trainer/global_step,a\n4,1\n")[0] == [Value("a", 4, 1)]
    assert table("a,b\n1,2\n3,4\n")[0] == [Value("a", 0, 1), Value("b", 0, 2), Value("a", 1, 3), Value("b", 1, 4)]
    assert table("step,a\n,1\n")[0] == [Value("a", 0, 1)]


def test_tabs_a_byte_order_mark_windows_lines_and_no_last_line_end() -> None:
    assert table(b"\xef\xbb\xbfstep\tloss\r\n3\t0.5\r\n4\t0.25", "\t")[0] == [
        Value("loss", 3, 0.5),
        Value("loss", 4, 0.25),
    ]


def test_texts_times_and_empty_cells_are_no_values() -> None:
    found, bad = table("step,loss,note,timestamp,v\n1,nan,good,1700000000,1_0\n2,inf,,,2\n")
    assert [value.name for value in found] == ["loss", "loss", "v"]
    assert math.isnan(found[0].value) and math.isinf(found[1].value)
    assert bad == 0


def test_bad_rows_are_counted() -> None:
    found, bad = table(b"step,a\n1,2\n1,2,3\nx,2\n\xff,1\nnan,3\n1e99,3\n5,6\n")
    assert found == [Value("a", 1, 2), Value("a", 5, 6)]
    assert bad == 5


def test_lines_of_json() -> None:
    text = '{"step": 5, "loss": 1, "val": {"f1": 0.5, "deep": {"x": true}}, "text": "7", "list": [1]}\n{"loss": NaN}\n'
    found, bad = lines(text)
    assert found[:3] == [Value("loss", 5, 1), Value("val.f1", 5, 0.5), Value("val.deep.x", 5, 1)]
    assert found[3].step == 1 and math.isnan(found[3].value)
    assert (len(found), bad) == (4, 0)


def test_bad_lines_of_json_are_counted() -> None:
    found, bad = lines('oops\n[1]\n{"a": 1}\n' + "[" * 100_000 + '\n{"a": ' + "9" * 400 + "}\n")
    assert found == [Value("a", 0, 1)]
    assert bad == 3


def test_a_line_without_end_is_dropped_and_not_kept_in_memory() -> None:
    reader = Objects()
    piece = b"x" * (steps.MAX_LINE // 2)
    for _ in range(10):
        assert not list(reader.feed(piece))
        assert len(reader.lines._rest) <= steps.MAX_LINE
    assert list(reader.feed(b'\n{"a": 1}\n')) == [Value("a", 0, 1)]
    assert reader.bad == 1


def test_documents() -> None:
    assert document(b'[{"epoch": 3, "loss": 1}, {"epoch": 4, "loss": 2}]') == [Value("loss", 3, 1), Value("loss", 4, 2)]
    assert document(b'{"loss": [1, 2], "acc": [0.5], "best": 3, "names": ["a"]}') == [
        Value("loss", 0, 1),
        Value("loss", 1, 2),
        Value("acc", 0, 0.5),
    ]
    trainer = b'{"best_metric": 1, "log_history": [{"loss": 2, "epoch": 0.5, "step": 10}]}'
    assert document(trainer) == [Value("loss", 10, 2), Value("epoch", 10, 0.5)]
    for bad in (b"", b"3", b'{"a"', b"[" * 100_000, b"\xff"):
        with pytest.raises(ValueError):
            document(bad)


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    table(data)
    reader = Objects()
    list(reader.feed(data))
    list(reader.finish())


@given(st.text(max_size=300), st.integers(1, 50))
def test_pieces_do_not_matter(text: str, size: int) -> None:
    data = ("step,a,b\n" + text).encode("utf-8", "replace")
    reader = Table(",")
    found = [value for at in range(0, len(data), size) for value in reader.feed(data[at : at + size])]
    found += reader.finish()
    whole, bad = table(data)
    assert (repr(found), reader.bad) == (repr(whole), bad)

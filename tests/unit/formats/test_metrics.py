"""formats.metrics: numbers of metrics files, and clear words about broken ones."""

from __future__ import annotations

import pytest

from axil.errors import BadInput
from axil.formats.metrics import flatten, parse


@pytest.mark.parametrize(
    "path, text",
    [
        ("m.json", '{"acc": 0.5, "val": {"f1": 1, "ok": true}, "name": "x", "list": [1], "none": null}'),
        ("m.yaml", "acc: 0.5\nval:\n  f1: 1\n  ok: true\nname: x\n"),
        ("m.toml", 'acc = 0.5\nname = "x"\n[val]\nf1 = 1\nok = true\n'),
        ("m.csv", "metric,value\nacc,0.5\nval.f1,1\nval.ok,1\nname,x\n"),
        ("m.tsv", "epoch\tacc\n0\t0.1\n"),
    ],
)
def test_kinds_of_files(path: str, text: str) -> None:
    expected = {"epoch": 0.0, "acc": 0.1} if path == "m.tsv" else {"acc": 0.5, "val.f1": 1.0, "val.ok": 1.0}
    assert parse(text.encode(), path) == expected


def test_the_last_row_of_a_table_counts() -> None:
    assert parse(b"\xef\xbb\xbfepoch,loss,note\r\n0,2.5,x\r\n1,0.5,y\r\n\r\n", "m.csv") == {"epoch": 1.0, "loss": 0.5}


@pytest.mark.parametrize("text", ['{"a": NaN, "b": 1}', '{"a": Infinity, "b": 1}', '{"a": 1e999, "b": 1}'])
def test_values_a_record_cannot_hold_are_passed_over(text: str) -> None:
    assert parse(text.encode(), "m.json") == {"b": 1.0}


def test_huge_integers_are_passed_over() -> None:
    assert flatten({"a": 10**400, "b": 2}) == {"b": 2.0}


@pytest.mark.parametrize("path", ["m.json", "m.yaml", "m.toml", "m.csv"])
def test_empty_files_have_no_metrics(path: str) -> None:
    assert parse(b"", path) == {}


@pytest.mark.parametrize(
    "path, data, word",
    [
        ("out/m.json", b'{"a": 1,\n oops', "line 2"),
        ("out/m.json", b"[1, 2]", "line 1"),
        ("out/m.json", b"\xff\xfe", "UTF-8"),
        ("out/m.json", b"[" * 100_000, "m.json"),
        ("out/m.yaml", b"a: [1\nb: 2\n", "line"),
        ("out/m.toml", b"a = \n", "line 1"),
    ],
)
def test_broken_files_are_named(path: str, data: bytes, word: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(data, path)
    assert "out/m." in str(caught.value)
    assert word in str(caught.value)

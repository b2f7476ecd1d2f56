"""Params that scripts report: what they write is what is read, and what others write does no harm."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from axil.formats import logged


def test_the_last_word_counts() -> None:
    data = b'{"stage":"a","params":{"lr":1,"on":true,"no":null}}\n{"params":{"lr":0.5,"text":"x"}}\n'
    assert logged.parse(data) == {"logged.lr": 0.5, "logged.on": True, "logged.no": None, "logged.text": "x"}


def test_what_is_no_param_is_passed_over() -> None:
    lines = [b"oops", b"[1]", b'{"params":[1]}', b'{"params":{"a":[1],"b":NaN,"c":1e999,"":1,"d":' + b"9" * 30 + b"}}"]
    assert logged.parse(b"\n".join([*lines, b'{"params":{"good":1}}', b'{"params":{"cut'])) == {"logged.good": 1}


def test_names_and_texts_are_bounded() -> None:
    many = {f"p{number}": 1 for number in range(logged.MAX_NAMES + 10)}
    long = {"n" * 300: 1, "text": "x" * 10_000}
    found = logged.parse(b"\n".join(json.dumps({"params": each}).encode() for each in (long, many)))
    assert len(found) == logged.MAX_NAMES
    assert found["logged.text"] == "x" * logged.MAX_TEXT


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    logged.parse(data)

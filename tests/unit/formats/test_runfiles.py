"""formats.runfiles: what a run directory holds survives crashes in the middle of a write."""

from __future__ import annotations

import pytest

from axil.errors import Damaged
from axil.formats.record import StageRecord
from axil.formats.runfiles import (
    Spec,
    Staged,
    Started,
    decode_spec,
    encode_event,
    encode_spec,
    fold,
    parse_reads,
    parse_trace,
)

SPEC = Spec(id="01ARZ3NDEKTSV4RRFFQ69G5FAV", time=5.0, root="/p", outs=["a"], params={"train.lr": 0.1, "x": [1]})


def test_spec_round_trip() -> None:
    assert decode_spec(encode_spec(SPEC), "spec.json") == SPEC


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"id":"x","time":1,"root":"/","version":99}'])
def test_bad_specs_are_named(data: bytes) -> None:
    with pytest.raises(Damaged) as caught:
        decode_spec(data, "runs/x/spec.json")
    assert "runs/x/spec.json" in str(caught.value)


def test_fold_takes_the_last_word_about_a_stage() -> None:
    running = StageRecord("a", "lost", "first run", "cp x y")
    done = StageRecord("a", "succeeded", "first run", "cp x y", key="k")
    data = b"".join(encode_event(event) for event in (Staged(running), Started("a", 7, 8)))
    assert fold(data).stages == {"a": running}
    state = fold(data + encode_event(Staged(done)))
    assert state.stages == {"a": done}
    assert (state.processes["a"].pid, state.run) == (7, None)


def test_fold_passes_over_a_line_cut_short() -> None:
    line = encode_event(Started("a", 7, 8))
    assert fold(line + line[:10]).processes["a"].ticks == 8
    assert fold(line[:10] + b"\n" + line).processes["a"].ticks == 8


def test_trace_must_be_whole() -> None:
    fields = ["stage", "s", "version", "3.12.1", "module", "src/a.py", "site", "/v/site-packages", "package", "numpy"]
    whole = "\0".join([*fields, "end", ""]).encode()
    trace = parse_trace(whole)
    assert trace is not None
    assert (trace.stage, trace.version, trace.modules) == ("s", "3.12.1", ["src/a.py"])
    assert trace.packages == {"numpy": "/v/site-packages"}
    assert parse_trace(whole[:-3]) is None
    assert parse_trace(b"") is None


def test_reads_are_taken_by_stage_and_whatever_is_no_line_is_passed_over() -> None:
    lines = [
        '{"stage":"a","key":"train.lr"}', '{"key":""}', "nonsense", '{"stage":"a"}', '{"stage":"a","key":7}',
        '{"stage":"a","key":"x\\u0000y"}', '{"stage":"a","key":"%s"}' % ("k" * 2000), '{"stage":"a","ke',
        '{"stage":"a","key":"seed","more":1}',
    ]  # fmt: skip
    assert parse_reads("\n".join(lines).encode()) == {"a": {"train.lr", "seed"}, "": {""}}
    assert parse_reads(b"\xff\n") == {}


def test_reads_are_bounded() -> None:
    data = b"".join(b'{"key":"k%d"}\n' % number for number in range(20_000))
    assert len(parse_reads(data)[""]) == 10_000

"""How values become JSON, when colours are used, and what happens when the reader has gone."""

from __future__ import annotations

import io
import json
import math
from typing import NamedTuple

import msgspec
import pytest

from axil.base.progress import SILENT
from axil.cli.face import Face, OutputClosed, plain, to_json


class Inner(NamedTuple):
    oid: bytes
    path: str


class Tagged(msgspec.Struct, tag="run", tag_field="kind"):
    id: str
    inner: dict[str, float]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def face(**options):
    options.setdefault("env", {})
    return Face(out=options.pop("out", io.StringIO()), err=options.pop("err", io.StringIO()), cwd="/x", **options)


def test_named_tuples_and_structs_become_objects():
    value = {"a": Inner(b"\x01\xff", "d/\udcff"), "b": Tagged("1", {"f1": 0.5}), "c": {3, 1}, "d": (1, None, True)}
    assert plain(value) == {
        "a": {"oid": "01ff", "path": "d/\\xff"},
        "b": {"kind": "run", "id": "1", "inner": {"f1": 0.5}},
        "c": [1, 3],
        "d": [1, None, True],
    }


def test_json_has_no_words_json_does_not_know():
    text = to_json([math.nan, math.inf, -math.inf, 1.5])
    assert json.loads(text, parse_constant=pytest.fail) == ["NaN", "Infinity", "-Infinity", 1.5]


def test_keys_are_text():
    assert plain({1: "a", b"\x00": "b", "c": 1}) == {"1": "a", "00": "b", "c": 1}


def test_what_has_no_json_is_an_error_not_a_repr():
    with pytest.raises(TypeError, match="no JSON for object"):
        plain(object())


def test_show_prints_json_or_renders():
    out = io.StringIO()
    face(out=out, json=True).show(Inner(b"\x01", "p"), lambda face, value: pytest.fail("rendered"))
    assert json.loads(out.getvalue()) == {"oid": "01", "path": "p"}
    out = io.StringIO()
    face(out=out).show(Inner(b"\x01", "p"), lambda face, value: face.line(value.path))
    assert out.getvalue() == "p\n"


@pytest.mark.parametrize(
    ("env", "asked", "terminal", "colored"),
    [
        ({}, None, True, True),
        ({}, None, False, False),
        ({"NO_COLOR": "1"}, None, True, False),
        ({"NO_COLOR": ""}, None, True, True),
        ({"TERM": "dumb"}, None, True, False),
        ({"FORCE_COLOR": "1"}, None, False, True),
        ({"FORCE_COLOR": "0"}, None, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, None, True, False),
        ({"NO_COLOR": "1"}, True, False, True),
        ({"FORCE_COLOR": "1"}, False, True, False),
    ],
)
def test_colours(env, asked, terminal, colored):
    made = face(out=Terminal() if terminal else io.StringIO(), env=env, color=asked)
    assert made.style.on is colored


def test_quiet_drops_notes_but_not_warnings_or_answers():
    out, err = io.StringIO(), io.StringIO()
    made = face(out=out, err=err, quiet=True)
    made.line("answer")
    made.note("remark")
    made.warn("careful")
    assert out.getvalue() == "answer\n"
    assert err.getvalue() == "warning: careful\n"


def test_hints_are_for_people_only():
    piped, terminal = io.StringIO(), Terminal()
    face(err=piped).hint("type this")
    face(err=terminal).hint("type this")
    assert piped.getvalue() == ""
    assert "type this" in terminal.getvalue()


def test_lines_carry_no_control_characters():
    out = io.StringIO()
    face(out=out).line("name \x1b]0;evil\x07 end")
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_a_reader_that_left_is_told_apart_from_a_broken_pipe_elsewhere():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with pytest.raises(OutputClosed):
        face(out=Gone()).line("x")


def test_names_that_are_no_text_do_not_crash_an_ascii_stream():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    made = face(out=stream)
    made.line("é \udcff")
    made.flush()
    assert raw.getvalue() == b"\\xe9 \\udcff\n"
    assert not made.style.unicode


def test_width():
    assert face(env={"COLUMNS": "97"}).width == 97
    assert face(env={}).width is None
    assert face(env={"COLUMNS": "wide"}).width is None
    assert face(out=Terminal(), env={}).width == 80


def test_progress_is_silent_without_a_terminal():
    assert face().progress() is SILENT
    assert face(err=Terminal(), json=True).progress() is SILENT
    assert face(err=Terminal(), quiet=True).progress() is SILENT
    assert face(err=Terminal()).progress() is not SILENT


def test_paths_start_where_the_user_is():
    assert face().path("a/../b") == "/x/b"
    assert face().path("/abs") == "/abs"

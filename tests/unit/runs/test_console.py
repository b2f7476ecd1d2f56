"""runs.console: the log is what a terminal would show in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.runs.console import MAX_LINE, Console, Line


@pytest.fixture
def log(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    path = tmp_path / "log"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    yield fd, path
    os.close(fd)


def test_lines_and_a_growing_one(log):
    fd, path = log
    console = Console(fd)
    assert console.feed(b"one\ntw") == [Line("one", True), Line("tw", False)]
    assert path.read_bytes() == b"one\ntw"
    assert console.feed(b"o\nthree") == [Line("two", True), Line("three", False)]
    assert console.finish() == [Line("three", True)]
    assert console.finish() == []
    assert path.read_bytes() == b"one\ntwo\nthree\n"


def test_a_progress_bar_is_one_line_in_its_last_state(log):
    fd, path = log
    console = Console(fd)
    assert console.feed(b"\r 10%|#    |") == [Line(" 10%|#    |", False)]
    assert console.feed(b"\r 50%") == [Line(" 50%", False)]
    assert path.read_bytes() == b" 50%"
    assert console.feed(b"\r100%\ndone\n") == [Line("100%", True), Line("done", True)]
    assert path.read_bytes() == b"100%\ndone\n"


def test_carriage_return_and_newline_are_one_line_end_also_when_cut(log):
    fd, path = log
    console = Console(fd)
    console.feed(b"one\r\ntwo\r")
    assert console.feed(b"\nthree\r\r\n") == [Line("two", True), Line("three", True)]
    assert path.read_bytes() == b"one\ntwo\nthree\n"


def test_output_without_line_ends_does_not_fill_the_memory(log):
    fd, path = log
    console = Console(fd)
    piece = b"x" * 50_000
    lines = [line for _ in range(10) for line in console.feed(piece)]
    assert sum(len(line.text) for line in lines if line.done) + len(console._current) == 500_000
    assert len(console._current) <= MAX_LINE
    console.finish()
    assert path.stat().st_size == 500_001


def test_bytes_that_are_no_text_are_kept_in_the_log(log):
    fd, path = log
    assert Console(fd).feed(b"\xff\xfe\n") == [Line("��", True)]
    assert path.read_bytes() == b"\xff\xfe\n"


def screen(data: bytes) -> bytes:
    """What is left of `data`, worked out in the simplest way."""
    shown = b""
    for line in data.replace(b"\r\n", b"\n").split(b"\n"):
        parts = [part for part in line.split(b"\r") if part]
        shown += (parts[-1] if parts else b"") + b"\n"
    return shown[:-1]


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"def"]), max_size=30), st.data())
def test_the_log_does_not_depend_on_how_output_arrives(tmp_path_factory, pieces, data):
    path = tmp_path_factory.mktemp("log") / "log"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        console, output = Console(fd), b"".join(pieces).replace(b"\r\r", b"\r")
        lines, rest = [], output
        while rest:
            count = data.draw(st.integers(1, len(rest)))
            lines += console.feed(rest[:count])
            rest = rest[count:]
        assert path.read_bytes() == screen(output)
        lines += console.finish()
        done = [line.text for line in lines if line.done]
        assert "".join(text + "\n" for text in done).encode() == path.read_bytes()
    finally:
        os.close(fd)

"""The progress line: late, throttled, wiped, and drawn by one process only."""

from __future__ import annotations

import io
import os

from axil.cli.progress import DELAY, PERIOD, TerminalProgress


class Clock:
    def __init__(self):
        self.time = 100.0

    def __call__(self):
        return self.time


def make():
    clock, stream = Clock(), io.StringIO()
    return clock, stream, TerminalProgress(stream, now=clock)


def test_short_work_shows_nothing():
    clock, stream, progress = make()
    progress.begin("hashing", 10, "files")
    clock.time += DELAY - 0.01
    progress.advance(10)
    progress.end()
    assert stream.getvalue() == ""


def test_long_work_shows_how_far_it_is_and_leaves_no_trace():
    clock, stream, progress = make()
    progress.begin("hashing", 2700, "files")
    clock.time += DELAY
    progress.advance(1234)
    assert "hashing" in stream.getvalue()
    assert "46%" in stream.getvalue()
    assert "1,234 of 2,700 files" in stream.getvalue()
    progress.end()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_it_is_not_drawn_at_every_step():
    clock, stream, progress = make()
    progress.begin("x", unit="B")
    clock.time += DELAY
    progress.advance(1500)
    drawn = stream.getvalue()
    progress.advance(1)
    assert stream.getvalue() == drawn
    clock.time += PERIOD
    progress.advance(1)
    assert len(stream.getvalue()) > len(drawn)
    assert "1.5 KB" in drawn


def test_nested_work_shows_the_inner_label_and_returns():
    clock, stream, progress = make()
    progress.begin("outer", 2)
    progress.begin("inner", 5)
    clock.time += DELAY
    progress.advance()
    assert "inner" in stream.getvalue()
    progress.end()
    clock.time += PERIOD
    progress.advance()
    assert "outer" in stream.getvalue()


def test_calls_without_work_do_nothing():
    _, stream, progress = make()
    progress.advance()
    progress.end()
    assert stream.getvalue() == ""


def test_a_forked_worker_does_not_draw(monkeypatch):
    clock, stream, progress = make()
    progress.begin("x", 5)
    clock.time += DELAY
    monkeypatch.setattr(os, "getpid", lambda: -1)
    progress.advance()
    assert stream.getvalue() == ""

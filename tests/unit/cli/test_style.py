"""Control characters never reach the terminal, widths count cells, colours only where asked."""

from __future__ import annotations

import pytest

from axil.cli import style
from axil.cli.style import Style


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data/raw", "data/raw"),
        ("naïve/数据", "naïve/数据"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("bad\udcff", "bad\\xff"),
        ("\x7f\x00", "\\x7f\\x00"),
    ],
)
def test_names_are_made_safe(text, expected):
    assert style.safe(text) == expected


def test_clean_keeps_colours_and_line_ends_only():
    text = "\x1b[31mred\x1b[0m\tx\n\x1b]0;title\x07\x1b[2J\r"
    assert style.clean(text) == "\x1b[31mred\x1b[0m\tx\n\\x1b]0;title\\x07\\x1b[2J\\r"


def test_clean_keeps_undecodable_names_readable():
    assert style.clean("f\udcfe") == "f\udcfe"  # the stream's error handler writes it, see Face


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("数据", 4), ("e\u0301", 1), ("\x1b[1mab\x1b[0m", 2), ("", 0)])
def test_width_counts_cells(text, cells):
    assert style.width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 4, "abc…"),
        ("数据数据", 5, "数据…"),
        ("数据数据", 4, "数…"),
        ("abc", 0, ""),
        ("ab c", 4, "ab c"),
    ],
)
def test_cut_fits(text, cells, expected):
    assert style.cut(text, cells) == expected
    assert style.width(style.cut(text, cells)) <= cells


def test_style_is_a_no_op_when_off():
    assert Style(False).red("x") == "x"
    assert Style(True).red("x") == "\x1b[31mx\x1b[0m"
    assert Style(True).red("") == ""


def test_state_has_a_symbol_or_a_word():
    assert Style().state("succeeded") == "✓"
    assert Style().state("failed", word=True) == "✗ failed"
    assert Style(unicode=False).state("succeeded") == "ok"
    assert Style(unicode=False).state("lost", word=True) == "lost"
    assert Style().state("new-state-of-a-newer-axil", word=True) == "? new-state-of-a-newer-axil"


def test_better_paints_by_direction():
    on = Style(True)
    assert on.better("x", True) == on.green("x")
    assert on.better("x", False) == on.red("x")
    assert on.better("x", None) == "x"


@pytest.mark.parametrize(
    ("text", "cells", "expected"),
    [("digits_mlp_wd", 8, "…_mlp_wd"), ("short", 5, "short"), ("数据数据", 5, "…数据"), ("abc", 1, "…")],
)
def test_cut_front_keeps_the_end(text, cells, expected):
    assert style.cut_front(text, cells) == expected
    assert style.width(expected) <= cells

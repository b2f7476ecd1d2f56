"""Tables fit the width they have; nothing is cut where nobody looks."""

from __future__ import annotations

import io
import math

import pytest

from axil.cli.face import Face
from axil.cli.style import width
from axil.cli.tables import Cell, Column, comma_separated, markdown, sparkline, table

COLUMNS = [
    Column("run"),
    Column("message", flexible=True),
    Column("f1", right=True),
    Column("loss", right=True, drop=1),
]
ROWS = [
    ["01K", "a rather long message about nothing", Cell("0.91", "green"), "0.3"],
    ["01L", "短い", "0.9", "12.25"],
]


def draw(columns, rows, cells=None, color=False):
    out = io.StringIO()
    env = {} if cells is None else {"COLUMNS": str(cells)}
    left_out = table(Face(out=out, env=env, cwd="/", color=color), columns, rows)
    return out.getvalue().splitlines(), left_out


def test_a_pipe_gets_everything():
    lines, left_out = draw(COLUMNS, ROWS)
    assert lines == [
        "run  message                                f1   loss",
        "01K  a rather long message about nothing  0.91    0.3",
        "01L  短い                                  0.9  12.25",
    ]
    assert left_out == []


def test_the_flexible_column_is_cut_first():
    lines, left_out = draw(COLUMNS, ROWS, 40)
    assert all(width(line) <= 40 for line in lines)
    assert "…" in lines[1]
    assert lines[1].endswith("0.91    0.3")
    assert left_out == []


def test_then_columns_go_and_are_named():
    lines, left_out = draw(COLUMNS, ROWS, 20)
    assert left_out == ["loss"]
    assert all(width(line) <= 20 for line in lines)


def test_colours_do_not_shift_columns():
    plain, _ = draw(COLUMNS, ROWS, 60)
    painted, _ = draw(COLUMNS, ROWS, 60, color=True)
    assert [width(line) for line in painted] == [width(line) for line in plain]
    assert "\x1b[32m0.91\x1b[0m" in painted[1]


def test_cells_cannot_break_the_table():
    lines, _ = draw([Column("name")], [["a\nb\x1b[2J"]])
    assert lines == ["name", "a\\nb\\x1b[2J"]


def test_no_header_without_titles():
    assert draw([Column(""), Column("")], [["a", "b"]])[0] == ["a  b"]


def test_markdown_escapes():
    text = markdown(["a", "b"], [["x|y", "<b>"]], right=[False, True])
    assert text == "| a | b |\n| --- | --: |\n| x\\|y | &lt;b> |\n"


def test_csv_quotes_and_keeps_numbers_whole():
    assert comma_separated(["a", "b"], [['say "hi", you', 0.1 + 0.2], [None, True]]) == (
        'a,b\n"say ""hi"", you",0.30000000000000004\n,True\n'
    )


@pytest.mark.parametrize(
    ("values", "line"),
    [([], ""), ([1.0], "▁"), ([0.0, 1.0], "▁█"), ([1.0, math.nan, 0.0], "█ ▁"), ([math.inf], ""), ([2.0, 2.0], "▁▁")],
)
def test_sparkline(values, line):
    assert sparkline(values) == line


def test_a_long_curve_keeps_its_shape():
    line = sparkline([float(number) for number in range(1000)], 8)
    assert line == "▁▂▃▄▅▆▇█"


def test_names_of_forks_keep_their_ends():
    columns = [Column("digits_mlp_lr_scheduler", flexible=True), Column("name", flexible=True, tail=True)]
    lines, _ = draw(columns, [["0.5", "digits_mlp_lr_scheduler_wd"]], 30)
    assert lines[0].split() == ["…_lr_scheduler", "name"]
    assert lines[1].endswith("_scheduler_wd")

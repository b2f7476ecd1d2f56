from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.journal.conftest import START, Clock

from axil.errors import BadInput
from axil.formats.record import Run
from axil.journal.journal import Journal
from axil.journal.query import Known, where

KNOWN = Known({"f1", "val/loss", "both"}, {"train.lr", "opt", "both"})


@pytest.fixture
def runs(journal: Journal, make_run: Callable[..., Run]) -> Journal:
    journal.append(
        [
            make_run(metrics={"f1": 0.95, "both": 1}, params={"train.lr": 0.1, "opt": "adam", "aug": True, "n": None}),
            make_run(metrics={"f1": 0.5}, params={"train.lr": 0.01, "opt": "SGD w/ momentum", "aug": False}),
            make_run(metrics={}, params={"train.lr": "auto", "both": 2}, state="failed", experiment="other"),
            make_run(metrics={"f1": float("nan")}, message="it's [1] 100% é", ended=START + 3600 * 3),
        ]
    )
    return journal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f1 > 0.9", "1"),
        ("f1 >= .5", "12"),
        ("f1 = 0.5", "2"),
        ("f1 == 5e-1", "2"),
        ("f1 != 0.5", "1"),
        ("f1 <> 0.5", "1"),
        ("not f1 > 0.9", "234"),
        ("f1 is null", "34"),
        ("f1 is not null", "12"),
        ("f1 is missing", "34"),
        ("metrics.f1 < 0.9", "2"),
        ("params.train.lr < 0.05", "2"),
        ("train.lr<0.05", "2"),
        ("train.lr != 0.1", "23"),
        ("train.lr = auto", "3"),
        ("train.lr != auto", "12"),
        ("train.lr = '0.1'", ""),
        ("n is null", "1234"),
        ("opt = adam", "1"),
        ("opt = 'SGD w/ momentum'", "2"),
        ("opt in (adam, 'SGD w/ momentum')", "12"),
        ("opt not in (adam)", "2"),
        ("not opt in (adam)", "234"),
        ("train.lr in (0.1, auto)", "13"),
        ("opt like ad*", "1"),
        ("opt like 'SGD%'", "2"),
        ("opt like ad", ""),
        ("opt not like ad*", "2"),
        ("opt ~ sgd", "2"),
        ("aug = true", "1"),
        ("aug = 0", "2"),
        ("metrics.both = 1", "1"),
        ("params.both = 2", "3"),
        ("state = failed", "3"),
        ("state in (failed, succeeded)", "1234"),
        ("experiment = other", "3"),
        ("experiment != other", "124"),
        ("experiment like b*", "124"),
        ('message ~ "IT\'S"', "4"),
        ("message like '*[[]1]*'", ""),
        ("message like '*[1]*'", "4"),
        ("message is null", "123"),
        ("author ~ example.com", "1234"),
        ("id like *4", "4"),
        ("seconds > 2h", "4"),
        ("seconds = 10", "123"),
        ("age < 1h", "1234"),
        ("age > 1d", ""),
        ("time > 2020-01-01 and time < 2099-01-01T10:00", "1234"),
        ("time = 2026-09-21", "1234"),
        ("time != 2026-09-21", ""),
        ("f1 > 0.9 or state = failed and experiment = nobody", "1"),
        ("(f1 > 0.9 or state = failed) and experiment = other", "3"),
        ("not (f1 > 0.9 or f1 < 0.9)", "34"),
        ("NOT NOT f1 > 0.9 AND opt = adam", "1"),
        ("`f1` > 0.9", "1"),
        ("opt = '\udcff'", ""),
        ("  ", "1234"),
    ],
)
def test_conditions(runs: Journal, clock: Clock, text: str, expected: str) -> None:
    clock.now = START + 600
    found = runs.runs(where=text, descending=False)
    assert "".join(row.id[-1] for row in found) == expected


@pytest.mark.parametrize(
    ("text", "why", "caret", "hint"),
    [
        ("f2 > 1", "no run has a metric or parameter `f2`", 0, "`f1`"),
        ("opt = adam and lr < 1", "no run has a metric or parameter `lr`", 15, "`train.lr`"),
        ("metrics.opt > 1", "no run has", 0, "did you mean"),
        ("both = 1", "both a metric and a parameter", 0, "metrics.both"),
        ("f1 >> 1", "expected a value", 4, ""),
        ("f1 > high", "compare it with a number", 5, ""),
        ("f1 ~ 1", "is a number", 5, ""),
        ("f1", "expected a comparison", 2, ""),
        ("f1 >", "expected a value", 4, ""),
        ("f1 > 1 f1 < 2", "expected `and`", 7, ""),
        ("(f1 > 1", "expected `)`", 7, ""),
        ("f1 > 1)", "expected `and`", 6, ""),
        ("and f1 > 1", "expected a name", 0, ""),
        ("not", "expected a name", 3, ""),
        ("f1 in 1", "expected `(`", 6, ""),
        ("f1 in (1 2)", "expected `,` or `)`", 9, ""),
        ("f1 is 3", "expected `null`", 6, ""),
        ("f1 not = 3", "expected a comparison", 7, ""),
        ("opt = 'open", "unexpected", 6, ""),
        ("f1 > 1; drop table runs", "compare it with a number", 5, ""),
        ("state = done", "states are queued", 8, ""),
        ("age < soon", "expected a duration", 6, ""),
        ("time > yesterday", "expected a date", 7, ""),
        ("(" * 60 + "f1 > 1", "nested deeper", 51, ""),
        ("f1 > 1" + " and f1 > 1" * 200, "more than 200", None, ""),
        ("f1 in (" + "1," * 200 + "1)", "more than 200", None, ""),
    ],
)
def test_mistakes_are_shown_where_they_are(text: str, why: str, caret: int | None, hint: str) -> None:
    with pytest.raises(BadInput) as info:
        where(text, KNOWN, START)
    assert why in info.value.what
    if caret is not None:
        line, mark = info.value.why.split("\n")
        assert mark.index("^") - 2 == caret and line[2:] == text[:120]
    assert hint in info.value.hint


def test_a_long_condition_is_shown_around_the_mistake() -> None:
    text = " and ".join(["f1 > 1"] * 30) + " and f1 > oops"
    with pytest.raises(BadInput) as info:
        where(text, KNOWN, START)
    line, mark = info.value.why.split("\n")
    assert line[mark.index("^") :].startswith("oops")


def test_without_any_run_every_name_is_taken(journal: Journal) -> None:
    assert journal.runs(where="f1 > 0.9 and not loss < 1", sort="f1") == []


def test_values_never_become_sql() -> None:
    clause = where('opt = "x\' OR 1=1 --" and `train.lr` < 1', KNOWN, START)
    assert "OR 1" not in clause.sql and "train" not in clause.sql
    assert clause.values == ("opt", "x' OR 1=1 --", "train.lr", 1.0)

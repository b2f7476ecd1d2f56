"""`--where` against a plain Python evaluator that knows nothing of SQL."""

from __future__ import annotations

import fnmatch
import math
import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from axil.base.ids import encode
from axil.formats.record import Run
from axil.journal.index import MEMORY, Batch, Index
from axil.journal.query import Known, where
from axil.journal.reading import Asked, runs

NOW = 2_000_000.0
WORDS = st.sampled_from(
    ["adam", "sgd", "a'b", 'q"t', "x y", "[z]", "é", "Éa", "true", "0.5", "*", "a_b", "back\\slash"]
)
NUMBERS = st.sampled_from([0.0, 0.5, 1.0, -2.0, 1e-4, 7.0])
VALUES = st.one_of(NUMBERS, WORDS, st.booleans(), st.none())
METRICS, PARAMS = ("f1", "val/loss"), ("lr", "train.opt")
STATES = ("succeeded", "failed", "lost")

Truth = Callable[[Run], bool]


class Case(NamedTuple):
    """A condition as text, and what it means."""

    text: str
    truth: Truth


def number_of(value: object) -> float | None:
    """A value as a number for comparison; NaN and nothing have none."""
    if isinstance(value, bool | int | float) and not math.isnan(value):
        return float(value)
    return None


def text_of(value: object) -> str | None:
    """A value as a text for comparison; numbers are not texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


COMPARE: dict[str, Callable[[object, object], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def get(kind: str, name: str) -> Callable[[Run], object]:
    return (lambda run: run.metrics.get(name)) if kind == "metrics" else (lambda run: run.params.get(name))


def compared(op: str, wanted: object, of: Callable[[object], object]) -> Callable[[object], bool]:
    """The comparison with a missing value is false; a value of the other sort is unequal."""

    def truth(value: object) -> bool:
        mine = of(value)
        if mine is None:
            return op == "!=" and (number_of(value) is not None or text_of(value) is not None)
        # SQLite compares texts by their UTF-8 bytes, which is the order of code points, as in Python.
        return COMPARE[op](mine, wanted)

    return truth


@st.composite
def comparisons(draw: st.DrawFn) -> Case:
    kind, names = draw(st.sampled_from([("metrics", METRICS), ("params", PARAMS)]))
    name = draw(st.sampled_from(names))
    shown = draw(st.sampled_from([name, f"{kind}.{name}", f"`{name}`"]))
    value = get(kind, name)
    form = draw(st.sampled_from(["number", "null", "in"] + (["text", "like", "~"] if kind == "params" else [])))
    op = draw(st.sampled_from(sorted(COMPARE)))
    if form == "null":
        no = draw(st.booleans())

        def present(run: Run) -> bool:
            return number_of(value(run)) is not None or text_of(value(run)) is not None

        return Case(f"{shown} is {'not ' * no}null", lambda run: present(run) == no)
    if form == "number":
        wanted = draw(NUMBERS)
        holds = compared(op, wanted, number_of)
        return Case(f"{shown} {op} {wanted!r}", lambda run: holds(value(run)))
    if form == "in":
        options = draw(st.lists(NUMBERS, min_size=1, max_size=3))
        text = ", ".join(map(repr, options))
        return Case(f"{shown} in ({text})", lambda run: number_of(value(run)) in options)
    word = draw(WORDS)
    if form == "text":
        holds = compared(op, word, text_of)
        return Case(f"{shown} {op} {quoted(word)}", lambda run: holds(value(run)))
    if form == "~":
        part = word[: draw(st.integers(1, 3))]
        lower = part.translate({c: c + 32 for c in range(65, 91)})

        def holds_part(run: Run) -> bool:
            text = text_of(value(run))
            return text is not None and lower in text.translate({c: c + 32 for c in range(65, 91)})

        return Case(f"{shown} ~ {quoted(part)}", holds_part)
    pattern = draw(st.sampled_from(["*", "a*", "*d*", "?d?m", "[z]", "x *", "s%", "*\\*"]))

    def matches(run: Run) -> bool:
        text = text_of(value(run))
        plain = pattern.replace("[", "[[]").replace("%", "*")
        return text is not None and fnmatch.fnmatchcase(text, plain)

    return Case(f"{shown} like {quoted(pattern)}", matches)


def negated(case: Case) -> Case:
    return Case(f"not ({case.text})", lambda run: not case.truth(run))


def both(pair: tuple[Case, Case]) -> Case:
    one, two = pair
    return Case(f"({one.text} and {two.text})", lambda run: one.truth(run) and two.truth(run))


def either(pair: tuple[Case, Case]) -> Case:
    one, two = pair
    return Case(f"({one.text} OR {two.text})", lambda run: one.truth(run) or two.truth(run))


def chained(cases: list[Case]) -> Case:
    """Without inner parentheses: `and` binds tighter than `or`, `not` tighter than both."""
    a, b, c = cases
    return Case(
        f"(not {a.text} and {b.text} or {c.text})", lambda run: (not a.truth(run) and b.truth(run)) or c.truth(run)
    )


CASES = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        inner.map(negated),
        st.tuples(inner, inner).map(both),
        st.tuples(inner, inner).map(either),
        st.lists(comparisons(), min_size=3, max_size=3).map(chained),
    ),
    max_leaves=6,
)


@st.composite
def journals(draw: st.DrawFn) -> list[Run]:
    made = []
    for number in range(draw(st.integers(1, 6))):
        metrics = draw(st.dictionaries(st.sampled_from(METRICS), st.one_of(NUMBERS, st.just(math.nan))))
        params = draw(st.dictionaries(st.sampled_from(PARAMS), VALUES))
        state = draw(st.sampled_from(STATES))
        made.append(
            Run(id=encode((1 << 100) + number), time=1.0, experiment="x", state=state, metrics=metrics, params=params)  # type: ignore[arg-type]
        )
    return made


@settings(deadline=None, max_examples=300)
@given(journals(), CASES)
def test_sql_and_python_agree(made: list[Run], case: Case) -> None:
    index = Index(MEMORY)
    index.update("", "c", Batch(made))
    known = Known(frozenset(METRICS), frozenset(PARAMS))
    clause = where(case.text, known, NOW)
    sql = f"SELECT r.id FROM runs r LEFT JOIN experiments e ON e.identity = r.identity WHERE {clause.sql} ORDER BY r.id"
    found = [row[0] for row in index.connection.execute(sql, clause.values)]
    assert found == [run.id for run in made if case.truth(run)], case.text
    index.close()


TOKENS = st.sampled_from(
    ["f1", "lr", "and", "or", "not", "(", ")", ">", "=", "in", ",", "1", "is", "null", "'", "age", "2h", "like"]
)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.lists(TOKENS, max_size=12).map(" ".join))
def test_any_text_is_a_condition_or_a_clear_mistake(text: str) -> None:
    from axil.errors import BadInput

    index = Index(MEMORY)
    made = Run(id=encode(1), time=1.0, experiment="x", state="lost", metrics={"f1": 1.0}, params={"lr": 1})
    index.update("", "c", Batch([made]))
    try:
        assert len(runs(index.connection, Asked(where=text), NOW)) <= 1
    except BadInput as error:
        assert error.what and "^" in error.why
    except sqlite3.Error as error:
        raise AssertionError(f"{text!r} became wrong SQL: {error}") from error
    index.close()

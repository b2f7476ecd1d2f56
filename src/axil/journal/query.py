"""The language of `--where` and `--sort`: words to parameterised SQL over the journal's index.

    f1 > 0.9 and (train.lr < 0.1 or not state = failed) and age < 3d and optimizer in (adam, "sgd w/ momentum")

A comparison with a value that a run does not have is false, whatever the operator; `is null` finds such runs.
Only operators and column names made here reach the SQL text; everything the user typed is bound as a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from axil.base.light import NamedTuple
from axil.errors import BadInput

STATES = ("queued", "running", "succeeded", "failed", "stopped", "lost")
BUILT_INS = ("state", "experiment", "message", "author", "id", "age", "time", "seconds")
MAX_TESTS = 200
MAX_NESTING = 50

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<quoted>`[^`]+`)|(?P<op><=|>=|==|!=|<>|=|<|>|~)"""
    r"""|(?P<mark>[(),])|(?P<word>[^\s()<>=!~,'"`]+)|(?P<bad>\S))""",
    re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|sec|m|min|h|d|w)?\Z")
_SECONDS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SQL_OPS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "like", "null", "missing"})


class Known(NamedTuple):
    """The names that recorded runs have; with no run at all any name is taken for a metric."""

    metrics: Collection[str]
    params: Collection[str]
    empty: bool = False


class Field(NamedTuple):
    """A name made clear: `kind` is "metric", "param" or "built-in"."""

    kind: str
    name: str


class Clause(NamedTuple):
    """A piece of SQL over the table `runs r`, and the values for its question marks."""

    sql: str
    values: tuple[object, ...]


class _Token(NamedTuple):
    kind: str
    text: str
    at: int

    def says(self, *words: str) -> bool:
        """Whether this is one of the given keywords or marks."""
        return self.kind in ("word", "mark", "op") and self.text.lower() in words


def where(text: str, known: Known, now: float) -> Clause:
    """The condition `text` as SQL. Raises `BadInput` that shows the place of the mistake."""
    # Bytes of the command line that are no text (lone surrogates) cannot be in the index either.
    return _Parser(text.encode("utf-8", "replace").decode(), known, now).parse()


def resolve(name: str, known: Known) -> Field:
    """What `name` stands for: `metrics.X`, `params.X`, a built-in, else a metric or a parameter.

    Raises `BadInput` if it is none of them (with near names), or both metric and parameter.
    """
    if name in BUILT_INS:
        return Field("built-in", name)
    for prefix, kind, names in (("metrics.", "metric", known.metrics), ("params.", "param", known.params)):
        rest = name.removeprefix(prefix)
        if rest != name and (rest in names or known.empty):
            return Field(kind, rest)
    if name in known.metrics and name in known.params:
        raise BadInput(f"`{name}` is both a metric and a parameter", "", f"write `metrics.{name}` or `params.{name}`")
    if name in known.metrics or known.empty:
        return Field("metric", name)
    if name in known.params:
        return Field("param", name)
    raise BadInput(f"no run has a metric or parameter `{name}`", "", _suggestion(name, known))


def _suggestion(name: str, known: Known) -> str:
    from difflib import get_close_matches

    plain = [*known.metrics, *known.params, *BUILT_INS]
    named = [f"metrics.{n}" for n in known.metrics] + [f"params.{n}" for n in known.params]
    near = get_close_matches(name, sorted({*plain, *named} if "." in name else {*plain}), n=3, cutoff=0.5)
    if not near:
        near = sorted(n for n in plain if n.endswith(f".{name}"))[:3]
    if near:
        return "did you mean " + " or ".join(f"`{n}`" for n in near) + "?"
    shown = sorted(known.metrics)[:8]
    return "known metrics: " + ", ".join(shown) if shown else "see `axil runs` for what is recorded"


class _Parser:
    """Recursive descent over the tokens; every method returns the clause of what it has read."""

    def __init__(self, text: str, known: Known, now: float) -> None:
        self.text = text
        self.known = known
        self.now = now
        self.tokens = self._tokens()
        self.place = 0
        self.tests = 0

    def parse(self) -> Clause:
        clause = self._any(0)
        if self._peek().kind != "end":
            raise self._wrong("expected `and`, `or` or the end")
        return clause

    def _tokens(self) -> list[_Token]:
        tokens, at = [], 0
        while match := _TOKEN.match(self.text, at):
            kind = str(match.lastgroup)
            start, at = match.start(kind), match.end()
            if kind == "bad":
                raise self._wrong(f"unexpected {match[kind]!r}", start)
            tokens.append(_Token(kind, match[kind], start))
        tokens.append(_Token("end", "", len(self.text.rstrip())))
        return tokens

    def _peek(self) -> _Token:
        return self.tokens[self.place]

    def _next(self) -> _Token:
        token = self.tokens[self.place]
        self.place = min(self.place + 1, len(self.tokens) - 1)
        return token

    def _accept(self, *words: str) -> bool:
        if self._peek().says(*words):
            self._next()
            return True
        return False

    def _wrong(self, why: str, at: int | None = None, hint: str = "") -> BadInput:
        place = self._peek().at if at is None else at
        line = "".join(" " if ch.isspace() else ch for ch in self.text)
        start = max(0, place - 60)
        shown = line[start : start + 120]
        return BadInput(f"the condition is not valid: {why}", f"  {shown}\n  {' ' * (place - start)}^", hint)

    def _any(self, depth: int) -> Clause:
        return self._joined("or", self._all, depth)

    def _all(self, depth: int) -> Clause:
        return self._joined("and", self._not, depth)

    def _joined(self, word: str, part: Callable[[int], Clause], depth: int) -> Clause:
        clauses = [part(depth)]
        while self._accept(word):
            clauses.append(part(depth))
        if len(clauses) == 1:
            return clauses[0]
        sql = f" {word.upper()} ".join(clause.sql for clause in clauses)
        return Clause(f"({sql})", tuple(value for clause in clauses for value in clause.values))

    def _not(self, depth: int) -> Clause:
        if depth > MAX_NESTING:
            raise self._wrong(f"nested deeper than {MAX_NESTING}")
        if self._accept("not"):
            inner = self._not(depth + 1)
            return Clause(f"(NOT {inner.sql})", inner.values)
        if self._accept("("):
            inner = self._any(depth + 1)
            if not self._accept(")"):
                raise self._wrong("expected `)`")
            return inner
        return self._test()

    def _test(self) -> Clause:
        name = self._next()
        if name.kind not in ("word", "quoted") or name.says(*_KEYWORDS):
            raise self._wrong("expected a name", name.at)
        self.tests += 1
        if self.tests > MAX_TESTS:
            raise self._wrong(f"more than {MAX_TESTS} comparisons", name.at)
        try:
            field = resolve(name.text.strip("`"), self.known)
        except BadInput as error:
            raise self._wrong(error.what, name.at, error.hint) from None
        if self._accept("is"):
            return self._null(field)
        negated = self._accept("not")
        token = self._next()
        if token.says("in"):
            return self._in(field, negated)
        if token.says("like", "~"):
            return self._like(field, token.text.lower(), negated)
        if negated or token.kind != "op":
            raise self._wrong("expected a comparison: = != < <= > >= ~ like in is", token.at)
        return self._compare(field, _SQL_OPS[token.text], self._value())

    def _null(self, field: Field) -> Clause:
        negated = self._accept("not")
        if not self._accept("null", "missing"):
            raise self._wrong("expected `null`")
        present = _present(field)
        return Clause(present.sql if negated else f"(NOT {present.sql})", present.values)

    def _in(self, field: Field, negated: bool) -> Clause:
        if not self._accept("("):
            raise self._wrong("expected `(`")
        parts = [self._compare(field, "=", self._value())]
        while self._accept(","):
            self.tests += 1
            parts.append(self._compare(field, "=", self._value()))
        if not self._accept(")"):
            raise self._wrong("expected `,` or `)`")
        if self.tests > MAX_TESTS:
            raise self._wrong(f"more than {MAX_TESTS} values")
        sql = "(" + " OR ".join(part.sql for part in parts) + ")"
        values = tuple(value for part in parts for value in part.values)
        if not negated:
            return Clause(sql, values)
        present = _present(field)
        return Clause(f"({present.sql} AND NOT {sql})", present.values + values)

    def _like(self, field: Field, word: str, negated: bool) -> Clause:
        pattern = self._value()
        if field.kind == "metric" or field.name in ("age", "time", "seconds"):
            raise self._wrong(f"`{field.name}` is a number, `{word}` is for text", pattern.at)
        text = _unquoted(pattern)
        if word == "~":
            clause = _column(field, "text", "instr(lower({}), ?) > 0", _ascii_lower(text))
        else:
            clause = _column(field, "text", "{} GLOB ?", text.replace("[", "[[]").replace("%", "*"))
        if not negated:
            return clause
        present = _present(field)
        return Clause(f"({present.sql} AND NOT {clause.sql})", present.values + clause.values)

    def _value(self) -> _Token:
        token = self._next()
        if token.kind not in ("word", "string"):
            raise self._wrong("expected a value", token.at)
        return token

    def _compare(self, field: Field, op: str, token: _Token) -> Clause:
        if field.kind == "built-in":
            return self._compare_built_in(field, op, token)
        number = _number(token)
        if field.kind == "metric" and number is None:
            raise self._wrong(f"`{field.name}` is a metric, compare it with a number", token.at)
        column, value = ("num", number) if number is not None else ("text", _unquoted(token))
        if op == "!=":
            # A parameter may be a number in one run and a word in another: both differ from the value asked for.
            return _column(field, column, f"{_PRESENT[field.kind]} AND {{}} IS NOT ?", value)
        return _column(field, column, f"{{}} {op} ?", value)

    def _compare_built_in(self, field: Field, op: str, token: _Token) -> Clause:
        name, text = field.name, _unquoted(token)
        if name in ("age", "seconds"):
            value: object = self._duration(token)
        elif name == "time":
            return self._time(op, token)
        else:
            value = text.upper() if name == "id" else text
            if name == "state" and text not in STATES:
                raise self._wrong(f"no such state; states are {', '.join(STATES)}", token.at)
        return _built_in(name, f"{{}} {op} ?", (self.now,) if name == "age" else (), value)

    def _duration(self, token: _Token) -> float:
        match = _DURATION.match(_unquoted(token))
        if not match:
            raise self._wrong("expected a duration like 90s, 15min, 2h, 3d or 1w", token.at)
        return float(match[1]) * _SECONDS[match[2] or "s"]

    def _time(self, op: str, token: _Token) -> Clause:
        from datetime import UTC, datetime

        text = _unquoted(token)
        try:
            moment = datetime.fromisoformat(text)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise self._wrong("expected a date like 2026-11-23 or 2026-11-23T19:27", token.at) from None
        if len(text) <= 10 and op in ("=", "!="):
            # A day is not an instant: `time = 2026-11-23` means on that day.
            inside = f"{'NOT ' if op == '!=' else ''}(r.time >= ? AND r.time < ?)"
            return Clause(f"({inside})", (seconds, seconds + 86400))
        return _built_in("time", f"{{}} {op} ?", (), seconds)


_PRESENT = {"metric": "num IS NOT NULL", "param": "(num IS NOT NULL OR text IS NOT NULL)"}
_COLUMNS = {
    "experiment": "coalesce(e.name, '')",
    "age": "(? - r.time)",
    "seconds": "(CASE WHEN r.ended > 0 THEN r.ended - r.time END)",
}


def column_of(name: str) -> str:
    """The SQL of a built-in (for `age` with a question mark for the time now)."""
    return _COLUMNS.get(name, f"r.{name}")


def _built_in(name: str, test: str, before: tuple[object, ...], *values: object) -> Clause:
    return Clause(f"coalesce({test.format(column_of(name))}, 0)", (*before, *values))


def _column(field: Field, column: str, test: str, value: object) -> Clause:
    """`test` on the number or the text of a metric, parameter or built-in; 0 where there is none."""
    if field.kind == "built-in":
        return _built_in(field.name, test, (), value)
    table, key = ("metrics", "name") if field.kind == "metric" else ("params", "key")
    condition = test.format(column)
    return Clause(f"EXISTS (SELECT 1 FROM {table} WHERE {key} = ? AND run = r.n AND {condition})", (field.name, value))


def _present(field: Field) -> Clause:
    if field.kind == "built-in":
        if field.name == "age":
            return Clause("1", ())
        return Clause(f"({column_of(field.name)} IS NOT NULL AND {column_of(field.name)} != '')", ())
    table, key = ("metrics", "name") if field.kind == "metric" else ("params", "key")
    sql = f"EXISTS (SELECT 1 FROM {table} WHERE {key} = ? AND run = r.n AND {_PRESENT[field.kind]})"
    return Clause(sql, (field.name,))


def _number(token: _Token) -> float | None:
    return float(token.text) if token.kind == "word" and _NUMBER.match(token.text) else None


def _unquoted(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL) if token.kind == "string" else token.text


def _ascii_lower(text: str) -> str:
    """As SQLite's `lower`, which knows ASCII only."""
    return "".join(ch.lower() if ch.isascii() else ch for ch in text)

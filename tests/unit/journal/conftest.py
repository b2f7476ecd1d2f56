"""Journals in real repositories, and records with as little as they need."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import Repo

from axil.base.ids import encode
from axil.formats.record import Run
from axil.journal.journal import Journal

AUTHOR = "Ada Test <ada@example.com>"
START = 1_790_000_000.0


def ulid(number: int) -> str:
    """The `number`-th id of the tests: ids sort as their numbers do, and end differently."""
    return encode(int(START * 1000) + number << 80 | number)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(repo: Repo) -> str:
    return str(repo.path / ".git" / "axil" / "journal.db")


@pytest.fixture
def journal(repo: Repo, clock: Clock, database: str) -> Journal:
    return Journal(repo.git, database, clock=clock)


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """Makes runs with ascending ids, a minute apart; keywords replace fields."""
    numbers = itertools.count(1)

    def make(**fields: Any) -> Run:
        number = next(numbers)
        values: dict[str, Any] = {
            "id": ulid(number),
            "time": START + 60 * number,
            "ended": START + 60 * number + 10,
            "author": AUTHOR,
            "experiment": "base",
            "state": "succeeded",
        }
        return Run(**values | fields)

    return make

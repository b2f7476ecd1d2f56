"""Remotes of every kind for the conformance suite; servers live as long as the test session (one per worker)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from axil.base.clock import system_clock
from axil.remotes.base import Remote
from axil.remotes.memory import Memory
from axil.remotes.opening import World, open_remote
from axil.remotes.wrap.count import Count
from axil.remotes.wrap.faulty import Faulty


class Subject(NamedTuple):
    """A remote under test, empty, and what is special about it."""

    remote: Remote
    fill: Callable[[Mapping[str, bytes]], None]
    """Puts objects there, past the remote where it is read-only."""
    exact: bool = True
    """Whether `create` keeps its condition; some stores ignore it."""


WRITABLE = ("memory", "folder", "file-url", "faulty")
READABLE = WRITABLE


def through(remote: Remote) -> Callable[[Mapping[str, bytes]], None]:
    def fill(objects: Mapping[str, bytes]) -> None:
        for key, data in objects.items():
            remote.put(key, data)

    return fill


def world(tmp_path: Path, **environ: str) -> World:
    return World(str(tmp_path), str(tmp_path / "home"), {"PATH": os.environ["PATH"], **environ})


def opened(tmp_path: Path, environ: Mapping[str, str] = {}, **settings: Any) -> Remote:
    return open_remote("origin", settings, world(tmp_path, **environ))


@pytest.fixture
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """The kind that the test is parametrised with."""
    made = MAKERS[request.param](request, tmp_path)
    yield made if isinstance(made, Subject) else Subject(made, through(made))
    (made.remote if isinstance(made, Subject) else made).close()


MAKERS: dict[str, Callable[[pytest.FixtureRequest, Path], Remote | Subject]] = {
    "memory": lambda request, tmp_path: Memory(system_clock),
    "folder": lambda request, tmp_path: opened(tmp_path, url="shared"),
    "file-url": lambda request, tmp_path: opened(tmp_path, url=f"file://{tmp_path}/a%20b"),
    "faulty": lambda request, tmp_path: Count(Faulty(Memory(system_clock))),
}

"""Copies of data that several runs share: made once, kept while one of them goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from axil.formats.pointer import Pointer
from axil.runs.checkouts import Checkouts
from axil.store import Store
from axil.store.batch import Batch

WAIT = 60


@pytest.fixture
def pointer(tmp_path: Path) -> Pointer:
    with Batch(Store(str(tmp_path / "store"))) as batch:
        oid = batch.put_bytes(b"a row\n")
        batch.commit()
    return Pointer("file", oid, 6)


@pytest.fixture
def new(tmp_path: Path) -> Callable[[], Checkouts]:
    return lambda: Checkouts(str(tmp_path / "copies"), Store(str(tmp_path / "store")))


def test_a_run_that_waited_for_a_copy_gets_it_while_its_maker_uses_it(new, pointer, monkeypatch):
    waited, made = threading.Event(), []
    real: Callable[..., Any] = Checkouts._make

    def make(self: Checkouts, *words: Any) -> None:
        made.append(self)
        assert waited.wait(WAIT)
        real(self, *words)

    def sleep(_: float) -> None:
        waited.set()

    monkeypatch.setattr(Checkouts, "_make", make)
    monkeypatch.setattr(time, "sleep", sleep)
    both = new(), new()
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(one.provide, pointer) for one in both]
        first, second = (one.result(WAIT) for one in asked)
    assert first == second and Path(first).read_bytes() == b"a row\n"
    assert len(made) == 1
    for one, free in zip(both, ([], [first]), strict=True):
        one.release()
        assert new().unused((), alone=False) == free


def test_a_copy_taken_away_before_it_was_locked_is_made_again(new, pointer, monkeypatch):
    one, other = new(), new()
    path = one.provide(pointer)
    one.release()
    real = Checkouts._use

    def use(self: Checkouts, path: str) -> None:
        monkeypatch.setattr(Checkouts, "_use", real)
        assert one.discard(path) and not Path(path).exists()
        self._use(path)

    monkeypatch.setattr(Checkouts, "_use", use)
    assert other.provide(pointer) == path
    assert Path(path).read_bytes() == b"a row\n"
    assert not one.discard(path) and Path(path).exists()

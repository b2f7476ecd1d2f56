"""Writing out begins while a file grows, over all of it, once."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from axil.store import ahead
from axil.store.ahead import WriteAhead


def test_what_was_written_is_told_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, int]] = []
    monkeypatch.setattr(ahead, "_STEP", 10)
    monkeypatch.setattr(ahead, "begin", lambda *words: told.append(words))
    writing = WriteAhead(7)
    for count in (4, 4, 4, 30, 9):
        writing.wrote(count)
    assert told == [(7, 0, 12), (7, 12, 30)]


def test_a_system_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    WriteAhead(-1).wrote(1 << 30)


def test_what_was_written_ahead_is_whole(tmp_path: Path) -> None:
    data = os.urandom(1 << 20)
    with open(tmp_path / "file", "wb", buffering=0) as file:
        writing = WriteAhead(file.fileno())
        for _ in range(40):
            writing.wrote(file.write(data))
    assert (tmp_path / "file").read_bytes() == data * 40

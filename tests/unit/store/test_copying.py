"""Copies that are hashed where they arrive."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from axil.base.hashing import hash_bytes
from axil.errors import AxilError
from axil.store import copying, parallel
from axil.store.copying import copy_hashed

WINDOW = 1 << 20


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_WINDOW", WINDOW)
    monkeypatch.setattr(copying, "_PIECE", 100_000)


@contextmanager
def opened(folder: Path, data: bytes) -> Iterator[tuple[int, int]]:
    """Descriptors of a source with `data` and of a new target."""
    (folder / "in").write_bytes(data)
    source = os.open(folder / "in", os.O_RDONLY)
    target = os.open(folder / "out", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    yield source, target
    os.close(source)
    os.close(target)


def refuse(code: int) -> Any:
    def call(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize("size", [0, 1, 99_999, WINDOW - 1, WINDOW, WINDOW + 1, 5 * WINDOW + 5])
@pytest.mark.parametrize("way", ["sent", "read and written", "by a worker", "in bits"])
def test_what_arrives_is_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, way: str) -> None:
    if way == "read and written":
        monkeypatch.setattr(os, "sendfile", refuse(errno.EINVAL))
    if way == "in bits":
        real = os.sendfile
        monkeypatch.setattr(os, "sendfile", lambda to, source, at, most: real(to, source, at, min(most, 70_001)))
    monkeypatch.setattr(parallel, "in_worker", way == "by a worker")
    data = os.urandom(size)
    with opened(tmp_path, data) as (source, target):
        assert copy_hashed(source, target, "out") == (hash_bytes(data), size)
    assert (tmp_path / "out").read_bytes() == data


def test_the_rest_of_a_source_that_was_read_from(tmp_path: Path) -> None:
    data = os.urandom(3 * WINDOW)
    with opened(tmp_path, data) as (source, target):
        os.lseek(source, 1000, os.SEEK_SET)
        assert copy_hashed(source, target, "out") == (hash_bytes(data[1000:]), len(data) - 1000)


def test_a_source_that_changes_and_shrinks_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.sendfile, []

    def send(to: int, source: int, at: None, most: int) -> int:
        count = real(to, source, at, most)
        calls.append(count)
        if len(calls) == 1:
            (tmp_path / "in").write_bytes(b"other" * 300_000)
        return count

    monkeypatch.setattr(os, "sendfile", send)
    with opened(tmp_path, os.urandom(3 * WINDOW)) as (source, target):
        oid, size = copy_hashed(source, target, "out")
    arrived = (tmp_path / "out").read_bytes()
    assert size == len(arrived) == 1_500_000 and oid == hash_bytes(arrived)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
@pytest.mark.parametrize("after", [0, 2])
def test_a_target_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, after: int
) -> None:
    real, calls = os.sendfile, []

    def send(to: int, source: int, at: None, most: int) -> int:
        calls.append(to)
        return real(to, source, at, most) if len(calls) <= after else refuse(code)()

    monkeypatch.setattr(os, "sendfile", send)
    monkeypatch.setattr(os, "write", refuse(code))
    with opened(tmp_path, os.urandom(4 * WINDOW)) as (source, target), pytest.raises(AxilError):
        copy_hashed(source, target, "out")


def test_a_source_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sendfile", refuse(errno.EIO))
    monkeypatch.setattr(os, "read", refuse(errno.EIO))
    with opened(tmp_path, os.urandom(WINDOW)) as (source, target), pytest.raises(OSError, match="Input/output"):
        copy_hashed(source, target, "out")

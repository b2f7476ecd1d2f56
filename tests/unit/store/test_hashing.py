"""Hashing of open files, also in forked processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from axil.base.hashing import hash_bytes
from axil.store import hashing
from axil.store.hashing import hash_fd, hash_files, hash_mapped


def test_a_forked_process_does_not_wait_for_threads_it_does_not_have(tmp_path: Path) -> None:
    data = os.urandom(20 << 20)
    path = tmp_path / "big"
    path.write_bytes(data)
    # Starts the thread pool in this process.
    (answer,) = hash_files([str(path)])
    assert not isinstance(answer, OSError)
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        import signal

        signal.alarm(20)
        (again,) = hash_files([str(path)])
        os.write(write, b"" if isinstance(again, OSError) else again.oid)
        os._exit(0)
    os.close(write)
    found = os.read(read, 32)
    os.close(read)
    os.waitpid(pid, 0)
    assert found == answer.oid == hash_bytes(data)


@pytest.mark.parametrize("size", [1, 4096, (64 << 20) - 1, 64 << 20, (64 << 20) + 4097])
def test_a_mapped_file(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axil.store.parallel.cores", lambda: 2)
    data = os.urandom(4096) * (size // 4096) + b"x" * (size % 4096)
    path = tmp_path / "big"
    path.write_bytes(data)
    hash_fd(os.open(path, os.O_RDONLY))  # starts the thread pool of this process
    fd = os.open(path, os.O_RDONLY)
    assert hash_mapped(fd, least=1) == (hash_bytes(data), size)
    assert os.read(fd, 1) == b"" and hash_mapped(fd, least=1) is None  # nothing is left of it
    os.lseek(fd, 0, os.SEEK_SET)
    assert hash_mapped(fd, least=size + 1) is None
    os.close(fd)


def test_a_file_that_shrinks_while_it_is_mapped_is_read_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("axil.store.parallel.cores", lambda: 2)
    path = tmp_path / "big"
    path.write_bytes(bytes(1 << 20))
    real = hashing._mapped_digest

    def shrinking(fd: int, size: int) -> bytes:
        os.truncate(path, 10)
        return real(fd, size)

    monkeypatch.setattr(hashing, "_mapped_digest", shrinking)
    fd = os.open(path, os.O_RDONLY)
    assert hash_mapped(fd, least=1) is None  # the process that looked at it was ended by the kernel
    assert hash_fd(fd) == (hash_bytes(bytes(10)), 10)
    os.close(fd)

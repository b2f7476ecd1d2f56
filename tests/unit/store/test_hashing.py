"""Hashing of open files, also in forked processes."""

from __future__ import annotations

import os
from pathlib import Path

from axil.base.hashing import hash_bytes
from axil.store.hashing import hash_fd, hash_files


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


def test_copy_while_hashing(tmp_path: Path) -> None:
    for size in (0, 1, 4 << 20, (9 << 20) + 5):
        data = os.urandom(size)
        (tmp_path / "in").write_bytes(data)
        source = os.open(tmp_path / "in", os.O_RDONLY)
        target = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        assert hash_fd(source, write=target, path="out") == (hash_bytes(data), size)
        os.close(source)
        os.close(target)
        assert (tmp_path / "out").read_bytes() == data

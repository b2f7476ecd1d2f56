"""After the first ones, large objects go past the page cache where they can, and arrive whole where they cannot."""

from __future__ import annotations

import errno
import fcntl
import os
from mmap import mmap
from pathlib import Path
from typing import Any

import pytest

from axil.remotes import files
from axil.remotes.files import Files

SIZE = (5 << 20) + 777
pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="no O_DIRECT")


@pytest.fixture(scope="module")
def memory() -> memoryview:
    """Memory that begins at a page."""
    memory = mmap(-1, SIZE)
    memory[:] = os.urandom(SIZE)
    return memoryview(memory)


@pytest.fixture(autouse=True)
def _nothing_more_through_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_CACHED", 0)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, int]]:
    """Each write: whether it went past the page cache, and its length."""
    found: list[tuple[bool, int]] = []
    real = os.write

    def write(fd: int, data: Any) -> int:
        count = real(fd, data)
        found.append((bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT), count))
        return count

    monkeypatch.setattr(os, "write", write)
    return found


def test_whole_blocks_go_past_the_cache_and_the_rest_through_it(tmp_path: Path, memory, written) -> None:
    Files(str(tmp_path / "remote")).put("packs/a", memory)
    assert (tmp_path / "remote/packs/a").read_bytes() == memory
    if not any(direct for direct, _ in written):
        pytest.skip("this file system has no direct writes")
    assert written == [(True, SIZE - SIZE % files._BLOCK), (False, SIZE % files._BLOCK)]


def test_the_first_ones_go_through_the_cache(tmp_path: Path, memory, written, monkeypatch) -> None:
    monkeypatch.setattr(files, "_CACHED", SIZE)
    remote = Files(str(tmp_path / "remote"))
    for key in ("packs/a", "packs/b"):
        remote.put(key, memory)
    assert (tmp_path / "remote/packs/a").read_bytes() == (tmp_path / "remote/packs/b").read_bytes() == memory
    assert written[0] == (False, SIZE)
    if not any(direct for direct, _ in written):
        pytest.skip("this file system has no direct writes")
    assert written[1:] == [(True, SIZE - SIZE % files._BLOCK), (False, SIZE % files._BLOCK)]


@pytest.mark.parametrize("start", [1, 100, 4095])
def test_memory_a_disk_cannot_read_from(tmp_path: Path, memory, start: int) -> None:
    Files(str(tmp_path / "remote")).put("packs/a", memory[start:])
    assert (tmp_path / "remote/packs/a").read_bytes() == memory[start:]


@pytest.mark.parametrize("at", ["flag", "first write", "second write"])
def test_a_file_system_without_direct_writes(tmp_path: Path, memory, monkeypatch, at: str) -> None:
    flags, real, calls = fcntl.fcntl, os.write, []

    def fcntl_(fd: int, command: int, *words: int) -> int:
        if at == "flag" and command == fcntl.F_SETFL and words[0] & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return flags(fd, command, *words)

    def write(fd: int, data: Any) -> int:
        if flags(fd, fcntl.F_GETFL) & os.O_DIRECT:
            calls.append(fd)
            if at == "first write" or len(calls) == 2:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            return real(fd, data[: 1 << 20])
        return real(fd, data)

    monkeypatch.setattr(fcntl, "fcntl", fcntl_)
    monkeypatch.setattr(os, "write", write)
    Files(str(tmp_path / "remote")).put("packs/a", memory)
    assert (tmp_path / "remote/packs/a").read_bytes() == memory


def test_a_disk_that_fills_up_is_an_error_and_leaves_nothing(tmp_path: Path, memory, monkeypatch) -> None:
    def write(fd: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        Files(str(tmp_path / "remote")).put("packs/a", memory)
    assert [path for path in (tmp_path / "remote").rglob("*") if path.is_file()] == []

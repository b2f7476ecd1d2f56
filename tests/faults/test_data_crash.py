"""A process killed at any call that changes the disk, while adding or switching data, loses nothing.

A child process ends itself without any cleanup right before the n-th such call (a write gets half through); each n is
tried until the work comes to its end. Then the same call must finish the work, without being told to force anything.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.faults.cuts import CALLS

from axil.data.index import WorkTreeIndex
from axil.data.materialise import Applied, Target, interrupted, materialise
from axil.data.pointers import read_pointer
from axil.data.save import add
from axil.data.status import changes
from axil.formats.pointer import Pointer
from axil.store import TEMPORARY_PREFIX, Store
from axil.store.hashing import LARGE
from axil.store.verify import verify

INDEX_CALLS = ["write", "set_tracked", "remember"]
DIED = 77
Files = dict[str, tuple[bytes, bool] | str | None]
"""Path -> (content, executable), link target, or None for an empty folder."""

FIRST: Files = {
    "same": (b"same", False),
    "changed": (b"one", False),
    "tool": (b"run", False),
    "gone": (b"gone", False),
    "big": (b"B" * LARGE, False),
    "dir/a": (b"a", False),
    "dir/deep/b": (b"b", False),
    "was file": (b"f", False),
    "was dir/x": (b"x", False),
    "was link": "same",
    "link": "same",
    "empty": None,
    "old empty": None,
}
SECOND: Files = {
    "same": (b"same", False),
    "changed": (b"two", False),
    "tool": (b"run", True),
    "big": (b"C" * LARGE, False),
    "dir/a": (b"A", False),
    "dir/new/c": (b"c", False),
    "was file/y": (b"y", False),
    "was dir": (b"d", False),
    "was link": (b"l", False),
    "link": "changed",
    "empty": None,
    "new empty": None,
}


def put(folder: Path, files: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, value in files.items():
        path = folder / name
        (path if value is None else path.parent).mkdir(parents=True, exist_ok=True)
        if isinstance(value, str):
            path.symlink_to(value)
        elif value is not None:
            path.write_bytes(value[0])
            path.chmod(0o755 if value[1] else 0o644)


def get(folder: Path) -> Files:
    found: Files = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        elif not list(path.iterdir()):
            found[name] = None
    return found


def opened(root: Path) -> tuple[WorkTreeIndex, Store]:
    return WorkTreeIndex(str(root / "meta/worktree.db")), Store(str(root / "meta/store"))


def adding(root: Path) -> Pointer:
    index, store = opened(root)
    return add(index, store, str(root), ["in/data"], tracked=index.all_tracked())["in/data"]


def switching(root: Path, new: Pointer | None) -> Applied:
    index, store = opened(root)
    return materialise(index, store, str(root), [Target("in/data", index.tracked("in/data"), new)])


def dies(work: Callable[[], object], limit: int) -> bool:
    """Runs `work` in a child that dies at its changing call number `limit`; whether it died."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            count = [limit]
            for name in CALLS:
                setattr(os, name, _deadly(getattr(os, name), name, count))
            for name in INDEX_CALLS:
                setattr(WorkTreeIndex, name, _deadly(getattr(WorkTreeIndex, name), name, count))
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, DIED)
    return status == DIED


def _deadly(real: Callable[..., object], name: str, count: list[int]) -> Callable[..., object]:
    def call(*args: Any, **options: Any) -> object:
        count[0] -= 1
        if not count[0]:
            if name == "write" and isinstance(args[0], int):
                real(args[0], args[1][: len(args[1]) // 2])
            os._exit(DIED)
        return real(*args, **options)

    return call


def healthy(root: Path, pointer: Pointer) -> None:
    index, store = opened(root)
    report = verify(store)
    assert report.faults == ()
    assert report.missing == ()
    assert changes(index, store, str(root), "in/data", pointer) == []
    os.unlink(index.database)
    index.close()
    assert changes(index, store, str(root), "in/data", pointer) == []
    assert not [path for path in (root / "in").rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]


def test_adding(tmp_path: Path) -> None:
    for limit in range(1, 1000):
        root = tmp_path / str(limit)
        put(root / "in/data", FIRST)
        died = dies(lambda root=root: adding(root), limit)  # type: ignore[misc]
        assert get(root / "in/data") == FIRST
        pointer = adding(root)
        assert read_pointer(str(root), "in/data") == pointer
        assert (root / "in/.gitignore").read_text().splitlines()[1:] == ["/data"]
        healthy(root, pointer)
        if not died:
            break
    assert limit > 15


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Pointer, Pointer]:
    """A project whose `in/data` is as in FIRST and was as in SECOND."""
    root = tmp_path / "both"
    put(root / "in/data", SECOND)
    second = adding(root)
    put(root / "in/data", FIRST)
    return root, adding(root), second


@pytest.mark.parametrize("back", [False, True], ids=["same way", "back again"])
def test_switching(tmp_path: Path, both: tuple[Path, Pointer, Pointer], back: bool) -> None:
    start, first, second = both
    seen: set[bool] = set()
    for limit in range(1, 1000):
        root = tmp_path / str(limit)
        shutil.copytree(start, root, symlinks=True)
        index, store = opened(root)
        changes(index, store, str(root), "in/data", first)
        index.close()
        died = dies(lambda root=root: switching(root, second), limit)  # type: ignore[misc]
        index, store = opened(root)
        seen.add(interrupted(index, "in/data"))
        index.close()
        wanted, pointer = (FIRST, first) if back else (SECOND, second)
        switching(root, pointer)
        assert get(root / "in/data") == wanted
        assert opened(root)[0].tracked("in/data") == pointer
        assert not interrupted(opened(root)[0], "in/data")
        healthy(root, pointer)
        if not died:
            break
    assert limit > 25
    assert seen == {True, False}


def test_removing_and_bringing_back(tmp_path: Path, both: tuple[Path, Pointer, Pointer]) -> None:
    start, first, _ = both
    for limit in range(1, 1000):
        root = tmp_path / str(limit)
        shutil.copytree(start, root, symlinks=True)
        died = dies(lambda root=root: switching(root, None), limit)  # type: ignore[misc]
        if limit % 2:
            switching(root, None)
            assert not (root / "in/data").exists()
            died_too = dies(lambda root=root: switching(root, first), limit)  # type: ignore[misc]
            died = died or died_too
        switching(root, first)
        assert get(root / "in/data") == FIRST
        healthy(root, first)
        if not died:
            break
    assert limit > 20

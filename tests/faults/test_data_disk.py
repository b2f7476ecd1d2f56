"""Full disks, read-only places and two processes at once: clear words, and the data is as it was."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from axil.data.index import WorkTreeIndex
from axil.data.materialise import Target, materialise
from axil.data.save import add
from axil.data.status import changes
from axil.errors import AxilError
from axil.formats.pointer import Pointer, parse
from axil.store import TEMPORARY_PREFIX, Store
from axil.store.verify import verify


def opened(root: Path) -> tuple[WorkTreeIndex, Store]:
    return WorkTreeIndex(str(root / "meta/worktree.db")), Store(str(root / "meta/store"))


def adding(root: Path) -> Pointer:
    index, store = opened(root)
    return add(index, store, str(root), ["data"], tracked=index.all_tracked())["data"]


def switching(root: Path, new: Pointer | None) -> None:
    index, store = opened(root)
    materialise(index, store, str(root), [Target("data", index.tracked("data"), new)])


def write(root: Path, text: str) -> None:
    for number in range(5):
        (root / "data" / f"d{number % 2}").mkdir(parents=True, exist_ok=True)
        (root / "data" / f"d{number % 2}" / str(number)).write_text(f"{text} {number}")


def texts(root: Path) -> set[str]:
    return {path.read_text().split()[0] for path in (root / "data").rglob("*") if path.is_file()}


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Pointer, Pointer]:
    """A project at state `one` that knows state `two`."""
    write(tmp_path, "two")
    second = adding(tmp_path)
    write(tmp_path, "one")
    return tmp_path, adding(tmp_path), second


class Failing:
    """Makes a function of `os` fail from its call number `allowed` on."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str, code: int) -> None:
        self.left = 1 << 30
        real: Callable[..., object] = getattr(os, name)

        def call(*args: object, **options: object) -> object:
            self.left -= 1
            if self.left < 0:
                raise OSError(code, os.strerror(code), *args[:1])
            return real(*args, **options)

        patch.setattr(os, name, call)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("name", ["write", "rename", "mkdir", "replace", "fsync"])
def test_adding_to_a_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int) -> None:
    write(tmp_path, "one")
    first = adding(tmp_path)
    pointer = first
    failing = Failing(monkeypatch, name, code)
    failed = 0
    for allowed in range(50):
        write(tmp_path, f"edit{allowed}")
        failing.left = allowed
        try:
            adding(tmp_path)
            break
        except AxilError as error:
            failed += 1
            assert error.why
            assert texts(tmp_path) == {f"edit{allowed}"}
            # The old pointer or, if only making it durable failed, the new one: never one to nothing.
            now = parse((tmp_path / "data.axil").read_bytes(), "data.axil")
            assert now == pointer or name == "fsync"
            assert opened(tmp_path)[1].has(now.oid)
            pointer = now
        finally:
            failing.left = 1 << 30
    assert allowed < 49
    assert failed or name == "mkdir"
    index, store = opened(tmp_path)
    assert verify(store).faults == ()
    assert adding(tmp_path) == index.tracked("data") != first
    switching(tmp_path, first)
    assert texts(tmp_path) == {"one"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("name", ["write", "rename", "unlink", "mkdir"])
def test_switching_on_a_failing_disk(
    both: tuple[Path, Pointer, Pointer], monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    root, first, second = both
    extra = root / "data/d0/new/x"
    extra.parent.mkdir()
    extra.write_text("one x")
    first = adding(root)
    failing = Failing(monkeypatch, name, code)
    failed = 0
    for allowed in range(50):
        failing.left = allowed
        try:
            switching(root, second)
            break
        except AxilError as error:
            failed += 1
            assert error.why
            assert texts(root) <= {"one", "two"}
        finally:
            failing.left = 1 << 30
        # Whatever state that left, both ways are open.
        switching(root, [first, second][allowed % 2])
        switching(root, first)
        index, store = opened(root)
        assert changes(index, store, str(root), "data", first) == []
    assert failed or name == "mkdir"
    assert texts(root) == {"two"}
    assert not [path for path in root.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]


LOOP = """
import random, sys
from axil.data.index import WorkTreeIndex
from axil.data.save import add
from axil.data.status import changes
from axil.data.content import content_of
from axil.store import Store
root, seed = sys.argv[1], int(sys.argv[2])
dice = random.Random(seed)
for turn in range(25):
    index, store = WorkTreeIndex(root + "/meta/worktree.db"), Store(root + "/meta/store")
    name = f"{root}/data/d{dice.randrange(2)}/{seed}-{dice.randrange(5)}"
    with open(name, "w") as file:
        file.write(f"{seed} {dice.randrange(3)}")
    act = dice.randrange(3)
    if act == 0:
        add(index, store, root, ["data"], tracked=index.all_tracked())
    elif act == 1:
        changes(index, store, root, "data", index.tracked("data"))
    else:
        content_of(index, root, "data")
"""


def test_several_processes_at_once_leave_a_true_index(tmp_path: Path) -> None:
    write(tmp_path, "one")
    adding(tmp_path)
    children = [
        subprocess.Popen([sys.executable, "-c", LOOP, str(tmp_path), str(seed)], stderr=subprocess.PIPE)
        for seed in (1, 2, 3)
    ]
    for child in children:
        _, words = child.communicate(timeout=120)
        # Files that another process is writing just now may be refused; nothing else may happen.
        assert child.returncode == 0 or b"Unsettled" in words, words.decode()
    index, store = opened(tmp_path)
    pointer = add(index, store, str(tmp_path), ["data"], tracked=["data"])["data"]
    known = changes(index, store, str(tmp_path), "data", pointer)
    os.unlink(index.database)
    index, store = opened(tmp_path)
    assert known == changes(index, store, str(tmp_path), "data", pointer) == []
    assert verify(store).faults == ()


def test_an_index_used_by_others_meanwhile_never_tells_a_mix(tmp_path: Path) -> None:
    dice = random.Random(5)
    write(tmp_path, "one")
    handles = [opened(tmp_path) for _ in range(3)]
    for _ in range(60):
        number = dice.randrange(5)
        (tmp_path / "data" / f"d{number % 2}" / str(number)).write_text(f"edit {dice.randrange(3)}")
        index, store = dice.choice(handles)
        told = add(index, store, str(tmp_path), ["data"], tracked=["data"])["data"]
        fresh = WorkTreeIndex(str(tmp_path / "fresh" / str(dice.random())))
        assert changes(fresh, store, str(tmp_path), "data", told) == []

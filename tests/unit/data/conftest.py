"""A project folder with a store and an index, without git."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from axil.data import content
from axil.data.diff import Change
from axil.data.index import WorkTreeIndex
from axil.data.materialise import Applied, Target, materialise
from axil.data.save import add
from axil.data.status import changes
from axil.formats.pointer import Pointer
from axil.store import Store

LONG_AGO = 1_500_000_000


class World:
    """The project `root`; `open` starts anew as another process would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.open()

    def open(self) -> None:
        self.index = WorkTreeIndex(str(self.root / "meta/worktree.db"))
        self.store = Store(str(self.root / "meta/store"))

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Files by path; None makes an empty folder."""
        for name, data in files.items():
            path = self.root / name
            if data is None:
                path.mkdir(parents=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str) else data)

    def add(self, path: str = "data", recheck: bool = False) -> Pointer:
        tracked = self.index.all_tracked()
        return add(self.index, self.store, str(self.root), [path], tracked=tracked, recheck=recheck)[path]

    def save(self, path: str) -> Pointer:
        return content.save(self.index, self.store, str(self.root), [path])[path]

    def of(self, path: str = "data") -> Pointer | None:
        return content.content_of(self.index, str(self.root), path)

    def changes(self, against: Pointer | None, path: str = "data") -> list[Change]:
        return changes(self.index, self.store, str(self.root), path, against)

    def go(self, old: Pointer | None, new: Pointer | None, *, path: str = "data", force: bool = False) -> Applied:
        return materialise(self.index, self.store, str(self.root), [Target(path, old, new)], force=force)

    def settle(self) -> None:
        """Look at everything once more, when no file is as young as the look: after that, nothing is read again."""
        probe = self.root / "meta" / "probe"
        newest = max(os.lstat(path).st_ctime_ns for path in self.root.rglob("*"))
        while True:
            probe.write_bytes(b"")
            if probe.stat().st_ctime_ns > newest:
                break
        for path in self.root.iterdir():
            if path.name != "meta":
                self.of(path.name)
        self.open()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "project")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose content was read, as it happens."""
    from axil.store import hashing

    names: list[str] = []
    real = hashing.read_stable

    def watched(name: bytes, *rest: object) -> object:
        names.append(os.path.basename(os.fsdecode(name)))
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(hashing, "read_stable", watched)
    return names

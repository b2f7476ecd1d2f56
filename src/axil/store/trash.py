"""The store's trash: dated folders of packs and files that a collection moved away, restorable until emptied."""

from __future__ import annotations

import calendar
import contextlib
import os
import time

from axil.base.atomic import sync_folder
from axil.base.light import NamedTuple
from axil.errors import NotFound
from axil.store.faults import refusal

_TIME = "%Y%m%dT%H%M%SZ"


class Trash(NamedTuple):
    """One folder of the trash: when it was made (seconds since the epoch), and what it takes on the disk."""

    name: str
    made: float
    packs: int
    files: int
    bytes: int


class Bin:
    """A folder of the trash while things are moved into it."""

    __slots__ = ("_folder", "_root", "_touched", "name")

    def __init__(self, root: str, name: str) -> None:
        self.name = name
        self._root = root
        self._folder = os.path.join(_base(root), name)
        self._touched: set[str] = set()

    @classmethod
    def new(cls, root: str, now: float) -> Bin:
        """A fresh folder, named by the time and a random part. Raises `AxilError` if it cannot be made."""
        made = cls(root, f"{time.strftime(_TIME, time.gmtime(now))}-{os.urandom(4).hex()}")
        try:
            for kind in ("packs", "files"):
                os.makedirs(os.path.join(made._folder, kind))
        except OSError as error:
            raise refusal(error, made._folder) from None
        made._touched.update((_base(root), made._folder))
        return made

    def take_pack(self, name: str) -> None:
        """Moves a pack in."""
        self._move(os.path.join(self._root, "packs", name), "packs")

    def take_file(self, path: str) -> None:
        """Moves a large file in."""
        self._move(path, "files")

    def _move(self, path: str, kind: str) -> None:
        target = os.path.join(self._folder, kind, os.path.basename(path))
        try:
            os.rename(path, target)
        except OSError as error:
            raise refusal(error, path) from None
        self._touched.update((os.path.dirname(path), os.path.dirname(target)))

    def sync(self) -> None:
        """Makes the moves durable."""
        for folder in sorted(self._touched):
            sync_folder(folder)


def _base(root: str) -> str:
    return os.path.join(root, "trash")


def list_trash(root: str) -> list[Trash]:
    """The folders of the trash of the store at `root`, oldest first."""
    try:
        names = sorted(os.listdir(_base(root)))
    except FileNotFoundError:
        return []
    rows: list[Trash] = []
    for name in names:
        with contextlib.suppress(ValueError):
            made = calendar.timegm(time.strptime(name.partition("-")[0], _TIME))
            packs, files = (_sizes(os.path.join(_base(root), name, kind)) for kind in ("packs", "files"))
            rows.append(Trash(name, made, len(packs), len(files), sum(packs) + sum(files)))
    return rows


def _sizes(folder: str) -> list[int]:
    try:
        with os.scandir(folder) as entries:
            return [entry.stat(follow_symlinks=False).st_size for entry in entries]
    except FileNotFoundError:
        return []


def empty_trash(root: str, older_than: float) -> list[Trash]:
    """Deletes the folders made at or before the moment `older_than`, for good; returns what they were."""
    gone = [item for item in list_trash(root) if item.made <= older_than]
    for item in gone:
        folder = os.path.join(_base(root), item.name)
        try:
            for kind in ("packs", "files"):
                part = os.path.join(folder, kind)
                for name in os.listdir(part) if os.path.isdir(part) else ():
                    os.unlink(os.path.join(part, name))
                with contextlib.suppress(FileNotFoundError):
                    os.rmdir(part)
            os.rmdir(folder)
        except OSError as error:
            raise refusal(error, folder) from None
    return gone


def restore(root: str, name: str) -> int:
    """Moves everything in the trash folder `name` back into the store; the number of packs and files.

    Raises `NotFound` if there is no such folder. May be repeated after a crash.
    """
    known = [item.name for item in list_trash(root)]
    if name not in known:
        raise NotFound(f"there is no {name!r} in the trash", f"it holds: {', '.join(known) or 'nothing'}")
    folder = os.path.join(_base(root), name)
    touched: set[str] = set()
    count = 0
    try:
        for kind in ("packs", "files"):
            # A restore that was cut short may have emptied and removed this part already.
            if not os.path.isdir(os.path.join(folder, kind)):
                continue
            for entry in sorted(os.listdir(os.path.join(folder, kind))):
                target = os.path.join(root, kind, entry[:2] if kind == "files" else "", entry)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                if kind == "packs":
                    # Young again, so that the next collection waits until something refers to it.
                    os.utime(os.path.join(folder, kind, entry))
                os.replace(os.path.join(folder, kind, entry), target)
                touched.add(os.path.dirname(target))
                count += 1
            os.rmdir(os.path.join(folder, kind))
        os.rmdir(folder)
        for path in sorted(touched):
            sync_folder(path)
    except OSError as error:
        raise refusal(error, folder) from None
    return count

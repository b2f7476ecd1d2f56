"""What a run's processes logged as figures, tables and files: a folder of the run, stored as one tree."""

from __future__ import annotations

import os

from axil.base.light import TYPE_CHECKING
from axil.formats.tree import DIR, EXEC, FILE, Entry, check_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from axil.formats.record import Output
    from axil.store import Batch

MAX_DEPTH = 64


class Found:
    """A folder with the regular files and folders in it; links and special files are nobody's artifacts."""

    def __init__(self, path: str, depth: int = 0) -> None:
        self.path = path
        self.files: list[str] = []
        self.folders: dict[str, Found] = {}
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            if check_name(os.fsencode(entry.name)):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < MAX_DEPTH:
                    self.folders[entry.name] = Found(entry.path, depth + 1)
            elif entry.is_file(follow_symlinks=False):
                self.files.append(entry.name)

    def all(self, below: str = "") -> Iterator[tuple[str, str]]:
        """(path in the folder, absolute path) of all files."""
        for name in self.files:
            yield below + name, os.path.join(self.path, name)
        for name, folder in self.folders.items():
            yield from folder.all(f"{below}{name}/")


def put(batch: Batch, path: str) -> Output | None:
    """Put the folder `path` into `batch`; None if it holds no file. A file that cannot be read is left out."""
    from axil.formats.record import Output
    from axil.store import Saved

    found = Found(path)
    files = [full for _, full in found.all()]
    if not files:
        return None
    answers = dict(zip(files, batch.put_files(files), strict=True))
    saved = {full: answer for full, answer in answers.items() if isinstance(answer, Saved)}

    def tree(folder: Found) -> Entry | None:
        entries = []
        for name in folder.files:
            one = saved.get(os.path.join(folder.path, name))
            if one is not None:
                entries.append(Entry(os.fsencode(name), (EXEC if one.executable else FILE)[0], one.size, one.oid))
        entries += [entry for inner in folder.folders.values() if (entry := tree(inner)) is not None]
        if not entries:
            return None
        own = os.fsencode(os.path.basename(folder.path))
        return Entry(own, DIR[0], sum(entry.size for entry in entries), batch.put_tree(entries))

    top = tree(found)
    return Output("tree", top.oid.hex(), top.size, len(saved)) if top is not None else None

"""Outputs of stages in the work tree: cleared before a command, saved after it, put back from the store."""

from __future__ import annotations

import contextlib
import os
import stat as modes
from collections.abc import Mapping, Sequence

from axil.base.light import TYPE_CHECKING, NamedTuple
from axil.base.progress import SILENT, Progress
from axil.data.content import content_of, save
from axil.data.index import WorkTreeIndex
from axil.data.materialise import Target, materialise
from axil.errors import AxilError, BadInput
from axil.formats.pointer import Pointer
from axil.formats.project import FILE, Stage
from axil.store import Store

if TYPE_CHECKING:
    from axil.formats.record import Output
    from axil.journal.rows import OutputRow


class SavedPath(NamedTuple):
    """Bytes that existed only in the work tree, put into the store before their path was overwritten."""

    path: str
    pointer: Pointer


def pointer_of(out: Output | OutputRow) -> Pointer:
    """Content as it is in a record, as a pointer."""
    return Pointer(
        "tree" if out.kind == "tree" else "file", bytes.fromhex(out.oid), out.size, out.files, out.executable
    )


class Outputs:
    """The outputs of one work tree. Use it from one thread."""

    def __init__(self, root: str, index: WorkTreeIndex, store: Store, progress: Progress = SILENT) -> None:
        self.root = root
        self._index = index
        self._store = store
        self._progress = progress

    def clear(self, stage: Stage) -> list[SavedPath]:
        """Remove what the stage will make (but `keep`) and its checkpoints, and make the folders above them.

        What the store does not have is saved there first, and returned. Raises `BadInput` if something there can
        neither be saved nor removed without loss (a device, a pipe); then nothing is removed.
        """
        kept = set(stage.keep)
        there = [path for path in (*stage.made, *stage.checkpoint) if path not in kept and self._is_there(path)]
        saved = self.save_unsaved(there)
        for path in there:
            _remove(self._at(path))
        for path in (*stage.made, *stage.checkpoint):
            folder = os.path.dirname(self._at(path))
            try:
                os.makedirs(folder, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise BadInput(
                    f"stage {stage.name} cannot make {path}",
                    f"{os.path.dirname(path)} is a file, not a folder",
                    "move that file away",
                ) from None
        return saved

    def save_unsaved(self, paths: Sequence[str]) -> list[SavedPath]:
        """Put into the store what `paths` hold and it does not have yet; what that was. Durable on return."""
        unsaved = []
        for path in paths:
            if os.path.islink(self._at(path)):
                continue  # What it points to is somewhere else, and stays there.
            here = content_of(self._index, self.root, path, progress=self._progress)
            if here is not None and not self._store.has(here.oid):
                unsaved.append(path)
        if not unsaved:
            return []
        pointers = save(self._index, self._store, self.root, unsaved, progress=self._progress)
        return [SavedPath(path, pointers[path]) for path in unsaved]

    def collect(self, stage: Stage) -> dict[str, Pointer]:
        """Save everything the stage has made, durably. Raises `BadInput` naming what is missing or cannot be kept."""
        missing = [path for path in stage.made if not os.path.lexists(self._at(path))]
        if missing:
            raise BadInput(
                f"stage {stage.name} did not make {', '.join(missing)}",
                f"{FILE} line {stage.line} lists it among what the stage makes" if stage.line else "",
                "let the command write it there (paths count from the project's root), or take it out of the list",
            )
        return save(self._index, self._store, self.root, stage.made, progress=self._progress)

    def collect_partial(self, stage: Stage) -> dict[str, Pointer]:
        """Save what is there of a stage that did not succeed; what cannot be kept is left out."""
        found: dict[str, Pointer] = {}
        for path in stage.made:
            if os.path.lexists(self._at(path)):
                try:
                    found.update(save(self._index, self._store, self.root, [path], progress=self._progress))
                except AxilError:
                    continue
        return found

    def collect_checkpoint(self, stage: Stage) -> dict[str, Pointer]:
        """Save the checkpoints of a stage that was cut off; what is no plain file or folder is left out."""
        return save_some(self._index, self._store, self.root, stage.checkpoint, self._progress)

    def lay_checkpoint(self, start: Mapping[str, Pointer]) -> None:
        """Put `start` where a stage expects its checkpoints, cleared before, as files of its own that it may change."""
        store = Store(self._store.root, link="copy", clock=self._store.clock)
        targets = [Target(path, None, pointer) for path, pointer in start.items()]
        materialise(self._index, store, self.root, targets, force=True, progress=self._progress)

    def restore(self, outs: Mapping[str, Pointer]) -> list[SavedPath]:
        """Put recorded outputs back, touching only what differs; bytes they replace are saved first and returned."""
        for path in outs:
            if os.path.islink(self._at(path)):
                os.unlink(self._at(path))
        saved = self.save_unsaved(list(outs))
        targets = []
        for path, pointer in outs.items():
            here = content_of(self._index, self.root, path, progress=self._progress)
            if here != pointer:
                # All that is there is in the store now, so it may be taken as what the path was last made from.
                targets.append(Target(path, here, pointer))
        if targets:
            materialise(self._index, self._store, self.root, targets, force=True, progress=self._progress)
        return saved

    def _is_there(self, path: str) -> bool:
        return os.path.lexists(self._at(path))

    def _at(self, path: str) -> str:
        return os.path.join(self.root, path)


def save_some(
    index: WorkTreeIndex, store: Store, root: str, paths: Sequence[str], progress: Progress = SILENT
) -> dict[str, Pointer]:
    """Save those of `paths` that are there and can be kept. Raises `AxilError` if the store cannot take them."""
    found: dict[str, Pointer] = {}
    for path in paths:
        if os.path.lexists(os.path.join(root, path)):
            with contextlib.suppress(BadInput):
                found.update(save(index, store, root, [path], progress=progress))
    return found


def _remove(path: str) -> None:
    """Remove a file, a link (never what it points to) or a whole folder."""
    if modes.S_ISDIR(os.lstat(path).st_mode):
        import shutil

        shutil.rmtree(path)
    else:
        os.unlink(path)

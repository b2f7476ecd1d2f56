"""Plans begun ahead of their turn: what they bring is read, and written beside its places, while git works."""

from __future__ import annotations

import os
from collections.abc import Sequence

from axil.base.light import TYPE_CHECKING
from axil.data.index import WorkTreeIndex
from axil.data.plan import MARK, Plan, mark_of
from axil.formats.tree import EXEC, Entry

if TYPE_CHECKING:
    from axil.store import Store
    from axil.store.ahead import Ahead
    from axil.store.place import Item


class PlansAhead:
    """Some plans begun; leaving the context gives up those that were not taken, and nothing of them remains."""

    def __init__(self, index: WorkTreeIndex, store: Store, root: str, plans: Sequence[Plan]) -> None:
        """Begins to read."""
        self._index = index
        self._ahead: Ahead | None = None
        self._marks: dict[str, bytes] = {}
        """Path -> what it is to become."""
        self._written = False
        top = os.fsencode(root)
        items: list[Item] = []
        for plan in plans:
            coming = {*plan.folders, *plan.clear}
            mine = items_of(top, [one for one in plan.files if one[0].rpartition(b"/")[0] not in coming])
            # A mark says that something is in doubt: it stays until `apply` settles that.
            if mine and not index.cached(MARK, os.fsencode(plan.path)):
                items += mine
                self._marks[plan.path] = mark_of(plan.new)
        if items:
            from axil.store.ahead import Ahead, suitable

            if chosen := suitable(items):
                self._ahead = Ahead(store, chosen)

    def __enter__(self) -> PlansAhead:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ahead is not None:
            self._ahead.__exit__()
            if self._written:
                self._index.remember(MARK, {os.fsencode(path): b"" for path in self._marks})

    def write(self) -> None:
        """Let temporary files be written: to be called when the operation is in the log.

        The paths are marked as on the way before, so that whoever comes after a kill removes them.
        """
        if self._ahead is not None:
            self._index.remember(MARK, {os.fsencode(path): mark for path, mark in self._marks.items()})
            self._written = True
            self._ahead.write()

    def take(self, path: str) -> Ahead | None:
        """What was begun of the plan of `path`, for `apply`; None if nothing was. After `write`."""
        if self._ahead is None or self._marks.pop(path, None) is None:
            return None
        return self._ahead


def items_of(top: bytes, files: Sequence[tuple[bytes, Entry]]) -> list[Item]:
    """Files of a plan as the store places them."""
    return [
        (entry.oid, entry.size, os.fsdecode(os.path.join(top, path)), entry.kind == EXEC[0]) for path, entry in files
    ]

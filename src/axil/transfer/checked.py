"""When which pack of a remote was checked last, noted on this machine: a check goes on where another one ended."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable

from axil.base.atomic import write_atomic
from axil.base.hashing import Oid, parse_oid
from axil.formats.index import PackInfo

_NAME = "checked.json"


class Checked:
    """The note in `folder`, for checks of one `depth`. It may be deleted at any time."""

    def __init__(self, folder: str, depth: str) -> None:
        self._path = os.path.join(folder, _NAME)
        self._depth = depth
        self._times = self._load().get(depth, {})

    def order(self, packs: Iterable[PackInfo]) -> list[PackInfo]:
        """`packs`, those not checked for the longest time first."""
        return sorted(packs, key=lambda pack: (self._times.get(pack.id, 0.0), pack.id))

    def note(self, pack: Oid, now: float) -> None:
        """`pack` was checked, whatever came of it."""
        self._times[pack] = now

    def save(self, packs: Iterable[Oid]) -> None:
        """Writes the note; of `packs`, which are all there are, the rest is forgotten."""
        kept = {pack: self._times[pack] for pack in packs if pack in self._times}
        rows = {**self._load(), self._depth: kept}
        text = {depth: {pack.hex(): at for pack, at in times.items()} for depth, times in rows.items()}
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        write_atomic(self._path, json.dumps(text).encode(), sync=False)

    def _load(self) -> dict[str, dict[Oid, float]]:
        """What the note says; what cannot be read counts as never checked."""
        found: dict[str, dict[Oid, float]] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
            with open(self._path, "rb") as file:
                rows = json.loads(file.read())
            for depth, times in rows.items():
                found[depth] = {parse_oid(pack): float(at) for pack, at in times.items()}
        return found

"""What a killed process leaves in axil's own folder goes with the next collection."""

from __future__ import annotations

import os
import time
from pathlib import Path

from axil.actions.gc import _remove_leftovers


def test_old_half_written_files_go(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "files").mkdir(parents=True)
    (tmp_path / "remotes/x").mkdir(parents=True)
    places = [store / ".axil-part-1-0", tmp_path / "remotes/x/.axil-part-1-1", tmp_path / ".axil-part-1-2"]
    kept = [store / "files/.axil-part-1-0", tmp_path / "remotes/x/format", tmp_path / "remotes/x/.axil-part-2-0"]
    for path in places + kept:
        path.write_bytes(b"half")
    for path in [*places, kept[1]]:
        os.utime(path, (0, 0))
    _remove_leftovers(str(tmp_path), time.time() - 3600)
    assert [path for path in places if path.exists()] == []
    assert all(path.exists() for path in kept)

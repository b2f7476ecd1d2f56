"""The project's source files as the planner sees them: summaries remembered by stat and by content.

A file that did not change costs one `stat`; one that was only touched or switched back costs one read; only new
content is parsed.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping

from axil.base.clock import Clock
from axil.base.hashing import hash_bytes, hash_stream
from axil.base.light import Any, Protocol
from axil.base.quickjson import canonical, loads
from axil.pipeline.normal import Import, Summary, summarise

# The parser's version counts: another Python may read a file that this one could not.
_BY_CONTENT = f"code-1-{sys.version_info[0]}.{sys.version_info[1]}"
_BY_STAT = f"code-stats-1-{sys.version_info[0]}.{sys.version_info[1]}"
_SETTLED_NS = 20_000_000
"""A file changed less than this before it was read may change again without a new time stamp."""
_LARGE = 8 << 20

Stamp = tuple[int, int, int, int]


class Cache(Protocol):
    """Bytes that may be forgotten at any time (`data.index.WorkTreeIndex`)."""

    def cached(self, kind: str, key: bytes) -> bytes | None:
        """The value remembered for `key`."""

    def remember(self, kind: str, values: Mapping[bytes, bytes]) -> None:
        """Keep `values`."""


class Sources:
    """Summaries of files below `root`; each file is looked at once until `refresh`."""

    def __init__(self, root: str, cache: Cache, clock: Clock) -> None:
        self.root = root
        self.cache = cache
        self.clock = clock
        self._stats: dict[str, os.stat_result | None] = {}
        self._found: dict[str, Summary | None] = {}
        self._rows: dict[str, Any] | None = None
        self._new: dict[str, list[Any]] = {}
        self._parsed: dict[bytes, bytes] = {}

    def refresh(self) -> None:
        """Look at every file again; what is remembered by stat stays."""
        self._stats.clear()
        self._found.clear()

    def is_file(self, path: str) -> bool:
        """Whether the project path is a regular file (links followed)."""
        found = self._stat(path)
        return found is not None and stat.S_ISREG(found.st_mode)

    def is_folder(self, path: str) -> bool:
        """Whether the project path is a folder (links followed); "" is the root."""
        found = self._stat(path)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def changed_since(self, path: str, moment: float) -> bool:
        """Whether the file may have changed after `moment` (seconds since the epoch)."""
        found = self._stat(path)
        return found is None or max(found.st_mtime_ns, found.st_ctime_ns) + _SETTLED_NS >= moment * 1e9

    def summary(self, path: str) -> Summary | None:
        """What matters of the file at the project path, or None if there is no readable regular file."""
        if path not in self._found:
            self._found[path] = self._look(path)
        return self._found[path]

    def save(self) -> None:
        """Remember what was found out, for the next process."""
        if self._parsed:
            self.cache.remember(_BY_CONTENT, self._parsed)
            self._parsed = {}
        if self._new:
            rows = {path: row for path, row in self._table().items() if path in self._stats or self._kept(path)}
            rows.update(self._new)
            self.cache.remember(_BY_STAT, {b"": canonical(rows).encode()})
            self._rows, self._new = rows, {}

    def _kept(self, path: str) -> bool:
        return os.path.exists(os.path.join(self.root, path))

    def _stat(self, path: str) -> os.stat_result | None:
        if path not in self._stats:
            try:
                self._stats[path] = os.stat(f"{self.root}/{path}")
            except (OSError, ValueError):
                self._stats[path] = None
        return self._stats[path]

    def _table(self) -> dict[str, Any]:
        """Path -> [stamp, time of the look, summary] of earlier processes."""
        if self._rows is None:
            data = self.cache.cached(_BY_STAT, b"")
            self._rows = loads(data) if data else {}
        return self._rows

    def _look(self, path: str) -> Summary | None:
        found = self._stat(path)
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        row = self._new.get(path) or self._table().get(path)
        if row is not None and tuple(row[0]) == _stamp(found) and _settled(found, row[1]):
            return _loaded(row[2])
        try:
            with open(f"{self.root}/{path}", "rb") as file:
                now = int(self.clock() * 1e9)
                found = self._stats[path] = os.fstat(file.fileno())
                if found.st_size > _LARGE:
                    # Nobody writes source files of this size: it is data that a command names.
                    summary = Summary(hash_stream(file)[0].hex())
                else:
                    summary = self._by_content(path, file.read())
        except OSError:
            return None
        self._new[path] = [_stamp(found), now, summary]
        return summary

    def _by_content(self, path: str, data: bytes) -> Summary:
        # The name decides how a file is read (a notebook, a script, raw), so its ending is part of the key.
        key = hash_bytes(data) + path.rpartition("/")[2].encode("utf-8", "surrogateescape")
        known = self._parsed.get(key) or self.cache.cached(_BY_CONTENT, key)
        if known is not None:
            return _loaded(loads(known))
        summary = summarise(path, data)
        self._parsed[key] = canonical(summary).encode()
        return summary


def _stamp(found: os.stat_result) -> Stamp:
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _settled(found: os.stat_result, looked: int) -> bool:
    return max(found.st_mtime_ns, found.st_ctime_ns) + _SETTLED_NS < looked


def _loaded(row: Any) -> Summary:
    if isinstance(row, Summary):
        return row
    digest, imports, exports, commands, scripts = row
    return Summary(
        digest,
        tuple(Import(level, module, tuple(names)) for level, module, names in imports),
        tuple(exports),
        tuple(commands),
        tuple((name, module) for name, module in scripts),
    )

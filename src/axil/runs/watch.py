"""Series files that a stage's command writes, read while it runs: their values become points of the run's series.

A thread looks every second; `finish` looks a last time. What cannot be read is counted, never an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from threading import Event, Thread

from axil.base.clock import Clock
from axil.formats import series, tfevents
from axil.formats.project import Stage
from axil.runs.growing import KINDS, Found, GrowingFile, readable

SECONDS = 1.0
MAX_FILES = 1000
MAX_ENTRIES = 20_000
"""Of the folders of one stage that are looked through, once a second."""
MAX_POINTS = 5_000_000
MAX_NAMES = 5000
_KEPT_BYTES = 8 << 20
_DVCLIVE = os.path.join("plots", "metrics", "")
_CHANGING = re.compile(r"version_\d+|[A-Z][a-z]{2}\d\d_\d\d-\d\d-\d\d_.*|\d{8}-\d{6}")
"""Folders that libraries name by time or count: their names would make two runs incomparable."""


class Watch:
    """The series files of one stage. Made before the command starts, so that what is kept of earlier runs is old."""

    def __init__(self, stage: Stage, root: str, target: str, clock: Clock) -> None:
        self._stage = stage
        self._root = root
        self._out = _Appender(target)
        self._clock = clock
        self._files: dict[str, GrowingFile] = {}
        self._names: set[str] = set()
        self._points = 0
        self._problems: dict[str, None] = {}
        for file in self._look() if stage.keep else ():
            while self._read(file, final=False) is not None and not file.done:
                pass
        self._over = Event()
        self._thread = Thread(target=self._run, name=f"axil-series-{stage.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End without a last look."""
        self._over.set()
        self._thread.join()

    def finish(self) -> list[str]:
        """The command is over: read the rest. Returns what could not be read, in words."""
        self.stop()
        self._once(final=True)
        for path in self._stage.series:
            full = os.path.join(self._root, path)
            if os.path.isfile(full) and not readable(full):
                self._problem(f"{path} is not read: its name ends in none of {' '.join(KINDS)}")
        for file in self._files.values():
            if file.bad:
                where = os.path.relpath(file.path, self._root)
                self._problem(f"{where}: {file.bad} line{'s' * (file.bad > 1)} or records could not be read")
        return list(self._problems)

    def _run(self) -> None:
        while not self._over.wait(SECONDS):
            self._once()

    def _once(self, final: bool = False) -> None:
        try:
            for file in self._look():
                while (found := self._read(file, final)) is not None:
                    self._append(found)
                    if file.done or (self._over.is_set() and not final) or self._points >= MAX_POINTS:
                        break
        except Exception as error:  # whatever a hostile file makes of the reader: the run is not its victim
            self._problem(f"series files could not be read to their end: {error}")

    def _read(self, file: GrowingFile, final: bool) -> list[Found] | None:
        try:
            return list(file.read(final))
        except OSError as error:
            self._problem(f"{os.path.relpath(file.path, self._root)} cannot be read: {error.strerror}")
            return None

    def _append(self, values: list[Found]) -> None:
        """Write points; those of one step and time that follow each other make one line."""
        now = round(self._clock(), 3)
        lines: list[bytes] = []
        at = (0.0, 0.0)
        row: dict[str, float] = {}
        for name, step, time, value in values:
            if not name.isascii():  # half a surrogate pair is in no text that could be written
                name = name.encode("utf-8", "replace").decode()
            if not self._wanted(name):
                continue
            if row and (at != (step, time) or name in row):
                lines.append(series.line(self._stage.name, at[0], at[1] or now, row))
                row = {}
            at = (step, time)
            row[name] = value
        if row:
            lines.append(series.line(self._stage.name, at[0], at[1] or now, row))
        try:
            self._out.write(lines)
        except OSError as error:
            self._problem(f"series could not be written: {error.strerror}")

    def _wanted(self, name: str) -> bool:
        if name not in self._names and len(self._names) >= MAX_NAMES:
            self._problem(f"only the first {MAX_NAMES} names are kept")
            return False
        if self._points >= MAX_POINTS:
            self._problem(f"only the first {MAX_POINTS} values are kept")
            return False
        self._names.add(name)
        self._points += 1
        return True

    def _look(self) -> list[GrowingFile]:
        """The files that are there, those of earlier looks first."""
        several = len(self._stage.series) > 1
        for path in self._stage.series:
            full = os.path.join(self._root, path)
            prefix = os.path.splitext(os.path.basename(path))[0] + "/" if several else ""
            if os.path.isdir(full):
                for inner in self._walk(full):
                    self._add(full, inner, prefix)
            elif full not in self._files and readable(full) and os.path.lexists(full):
                self._files[full] = GrowingFile(full, prefix)
        return list(self._files.values())

    def _add(self, folder: str, inner: str, prefix: str) -> None:
        """Take on the file `inner` of a folder: an event file of TensorBoard, or a metric of DVCLive."""
        full = os.path.join(folder, inner)
        if full in self._files:
            return
        if len(self._files) >= MAX_FILES:
            self._problem(f"only the first {MAX_FILES} files are read")
        elif tfevents.PREFIX in os.path.basename(inner):
            parts = [part for part in os.path.dirname(inner).split(os.sep) if part and not _CHANGING.fullmatch(part)]
            self._files[full] = GrowingFile(full, "".join(f"{part}/" for part in [prefix.rstrip("/"), *parts] if part))
        elif inner.endswith(".tsv") and _DVCLIVE in os.sep + inner:
            name = inner.rpartition(_DVCLIVE)[2].removesuffix(".tsv").replace(os.sep, "/")
            self._files[full] = GrowingFile(full, prefix, name)

    def _walk(self, folder: str) -> Iterator[str]:
        left = MAX_ENTRIES
        for where, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(files):
                yield os.path.relpath(os.path.join(where, name), folder)
            left -= len(files) + len(folders)
            if left < 0:
                self._problem(f"{os.path.relpath(folder, self._root)} has too many files to be looked through")
                return

    def _problem(self, text: str) -> None:
        if len(self._problems) < 20:
            self._problems[text] = None


class _Appender:
    """Appends whole lines to the run's series, in which the run's own processes write, too."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._left: list[bytes] = []
        self._torn = False

    def write(self, lines: list[bytes]) -> None:
        """Raises `OSError`; what could not be written is kept for the next time, up to a bound."""
        self._left += lines
        if not self._left:
            return
        data = b"".join([b"\n" * self._torn, *self._left])
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        written = 0
        try:
            while written < len(data):
                written += os.write(fd, data[written:])
            self._left, self._torn = [], False
        except OSError:
            whole = data.rfind(b"\n", 0, written) + 1
            self._torn = whole != written or (self._torn and not written)
            self._left = [data[whole:]] if len(data) - whole <= _KEPT_BYTES else []
            raise
        finally:
            os.close(fd)

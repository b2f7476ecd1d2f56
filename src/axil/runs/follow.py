"""A run watched from outside while it goes on: its files read as they grow, told as the events a face shows anyway."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from axil.errors import AxilError
from axil.formats import runfiles
from axil.formats.runfiles import Staged
from axil.formats.series import Reader
from axil.runs import rundir
from axil.runs.events import Epoch, RunEvent, RunStarted, StageFinished, StageLine, StageStarted, Waiting
from axil.runs.rundir import RunDir

_PIECE = 1 << 20
_MOST_NAMES = 64


Pause = Callable[[], object]
Watched = RunEvent | Epoch | Waiting


def follow(folder: RunDir, pause: Pause, *, tail: int | None = None) -> Iterator[Watched]:
    """What happens in the run of `folder` until it is over: then its folder is gone, or nobody supervises it.

    `pause` is called when nothing new is there. Of what was printed before, the last `tail` lines a stage are told
    (None: all). Who wants to know what became of the run asks the journal afterwards.
    """
    return _Follower(folder, tail).events(pause)


class _Follower:
    def __init__(self, folder: RunDir, tail: int | None) -> None:
        self._folder = folder
        self._tail = tail
        self._state = Growing(folder.file(rundir.STATE))
        self._series = Growing(folder.file(rundir.SERIES))
        self._logs: dict[str, Growing] = {}
        self._reader = Reader()
        self._epochs: dict[str, Epoch] = {}
        self._told = False

    def events(self, pause: Pause) -> Iterator[Watched]:
        waited = False
        while True:
            # Asked first: what is written after the last look at the files must not be missed.
            over = not os.path.isdir(self._folder.path) or not self._alive()
            found = False
            for event in self._look():
                found = True
                yield event
            if over and not found:
                break
            if not found:
                if not self._told and not waited:
                    waited = True
                    yield Waiting(self._folder.id)
                pause()
        yield from self._flush()

    def _alive(self) -> bool:
        return rundir.is_live(os.path.dirname(self._folder.path), self._folder.id)

    def _look(self) -> Iterator[Watched]:
        """Everything that came since the last look: lines before the end of their stage."""
        events = [event for line in self._state.lines() if (event := runfiles.decode_event(line)) is not None]
        if not self._told and any(not isinstance(event, runfiles.Supervised) for event in events):
            self._told = True
            with_names = self._stages()
            yield RunStarted(self._folder.id, with_names, self._folder.path)
        for event in events:
            if not isinstance(event, Staged):
                continue
            record = event.record
            if record.state == "lost":
                yield StageStarted(record.name, record.reason, record.cmd, record.started)
                # Started again it writes on in the same log.
                self._logs.setdefault(record.name, Growing(self._folder.log(record.name), self._tail))
            else:
                yield from self._lines(record.name)
                if record.name in self._logs:
                    yield from self._points()
                    yield from self._flush(record.name)
                self._logs.pop(record.name, None)
                yield StageFinished(record.name, record)
        for stage in list(self._logs):
            yield from self._lines(stage)
        yield from self._points()

    def _stages(self) -> tuple[str, ...]:
        try:
            return tuple(self._folder.spec().targets)
        except AxilError:
            return ()

    def _lines(self, stage: str) -> Iterator[StageLine]:
        if stage in self._logs:
            for line in self._logs[stage].lines():
                yield StageLine(stage, line.decode("utf-8", "replace"))

    def _points(self) -> Iterator[Epoch]:
        for line in self._series.lines():
            for point in self._reader.feed(line + b"\n"):
                now = self._epochs.get(point.stage)
                if now is None or now.step != point.step:
                    if now is not None:
                        yield now
                    now = self._epochs[point.stage] = Epoch(point.stage, point.step, {})
                if len(now.metrics) < _MOST_NAMES:
                    now.metrics[point.name] = point.value

    def _flush(self, stage: str | None = None) -> Iterator[Epoch]:
        for name in list(self._epochs) if stage is None else [stage]:
            if (epoch := self._epochs.pop(name, None)) is not None:
                yield epoch


class Growing:
    """A file that grows: its whole lines, each once. Kept open, so that its end is read after it was removed."""

    def __init__(self, path: str, tail: int | None = None) -> None:
        self._path = path
        self._fd = -1
        self._rest = b""
        self._tail = tail

    def lines(self) -> list[bytes]:
        """The lines that were completed since the last call."""
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return []
        pieces = [self._rest]
        while piece := os.read(self._fd, _PIECE):
            pieces.append(piece)
        lines = b"".join(pieces).split(b"\n")
        self._rest = lines.pop()
        if self._tail is not None:
            lines, self._tail = lines[-self._tail :] if self._tail else [], None
        return lines

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

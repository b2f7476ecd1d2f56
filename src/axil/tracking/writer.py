"""`axil.log`: metric values become lines of the run's series file (docs/formats/series.md).

Lines are buffered and appended in one write, twice a second and at exit, so that many processes may log at once.
"""

from __future__ import annotations

import os
import sys
import time

from axil.tracking.steps import current

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event
    from typing import Any

FLUSH_SECONDS = 0.5
FLUSH_ROWS = 1024
KEPT_BYTES = 8 << 20
"""How much unwritten text is kept for another try when the disk is full."""
_CACHED_NAMES = 4096
_MAX_STEP = 2.0**53


def log(values: Mapping[str, Any] | None = None, /, *, step: float | None = None, **metrics: Any) -> None:
    """Record metric values: `axil.log(loss=0.3, step=7)` or `axil.log({"val/loss": 1.0})`.

    Values are numbers or have `.item()` (numpy, torch). Without `step` the enclosing `axil.track` gives it, else
    each name counts up by itself. Outside `axil run` nothing is written. Never raises.
    """
    try:
        writer = _writer or _start()
        if writer.path:
            writer.add({**values, **metrics} if values else metrics, step)
    except Exception as error:
        _warn(f"could not log {', '.join(map(str, metrics)) or 'values'}: {error!r}")


def flush() -> None:
    """Write what is buffered now. Never raises."""
    if _writer is not None:
        _writer.flush()


class Writer:
    """Appends the lines of one process to a series file; `path` "" writes nothing."""

    def __init__(self, path: str, stage: str = "", clock: Callable[[], float] = time.time) -> None:
        from threading import RLock

        try:  # the same function without the milliseconds `json` needs to import `re`
            from _json import encode_basestring_ascii
        except ImportError:
            from json.encoder import encode_basestring_ascii

        self.path = path
        self._quote: Callable[[str], str] = encode_basestring_ascii
        self._stage = f',"stage":{self._quote(stage)}' if stage else ""
        self._clock = clock
        # Reentrant: a signal handler may log while the loop it interrupted is inside `add`.
        self._lock = RLock()
        self._rows: list[str] = []
        self._names: dict[str, str] = {}
        self._steps: dict[str, float] = {}
        self._fd = -1
        self._unwritten = b""
        self._torn = False
        self._flushing = False
        self._wake: Event | None = None

    def add(self, metrics: Mapping[str, Any], step: float | None) -> None:
        """Buffer one line (one per step, if the names are at different steps)."""
        if step is None:
            if current:
                step = current[-1]
        elif type(step) is not int:
            step = _plain_step(step)
        with self._lock:
            if step is None:
                self._add_counted(metrics)
            else:
                self._add_row(step, metrics)
            pending = len(self._rows)
        if pending >= FLUSH_ROWS:
            self.flush()
        elif pending and (self._wake is None or not self._wake.is_set()):
            self._schedule()

    def _add_row(self, step: float, metrics: Mapping[str, Any]) -> None:
        names, steps, following = self._names, self._steps, step + 1
        parts = []
        for name, value in metrics.items():
            if type(value) is not float:
                try:
                    value = _number(value)
                except Exception as error:
                    _warn(f"could not log {name}={type(value).__name__}: {error}", about=str(name))
                    continue
            # x - x is 0 for finite numbers only; JSON has no word for the others.
            text = repr(value) if value - value == 0.0 else f'"{value}"'
            parts.append(f"{names.get(name) or self._named(name)}{text}")
            steps[name] = following
        if parts:
            row = f'{{"step":{step},"time":{self._clock():.3f}{self._stage},"metrics":{{{",".join(parts)}}}}}\n'
            self._rows.append(row)

    def _add_counted(self, metrics: Mapping[str, Any]) -> None:
        by_step: dict[float, dict[str, Any]] = {}
        for name, value in metrics.items():
            by_step.setdefault(self._steps.get(name, 0), {})[name] = value
        for step, group in by_step.items():
            self._add_row(step, group)

    def _named(self, name: object) -> str:
        if len(self._names) >= _CACHED_NAMES:
            self._names.clear()
        text = name if isinstance(name, str) else str(name)
        prefix = self._names[text] = f"{self._quote(text)}:"
        return prefix

    def _schedule(self) -> None:
        """Have what was buffered written soon, even if the script does not log again for an hour."""
        if self._wake is None:
            from threading import Event, Thread

            self._wake = Event()
            try:
                Thread(target=self._flush_often, name="axil-log", daemon=True).start()
            except RuntimeError:  # the interpreter is shutting down
                self.flush()
        self._wake.set()

    def _flush_often(self) -> None:
        wake = self._wake
        while wake is not None:
            wake.wait()
            time.sleep(FLUSH_SECONDS)
            wake.clear()
            self.flush()

    def flush(self) -> None:
        """Append everything buffered; what cannot be written is kept for the next try, up to a bound."""
        with self._lock:
            if self._flushing:  # by the code this signal handler interrupted
                return
            self._flushing = True
            try:
                rows, self._rows = self._rows, []
                self._unwritten += "".join(rows).encode("ascii")
                if self._unwritten:
                    self._write()
            except Exception as error:
                _warn(f"could not write {self.path}: {error}", about=self.path)
                if len(self._unwritten) > KEPT_BYTES:
                    self._unwritten = b""
            finally:
                self._flushing = False

    def _write(self) -> None:
        if self._fd < 0:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # A line cut short by a full disk is closed first, so that it spoils only itself.
        data = b"\n" + self._unwritten if self._torn else self._unwritten
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:] if written else data)
            self._torn = False
            self._unwritten = b""
        except OSError:
            if written:
                whole = data.rfind(b"\n", 0, written) + 1
                self._unwritten = data[whole:]
                self._torn = whole != written
            raise

    def after_fork(self) -> None:
        """In a forked child: the parent writes its own rows, and the flushing thread is not here."""
        from threading import RLock

        self._lock = RLock()
        self._rows = []
        self._unwritten = b""
        self._flushing = False
        self._wake = None
        # multiprocessing's workers leave without `atexit`, but run finalizers they registered themselves.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.register_after_fork(self, lambda writer: util.Finalize(None, writer.flush, exitpriority=0))


def _plain_step(step: Any) -> float:
    if not isinstance(step, int | float):
        step = step.item() if hasattr(step, "item") else float(step)
    number = float(step)
    if number - number != 0.0 or abs(number) > _MAX_STEP:
        raise ValueError(f"step must be a finite number, not {step}")
    return int(number) if number == int(number) else number


def _number(value: Any) -> float:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str | bytes):
        raise TypeError("not a number")
    return float(value)


_writer: Writer | None = None
_warned: set[str] = set()


def _start() -> Writer:
    """The writer of this process, made at the first `log`."""
    global _writer
    folder = os.environ.get("AXIL_RUN_DIR", "")
    writer = Writer(os.path.join(folder, "series.jsonl") if folder else "", os.environ.get("AXIL_STAGE", ""))
    if not folder:
        _warn("not inside `axil run`, so axil.log writes nothing (said once)")
    else:
        import atexit

        atexit.register(writer.flush)
        os.register_at_fork(after_in_child=writer.after_fork)
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, writer.flush, exitpriority=0)
    _writer = writer
    return writer


def _warn(message: str, about: str = "") -> None:
    key = about or message
    if key in _warned or len(_warned) > 20:
        return
    _warned.add(key)
    try:
        sys.stderr.write(f"axil: {message}\n")
        sys.stderr.flush()
    except Exception:
        pass  # there is nobody left to tell

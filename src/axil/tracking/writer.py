"""`axil.log`: metric values become lines of the run's series file (docs/formats/series.md).

Lines are buffered and appended in one write, twice a second and at exit, so that many processes may log at once.
"""

from __future__ import annotations

import os
import sys
import time

from axil.tracking import run
from axil.tracking.run import quoted, warn
from axil.tracking.steps import loops

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event
    from typing import Any

    Row = tuple[dict[str, Any], float | None, float]
    """Metrics, step, time."""

FLUSH_SECONDS = 0.5
FLUSH_ROWS = 1024
"""So many calls are written at once by whoever makes the last of them …"""
WAIT_ROWS = 64 * FLUSH_ROWS
"""… unless another thread is just writing; only with so many does a call wait for it."""
KEPT_BYTES = 8 << 20
"""How much unwritten text is kept for another try when the disk is full."""
_CACHED_SHAPES = 4096
_MAX_STEP = 2**53


def log(values: Mapping[str, Any] | None = None, /, *, step: float | None = None, **metrics: Any) -> None:
    """Record metric values: `axil.log(loss=0.3, step=7)` or `axil.log({"val/loss": 1.0})`.

    Values are numbers or have `.item()` (numpy, torch); in a nested dictionary, names are joined by dots. Without
    `step` the enclosing `axil.track` gives it, else each name counts up by itself. Outside `axil run` nothing is
    written. Never raises.
    """
    try:
        writer = _writer or _start()
        if writer.path:
            writer.add({**values, **metrics} if values is not None else metrics, step)
    except Exception as error:
        warn(f"could not log {', '.join(map(str, metrics)) or 'values'}: {error!r}")


def flush() -> None:
    """Write what is buffered now. Never raises."""
    if _writer is not None:
        _writer.flush()


class Writer:
    """Appends the lines of one process to a series file; `path` "" writes nothing.

    `add` only puts what it was given into a list, in one step that no thread can come between; `flush` takes the list
    and makes text of all of it at once.
    """

    def __init__(self, path: str, stage: str = "", clock: Callable[[], float] = time.time) -> None:
        from threading import RLock

        self.path = path
        self._lines = Lines(stage)
        self._clock = clock
        self._rows: list[Row] = []
        # Reentrant: a signal handler may log while the loop it interrupted is inside `flush`.
        self._lock = RLock()
        self._fd = -1
        self._unwritten = b""
        self._torn = False
        self._flushing = False
        self._armed = False
        """The thread that writes soon knows that there is something to write."""
        self._wake: Event | None = None

    def add(self, metrics: dict[str, Any], step: float | None) -> None:
        """Buffer one call; `metrics` belongs to the writer from now on."""
        if step is None:
            if stack := loops.stack:
                step = stack[-1].step
        elif type(step) is not int or not -_MAX_STEP <= step <= _MAX_STEP:
            step = _plain_step(step)
        for value in metrics.values():
            if type(value) is not float:
                metrics = _numbers(metrics)
                break
        if not metrics:
            return
        rows = self._rows
        rows.append((metrics, step, self._clock()))
        if not self._armed:
            self._arm()
        elif len(rows) >= FLUSH_ROWS:
            self.flush(wait=len(rows) >= WAIT_ROWS)

    def _arm(self) -> None:
        """Have what was buffered written soon, even if the script does not log again for an hour."""
        self._armed = True
        if self._wake is None:
            from threading import Event, Thread

            self._wake = Event()
            try:
                Thread(target=self._flush_often, name="axil-log", daemon=True).start()
            except RuntimeError:  # the interpreter is shutting down
                self._wake, self._armed = None, False
                self.flush()
                return
        self._wake.set()

    def _flush_often(self) -> None:
        wake = self._wake
        while wake is not None:
            wake.wait()
            time.sleep(FLUSH_SECONDS)
            wake.clear()
            # Before the rows are taken: who adds one after that finds it so and wakes this thread again.
            self._armed = False
            self.flush()
            if self._unwritten:  # the disk is full: perhaps it is no longer in a moment
                wake.set()

    def flush(self, wait: bool = True) -> None:
        """Append everything buffered; what cannot be written is kept for the next try, up to a bound.

        Does nothing if another thread is just writing and not `wait`.
        """
        if not self._lock.acquire(wait):
            return
        try:
            if self._flushing:  # by the code this signal handler interrupted
                return
            self._flushing = True
            try:
                rows = self._rows[:]
                self._unwritten += self._lines.of(rows)
                # Not before: Ctrl-C may come while the lines are made. Others may have added rows meanwhile.
                del self._rows[: len(rows)]
                if self._unwritten:
                    self._write()
            except Exception as error:
                warn(f"could not write {self.path}: {error}", about=self.path)
                if len(self._unwritten) > KEPT_BYTES:
                    self._unwritten = b""
            finally:
                self._flushing = False
        finally:
            self._lock.release()

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
        self._armed = False
        self._wake = None
        # multiprocessing's workers leave without `atexit`, but run finalizers they registered themselves.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.register_after_fork(self, lambda writer: util.Finalize(None, writer.flush, exitpriority=0))


class Lines:
    """Makes lines of rows. Where no step was given each name counts up by itself, in the order of the rows."""

    def __init__(self, stage: str = "") -> None:
        self._stage = f',"stage":{quoted(stage)}' if stage else ""
        self._shapes: dict[tuple[str, ...], str] = {}
        self._steps: dict[str, float] = {}

    def of(self, rows: list[Row]) -> bytes:
        """The lines of `rows`, one a row (one per step, where names without a step are at different ones)."""
        lines: list[str] = []
        encode = _encoder() if len(rows) >= FLUSH_ROWS else None
        shapes, steps, shape, stamp, stamped = self._shapes, self._steps, "", "", -1
        last: tuple[str, ...] = ()
        stage, fast = self._stage, encode
        following: float = 0  # the next step of the names `last`: put down when other names come
        for metrics, step, now in rows:
            try:
                names = tuple(metrics)
                if names != last:
                    steps.update(dict.fromkeys(last, following))
                    last = ()
                    following = steps.get(names[0], 0)
                    if step is None and any(steps.get(name, 0) != following for name in names):
                        self._count(lines, metrics, _stamp(now))
                        continue
                    fast = encode if encode is not None and all(map(_is_plain, names)) else None
                    shape = shapes.get(names) or self._shape(names)
                    last = names
                if step is None:
                    step = following
                following = step + 1
                if (moment := int(now * 1000)) != stamped:
                    stamped, stamp = moment, _stamp(now)
                total = sum(metrics.values())
                if total - total != 0.0:
                    lines.append(self._line(metrics, step, stamp))
                elif fast is not None:
                    lines.append(f'{{"step":{step!r},"time":{stamp}{stage},"metrics":{fast(metrics).decode()}}}\n')
                else:
                    lines.append(shape % (step, stamp, *metrics.values()))
            except Exception as error:
                warn(f"could not log a call with {len(metrics)} names: {type(error).__name__}")
        steps.update(dict.fromkeys(last, following))
        return "".join(lines).encode("ascii")

    def _shape(self, names: tuple[str, ...]) -> str:
        """A line of these names with places for step, time and values."""
        if len(self._shapes) >= _CACHED_SHAPES:
            self._shapes.clear()
        places = ",".join(quoted(name).replace("%", "%%") + ":%r" for name in names)
        stage = self._stage.replace("%", "%%")
        shape = self._shapes[names] = f'{{"step":%r,"time":%s{stage},"metrics":{{{places}}}}}\n'
        return shape

    def _line(self, metrics: Mapping[str, float], step: float, stamp: str) -> str:
        """A line with values that JSON has no word for (x - x is 0 for finite numbers only)."""
        texts = [
            f"{quoted(name)}:{value!r}" if value - value == 0.0 else f'{quoted(name)}:"{value}"'
            for name, value in metrics.items()
        ]
        return f'{{"step":{step!r},"time":{stamp}{self._stage},"metrics":{{{",".join(texts)}}}}}\n'

    def _count(self, lines: list[str], metrics: Mapping[str, float], stamp: str) -> None:
        by_step: dict[float, dict[str, float]] = {}
        for name, value in metrics.items():
            step = self._steps.get(name, 0)
            self._steps[name] = step + 1
            by_step.setdefault(step, {})[name] = value
        lines += [self._line(group, step, stamp) for step, group in by_step.items()]


def _encoder() -> Callable[[dict[str, float]], bytes] | None:
    """What makes JSON of floats several times faster than Python, for scripts that log so much that it pays.

    None in an interpreter that has axil, but not what it needs.
    """
    try:
        from msgspec.json import Encoder
    except ImportError:
        return None
    return Encoder().encode


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and name.isascii()


def _stamp(now: float) -> str:
    moment = int(now * 1000)
    return f"{moment // 1000}.{moment % 1000:03d}"


def _plain_step(step: Any) -> float:
    if not isinstance(step, int | float):
        step = step.item() if hasattr(step, "item") else float(step)
    number = float(step)
    if number - number != 0.0 or abs(number) > _MAX_STEP:
        raise ValueError(f"step must be a finite number, not {step}")
    return int(number) if number == int(number) else number


def _numbers(metrics: Mapping[str, Any], outer: str = "") -> dict[str, float]:
    """The values as plain floats, nested mappings made flat; what is no number is one warning and left out."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        name = f"{outer}{name}"
        try:
            if hasattr(value, "items"):
                found.update(_numbers(value, f"{name}."))
            else:
                found[name] = _number(value)
        except Exception as error:
            warn(f"could not log {name}={type(value).__name__}: {error}", about=name)
    return found


def _number(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str | bytes):
        raise TypeError("not a number")
    return float(value)


_writer: Writer | None = None
_made: dict[str, Writer] = {}
"""The writer, by the name "writer": of threads that log for the first time at one moment, all get the one that was
put here first, without a lock that a forked child could find held."""


def _start() -> Writer:
    """The writer of this process, made at the first `log`."""
    global _writer
    folder = run.folder()
    writer = Writer(os.path.join(folder, "series.jsonl") if folder else "", run.stage())
    _writer = _made.setdefault("writer", writer)
    if _writer is not writer:
        return _writer
    if not folder:
        run.outside("axil.log")
    else:
        import atexit

        atexit.register(writer.flush)
        os.register_at_fork(after_in_child=writer.after_fork)
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, writer.flush, exitpriority=0)
    return writer

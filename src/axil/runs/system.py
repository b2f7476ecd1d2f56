"""What a run's processes and the machine use while it runs: a line of `system.jsonl` every few seconds."""

from __future__ import annotations

import os
from threading import Event, Thread

from axil.base import usage
from axil.base.light import TYPE_CHECKING, Any
from axil.base.quickjson import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from axil.base.clock import Clock

FIRST_SECONDS = 1.0
"""A run that is over sooner is not measured at all."""
SECONDS = 5.0
_SPARSER = 1000
"""A run of T seconds is measured every T/1000 at last, so that a month takes no more room than a few days."""


class Sampler:
    """Measures from `start` to `stop`, on a thread of its own; what fails is left out and never ends a run."""

    def __init__(
        self, path: str, root: str, clock: Clock, first: float = FIRST_SECONDS, pause: float = SECONDS
    ) -> None:
        self._path = path
        self._root = root
        self._clock = clock
        self._first = first
        self._pause = pause
        self._over = Event()
        self._thread = Thread(target=self._run, name="axil-system", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        begun, pause = self._clock(), self._first
        meter = Meter(self._root, begun)
        while not self._over.wait(pause):
            try:
                now = self._clock()
                metrics = meter.measure(now)
                if metrics:
                    self._append({"step": round(now - begun, 1), "time": round(now, 3), "metrics": metrics})
                pause = max(self._pause, (now - begun) / _SPARSER)
            except Exception:
                pause = self._pause  # a full disk, a driver that went away: the run goes on without

    def _append(self, line: dict[str, Any]) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, canonical(line).encode() + b"\n")
        finally:
            os.close(fd)


class Meter:
    """Turns counters that grow into what happened between two looks."""

    def __init__(self, root: str, now: float) -> None:
        self._root = root
        self._last = now
        self._sums: dict[int, usage.Used] = {}
        self._machine = usage.machine()
        self._gpus = _gpus()

    def measure(self, now: float) -> dict[str, float]:
        """The metrics of the time since the last call (docs/formats/run-directory.md); empty without /proc."""
        seconds, self._last = max(now - self._last, 1e-3), now
        machine, before = usage.machine(), self._machine
        if machine is None or before is None:
            return {}
        self._machine = machine
        table = usage.processes()
        # Of a stage that is over nothing is left to read, so each session is compared with itself.
        sums = {leader: usage.used(table, pids) for leader, pids in usage.sessions(table, os.getpid()).items()}
        nothing = usage.Used(0.0, 0, 0, 0)
        pairs = [(one, self._sums.get(leader, nothing)) for leader, one in sums.items()]
        self._sums = sums

        def rate(field: int) -> float:
            return round(sum(max(0, new[field] - old[field]) for new, old in pairs) / seconds, 3)

        return {
            "cpu": rate(0),
            "memory": sum(one.memory for one in sums.values()),
            "read": rate(2),
            "written": rate(3),
            "machine.cpu": round((machine.busy - before.busy) / max(machine.cpu - before.cpu, 1e-3), 3),
            "machine.memory": machine.memory,
            "disk.free": _free(self._root),
            **self._gpus(),
        }


def _free(root: str) -> int:
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize


def _gpus() -> Callable[[], dict[str, float]]:
    """Measures NVIDIA GPUs if there are any and the package nvidia-ml-py is installed (`axil[gpu]`)."""
    if not os.path.exists("/proc/driver/nvidia"):
        return dict
    try:
        import pynvml

        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # not installed, or of another version than the driver
        return dict

    def measure() -> dict[str, float]:
        found: dict[str, float] = {}
        for number, handle in enumerate(handles):
            found[f"gpu.{number}"] = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
            found[f"gpu.{number}.memory"] = pynvml.nvmlDeviceGetMemoryInfo(handle).used
        return found

    return measure


def summary(path: str) -> dict[str, float]:
    """`system.jsonl` in short: mean `cpu` (cores) and `gpu` (all of them together), peak `memory` (bytes)."""
    from axil.formats.series import points

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return {}
    columns: dict[str, list[tuple[float, float]]] = {}
    for point in points(data):
        if point.value - point.value == 0.0 and point.step - point.step == 0.0:
            columns.setdefault(point.name, []).append((point.step, point.value))
    found = {}
    if "cpu" in columns:
        found["cpu"] = _mean(columns["cpu"])
    if "memory" in columns:
        found["memory"] = max(value for _, value in columns["memory"])
    gpus = [_mean(values) for name, values in columns.items() if name.startswith("gpu.") and name[4:].isdecimal()]
    if gpus:
        found["gpu"] = round(sum(gpus), 3)
    return found


def _mean(values: list[tuple[float, float]]) -> float:
    """The mean over time: each value holds since the one before it."""
    before, total, weights = 0.0, 0.0, 0.0
    for step, value in values:
        weight = max(step - before, 1e-3)
        before, total, weights = step, total + value * weight, weights + weight
    return round(total / weights, 3)

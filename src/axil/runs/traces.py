"""What the processes of a run loaded and read, from what they leave (runs/trace/, axil.tracking.reads)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from axil.base.light import TYPE_CHECKING

if TYPE_CHECKING:
    from axil.formats.runfiles import Trace

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trace")
"""Put before PYTHONPATH, makes every Python process load the tracer."""
_SUFFIX = ".trace"


class Traces:
    """The traces of one run; each file is read once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._read: set[str] = set()
        self.all: list[Trace] = []

    def collect(self) -> None:
        """Read the trace files that came since the last call."""
        try:
            names = sorted(name for name in os.listdir(self._folder) if name not in self._read)
        except FileNotFoundError:
            return
        from axil.formats.runfiles import parse_trace

        for name in names:
            with contextlib.suppress(OSError), open(os.path.join(self._folder, name), "rb") as file:
                trace = parse_trace(file.read()) if name.endswith(_SUFFIX) else None
                if trace is not None:
                    self._read.add(name)
                    self.all.append(trace)

    def modules(self, stage: str) -> list[str]:
        """Project paths of the Python files that the stage's processes loaded."""
        found = {path for trace in self.all if trace.stage == stage for path in trace.modules}
        return sorted(path for path in found if path.endswith(".py"))


def reads(path: str, stage: str) -> set[str]:
    """The parameters that the stage's processes read, from the run's `read.jsonl`; "" is all of them."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return set()
    from axil.formats.runfiles import parse_reads

    return parse_reads(data).get(stage, set())


def python_path(environ: Mapping[str, str]) -> str:
    """The PYTHONPATH of a stage: the tracer, then what the user has set."""
    own = environ.get("PYTHONPATH", "")
    return FOLDER + os.pathsep + own if own else FOLDER

"""What the benchmarks share: surroundings without the user's configuration, timed commands, medians, Markdown tables.

Rules: the page cache is warm, written data is on the disk (`sync`) before a command is timed, commands run one at a
time and the tools take turns, the figure is the median. A command during which other processes kept more than a
third of a core busy is counted and told.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

GIT_CONFIG = """[user]
name = Bench
email = bench@localhost
[init]
defaultBranch = main
[gc]
auto = 0
[filter "lfs"]
clean = git-lfs clean -- %f
smudge = git-lfs smudge -- %f
process = git-lfs filter-process
required = true
"""
QUIET = {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", "NO_COLOR": "1"}
DISTURBED = 0.33
"""Cores busy with other work above which a measurement is doubtful."""


class Timed(NamedTuple):
    """One run of a command: wall seconds, memory of its largest process in MB, cores that others kept busy."""

    seconds: float
    peak_mb: float
    others: float


class Figure(NamedTuple):
    """The median of some runs; `disturbed` tells how many of them other work may have slowed down."""

    seconds: float
    peak_mb: float
    runs: int
    disturbed: int


class Bench:
    """A throw-away folder below `work` with a home folder of its own, and the commands that are timed there."""

    def __init__(self, work: str | None, tools: Sequence[str] = ()) -> None:
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="axil-bench-", dir=work))
        home = os.path.join(self.folder, "home")
        os.makedirs(os.path.join(home, ".config", "dvc"))
        write(os.path.join(home, ".gitconfig"), GIT_CONFIG)
        write(os.path.join(home, ".config", "dvc", "config"), "[core]\nanalytics = false\ncheck_update = false\n")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "AXIL_", "XDG_", "PYTHON"))
        }
        folders = [os.path.dirname(tool) for tool in (sys.executable, *tools) if os.sep in tool]
        self.env = {
            **kept,
            **QUIET,
            "HOME": home,
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_SITE_CACHE_DIR": os.path.join(self.folder, "dvc-site"),
            "PATH": os.pathsep.join([*folders, kept.get("PATH", os.defpath)]),
        }

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["chmod", "-R", "u+w", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *parts: str) -> str:
        """A path in the throw-away folder."""
        return os.path.join(self.folder, *parts)

    @contextlib.contextmanager
    def place(self, name: str) -> Iterator[str]:
        """A new, empty folder that is removed at the end."""
        folder = self.path(name)
        os.makedirs(folder)
        try:
            yield folder
        finally:
            subprocess.run(["chmod", "-R", "u+w", folder], check=False)
            shutil.rmtree(folder)

    def do(self, command: str | Sequence[str], cwd: str) -> str:
        """Run a command (a string: in a shell) untimed; its output. Ends the program if the command fails."""
        done = subprocess.run(
            command, cwd=cwd, env=self.env, shell=isinstance(command, str), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"failed with {done.returncode} in {cwd}: {command}\n{done.stdout[-3000:]}")
        return done.stdout

    def time(self, command: str | Sequence[str], cwd: str, *, sync: bool = True) -> Timed:
        """Run a command (a string: in a shell) and measure it. Ends the program if the command fails."""
        if sync:
            os.sync()
        with tempfile.TemporaryFile() as output:
            before = _busy()
            start = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=cwd, env=self.env, shell=isinstance(command, str), stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            others = (_busy() - before - usage.ru_utime - usage.ru_stime) / max(seconds, 0.01)
            if process.returncode:
                output.seek(0)
                sys.exit(
                    f"failed with {process.returncode}: {command}\n{output.read().decode(errors='replace')[-3000:]}"
                )
        return Timed(seconds, usage.ru_maxrss / 1024, max(0.0, others))


def _busy() -> float:
    """CPU seconds that all processes of the machine have used, less those of this one."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    own = resource.getrusage(resource.RUSAGE_SELF)
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK") - own.ru_utime - own.ru_stime


def median(runs: Sequence[Timed]) -> Figure:
    """The figure of some runs of the same command; memory is the most that any of them took."""
    return Figure(
        statistics.median(run.seconds for run in runs),
        max(run.peak_mb for run in runs),
        len(runs),
        sum(run.others > DISTURBED and run.seconds > 0.5 for run in runs),
    )


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def seconds(value: float) -> str:
    """`0.0153` -> "15 ms", `1.432` -> "1.43 s"."""
    return f"{value * 1000:.3g} ms" if value < 0.9995 else f"{value:.3g} s"


def ratio(peer: float, own: float) -> str:
    """How many times faster `own` is, or "0.50× (slower)"."""
    times = peer / own
    return f"**{times:.1f}×**" if times >= 1 else f"{times:.2f}× (slower)"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, first column left, the others right aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def compared(results: dict[str, dict[str, Figure]], own: str, *, memory: bool = False) -> str:
    """A table with one row per operation, one column per tool, and how many times `own` is faster than each peer."""
    tools = list(dict.fromkeys(tool for figures in results.values() for tool in figures))
    peers = [tool for tool in tools if tool != own]
    rows = []
    for operation, figures in results.items():
        cells = [_cell(figures.get(tool), memory) for tool in tools]
        ratios = [
            ratio(figures[peer].seconds, figures[own].seconds) if peer in figures and own in figures else ""
            for peer in peers
        ]
        rows.append([operation, *cells, *ratios])
    return table(["", *tools, *(f"{own} against {peer}" for peer in peers)], rows)


def _cell(figure: Figure | None, memory: bool) -> str:
    if figure is None:
        return "–"
    return f"{seconds(figure.seconds)}{f' ({figure.peak_mb:.0f} MB)' if memory else ''}{'*' * bool(figure.disturbed)}"


def finish(results: dict[str, dict[str, Figure]]) -> None:
    """Say how often the measurements were repeated and disturbed."""
    figures = [figure for row in results.values() for figure in row.values()]
    print(f"\nMedians of {min(f.runs for f in figures)} to {max(f.runs for f in figures)} runs.", end="")
    if disturbed := sum(figure.disturbed for figure in figures):
        print(f" *: other work kept over {DISTURBED} of a core busy in {disturbed} of them", end="")
    print()


def parser(description: str | None, runs: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    own = os.path.join(os.path.dirname(sys.executable), "axil")
    parser.add_argument("--axil", default=own, metavar="PATH", help="the program (default: the one beside this Python)")
    parser.add_argument("--work", metavar="DIR", help="where throw-away folders go; see docs/benchmarks.md")
    parser.add_argument("--runs", type=int, default=runs, metavar="N", help="repetitions (default: %(default)s)")
    return parser


def peer(parser: argparse.ArgumentParser, name: str, what: str = "the program") -> None:
    """An option naming a peer's program; without it the peer is left out."""
    parser.add_argument(f"--{name}", metavar="PATH", type=os.path.abspath, help=f"{what}; left out if not given")

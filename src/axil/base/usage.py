"""What processes and the machine use, read from /proc; on systems without it nothing is known."""

from __future__ import annotations

import contextlib
import os

from axil.base.light import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Process(NamedTuple):
    """A line of the process table; `cpu` in seconds, of the process and of its children that are over."""

    parent: int
    session: int
    cpu: float
    resident: int


class Used(NamedTuple):
    """What a group of processes uses: CPU seconds so far, bytes of memory now, bytes read and written so far."""

    cpu: float
    memory: int
    read: int
    written: int


class Machine(NamedTuple):
    """CPU time of all cores since boot, and how much of it was work (seconds); memory in use (bytes)."""

    cpu: float
    busy: float
    memory: int


def processes() -> dict[int, Process]:
    """All processes by pid."""
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                    # The name in brackets may hold anything, brackets too.
                    fields = file.read().rpartition(b")")[2].split()
                    cpu = sum(map(int, fields[11:15])) / _TICKS
                    found[int(name)] = Process(int(fields[1]), int(fields[3]), cpu, int(fields[21]) * _PAGE)
    return found


def sessions(table: dict[int, Process], parent: int) -> dict[int, list[int]]:
    """Session -> its processes, of the sessions that children of `parent` lead, with all they started."""
    leaders = {pid for pid, one in table.items() if one.parent == parent and one.session == pid}
    found: dict[int, list[int]] = {leader: [] for leader in leaders}
    for pid in table if leaders else ():
        here, steps = pid, 0
        # A daemon is in a session of its own, but below one of them as long as its parent lives.
        while here in table and here not in leaders and table[here].session not in leaders and steps < len(table):
            here, steps = table[here].parent, steps + 1
        if here in table:
            leader = here if here in leaders else table[here].session
            found[leader].append(pid)
    return found


def used(table: dict[int, Process], pids: list[int]) -> Used:
    """What `pids` use together."""
    read = written = memory = 0
    for pid in pids:
        memory += _memory(pid, table[pid].resident)
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/io", "rb") as file:
            counts = dict(line.split(b": ") for line in file.read().splitlines())
            read += int(counts.get(b"read_bytes", 0))
            written += int(counts.get(b"write_bytes", 0))
    return Used(sum(table[pid].cpu for pid in pids), memory, read, written)


def _memory(pid: int, resident: int) -> int:
    """Bytes of memory: what processes share (forked workers do) counts for each in part."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) << 10
    return resident


def machine() -> Machine | None:
    """The machine now; None where nobody knows."""
    try:
        with open("/proc/stat", "rb") as file:
            times = [int(field) / _TICKS for field in file.readline().split()[1:9]]
        with open("/proc/meminfo", "rb") as file:
            sizes = {key: int(rest.split()[0]) << 10 for key, _, rest in (line.partition(b":") for line in file)}
        idle = times[3] + times[4]
        return Machine(sum(times), sum(times) - idle, sizes[b"MemTotal"] - sizes[b"MemAvailable"])
    except (OSError, ValueError, IndexError, KeyError):
        return None

"""Processes of a command: a session of their own, told apart from strangers by start time and environment.

What is read from /proc is missing on systems without it; then nothing is known and nothing is ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from axil.base.light import NamedTuple


class Identity(NamedTuple):
    """A process for good: pids are used again, start times (clock ticks since boot) tell which one is meant."""

    pid: int
    ticks: int


def start(
    command: Sequence[str], cwd: str, env: Mapping[str, str], output: int, protect: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start `command` as the leader of a new session: no input, stdout and stderr both to the descriptor `output`.

    It cannot change what lies in the folders `protect`, where the kernel can enforce that.
    """
    if protect:
        return _start_protected(command, cwd, env, output, protect)
    return _start(command, cwd, env, output)


def _start(
    command: Sequence[str], cwd: str, env: Mapping[str, str], output: int, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=keep,
        start_new_session=True,
    )


def _start_protected(
    command: Sequence[str], cwd: str, env: Mapping[str, str], output: int, protect: Sequence[str]
) -> subprocess.Popen[bytes]:
    """`start` from a thread that restricts itself first: the command inherits that, this process stays as it is."""
    from concurrent.futures import ThreadPoolExecutor

    from axil.base import landlock

    def restricted() -> subprocess.Popen[bytes]:
        landlock.protect(protect)
        return _start(command, cwd, env, output)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(restricted).result()


def start_detached(command: Sequence[str], cwd: str, env: Mapping[str, str], output: int, keep: Sequence[int]) -> int:
    """Start `command` to outlive this process and its terminal; its pid. It inherits the descriptors `keep`."""
    process = _start(command, cwd, env, output, keep)
    process.returncode = 0  # Nobody here waits for it; without this, Python would complain that it still runs.
    return process.pid


Piped = subprocess.Popen[bytes]


def start_piped(command: Sequence[str], env: Mapping[str, str], *, own_session: bool) -> Piped:
    """Start `command` with all three streams in pipes; in a session of its own it cannot ask at the terminal."""
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=own_session)


def end_piped(process: Piped, patience: float) -> int:
    """Close the input of `process` and wait for its end, killing it after `patience` seconds; returns its exit code."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def boot() -> str:
    """What tells this start of the system from others; "" where that is not known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def identity(pid: int) -> Identity | None:
    """The identity of the process `pid`, None if there is none (or no /proc)."""
    fields = _stat(pid)
    return Identity(pid, int(fields[19])) if fields else None


def environment(pid: int) -> dict[str, str]:
    """The environment `pid` was started with; empty if it may not be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            data = file.read()
    except OSError:
        return {}
    pairs = (os.fsdecode(item).partition("=") for item in data.split(b"\0") if item)
    return {name: value for name, _, value in pairs}


def session(leader: int) -> list[int]:
    """The live processes of the session that `leader` began, also after the leader's own end."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdecimal():
                fields = _stat(int(name))
                if fields and fields[3] == str(leader) and fields[0] not in ("Z", "X"):
                    found.append(int(name))
    return found


def signal_group(leader: int, number: int) -> bool:
    """Send `number` to the process group of `leader`; says whether there was anybody."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def alive(leader: int) -> bool:
    """Whether anything of the process group of `leader` still runs (zombies do not count, where /proc tells)."""
    return signal_group(leader, 0) and (bool(session(leader)) or not os.path.isdir("/proc/self"))


def signal_each(pids: Sequence[int], number: int) -> None:
    """Send `number` to each of `pids` that still exists."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_session(leader: Identity, marks: Mapping[str, str], grace: float) -> list[int]:
    """Terminate what is left of the session of `leader`: TERM, after `grace` seconds KILL. Returns the pids signalled.

    Only processes whose environment has all of `marks` count, and the leader only if it is the very same process:
    a stranger that got the pid later is never touched.
    """
    signalled: list[int] = []
    deadline = time.monotonic() + grace
    number = signal.SIGTERM
    told: set[int] = set()
    while members := _marked(leader, marks):
        fresh = [pid for pid in members if pid not in told]
        signal_each(fresh, number)
        told.update(fresh)
        signalled += [pid for pid in fresh if pid not in signalled]
        if time.monotonic() >= deadline:
            if number == signal.SIGKILL:
                break
            number, deadline = signal.SIGKILL, time.monotonic() + grace + 1
            told.clear()
        else:
            time.sleep(0.01)
    return signalled


def _marked(leader: Identity, marks: Mapping[str, str]) -> list[int]:
    found = []
    for pid in session(leader.pid):
        if pid == leader.pid and identity(pid) != leader:
            continue
        there = environment(pid)
        if all(there.get(name) == value for name, value in marks.items()):
            found.append(pid)
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the third (state) on; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            data = file.read()
    except OSError:
        return []
    # The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
    return data[data.rfind(b")") + 2 :].decode("ascii", "replace").split()

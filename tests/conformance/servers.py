"""Servers as children of the tests."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving(command: list[str], pattern: str) -> Iterator[str]:
    """Runs a server, whose standard error says its address in the words of `pattern`."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        said = b""
        while not (match := re.search(pattern, said.decode())):
            line = process.stderr.readline()
            assert line, f"{command[0]} ended: {said.decode()}"
            said += line
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield match[1]
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

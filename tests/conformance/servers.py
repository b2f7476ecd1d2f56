"""Servers as children of the tests."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@contextmanager
def serving(command: list[str], pattern: str) -> Iterator[str]:
    """Runs a server, which says its address in the words of `pattern`."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        said = b""
        while not (match := re.search(pattern, said.decode())):
            line = process.stdout.readline()
            assert line, f"{command[0]} ended: {said.decode()}"
            said += line
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield match[1]
    finally:
        process.kill()
        process.wait()


@contextmanager
def python_web(folder: Path) -> Iterator[str]:
    """Python's web server over `folder`, in a thread."""

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def nginx_web(program: str, folder: Path) -> Iterator[str]:
    """nginx over `folder`/shown, which is made."""
    (folder / "shown").mkdir()
    folder.chmod(0o755)
    port = free_port()
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr notice; {user} events {{}}\n"
        f"http {{ access_log off; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port}; root {folder}/shown; autoindex on; }} }}\n"
    )
    with serving([program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "conf")], r"(start worker|using the)"):
        yield f"http://127.0.0.1:{port}"


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

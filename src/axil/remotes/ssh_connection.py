"""One ssh process and the requests in flight on it (docs/formats/ssh-protocol.md)."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
from collections.abc import Iterator, Mapping

from axil.base.light import TYPE_CHECKING, Any, NamedTuple
from axil.base.processes import Piped, end_piped, start_piped
from axil.errors import AxilError
from axil.remotes.base import Denied, Unreachable
from axil.remotes.ssh_server import GREETING, MAX_BODY, MAX_HEADER, SIZES

if TYPE_CHECKING:
    from typing import IO

_BOOTSTRAP = "import sys;exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
_NOISE = 1 << 16
"""So many bytes may a login script print before the server greets."""
_PATIENCE = 5.0


class Target(NamedTuple):
    """Where to connect to."""

    url: str
    host: str
    """With `user@`, if that is given."""
    port: int
    """0: whatever ssh's own configuration says."""
    root: str
    interactive: bool
    environ: Mapping[str, str]


class Answer(NamedTuple):
    """One frame from the other side."""

    header: dict[str, Any]
    body: bytes


class Connection:
    """A running server over there. Raises `Denied` or `Unreachable` if it cannot be started."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._pending: dict[int, queue.SimpleQueue[Answer | AxilError]] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._last = 0
        self._said = b""
        self.broken: AxilError | None = None
        try:
            self._process = start_piped(command(target), target.environ, own_session=not target.interactive)
        except FileNotFoundError:
            why = "there is no program `ssh` on the search path"
            raise Denied(f"cannot reach {target.url}", why, "install OpenSSH's client") from None
        self._ear = threading.Thread(target=self._hear, daemon=True)
        self._ear.start()
        try:
            self._greet()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._receive, daemon=True).start()
        try:
            self.ask({"do": "open", "root": target.root})
        except BaseException:
            self.close()
            raise

    def ask(self, header: dict[str, Any], body: bytes | bytearray | memoryview = b"") -> Answer:
        """The one answer to a request. Raises `OSError` as it was raised over there, or `Unreachable`."""
        return next(self.converse(header, body))

    def converse(self, header: dict[str, Any], body: bytes | bytearray | memoryview = b"") -> Iterator[Answer]:
        """All answers to a request."""
        if len(body) > MAX_BODY:
            raise Denied(f"cannot send to {self._target.url}", f"an object has at most {MAX_BODY >> 20} MiB over ssh")
        box: queue.SimpleQueue[Answer | AxilError] = queue.SimpleQueue()
        with self._lock:
            if self.broken is not None:
                raise self.broken
            self._last += 1
            number = self._last
            self._pending[number] = box
        try:
            self._send({**header, "id": number}, body)
            while True:
                answer = box.get()
                if isinstance(answer, AxilError):
                    raise answer
                if "errno" in answer.header:
                    file = answer.header.get("file") or None
                    raise OSError(answer.header["errno"], answer.header["error"], file)
                yield answer
                if not answer.header.get("more"):
                    return
        finally:
            with self._lock:
                self._pending.pop(number, None)

    def close(self) -> None:
        """End the process: it ends by itself when its input does."""
        end_piped(self._process, _PATIENCE)

    def _greet(self) -> None:
        source = server_source()
        with contextlib.suppress(BrokenPipeError):
            _input(self._process).write(b"%d\n" % len(source) + source)
            _input(self._process).flush()
        noise = 0
        output = _output(self._process)
        while (line := output.readline(_NOISE)) != GREETING:
            noise += len(line)
            if not line or noise > _NOISE:
                raise self._failure(0 if line else _PATIENCE)

    def _send(self, header: dict[str, Any], body: bytes | bytearray | memoryview) -> None:
        text = json.dumps(header).encode()
        try:
            with self._writing:
                stream = _input(self._process)
                stream.write(SIZES.pack(len(text), len(body)) + text)
                stream.write(body)
                stream.flush()
        except (OSError, ValueError):  # ValueError: closed meanwhile
            raise self._break(self._lost()) from None

    def _receive(self) -> None:
        """Gives each answer to the request it belongs to, until there are no more."""
        output = _output(self._process)
        with contextlib.suppress(OSError, ValueError, KeyError):
            while len(sizes := output.read(SIZES.size)) == SIZES.size:
                head, size = SIZES.unpack(sizes)
                if head > MAX_HEADER or size > MAX_BODY:
                    break
                header = json.loads(output.read(head))
                body = output.read(size)
                if len(body) < size:
                    break
                with self._lock:
                    box = self._pending.get(header["id"])
                if box is not None:
                    box.put(Answer(header, body))
        self._break(self._lost())

    def _hear(self) -> None:
        """Keeps the end of what ssh says on standard error."""
        stream = self._process.stderr
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            while part := stream.readline(_NOISE):
                self._said = (self._said + part)[-_NOISE:]

    def _break(self, error: AxilError) -> AxilError:
        with self._lock:
            self.broken = self.broken or error
            for box in self._pending.values():
                box.put(self.broken)
            return self.broken

    def _lost(self) -> AxilError:
        return Unreachable(f"lost the connection to {self._target.url}", self._words(), "check the network")

    def _words(self) -> str:
        self._ear.join(1.0)
        lines = [line.strip() for line in self._said.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""

    def _failure(self, patience: float) -> AxilError:
        """Why the server did not greet."""
        code = end_piped(self._process, patience)
        words = self._words()
        return failure(self._target, code, words, self._said.decode("utf-8", "replace"))


def failure(target: Target, code: int, words: str, said: str) -> AxilError:
    """The error for an ssh that ended with `code` before the server ran; `said` is all of its standard error."""
    what = f"cannot use {target.url}"
    shown = f"ssh -p {target.port} {target.host}" if target.port else f"ssh {target.host}"
    if code == 127 or ("not found" in words and "python3" in words):
        return Denied(what, f"there is no python3 on {target.host}: {words}", "install Python 3.6 or later there")
    if "SyntaxError" in said or ("Error" in words and "Traceback" in said):
        return Denied(what, f"python3 on {target.host} cannot run the server: {words}", "it must be 3.6 or later")
    if code != 255:
        why = f"it did not start the server (exit code {code}): {words}"
        return Denied(what, why, f"axil needs to run python3 there; try: {shown} python3 --version")
    if "Host key verification failed" in said or "REMOTE HOST IDENTIFICATION HAS CHANGED" in said:
        why = "its host key is not known" if "HAS CHANGED" not in said else "its host key has changed"
        return Denied(what, why, f"connect once by hand and look at the key: {shown}")
    if "Permission denied" in said or "Too many authentication failures" in said:
        return Denied(
            what, words, f"{shown} must work without a password: add a key (ssh-copy-id), or load it (ssh-add)"
        )
    return Unreachable(f"cannot reach {target.url}", words, f"try: {shown}")


def command(target: Target) -> tuple[str, ...]:
    """The ssh call; the user's own configuration decides everything that is not said here."""
    options = ["-T", "-x", "-a", "-e", "none", "-o", "ClearAllForwardings=yes"]
    options += ["-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
    if not target.interactive:
        options += ["-o", "BatchMode=yes"]
    if target.port:
        options += ["-p", str(target.port)]
    return ("ssh", *options, "--", target.host, f"python3 -I -c '{_BOOTSTRAP}'")


def server_source() -> bytes:
    """The program that is sent: `files.py`, then `ssh_server.py` without its import of the former."""
    texts = []
    for name in ("files.py", "ssh_server.py"):
        with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
            texts.append(file.read().replace("from axil.remotes.files import Files\n", ""))
    return ("\n".join(texts) + "\nmain()\n").encode()


def _input(process: Piped) -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin


def _output(process: Piped) -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout

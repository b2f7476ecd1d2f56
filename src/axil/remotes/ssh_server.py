"""The far side of an ssh remote: answers requests on its standard input (docs/formats/ssh-protocol.md).

Standard library only, for Python 3.6 and later: its text is sent to the other machine, behind that of `files.py`.
"""

import errno
import json
import os
import queue
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from axil.remotes.files import Files

GREETING = b"axil-remote 1\n"
SIZES = struct.Struct(">II")
MAX_HEADER = 1 << 16
MAX_BODY = 1 << 30
PAGE = 1000
THREADS = 8


class Server:
    """Reads requests from `source` and writes answers to the descriptor `sink`, several at a time, in any order."""

    def __init__(self, source: BinaryIO, sink: int) -> None:
        self._files = Files("/")
        self._source = source
        self._sink = os.fdopen(sink, "wb", buffering=0)
        self._lock = threading.Lock()
        self._waiting: queue.Queue[tuple[Mapping[str, Any], bytes]] = queue.Queue(THREADS)

    def serve(self) -> None:
        """Until the input ends, or makes no sense."""
        for _ in range(THREADS):
            threading.Thread(target=self._work, daemon=True).start()
        while True:
            request = self._read()
            if request is None:
                break
            if request[0]["do"] == "open":
                self._files = Files(request[0]["root"])
                self._write({"id": request[0]["id"]}, b"")
            else:
                self._waiting.put(request)
        self._waiting.join()

    def _work(self) -> None:
        while True:
            header, body = self._waiting.get()
            try:
                for answer, data in self._answers(header, body):
                    answer["id"] = header["id"]
                    self._write(answer, data)
            except OSError as error:
                name = error.filename if isinstance(error.filename, str) else ""
                self._refuse(header, error.errno or errno.EIO, error.strerror or str(error), name)
            except Exception as error:
                self._refuse(header, errno.EINVAL, repr(error), "")
            finally:
                self._waiting.task_done()

    def _refuse(self, header: "Mapping[str, Any]", number: int, words: str, file: str) -> None:
        self._write({"id": header["id"], "errno": number, "error": words, "file": file}, b"")

    def _answers(self, header: "Mapping[str, Any]", body: bytes) -> "Iterator[tuple[dict[str, Any], bytes]]":
        verb, key = header["do"], header.get("key", "")
        if verb == "put":
            self._files.put(key, body)
            yield {}, b""
        elif verb == "create":
            yield {"made": self._files.create(key, body)}, b""
        elif verb == "get":
            data = self._files.get(key, header["start"], min(header["length"], MAX_BODY))
            if len(data) > MAX_BODY:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            yield {}, data
        elif verb == "stat":
            found = self._files.stat(key)
            yield {"found": found}, b""
        elif verb == "list":
            for lines in self._pages(key):
                yield {"more": True}, lines
            yield {"more": False}, b""
        elif verb == "delete":
            self._files.delete(key)
            yield {}, b""
        elif verb == "check":
            self._files.check()
            yield {}, b""
        else:
            raise OSError(errno.ENOSYS, "unknown request")

    def _pages(self, prefix: str) -> "Iterator[bytes]":
        lines = []
        for key, size, written in self._files.list(prefix):
            if "\n" not in key:
                lines.append(f"{size} {written!r} {key}\n")
            if len(lines) == PAGE:
                yield "".join(lines).encode("utf-8", "replace")
                lines = []
        yield "".join(lines).encode("utf-8", "replace")

    def _read(self) -> "tuple[Mapping[str, Any], bytes] | None":
        sizes = self._source.read(SIZES.size)
        if len(sizes) < SIZES.size:
            return None
        header, body = SIZES.unpack(sizes)
        if header > MAX_HEADER or body > MAX_BODY:
            raise ValueError("the frame is too large")
        text, data = self._source.read(header), self._source.read(body)
        if len(text) < header or len(data) < body:
            return None  # the client died while it wrote
        return json.loads(text.decode()), data

    def _write(self, header: "dict[str, Any]", body: bytes) -> None:
        text = json.dumps(header).encode()
        with self._lock:
            for part in (SIZES.pack(len(text), len(body)) + text, body):
                view = memoryview(part)
                while view:
                    view = view[self._sink.write(view) or 0 :]


def main() -> None:
    """Say hello, then serve. What anything else prints goes to standard error, away from the answers."""
    sink = os.dup(1)
    os.dup2(2, 1)
    os.write(sink, GREETING)
    try:
        Server(sys.stdin.buffer, sink).serve()
    except BrokenPipeError:
        os._exit(1)
    except (ValueError, KeyError) as error:
        os.write(2, f"bad request: {error}\n".encode())
        os._exit(1)

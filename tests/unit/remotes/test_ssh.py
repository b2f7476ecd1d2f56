"""The ssh remote without a network: what urls mean, how failures are told, what the server over there understands.

`ssh` is a script here that runs the command on this machine; a real sshd is in the conformance suite.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from axil.errors import BadInput
from axil.remotes import ssh_connection, ssh_server
from axil.remotes.base import Denied, Unreachable
from axil.remotes.opening import World, open_bare, open_remote
from axil.remotes.ssh import Ssh, target_of


def world(tmp_path: Path, script: str = "") -> World:
    """Surroundings whose only `ssh` is `script`, or one that runs what it is to run over there."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "ssh").write_text(f"#!/bin/sh\n{script or RUN}")
    (programs / "ssh").chmod(0o755)
    if not (programs / "python3").exists():
        (programs / "python3").symlink_to(sys.executable)
    return World("/", "/", {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path)})


RUN = 'for last; do :; done\necho $$ > "$HOME/pid"\ncd "$HOME"\neval "exec $last"\n'


def opened(tmp_path: Path, script: str = "", path: str = "/~/remote") -> Ssh:
    remote = open_bare("origin", {"url": f"ssh://far{path}"}, world(tmp_path, script))
    assert isinstance(remote, Ssh)
    return remote


@pytest.mark.parametrize(
    ("url", "host", "port", "root", "shown"),
    [
        ("ssh://far/a/b", "far", 0, "/a/b", "ssh://far/a/b"),
        ("ssh://ada@far:2222/a%20b/", "ada@far", 2222, "/a b/", "ssh://ada@far:2222/a%20b"),
        ("ssh://far/~/data", "far", 0, "data", "ssh://far/~/data"),
        ("SSH://far/a", "far", 0, "/a", "ssh://far/a"),
    ],
)
def test_urls(tmp_path, url, host, port, root, shown):
    target = target_of("origin", url, world(tmp_path))
    assert (target.host, target.port, target.root, target.url) == (host, port, root, shown)


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=x/a",
        "ssh://-v@far/a",
        "ssh:///a",
        "ssh://far",
        "ssh://far/",
        "ssh://far/~ada/x",
        "ssh://far:no/a",
        "ssh://ada:hush@far/a",
        "ssh://far%00/a",
    ],
)
def test_urls_that_are_refused(tmp_path, url):
    with pytest.raises(BadInput) as caught:
        target_of("origin", url, world(tmp_path))
    assert "hush" not in str(caught.value)


def test_what_ssh_is_asked(tmp_path):
    target = target_of("origin", "ssh://ada@far:2222/a", world(tmp_path))
    command = ssh_connection.command(target)
    assert command[-3:-1] == ("--", "ada@far")
    assert {"BatchMode=yes", "ClearAllForwardings=yes"} <= set(command)
    assert command[command.index("-p") + 1] == "2222"
    assert "BatchMode=yes" not in ssh_connection.command(target._replace(interactive=True))


def test_the_home_folder_over_there(tmp_path):
    remote = opened(tmp_path)
    remote.put("a/b", b"1")
    remote.close()
    assert (tmp_path / "remote/a/b").read_bytes() == b"1"


def test_login_scripts_may_print(tmp_path):
    remote = opened(tmp_path, "echo Welcome to far!\necho\n" + RUN)
    remote.put("a", b"1")
    assert remote.get("a") == b"1"
    remote.close()


def test_errors_over_there_are_those_of_a_folder(tmp_path):
    remote = opened(tmp_path, path="/no/such/place")
    with pytest.raises(Denied, match="no such folder") as caught:
        remote.usable()
    assert "ssh://far/no/such/place" in str(caught.value)
    remote.close()
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote/link").symlink_to("/etc")
    remote = opened(tmp_path)
    with pytest.raises(Denied, match="link"):
        remote.get("link/passwd")
    with pytest.raises(Denied, match="link"):
        list(remote.list("link/"))
    remote.close()


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("echo 'ada@far: Permission denied (publickey).' >&2; exit 255", Denied, "ssh-add"),
        ("echo 'Host key verification failed.' >&2; exit 255", Denied, "host key is not known"),
        (
            "echo 'WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!' >&2; echo 'Host key verification failed.' >&2"
            "; exit 255",
            Denied,
            "has changed",
        ),
        ("echo 'ssh: Could not resolve hostname far: no' >&2; exit 255", Unreachable, "Could not resolve"),
        ("echo 'ssh: connect to host far port 22: Connection refused' >&2; exit 255", Unreachable, "refused"),
        ("echo 'bash: line 1: python3: command not found' >&2; exit 127", Denied, "no python3 on far"),
        ("echo 'This service allows sftp connections only.'; exit 1", Denied, "exit code 1"),
        ("exec python3 -c 'raise SyntaxError(\"invalid syntax\")'", Denied, "3.6 or later"),
        ("exec yes", Denied, "did not start"),
        ("exit 0", Denied, "exit code 0"),
    ],
)
def test_failures_of_ssh_are_told_apart(tmp_path, script, kind, words):
    remote = opened(tmp_path, script)
    with pytest.raises(kind) as caught:
        remote.get("a")
    assert "ssh://far" in str(caught.value)
    assert words in str(caught.value)
    remote.close()


def test_without_ssh(tmp_path):
    surroundings = world(tmp_path)._replace(environ={"PATH": str(tmp_path)})
    with pytest.raises(Denied, match="no program `ssh`"):
        open_bare("origin", {"url": "ssh://far/x"}, surroundings).usable()


def test_a_lost_connection_is_made_anew(tmp_path):
    waits: list[float] = []
    remote = open_remote("origin", {"url": "ssh://far/~/remote"}, world(tmp_path)._replace(sleep=waits.append))
    remote.put("a", b"1")
    first = int((tmp_path / "pid").read_text())
    os.kill(first, signal.SIGKILL)
    assert remote.get("a") == b"1"
    assert int((tmp_path / "pid").read_text()) != first
    remote.close()


def test_a_lost_connection_is_unreachable(tmp_path):
    remote = opened(tmp_path)
    remote.put("a", b"1")
    script = RUN.replace('"$last"', '"true"')
    world(tmp_path, script)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    with pytest.raises((Unreachable, Denied)):
        remote.get("a")
    remote.close()


def test_nothing_runs_on_after_closing(tmp_path):
    remote = opened(tmp_path)
    remote.put("a", b"1")
    connection = remote._connection
    assert connection is not None
    remote.close()
    assert connection._process.returncode == 0


def test_the_server_is_for_old_pythons_and_needs_nothing_else():
    source = ssh_connection.server_source()
    tree = ast.parse(source, feature_version=(3, 6))
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    assert "axil.remotes.files" not in modules
    assert "__future__" not in modules  # `annotations` came with 3.7
    assert {name.split(".")[0] for name in modules} <= sys.stdlib_module_names


def frame(header: dict[str, object], body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack(">II", len(text), len(body)) + text + body


def talk(tmp_path: Path, *frames: bytes) -> tuple[list[tuple[dict[str, object], bytes]], int]:
    """The answers of a server to `frames`, and its exit code."""
    source = ssh_connection.server_source()
    command = [sys.executable, "-I", "-c", ssh_connection._BOOTSTRAP]
    sent = b"%d\n" % len(source) + source + frame({"id": 0, "do": "open", "root": str(tmp_path)}) + b"".join(frames)
    done = subprocess.run(command, input=sent, capture_output=True, check=False)
    assert done.stdout.startswith(ssh_server.GREETING)
    rest = done.stdout[len(ssh_server.GREETING) :]
    answers = []
    while rest:
        head, size = struct.unpack(">II", rest[:8])
        answers.append((json.loads(rest[8 : 8 + head]), rest[8 + head : 8 + head + size]))
        rest = rest[8 + head + size :]
    return answers, done.returncode


def test_the_frames_of_the_format_page(tmp_path):
    """The test vector in docs/formats/ssh-protocol.md."""
    put = bytes.fromhex("0000002300000005") + b'{"id": 1, "do": "put", "key": "a"}\n' + b"hello"
    answers, code = talk(tmp_path, put)
    assert code == 0
    assert answers == [({"id": 0}, b""), ({"id": 1}, b"")]
    answers, _ = talk(tmp_path, frame({"id": 7, "do": "get", "key": "a", "start": 1, "length": 3}))
    assert answers[1:] == [({"id": 7}, b"ell")]
    answers, _ = talk(tmp_path, frame({"id": 8, "do": "list", "key": ""}))
    assert [header for header, _ in answers[1:]] == [{"id": 8, "more": True}, {"id": 8, "more": False}]
    assert answers[1][1].split()[0::2] == [b"5", b"a"]


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        ({"id": 1, "do": "get", "key": "nothing", "start": 0, "length": -1}, 2),
        ({"id": 1, "do": "dance"}, 38),
        ({"id": 1, "do": "get"}, 22),
    ],
)
def test_what_the_server_refuses(tmp_path, sent, number):
    answers, code = talk(tmp_path, frame(sent))
    assert code == 0
    assert answers[1][0]["errno"] == number


def test_frames_without_sense_end_the_server(tmp_path):
    for bad in (struct.pack(">II", 1 << 20, 0), struct.pack(">II", 2, 0) + b"no", struct.pack(">II", 2, 0) + b"{}"):
        assert talk(tmp_path, bad)[1] == 1
    half = frame({"id": 1, "do": "put", "key": "a"}, b"hello")[:-1]
    answers, code = talk(tmp_path, half)
    assert (len(answers), code) == (1, 0)
    assert os.listdir(tmp_path) == []

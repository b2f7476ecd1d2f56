"""A real sshd on the loopback interface with throw-away keys, and an `ssh` on the search path that knows only it."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.conformance.servers import free_port, serving


class Sshd(NamedTuple):
    """The server. `environ` has what `ssh axil-test` needs to reach it; `folder` holds keys and configuration."""

    program: str
    folder: Path
    port: int
    environ: dict[str, str]

    @classmethod
    def prepare(cls, folder: Path, program: str) -> Sshd:
        """Keys, configuration and a free port; nothing runs yet."""
        folder.chmod(0o700)
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        if os.getuid() == 0:  # sshd insists on it
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        port = free_port()
        host_key = (folder / "host.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
        (folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\n"
            f"SetEnv PATH=/usr/local/bin:/usr/bin:/bin:{os.path.dirname(sys.executable)}\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
            "PermitRootLogin prohibit-password\nMaxStartups 100\nLogLevel VERBOSE\n"
        )
        (folder / "ssh_config").write_text(
            f"Host axil-test\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {folder}/user\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n"
            "  StrictHostKeyChecking yes\n"
        )
        (folder / "bin").mkdir()
        wrapper = folder / "bin" / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
        wrapper.chmod(0o755)
        return cls(program, folder, port, {"PATH": f"{folder}/bin:{os.environ['PATH']}"})

    @contextmanager
    def running(self) -> Iterator[None]:
        """The server runs in the foreground, as a child of the tests, until the end of the block."""
        with serving([self.program, "-D", "-e", "-f", str(self.folder / "sshd_config")], r"(Server listening)"):
            yield

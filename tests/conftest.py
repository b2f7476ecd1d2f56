"""Fixtures for every test: surroundings in which only the test decides what git sees, and a fresh repository."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from axil.git.process import Git

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every program they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # As after nohup.

# How long anything takes is measured in bench/; here a busy machine must not make a test fail.
settings.register_profile("axil", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("axil")


class Repo:
    """A git repository of a test; files are given as `path=content` mappings."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def git(self) -> Git:
        """axil's own git in the repository's root."""
        return Git(str(self.path))

    def run(self, *args: str, check: bool = True, cwd: Path | None = None) -> str:
        """Output of `git ARGS`, without the last line end."""
        done = subprocess.run(["git", *args], cwd=cwd or self.path, capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"git {' '.join(args)}: {os.fsdecode(done.stderr)}")
        return os.fsdecode(done.stdout).removesuffix("\n")

    def write(self, files: dict[str, str | bytes]) -> None:
        """Write `files`, making their folders."""
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: dict[str, str | bytes] | None = None, message: str = "change") -> str:
        """Write `files`, commit everything in the work tree, and return the commit."""
        self.write(files or {})
        self.run("add", "-A")
        self.run("commit", "-q", "--allow-empty", "-m", message)
        return self.run("rev-parse", "HEAD")

    def read(self, name: str) -> str:
        """Content of a file of the work tree."""
        return (self.path / name).read_text()


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder of its own, no configuration of the machine, nothing inherited that git or axil would heed.

    Returns the home folder; its `.gitconfig` is the user's configuration.
    """
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        # PYTHONUNBUFFERED would hide output that stays behind in a pipe.
        if name.startswith(("GIT_", "AXIL_", "XDG_")) or name in (
            "EMAIL",
            "LANGUAGE",
            "NO_COLOR",
            "FORCE_COLOR",
            "PYTHONUNBUFFERED",
        ):
            monkeypatch.delenv(name)
    config = home / ".gitconfig"
    config.write_text("[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[user]\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("LC_ALL", "C")
    return home


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[..., Repo]:
    """Makes repositories: `make_repo("name", *options of git init)`, with an identity and no commit."""

    def make(name: str, *options: str) -> Repo:
        path = tmp_path / name
        path.mkdir(parents=True)
        made = Repo(path)
        made.run("init", "-q", *options)
        made.run("config", "user.name", "Ada Test")
        made.run("config", "user.email", "ada@example.com")
        return made

    return make


@pytest.fixture
def repo(make_repo: Callable[..., Repo]) -> Repo:
    """A fresh repository without commits, on the unborn branch `main`."""
    return make_repo("project")

"""Landlock: what a protected command may and may not do; and what is left to file modes without it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from axil.base import landlock, processes

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")


def attempt(tmp_path, script, *protected):
    """The exit code and output of a shell command that may not change `protected`."""
    out = tmp_path / "out"
    fd = os.open(out, os.O_WRONLY | os.O_CREAT, 0o644)
    process = processes.start(["/bin/sh", "-c", script], str(tmp_path), dict(os.environ), fd, protected)
    os.close(fd)
    return process.wait(), out.read_text()


@pytest.fixture
def shared(tmp_path):
    folder = tmp_path / "shared"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("x")
    (tmp_path / "work").mkdir()
    return folder


@needs_landlock
@pytest.mark.parametrize(
    "script",
    [
        "echo y > shared/deep/file",
        "echo y >> shared/deep/file",
        "echo y > shared/new",
        "mkdir shared/new",
        "rm shared/deep/file",
        "mv shared/deep/file work/file",
        "ln -s x shared/link",
        ": > shared/deep/file",
    ],
)
def test_nothing_in_a_protected_folder_can_be_changed_not_even_by_root(tmp_path, shared, script):
    code, out = attempt(tmp_path, script, str(shared))
    assert code, out
    assert (shared / "deep" / "file").read_text() == "x"
    assert sorted(os.listdir(shared)) == ["deep"]


@needs_landlock
def test_everything_else_can(tmp_path, shared):
    script = (
        "cat shared/deep/file && echo a > work/a && mv work/a work/b && mkdir work/c && ln -s b work/d && rm work/b"
    )
    assert attempt(tmp_path, script, str(shared)) == (0, "x")
    (tmp_path / "link").symlink_to(shared)
    assert attempt(tmp_path, "cat link/deep/file", str(shared))[0] == 0
    assert attempt(tmp_path, "echo y > link/deep/file", str(shared))[0] != 0


@needs_landlock
def test_this_process_stays_as_it_is(tmp_path, shared):
    attempt(tmp_path, "true", str(shared))
    (shared / "mine").write_text("still")
    assert (shared / "mine").read_text() == "still"


def test_a_kernel_without_it_says_so(tmp_path, shared, monkeypatch):
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert landlock.protect([str(shared)]) is False
    assert attempt(tmp_path, "echo y > work/new", str(shared))[0] == 0


def test_what_is_protected_lies_beside_nothing_that_is_allowed(tmp_path, shared):
    beside = dict(landlock._beside({str(shared)}))
    assert str(tmp_path / "work") in beside
    assert not any(path == str(shared) or str(shared).startswith(path + "/") for path in beside)


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_modes_are_enough_for_whoever_is_not_root(tmp_path, monkeypatch):
    from axil.runs.checkouts import _protect

    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "file").write_text("x")
    os.chown(folder, 65534, 65534)
    os.chown(folder / "file", 65534, 65534)
    _protect([str(folder / "file")], [str(folder)])
    script = "import os,sys; os.setgid(65534); os.setuid(65534); os.chdir(sys.argv[1]); open(sys.argv[2], 'w')"
    fd = os.open(folder, os.O_RDONLY)
    try:
        for name in ("file", "new"):
            done = subprocess.run(
                [sys.executable, "-c", script.replace("os.chdir(sys.argv[1])", f"os.fchdir({fd})"), "", name],
                capture_output=True, text=True, pass_fds=[fd], check=False,
            )  # fmt: skip
            assert "PermissionError" in done.stderr, done.stderr
    finally:
        os.close(fd)

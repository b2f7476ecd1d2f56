"""The program itself, as a process: all output is written, and the exit code says how it went."""

from __future__ import annotations

import subprocess
import sys

import pytest

AXIL = f'"{sys.executable}" -m axil'


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


def test_output_and_errors_are_written_and_the_exit_code_kept():
    done = shell(f"{AXIL} help")
    assert (done.returncode, done.stdout.endswith("--version\n"), done.stderr) == (0, True, "")
    done = shell(f"{AXIL} no-such-command")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no-such-command" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["--version", "help"])
def test_a_full_disk_is_told_and_fails(words: str, unbuffered: str):
    done = shell(f"PYTHONUNBUFFERED={unbuffered} {AXIL} {words} > /dev/full")
    assert done.returncode == 1
    assert done.stderr.count("the output cannot be written") == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["--version", "help"])
def test_a_reader_that_left_is_no_fault(words: str):
    done = shell(f"(sleep 0.3; {AXIL} {words}; echo $? >&2) | true")
    assert done.stderr == "141\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["--version", "help"])
def test_streams_that_are_closed_are_no_fault(words: str, closed: str):
    done = shell(f"{AXIL} {words} {closed}")
    assert (done.returncode, done.stderr) == (0, "")

"""Programs whose output is collected: both streams whole, exit codes, nothing left behind."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from axil.base.spawn import MAX_INPUT, Child


def answer(script: str, **env: str) -> tuple[int, bytes, bytes]:
    return Child(("sh", "-c", script), {**os.environ, **env}).finish()


def test_both_streams_and_the_exit_code_come_back():
    assert answer("echo out; echo $WORD >&2; exit 3", WORD="err") == (3, b"out\n", b"err\n")


def test_there_is_no_input():
    assert answer("cat; echo done") == (0, b"done\n", b"")


def test_input_is_given_whole_and_ends():
    data = os.urandom(MAX_INPUT)
    assert Child(("cat",), dict(os.environ), data).finish() == (0, data, b"")
    assert Child(("true",), dict(os.environ), data).finish() == (0, b"", b"")


def test_much_on_both_streams_does_not_block():
    """More than a pipe holds, one stream after the other, in both orders."""
    code, out, err = answer("head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2")
    assert (code, len(out), len(err)) == (0, 300_000, 600_000)


def test_a_signal_is_a_negative_code():
    assert answer("kill -9 $$")[0] == -9


def test_a_program_meets_closed_pipes_as_anybody_does():
    """Python ignores SIGPIPE; its children must not."""
    assert answer("yes | head -n 1; kill -PIPE $$")[:2] == (-13, b"y\n")


def test_a_missing_program_and_a_nul_are_refused(tmp_path: Path):
    before = os.listdir("/dev/fd")
    with pytest.raises(FileNotFoundError):
        Child(("sh",), {"PATH": str(tmp_path)})
    with pytest.raises(ValueError, match="null"):
        Child(("sh", "-c", "a\0b"), dict(os.environ))
    assert len(os.listdir("/dev/fd")) == len(before)


def test_nothing_is_left_open_and_the_program_is_waited_for():
    before = os.listdir("/dev/fd")
    child = Child(("sh", "-c", "true"), dict(os.environ))
    child.finish()
    del child
    assert len(os.listdir("/dev/fd")) == len(before)
    forgotten = Child(("sleep", "0"), dict(os.environ))
    del forgotten
    assert len(os.listdir("/dev/fd")) == len(before)


def test_files_open_here_are_not_inherited():
    held = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 90)
    try:
        assert str(held).encode() not in answer("ls /dev/fd")[1].split()
    finally:
        os.close(held)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_standard_streams_that_are_closed_here_do_not_mix_those_of_the_program(closed: str, tmp_path: Path):
    report = tmp_path / "report"
    code = (
        "import os; from axil.base.spawn import Child;"
        "answer = Child(('sh', '-c', 'cat; echo out; echo err >&2'), dict(os.environ)).finish();"
        f"open({str(report)!r}, 'w').write(repr(answer))"
    )
    subprocess.run(["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, code], check=True)
    assert report.read_text() == r"(0, b'out\n', b'err\n')"

"""runs.command: one command from start to exit, its output complete."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from axil.base import processes
from axil.runs.command import Command, Exited, Inbox, Output


def run(tmp_path, cmd, during=lambda command: None):
    inbox = Inbox()
    env = {"PATH": os.environ["PATH"], "AXIL_RUN": "r", "AXIL_STAGE": "s"}
    command = Command("s", cmd, str(tmp_path), env, str(tmp_path / "log"), inbox)
    during(command)
    lines = []
    while not isinstance(item := inbox.get(timeout=60), Exited):
        assert isinstance(item, Output)
        lines += [line.text for line in item.lines if line.done]
    command.join()
    return item, lines


def test_output_of_both_streams_in_order_and_the_exit_code(tmp_path):
    exited, lines = run(tmp_path, "echo one; echo two >&2; printf three; exit 7")
    assert (exited, lines) == (Exited("s", 7), ["one", "two", "three"])
    assert (tmp_path / "log").read_text() == "one\ntwo\nthree\n"


def test_a_lot_of_output_is_complete(tmp_path):
    run(tmp_path, "seq 200000")
    assert (tmp_path / "log").read_text() == "".join(f"{number}\n" for number in range(1, 200_001))


def test_a_command_gets_a_session_of_its_own_and_no_input(tmp_path):
    _, (pid, answer) = run(tmp_path, "echo $$; read x || echo nothing to read")
    assert answer == "nothing to read"
    assert int(pid) != os.getsid(0)


def test_a_signal_is_the_exit_code(tmp_path):
    exited, _ = run(tmp_path, "kill -SEGV $$")
    assert exited.code == -signal.SIGSEGV


def test_who_holds_the_output_open_is_not_waited_for(tmp_path):
    exited, lines = run(tmp_path, "sleep 1000 & echo $!; exit 0")
    assert exited.code == 0
    assert lines[1] == "axil: ended 1 background process the command left behind"
    assert processes.environment(int(lines[0])) == {}


def test_who_left_the_session_is_left_alone(tmp_path):
    exited, lines = run(tmp_path, "setsid sleep 1000 >/dev/null 2>&1 & echo $!; exit 0")
    assert exited.code == 0
    os.kill(int(lines[0]), signal.SIGKILL)


def test_after_a_signal_the_whole_group_is_waited_for(tmp_path):
    script = "trap '' INT; (trap 'sleep 0.3; echo saved; exit' TERM; echo ready; while :; do sleep 0.01; done)"
    (tmp_path / "s.sh").write_text(script)

    def stop(command):
        while b"ready" not in (tmp_path / "log").read_bytes():
            pass
        command.signal(signal.SIGTERM)

    _, lines = run(tmp_path, "sh s.sh", stop)
    assert (lines[0], lines[-1]) == ("ready", "saved")


def test_a_full_disk_does_not_block_the_command(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        exited, _ = run(tmp_path, "seq 100000 2>&1; exit 5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert exited.code == 5
    assert exited.trouble.startswith("its log could not be written")
    assert Path(tmp_path / "log").read_text().startswith("1\n2\n")


def test_a_command_that_cannot_start_is_an_error(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="nowhere"):
        Command("s", "true", str(tmp_path / "nowhere"), {}, str(tmp_path / "log"), Inbox())
    assert len(os.listdir("/proc/self/fd")) == before


def test_end_session_needs_the_marks(tmp_path):
    process = processes.start(["sleep", "1000"], str(tmp_path), {**os.environ, "MARK": "mine"}, 1)
    leader = processes.identity(process.pid)
    assert leader is not None
    while not processes.environment(process.pid):
        pass  # A program that has just begun shows none for a moment.
    assert processes.environment(process.pid)["MARK"] == "mine"
    assert processes.end_session(leader, {"MARK": "other"}, 1.0) == []
    assert processes.end_session(leader._replace(ticks=leader.ticks + 1), {"MARK": "mine"}, 1.0) == []
    assert process.poll() is None
    assert processes.end_session(leader, {"MARK": "mine"}, 5.0) == [process.pid]
    assert process.wait(10) == -signal.SIGTERM


def test_end_session_kills_who_ignores_the_request(tmp_path):
    command = ["sh", "-c", "trap '' TERM; touch ready; while :; do sleep 0.01; done"]
    process = processes.start(command, str(tmp_path), {**os.environ, "MARK": "mine"}, 1)
    while not (tmp_path / "ready").exists():
        pass
    leader = processes.identity(process.pid)
    assert leader is not None
    assert process.pid in processes.end_session(leader, {"MARK": "mine"}, 0.1)
    assert process.wait(10) == -signal.SIGKILL

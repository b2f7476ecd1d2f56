"""Bad days of detached runs: terminals that close, reboots, runs without a way to their first command, leftovers."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import shutil
import signal
import sys

import pytest
from tests.cli.detached import gated, until

from axil.actions.detach import detach
from axil.actions.live import look_after
from axil.actions.submit import Options, submit
from axil.base.clock import system_clock
from axil.base.processes import environment
from axil.errors import AxilError
from axil.project import open_project
from axil.runs import rundir

COUNTED = """\
import os
from pathlib import Path
active, me = Path(os.environ["GATES"], "active"), os.environ["AXIL_RUN"]
(active / me).touch()
try:
    exec({0!r})
finally:
    Path(os.environ["GATES"], me + ".peak").write_text(str(len(list(active.iterdir()))))
    (active / me).unlink()
"""
"""A train stage that says how many of them there were just before its own end."""


@pytest.fixture
def lab(tmp_path):
    with gated(tmp_path) as made:
        yield made


def test_closing_the_terminal_leaves_the_run_going(lab):
    words = [sys.executable, "-m", "axil", "-C", str(lab.path), "run", "-d"]
    shell, terminal = pty.fork()
    if shell == 0:  # A login shell: the leader of the session whose terminal goes.
        os.execve("/bin/sh", ["sh", "-c", '"$@"; echo started; sleep 1000', "sh", *words], {**os.environ, **lab.env})
    until(lambda: b"started" in os.read(terminal, 4096), "the run was started")
    run = next(iter(lab.live()))
    lab.began(run)
    os.close(terminal)  # The kernel sends HUP to the session.
    os.kill(shell, signal.SIGHUP)
    assert os.waitpid(shell, 0)[0] == shell
    assert lab.live() == {run: "running"}
    assert os.getsid(lab.supervisor(run)) != shell
    lab.let(run)
    assert lab.record(run)["state"] == "succeeded"
    lab.clean()


def kill(pid):
    """Kills a process and waits until it is gone or a zombie."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not environment(pid), "it is gone")


def reboot(lab):
    """Kills everything of all live runs, and lets the specs be of another start of the system."""
    for run in list(lab.live()):
        events = lab.events(run)
        for event in events:
            if event["event"] in ("supervised", "process"):
                kill(event["pid"])
        path = lab.runs / run / "spec.json"
        spec = json.loads(path.read_text())
        path.write_text(json.dumps({**spec, "boot": "another-boot"}))
    shutil.rmtree(lab.path / ".axil/data/0ldb00t0", ignore_errors=True)
    for folder in (lab.path / ".axil/data").iterdir():
        folder.rename(folder.with_name("0ldb00t0"))


def test_a_reboot_loses_what_ran_and_what_waits_begins_afterwards(lab):
    first, second, third = (lab.detach("--set", f"lr=0.{number}") for number in (1, 2, 3))
    lab.began(first)
    lab.began(second)
    reboot(lab)
    assert lab.record(first)["state"] == "lost"
    assert lab.record(second)["stages"][1]["metrics"]["loss"] == pytest.approx(1 / 3)
    # Those commands have given it a supervisor.
    lab.began(third)
    fourth = lab.detach("--set", "lr=0.4")
    lab.began(fourth)
    # Both slots are taken: these wait.
    fifth, sixth = lab.detach("--set", "lr=0.5"), lab.detach("--set", "lr=0.6")
    reboot(lab)
    assert [lab.record(run)["state"] for run in (third, fourth)] == ["lost", "lost"]
    lab.axil("stop", sixth)
    assert lab.record(sixth)["state"] == "stopped"
    lab.let()
    assert lab.record(fifth)["state"] == "succeeded"
    assert "copy of data" in lab.axil("gc", "-n").out.replace("copies", "copy")
    lab.axil("gc")
    assert not (lab.path / ".axil/data/0ldb00t0").exists()
    lab.clean()


def test_a_run_for_which_no_process_can_be_started_waits(lab, monkeypatch):
    def refused(*_: object) -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    for name, value in lab.env.items():
        monkeypatch.setenv(name, value)
    project = open_project(str(lab.path), os.environ, clock=system_clock)
    folder, asked = submit(project, options=Options(detached=True))
    with monkeypatch.context() as patch:
        patch.setattr("axil.actions.detach.start_detached", refused)
        with pytest.raises(AxilError) as said:
            detach(project, folder)
        assert asked.run in str(said.value) and "axil ps tries again" in said.value.hint
        look_after(project)  # still refused, and not an error of a command that lists runs
    assert rundir.exists(str(lab.runs), asked.run) and not rundir.is_live(str(lab.runs), asked.run)
    assert lab.live() == {asked.run: "queued"}
    lab.let()
    assert lab.record(asked.run)["state"] == "succeeded"


def test_without_a_way_to_its_first_command_it_has_failed_and_says_why(lab):
    lab.commit({"axil.toml": lab.read("axil.toml") + "resources = { gpus = 64 }\n"}, "greedy")
    run = lab.detach()
    record = lab.record(run)
    assert record["state"] == "failed"
    assert "wants 64 accelerators" in record["error"]
    assert "wants 64 accelerators" in lab.axil("show", run).out
    lab.axil("wait", run, code=1)
    lab.let()
    assert lab.record(lab.detach("--gpus", "0"))["state"] == "succeeded"
    lab.clean()


def test_a_work_tree_that_cannot_be_made_is_a_failure_too(lab):
    (lab.path / ".axil").mkdir()
    (lab.path / ".axil/.gitignore").write_text("*\n")
    (lab.path / ".axil/runs").write_text("a file where a folder should be")
    record = lab.record(lab.detach())
    assert record["state"] == "failed"
    assert ".axil/runs" in record["error"]
    assert lab.live() == {}


def test_a_supervisor_that_crashes_leaves_its_last_words(lab):
    run = lab.detach()
    lab.began(run)
    with open(lab.runs / run / "supervisor.log", "a") as file:
        file.write("Traceback: it broke\n")
    os.kill(lab.supervisor(run), signal.SIGKILL)
    record = lab.record(run)
    assert (record["state"], record["error"]) == ("lost", "Traceback: it broke")


def test_what_a_lost_run_had_made_so_far_is_kept(lab):
    lab.commit({"train.py": "from pathlib import Path\nPath('model.txt').write_text('half')\n" + lab.read("train.py")})
    run = lab.detach()
    lab.began(run)
    os.kill(lab.supervisor(run), signal.SIGKILL)
    record = lab.record(run)
    assert record["state"] == "lost"
    assert record["stages"][1]["outs"]["model.txt"]["size"] == 4
    items = lab.axil("get", f"{run}:", "--json").json["items"]
    assert [one["path"] for one in items if one["kind"] == "partial"] == ["model.txt"]
    assert lab.axil("get", f"{run}:model.txt", "-o", "left.txt", "--json").json["kind"] == "partial"
    assert lab.read("left.txt") == "half"
    (lab.path / "left.txt").unlink()
    assert "all is well" in lab.axil("verify").out
    lab.clean()


def test_words_about_runs_that_are_over(lab):
    lab.let()
    run = lab.detach()
    lab.record(run)
    for words in (["stop", run], ["queue", "--cancel", run]):
        assert "is over: succeeded" in lab.axil(*words, code=1).err
    # Who attaches a moment too late hears how it ended.
    assert "succeeded" in lab.axil("attach", run).out
    assert "no run ZZZZ" in lab.axil("stop", "zzzz", code=1).err.replace("zzzz", "ZZZZ")


def test_options_that_mean_nothing_together(lab):
    assert "-d or --isolated" in lab.axil("run", "--keep", code=2).err
    assert "add -d" in lab.axil("run", "--isolated", "--gpus", "1", code=2).err
    assert "train" in lab.axil("run", "-d", "-n").out
    assert lab.live() == {}


def test_listings_of_what_waits(lab):
    first, second, third = (lab.detach("--set", f"lr=0.{number}") for number in (1, 2, 3))
    lab.began(first)
    lab.began(second)
    for state, runs in (("queued", [third]), ("running", [second, first])):
        assert [one["id"] for one in lab.axil("runs", "--state", state, "--json").json["runs"]] == runs
    assert lab.axil("status").out
    assert json.loads(lab.axil("run", "-d", "--json").out)["run"] in lab.live()


def test_gc_removes_what_runs_have_left_and_nothing_that_one_needs(lab):
    kept = lab.detach("--keep")
    lab.began(kept)
    lab.let(kept)
    lab.record(kept)
    waiting = [lab.detach("--set", f"lr=0.{number}") for number in (1, 2, 3)]
    lab.began(waiting[1])
    stale = lab.path / ".axil/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV"
    lab.run("worktree", "add", "-q", "--detach", str(stale))
    copies = sum(1 for _ in (lab.path / ".axil/data").rglob("*.txt"))
    said = lab.axil("gc", "-n").out
    assert str(stale) in said and "would be removed" in said and stale.exists()
    assert kept not in said
    lab.axil("gc")
    assert not stale.exists()
    assert (lab.path / ".axil/runs" / kept / "model.txt").exists()
    assert sum(1 for _ in (lab.path / ".axil/data").rglob("*.txt")) == copies
    lab.let()
    assert [lab.record(run)["state"] for run in waiting] == ["succeeded"] * 3
    assert "copies of data" in lab.axil("gc").out
    assert [path for path in (lab.path / ".axil/data").rglob("*") if path.suffix == ".txt"] == []
    lab.run("worktree", "remove", "--force", str(lab.path / ".axil/runs" / kept))
    lab.axil("gc")
    assert list((lab.path / ".axil/runs").iterdir()) == []
    assert "all is well" in lab.axil("verify").out


def test_editing_the_source_while_a_run_waits(lab):
    first, second = lab.detach("--set", "lr=0.1"), lab.detach("--set", "lr=0.2")
    third = lab.detach("--set", "lr=0.3")
    lab.began(second)
    lab.commit({"train.py": "raise SystemExit(1)\n", "data/raw/a.txt": "other", "params.yaml": "lr: 7\n"}, "break it")
    lab.axil("gc", "--now", code=None)
    lab.let()
    assert [lab.record(run)["metrics"]["f1"] for run in (first, second, third)] == [0.2, 0.4, 0.6]


def test_ten_runs_on_two_slots_in_order_never_more_than_two(lab):
    # Counted by the commands themselves: a list of runs is read one by one, while one ends and the next begins.
    lab.commit({"train.py": COUNTED.format(lab.read("train.py"))}, "count")
    (lab.gates / "active").mkdir()
    runs = [lab.detach("--set", f"lr={number / 100}") for number in range(1, 11)]
    for number, run in enumerate(runs):
        for one in runs[number : number + 2]:
            lab.began(one)
        assert [one for one in runs if (lab.gates / f"{one}.began").exists()] == runs[: number + 2]
        lab.let(run)
    assert {lab.record(run)["state"] for run in runs} == {"succeeded"}
    peaks = [int(path.read_text()) for path in lab.gates.glob("*.peak")]
    assert len(peaks) == 10 and max(peaks) == 2
    lab.clean()


def test_a_run_is_stopped_before_its_first_command(lab):
    lab.commit({"axil.toml": lab.read("axil.toml").replace('cmd = "python prepare.py"', 'cmd = "sleep 1000"')}, "slow")
    runs = [lab.detach("--set", f"lr=0.{number}") for number in (1, 2, 3)]
    for run in runs:
        lab.axil("stop", run)
        assert lab.record(run)["state"] == "stopped"
    lab.clean()


def test_the_terminal_of_an_isolated_run_is_closed(lab):
    """Its run is stopped and recorded, though nobody reads what is printed any more."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(lab.path)
        os.execvpe(sys.executable, [sys.executable, "-m", "axil", "run", "--isolated"], lab.env)
    os.set_blocking(terminal, False)

    def running() -> list[str]:
        with contextlib.suppress(BlockingIOError):  # What is never read stops who writes it.
            os.read(terminal, 1 << 16)
        return list(lab.live())

    (run,) = until(running, "the run is there")
    lab.began(run)
    os.close(terminal)
    os.waitpid(pid, 0)
    record = lab.record(run)
    assert record["state"] == "stopped"
    assert record["stages"][1]["metrics"]["loss"] == pytest.approx(1 / 3)
    lab.clean()

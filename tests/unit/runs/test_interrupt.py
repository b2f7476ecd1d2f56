"""Ctrl-C and TERM during a run: commands are ended, what they did is kept, the run is `stopped`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from axil.base import processes
from axil.runs.events import StageStarted
from axil.runs.interrupt import caught

TWO = """
[stages.a]
cmd = "python a.py"
outs = ["a.out"]
[stages.b]
cmd = "cp a.out b.out"
deps = ["a.out"]
outs = ["b.out"]
"""
POLITE = """
import axil, signal, time
open("a.out", "w").write("half")
axil.log(loss=0.5)
try:
    print("begun")
    time.sleep(1000)
except KeyboardInterrupt:
    time.sleep(0.5)
    print("checkpoint saved")
"""
STUBBORN = """
import os, signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda n, frame: print("no to", n))
open("pid.out", "w").write(str(os.getpid()))
print("begun")
while True:
    time.sleep(1000)
"""


def stop(bench, process, *numbers):
    for line in process.stdout:
        if line == "StageLine a begun\n":
            break
    for number in numbers:
        process.send_signal(number)
        if len(numbers) > 1:
            for line in process.stdout:
                if line.startswith("Stopping"):
                    break
    lines = process.stdout.read().splitlines()
    assert process.wait(60) == 0
    (run,) = bench.recorded()
    assert [line for line in lines if line.startswith("outcome")] == [f"outcome {run.state}"]
    return run, lines


def test_ctrl_c_lets_a_script_save_its_state(bench, supervise):
    bench.write(axil_toml=TWO, a_py=POLITE)
    run, lines = stop(bench, supervise(), signal.SIGINT)
    assert "StageLine a checkpoint saved" in lines
    a, b = run.stages
    assert (run.state, run.exit_code) == ("stopped", None)
    assert (a.state, b.state, b.reason) == ("stopped", "skipped", "the run was stopped")
    assert bench.store.read(bytes.fromhex(a.outs["a.out"].oid)) == b"half"
    assert run.metrics == {"loss": 0.5}
    assert a.tail.endswith("checkpoint saved")


def test_term_ends_commands_at_once(bench, supervise):
    bench.write(axil_toml=TWO, a_py=POLITE)
    run, _ = stop(bench, supervise(), signal.SIGTERM)
    assert (run.state, run.stages[0].exit_code) == ("stopped", -signal.SIGTERM)


def test_who_does_not_listen_is_killed_after_the_grace(bench, supervise):
    bench.write(axil_toml=TWO, a_py=STUBBORN)
    run, lines = stop(bench, supervise(grace=0.5), signal.SIGINT)
    assert run.state == run.stages[0].state == "stopped"
    said = [line.strip() for line in lines if line.startswith(("StageLine a no", "Stopping"))]
    assert said == ["Stopping", "StageLine a no to 2", "Stopping", "StageLine a no to 15", "Stopping"]
    assert processes.environment(int((bench.root / "pid.out").read_text())) == {}


def test_a_second_ctrl_c_kills_at_once(bench, supervise):
    bench.write(axil_toml=TWO, a_py=STUBBORN)
    run, _ = stop(bench, supervise(grace=1000), signal.SIGINT, signal.SIGINT)
    assert run.state == run.stages[0].state == "stopped"
    assert processes.environment(int((bench.root / "pid.out").read_text())) == {}


def test_a_signal_that_does_not_interrupt_the_wait_is_not_lost(bench):
    """Sent to another thread it leaves the main thread waiting, as one does that comes just before the wait."""
    bench.write(axil_toml=TWO, a_py="import time; time.sleep(20); open('a.out', 'w')")
    main = threading.get_ident()

    def interrupt():
        while not (
            sys._current_frames()[main].f_code.co_qualname == "_Stop.next"
            and "S (sleeping)" in Path(f"/proc/self/task/{threading.main_thread().native_id}/status").read_text()
        ):
            time.sleep(0.01)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    def tell(event):
        if isinstance(event, StageStarted) and event.stage == "a":
            thread.start()

    thread = threading.Thread(target=interrupt)
    outcome = bench.run(on_event=tell)
    thread.join()
    assert outcome.run.state == "stopped"
    assert not (bench.root / "a.out").exists(), "it ended by itself"


def test_the_next_run_starts_where_it_was_stopped(bench, supervise):
    bench.write(axil_toml=TWO, a_py=POLITE)
    stop(bench, supervise(), signal.SIGINT)
    bench.write(a_py="open('a.out', 'w').write('whole')")
    assert bench.run().run.state == "succeeded"
    assert (bench.root / "b.out").read_text() == "whole"


def test_handlers_are_put_back_and_ignored_signals_stay_ignored():
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGINT)
    told: list[int] = []
    try:
        with caught(told.append):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGHUP)
        assert told == [signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGHUP, old)


def test_another_thread_leaves_handlers_alone():
    before = signal.getsignal(signal.SIGINT)
    inside = []

    def work():
        with caught(lambda _: None):
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before]


def test_identity_tells_processes_apart():
    mine = processes.identity(os.getpid())
    assert mine is not None and mine.ticks > 0
    assert processes.identity(2**22 + 1) is None

"""Random kills of supervisors and commands of several detached runs at once: every run ends in a true state.

12 seconds of it in the suite; AXIL_MODEL=long goes on until 200 kills were done.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from tests.cli.detached import Lab, until
from tests.faults.cuts import LONG

from axil.base import processes

KILLS = 200 if LONG else 10_000
SECONDS = 3600.0 if LONG else 12.0
LEAST = 5
AT_ONCE = 5
FINAL = {"succeeded", "failed", "stopped", "lost"}
TRAIN = """\
import os, time
from pathlib import Path
import axil

print("begun", flush=True)
for step in range(50):
    axil.log(loss=1 / (step + 1), step=step)
    print("step", step, flush=True)
    if step == 5:
        axil.flush()
        (Path(os.environ["GATES"]) / f"{os.environ['AXIL_RUN']}.began").touch()
    time.sleep(0.05)
Path("model.txt").write_text(Path("clean.txt").read_text())
Path("metrics.json").write_text('{"f1": 1}')
"""


def test_random_kills(tmp_path: Path) -> None:
    lab = Lab.founded(tmp_path / "project", jobs=3)
    lab.commit({"train.py": TRAIN}, "steps")
    dice = random.Random(time.time_ns())
    asked: list[str] = []
    flushed: set[str] = set()
    hit: set[str] = set()
    kills, end = 0, time.monotonic() + SECONDS
    # On a slow machine it takes longer: without kills it would show nothing.
    while kills < KILLS and (kills < LEAST or not flushed or time.monotonic() < end):
        live = lab.live()
        while len(live) < AT_ONCE:
            run = lab.detach("--set", f"lr={len(asked) + 1}")
            asked.append(run)
            live[run] = "queued"
        time.sleep(dice.random() * 0.4)
        target = dice.choice(list(live))
        pids = list(_pids(lab, target).items())
        dice.shuffle(pids)
        flushed |= {run for run in asked if run not in hit and _began(lab, run)}
        hit.add(target)
        for _, pid in pids[: dice.randint(1, 2)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
        if dice.random() < 0.1:
            lab.axil("stop", *(["--now"] if dice.random() < 0.5 else []), target, code=None)
    until(lambda: not lab.live(), "all runs are over")
    _check(lab, asked, flushed)
    print(f"{kills} kills, {len(asked)} runs")


def _began(lab: Lab, run: str) -> bool:
    """Whether it flushed and printed more than a second ago: only the last second may be lost."""
    try:
        return time.time() - (lab.gates / f"{run}.began").stat().st_mtime > 1
    except FileNotFoundError:
        return False


def _pids(lab: Lab, run: str) -> dict[str, int]:
    """The supervisor and the commands of a run, as far as they still are what they were."""
    found = {}
    for event in lab.events(run):
        if event["event"] in ("supervised", "process"):
            there = processes.identity(event["pid"])
            if there is not None and there.ticks == event["ticks"]:
                found[event.get("stage", "supervisor")] = event["pid"]
    return found


def _check(lab: Lab, asked: list[str], flushed: set[str]) -> None:
    states: dict[str, Any] = {}
    for run in asked:
        record = lab.axil("show", run, "--json").json["run"]
        states[run] = record["state"]
        assert record["state"] in FINAL, record
        if run in flushed:
            train = next(stage for stage in record["stages"] if stage["name"] == "train")
            assert "loss" in train["metrics"], record
            assert record["summary"]["loss"]["count"] >= 6, record
            assert "step 5" in lab.axil("logs", run, "train").out
    left = [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _is_ours(lab, pid)]
    assert left == [], left
    lab.clean()
    assert "all is well" in lab.axil("verify").out
    assert "succeeded" in states.values() or "lost" in states.values()


def _is_ours(lab: Lab, pid: int) -> bool:
    """Whether `pid` is a process of a run of the lab (a killed one that nobody has waited for is none)."""
    environ = processes.environment(pid)
    return environ.get("GATES") == str(lab.gates)

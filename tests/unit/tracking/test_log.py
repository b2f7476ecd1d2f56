"""axil.log in real processes: what is written, how often, and that it never gets in the way."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from axil.formats.series import points

RunScript = Any


@pytest.fixture
def script(tmp_path: Path) -> RunScript:
    """Runs Python code as a stage's process; gives (process, lines of the series)."""

    def run(
        code: str, inside: bool = True, lines: bool = True, **env: str
    ) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("AXIL")} | env
        if inside:
            surroundings |= {"AXIL_RUN_DIR": str(tmp_path), "AXIL_STAGE": "train"}
        done = subprocess.run(
            [sys.executable, "-c", code], env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        series = tmp_path / "series.jsonl"
        written = series.read_text().splitlines() if lines and series.exists() else []
        return done, [json.loads(line) for line in written]

    return run


def test_lines_hold_step_time_stage_and_values(script: RunScript) -> None:
    done, lines = script("import axil; axil.log(loss=0.25, step=7); axil.log({'val/loss': 1, 'f1': True}, step=8)")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line["step"] for line in lines] == [7, 8]
    assert [line["metrics"] for line in lines] == [{"loss": 0.25}, {"val/loss": 1.0, "f1": 1.0}]
    assert all(line["stage"] == "train" and line["time"] > 1.6e9 for line in lines)


def test_steps_count_up_for_each_name(script: RunScript) -> None:
    _, lines = script("import axil\naxil.log(a=1)\naxil.log(a=2, b=3)\naxil.log(a=4, step=10)\naxil.log(a=5)")
    found = [(name, line["step"]) for line in lines for name in line["metrics"]]
    assert found == [("a", 0), ("a", 1), ("b", 0), ("a", 10), ("a", 11)]


def test_track_gives_the_step(script: RunScript) -> None:
    code = (
        "import axil\nfor e in axil.track('xy', start=5):\n"
        "  for b in axil.track(range(2)): axil.log(batch=b)\n  axil.log(e=1)"
    )
    _, lines = script(code)
    found = [(name, line["step"]) for line in lines for name in line["metrics"]]
    assert found == [("batch", 0), ("batch", 1), ("e", 5), ("batch", 0), ("batch", 1), ("e", 6)]


def test_numpy_scalars_and_what_json_cannot_say(script: RunScript) -> None:
    code = (
        "import axil, numpy\n"
        "axil.log(a=numpy.float32(0.5), b=numpy.array(3), c=float('nan'), d=float('-inf'), step=numpy.int64(4))"
    )
    _, (line,) = script(code)
    assert line["step"] == 4
    assert line["metrics"] == {"a": 0.5, "b": 3.0, "c": "nan", "d": "-inf"}
    values = {point.name: point.value for point in points(json.dumps(line).encode())}
    assert math.isnan(values["c"]) and values["d"] == -math.inf


def test_what_is_no_number_is_one_warning_and_the_rest_is_kept(script: RunScript) -> None:
    code = "import axil\nfor i in range(3): axil.log(ok=i, bad='text', worse=object(), step=i)\naxil.log(x=1, step='s')"
    done, lines = script(code)
    assert done.returncode == 0
    assert [line["metrics"] for line in lines] == [{"ok": 0.0}, {"ok": 1.0}, {"ok": 2.0}]
    assert done.stderr.count("axil: could not log bad=str") == 1
    assert done.stderr.count("axil: could not log worse=object") == 1
    assert done.stderr.count("axil: could not log x") == 1


def test_outside_a_run_one_hint_and_nothing_written(script: RunScript, tmp_path: Path) -> None:
    done, lines = script("import axil\nfor i in range(3): axil.log(loss=i)\naxil.flush()", inside=False)
    assert done.returncode == 0
    assert done.stderr.count("axil: not inside `axil run`") == 1
    assert lines == []
    assert list(tmp_path.iterdir()) == []


def test_rows_are_on_disk_within_a_second_while_the_script_is_busy_elsewhere(script: RunScript) -> None:
    code = (
        "import axil, os, time\naxil.log(loss=1)\npath = os.environ['AXIL_RUN_DIR'] + '/series.jsonl'\n"
        "end = time.monotonic() + 20\n"
        "while not os.path.exists(path) and time.monotonic() < end: time.sleep(0.01)\n"
        "print(20 - (end - time.monotonic()), flush=True)\nos._exit(0)"
    )
    done, lines = script(code)
    assert len(lines) == 1
    assert float(done.stdout) < 5


def test_flush_writes_now(script: RunScript) -> None:
    _, lines = script("import axil, os\naxil.log(loss=1)\naxil.flush()\nos._exit(0)")
    assert len(lines) == 1


def test_a_forked_worker_logs_its_own_rows_and_not_its_parents(script: RunScript) -> None:
    code = (
        "import axil, multiprocessing as m\n"
        "def work(n): axil.log({f'w{n}': n}, step=n)\n"
        "axil.log(parent=1, step=0)\n"
        "c = m.get_context('fork')\nps = [c.Process(target=work, args=(n,)) for n in range(3)]\n"
        "[p.start() for p in ps]; [p.join() for p in ps]"
    )
    _, lines = script(code)
    names = sorted(name for line in lines for name in line["metrics"])
    assert names == ["parent", "w0", "w1", "w2"]


def test_a_worker_that_logs_first_is_not_forgotten(script: RunScript) -> None:
    code = (
        "import multiprocessing as m\n"
        "def work(n):\n  import axil\n  axil.log({f'w{n}': n}, step=n)\n"
        "c = m.get_context('fork')\np = c.Process(target=work, args=(1,)); p.start(); p.join()"
    )
    _, lines = script(code)
    assert [line["metrics"] for line in lines] == [{"w1": 1.0}]


def test_many_processes_append_whole_lines(script: RunScript) -> None:
    code = (
        "import os, sys\npids = []\nfor n in range(4):\n  pid = os.fork()\n  if not pid:\n"
        "    import axil\n    for i in range(5000): axil.log({f'p{n}': i}, step=i)\n    axil.flush(); os._exit(0)\n"
        "  pids.append(pid)\n[os.waitpid(p, 0) for p in pids]"
    )
    _, lines = script(code)
    assert len(lines) == 20_000
    assert {name for line in lines for name in line["metrics"]} == {"p0", "p1", "p2", "p3"}


def test_a_signal_handler_may_log_too(script: RunScript) -> None:
    code = (
        "import axil, signal\naxil.log(first=1)\nsignal.signal(signal.SIGALRM, lambda *a: axil.log(tick=1))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "for i in range(100000): axil.log(loss=i, step=i)\nsignal.setitimer(signal.ITIMER_REAL, 0)"
    )
    done, lines = script(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert sum("loss" in line["metrics"] for line in lines) == 100_000
    assert any("tick" in line["metrics"] for line in lines)


def test_a_folder_that_went_away_is_one_warning(script: RunScript, tmp_path: Path) -> None:
    code = "import axil\nfor i in range(5):\n  axil.log(loss=i); axil.flush()\nprint('done')"
    done, _ = script(code, inside=False, AXIL_RUN_DIR=str(tmp_path / "gone"))
    assert done.stdout == "done\n"
    assert done.stderr.count("could not write") == 1


def test_a_full_disk_tears_at_most_one_line_and_nothing_is_raised(script: RunScript, tmp_path: Path) -> None:
    # A file size limit is a disk that is full in the middle of a line; lifting it is room again.
    code = (
        "import axil, resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))\n"
        "for i in range(40): axil.log(loss=i, step=i)\naxil.flush(); axil.log(loss=40, step=40); axil.flush()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\naxil.log(loss=41, step=41)"
    )
    done, _ = script(code, lines=False)
    assert (done.returncode, done.stderr.count("could not write")) == (0, 1)
    data = (tmp_path / "series.jsonl").read_bytes()
    assert [point.step for point in points(data)] == list(range(42))
    assert sum(not line.endswith(b"}}") for line in data.split(b"\n") if line) == 1

"""axil.log in real processes: what is written, how often, and that it never gets in the way."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.formats.series import points
from axil.tracking import run
from axil.tracking.writer import FLUSH_ROWS, Lines, Writer

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


def test_nested_dictionaries_become_dotted_names(script: RunScript) -> None:
    code = "import axil\naxil.log({'v': {'f1': 1, 'deep': {'x': 2}}, 'loss': 3}, step=0)\naxil.log(v={'f1': 4}, step=1)"
    _, lines = script(code)
    assert [line["metrics"] for line in lines] == [{"v.f1": 1, "v.deep.x": 2, "loss": 3}, {"v.f1": 4}]


def test_a_dictionary_may_be_used_again_after_it_was_logged(script: RunScript) -> None:
    _, lines = script("import axil\nd = {'a': 1.0}\nfor i in range(3):\n  d['a'] = float(i); axil.log(d)")
    assert [line["metrics"]["a"] for line in lines] == [0, 1, 2]


def test_names_that_need_care_in_json_and_in_formats(script: RunScript) -> None:
    _, lines = script(
        "import axil\naxil.log({'50%': 1.0, '%r %s': 2.0, 'q\"\\\\': 3.0, 'ä\\ud800': 4.0, 7: 5.0}, step=0)"
    )
    assert lines[0]["metrics"] == {"50%": 1, "%r %s": 2, 'q"\\': 3, "ä?": 4, "7": 5}


def test_torch_like_scalars_are_read_when_they_are_logged(script: RunScript) -> None:
    code = (
        "import axil\nclass T:\n  value = 0\n  def item(self): return self.value\n"
        "t = T()\nfor i in range(3):\n  t.value = i; axil.log(loss=t, step=i)"
    )
    _, lines = script(code)
    assert [line["metrics"]["loss"] for line in lines] == [0, 1, 2]


def test_many_threads_of_many_processes_lose_nothing_and_count_for_themselves(script: RunScript) -> None:
    code = (
        "import axil, os, threading\n"
        "def work(n):\n  for i in axil.track(range(2000)): axil.log({f't{n}': float(i)})\n"
        "pids = []\nfor p in range(3):\n  pid = os.fork()\n  if not pid:\n"
        "    ts = [threading.Thread(target=work, args=(p * 4 + t,)) for t in range(4)]\n"
        "    [t.start() for t in ts]; [t.join() for t in ts]; axil.flush(); os._exit(0)\n"
        "  pids.append(pid)\n[os.waitpid(p, 0) for p in pids]"
    )
    _, lines = script(code)
    found: dict[str, list[float]] = {}
    for line in lines:
        for name, value in line["metrics"].items():
            assert line["step"] == value
            found.setdefault(name, []).append(value)
    assert found == {f"t{n}": list(range(2000)) for n in range(12)}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_of_workers_logs(script: RunScript, tmp_path: Path, method: str) -> None:
    (tmp_path / "pool.py").write_text(
        "import axil, multiprocessing as m\ndef work(n): axil.log({f'w{n}': n}, step=n)\n"
        f"if __name__ == '__main__':\n  with m.get_context({method!r}).Pool(2) as pool:\n"
        "    pool.map(work, range(6)); pool.close(); pool.join()\n"
    )
    done, lines = script("import runpy; runpy.run_path('pool.py', run_name='__main__')", PYTHONPATH=str(tmp_path))
    assert done.stderr == ""
    assert sorted(name for line in lines for name in line["metrics"]) == [f"w{n}" for n in range(6)]


def test_a_killed_process_leaves_all_but_its_last_second(script: RunScript, tmp_path: Path) -> None:
    code = (
        "import axil, os, signal, time\nbegun = time.time(); i = 0\nold = []\n"
        "while time.time() - begun < 3:\n  axil.log(loss=float(i), step=i); i += 1; time.sleep(0.001)\n"
        "  if time.time() - begun < 2: old.append(i)\n"
        "open('old', 'w').write(str(len(old)))\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    script(code, lines=False)
    found = list(points((tmp_path / "series.jsonl").read_bytes()))
    assert len(found) >= int((tmp_path / "old").read_text())
    assert [point.step for point in found] == list(range(len(found)))


def test_another_process_reads_the_points_while_they_come(script: RunScript, tmp_path: Path) -> None:
    code = (
        "import axil, os, subprocess, sys, time\n"
        "read = 'import sys, time\\nfrom axil.formats.series import points\\n'"
        "       'end = time.monotonic() + 30\\nwhile time.monotonic() < end:\\n'"
        "       '  try: found = list(points(open(sys.argv[1], \"rb\").read()))\\n'"
        "       '  except FileNotFoundError: found = []\\n'"
        "       '  if len(found) >= 3: print(\"read\"); break\\n  time.sleep(0.05)'\n"
        "for i in range(3): axil.log(loss=i)\n"
        "path = os.environ['AXIL_RUN_DIR'] + '/series.jsonl'\n"
        "subprocess.run([sys.executable, '-c', read, path], timeout=60)\nos._exit(0)"
    )
    done, _ = script(code)
    assert done.stdout == "read\n"


def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(str(tmp_path / "series.jsonl"), "train")
    monkeypatch.setattr(run, "_warned", set())
    real, room = os.write, [100]

    def write(fd: int, data: bytes) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(fd, data[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        for step in range(50):
            writer.add({"loss": step / 3}, step)
            if step % 10 == 0:
                writer.flush()
    writer.flush()
    found = list(points((tmp_path / "series.jsonl").read_bytes()))
    assert [(point.step, point.value) for point in found] == [(step, step / 3) for step in range(50)]


@given(
    st.dictionaries(st.text(max_size=5), st.floats(), min_size=1, max_size=5),
    st.none() | st.integers(-5, 5) | st.floats(-1e6, 1e6),
)
def test_many_rows_at_once_say_the_same_as_each_alone(metrics: dict[str, float], step: float | None) -> None:
    rows = [(metrics, step, 1_700_000_000.5 + number / 7) for number in range(FLUSH_ROWS)]
    alone, together = Lines("train"), Lines("train")
    lines = b"".join(alone.of([row]) for row in rows)
    assert list(map(json.loads, together.of(rows).splitlines())) == list(map(json.loads, lines.splitlines()))


def test_without_the_packages_axil_needs_rows_are_written_all_the_same(script: RunScript) -> None:
    _, lines = script(
        "import axil, sys\nsys.modules['msgspec'] = None\nfor step in range(3000): axil.log(loss=step / 3, step=step)"
    )
    assert [line["metrics"]["loss"] for line in lines] == [step / 3 for step in range(3000)]


def test_ctrl_c_while_lines_are_made_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(str(tmp_path / "series.jsonl"), "train")
    for step in range(10):
        writer.add({"loss": 1.0}, step)

    def interrupted(self: Lines, rows: object) -> bytes:
        writer.add({"loss": 1.0}, 10)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Lines, "of", interrupted)
        writer.flush()
    writer.flush()
    assert [point.step for point in points((tmp_path / "series.jsonl").read_bytes())] == list(range(11))


def test_a_name_that_is_no_text_at_all_spoils_only_its_call(script: RunScript) -> None:
    code = (
        "import axil\nclass Name:\n  def __str__(self): raise RuntimeError('no')\n  __repr__ = __str__\n"
        "name = Name()\naxil.log(a=1.0)\naxil.log({name: 1.0})\naxil.log({name: 1.0})\naxil.log({Name(): 1})\n"
        "axil.log(a=2.0)"
    )
    done, lines = script(code)
    assert done.returncode == 0 and "could not log" in done.stderr
    assert [line["metrics"] for line in lines] == [{"a": 1}, {"a": 2}]


def test_a_full_disk_is_tried_again_though_nothing_more_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(str(tmp_path / "gone" / "series.jsonl"), "train")
    monkeypatch.setattr(run, "_warned", set())
    writer.add({"loss": 1.0}, 0)
    writer.flush()
    (tmp_path / "gone").mkdir()
    end = time.monotonic() + 30
    while time.monotonic() < end and not (tmp_path / "gone" / "series.jsonl").exists():
        time.sleep(0.05)
    assert len(list(points((tmp_path / "gone" / "series.jsonl").read_bytes()))) == 1

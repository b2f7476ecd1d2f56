"""Series files that grow while a stage runs: every value once, whatever is done to the file meanwhile."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.formats.test_tfevents import event, record, simple

from axil.formats.project import Stage
from axil.formats.series import points
from axil.runs import growing, watch
from axil.runs.growing import GrowingFile
from axil.runs.watch import Watch


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Begins to watch the `series` of a stage; the thread is still, looks are made by `_once` and `finish`."""
    monkeypatch.setattr(watch, "SECONDS", 1e6)
    (tmp_path / "p").mkdir()

    def start(*series: str, keep: bool = False) -> Watch:
        stage = Stage("train", "x", series=series, keep=series if keep else ())
        return Watch(stage, str(tmp_path / "p"), str(tmp_path / "series.jsonl"), lambda: 1.7e9)

    return start


def come(tmp_path: Path) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    path = tmp_path / "series.jsonl"
    for point in points(path.read_bytes()) if path.exists() else ():
        assert point.stage == "train"
        found.setdefault(point.name, []).append((point.step, point.value))
    return found


def read(file: GrowingFile, final: bool = False) -> list[tuple[str, float, float]]:
    found = []
    while True:
        found += [(one.name, one.step, one.value) for one in file.read(final)]
        if file.done:
            return found


def test_a_file_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    file = GrowingFile(str(path), "")
    assert read(file) == []
    path.write_text("step,a\n1,10\n2,")
    assert read(file) == [("a", 1, 10)]
    with path.open("a") as out:
        out.write("20\n3,30")
    assert read(file) == [("a", 2, 20)]
    assert read(file, final=True) == [("a", 3, 30)]


def test_a_file_written_anew_with_a_column_more(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    file = GrowingFile(str(path), "")
    path.write_text("step,a\n1,10\n2,20\n")
    assert len(read(file)) == 2
    path.write_text("step,a,b\n1,10,\n2,20,\n3,30,5\n")
    assert read(file) == [("a", 3, 30), ("b", 3, 5)]
    path.unlink()
    path.write_text("step,a,b\n1,10,\n")
    assert read(file) == []
    path.write_text("step,a,b\n1,10,\n2,20,\n3,30,5\n4,40,6\n")
    assert read(file) == [("a", 4, 40), ("b", 4, 6)]


def test_a_file_begun_anew_by_another_training(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    file = GrowingFile(str(path), "")
    path.write_text("step,a\n1,10\n2,20\n")
    read(file)
    path.write_text("step,a\n1,11\n2,22\n3,33\n")
    assert read(file) == [("a", 1, 11), ("a", 2, 22), ("a", 3, 33)]


def test_a_file_replaced_by_one_as_long(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    file = GrowingFile(str(path), "")
    path.write_text('{"a": 1}\n')
    read(file)
    (tmp_path / "new").write_text('{"a": 2}\n')
    os.replace(tmp_path / "new", path)
    assert read(file) == [("a", 0, 2)]


def test_a_document_written_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    file = GrowingFile(str(path), "")
    rows: list[dict[str, float]] = []
    for step in range(4):
        rows.append({"step": step, "loss": 1 / (step + 1)})
        path.write_text(json.dumps({"log_history": rows})[:-3])  # half written
        assert read(file) == []
        path.write_text(json.dumps({"log_history": rows}))
        assert read(file) == [("loss", step, 1 / (step + 1))]
    assert (read(file, final=True), file.bad) == ([], 0)
    path.write_text("{")
    assert (read(file, final=True), file.bad) == ([], 1)


def test_large_files_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "PIECE", 100)
    path = tmp_path / "log.csv"
    path.write_text("step,a\n" + "".join(f"{n},{n}\n" for n in range(500)))
    assert [step for _, step, _ in read(GrowingFile(str(path), ""), final=True)] == list(range(500))


def test_names_of_one_and_of_several_paths(start: Any, tmp_path: Path) -> None:
    one = start("history.csv")
    (tmp_path / "p/history.csv").write_text("loss\n1\n")
    assert one.finish() == []
    assert come(tmp_path) == {"loss": [(0, 1)]}
    both = start("logs/train.csv", "val.jsonl")
    (tmp_path / "p/logs").mkdir()
    (tmp_path / "p/logs/train.csv").write_text("loss\n1\n")
    (tmp_path / "p/val.jsonl").write_text('{"loss": 2}\n')
    both.finish()
    assert come(tmp_path) == {"loss": [(0, 1)], "train/loss": [(0, 1)], "val/loss": [(0, 2)]}


def test_folders_of_event_files_and_of_dvclive(start: Any, tmp_path: Path) -> None:
    looking = start("out")
    body = record(event(simple("loss", 0.5), step=4))
    places = (
        "a/events.out.tfevents.1.h",
        "version_0/b/events.out.tfevents.1.h",
        "Nov24_12-00-00_h/events.out.tfevents.2",
    )
    for place in places:
        path = tmp_path / "p/out" / place
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
    (tmp_path / "p/out/plots/metrics/train").mkdir(parents=True)
    (tmp_path / "p/out/plots/metrics/train/f1.tsv").write_text("step\ttrain/f1\ttimestamp\n0\t0.25\t1700000000\n")
    (tmp_path / "p/out/other.csv").write_text("x\n1\n")
    assert looking.finish() == []
    assert come(tmp_path) == {
        "a/loss": [(4, 0.5)],
        "b/loss": [(4, 0.5)],
        "loss": [(4, 0.5)],
        "train/f1": [(0, 0.25)],
    }


def test_times_of_event_files_are_kept_and_values_of_one_step_are_one_line(start: Any, tmp_path: Path) -> None:
    looking = start("tb")
    (tmp_path / "p/tb").mkdir()
    body = record(event(simple("a", 1), simple("b", 2), time=1.6e9)) + record(event(simple("a", float("nan")), time=0))
    (tmp_path / "p/tb/events.out.tfevents.1").write_bytes(body)
    looking.finish()
    lines = (tmp_path / "series.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"metrics": {"a": 1.0, "b": 2.0}, "step": 3.0, "time": 1.6e9, "stage": "train"},
        {"metrics": {"a": "nan"}, "step": 3.0, "time": 1.7e9, "stage": "train"},
    ]


def test_what_is_kept_of_an_earlier_run_is_old(start: Any, tmp_path: Path) -> None:
    (tmp_path / "p/log.csv").write_text("step,a\n1,10\n")
    looking = start("log.csv", keep=True)
    with (tmp_path / "p/log.csv").open("a") as out:
        out.write("2,20\n")
    looking.finish()
    assert come(tmp_path) == {"a": [(2, 20)]}


def test_values_come_while_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SECONDS", 0.01)
    looking = Watch(Stage("train", "x", series=("a.csv",)), str(tmp_path), str(tmp_path / "series.jsonl"), lambda: 1.0)
    (tmp_path / "a.csv").write_text("a\n1\n")
    while not come(tmp_path):
        assert looking._thread.is_alive()
    looking.stop()
    assert not looking._thread.is_alive()


def test_trouble_is_named_and_counted(start: Any, tmp_path: Path) -> None:
    looking = start("a.csv", "b.jsonl", "c.txt", "pipe.csv", "tb", "missing.csv")
    (tmp_path / "p/a.csv").write_text("a\n1,2\n3\n")
    (tmp_path / "p/b.jsonl").write_text("oops\nno\n")
    (tmp_path / "p/c.txt").write_text("")
    os.mkfifo(tmp_path / "p/pipe.csv")
    (tmp_path / "p/tb").mkdir()
    (tmp_path / "p/tb/events.out.tfevents.1").write_bytes(b"x" * 100)
    assert looking.finish() == [
        "c.txt is not read: its name ends in none of .csv .tsv .jsonl .ndjson .json",
        "a.csv: 1 line or records could not be read",
        "b.jsonl: 2 lines or records could not be read",
        "tb/events.out.tfevents.1: 1 line or records could not be read",
    ]
    assert come(tmp_path) == {"a/a": [(0, 3)]}


def test_names_that_are_no_text(start: Any, tmp_path: Path) -> None:
    looking = start("a.jsonl", "live")
    (tmp_path / "p/a.jsonl").write_text('{"\\ud800": 1, "é": 2, "\\n": 3}\n{"b": 4}\n')
    (tmp_path / "p/live/plots/metrics").mkdir(parents=True)
    (tmp_path / "p/live/plots/metrics" / os.fsdecode(b"x\xff.tsv")).write_text("step\tx\n1\t5\n")
    assert looking.finish() == []
    assert come(tmp_path) == {"a/?": [(0, 1)], "a/é": [(0, 2)], "a/\n": [(0, 3)], "a/b": [(1, 4)], "live/x?": [(1, 5)]}


def test_names_values_and_files_are_bounded(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MAX_NAMES", 3)
    monkeypatch.setattr(watch, "MAX_POINTS", 10)
    monkeypatch.setattr(watch, "MAX_FILES", 2)
    looking = start("a.csv", "tb")
    (tmp_path / "p/a.csv").write_text("a,b,c,d\n" + "1,2,3,4\n" * 10)
    (tmp_path / "p/tb").mkdir()
    for number in range(4):
        (tmp_path / f"p/tb/events.out.tfevents.{number}").write_bytes(b"")
    problems = looking.finish()
    assert problems == [
        "only the first 2 files are read",
        "only the first 3 names are kept",
        "only the first 10 values are kept",
    ]
    assert sum(map(len, come(tmp_path).values())) == 10


def test_a_reader_that_breaks_does_not_break_the_run(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("too much")

    looking = start("a.csv")
    (tmp_path / "p/a.csv").write_text("a\n1\n")
    monkeypatch.setattr(GrowingFile, "read", broken)
    assert looking.finish() == ["series files could not be read to their end: too much"]


def test_a_full_disk(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line cut by a full disk spoils only itself, and comes whole when there is room again."""
    looking = start("a.csv")
    path = tmp_path / "p/a.csv"
    path.write_text("a\n1\n2\n")
    real, room = os.write, [70]

    def write(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = real(fd, bytes(data)[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", write)
    looking._once()
    room[0] = 1 << 20
    path.write_text("a\n1\n2\n3\n")
    assert looking.finish() == ["series could not be written: No space left on device"]
    assert come(tmp_path) == {"a": [(0, 1), (1, 2), (2, 3)]}

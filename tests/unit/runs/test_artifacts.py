"""What stages logged as files is one tree of the run, whatever became of the run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from axil.base.clock import system_clock
from axil.formats.record import Output
from axil.runs import artifacts
from axil.runs.lost import adopt_lost
from axil.store import Store

TWO = """
[stages.a]
cmd = "python a.py"
outs = ["a.out"]
[stages.b]
cmd = "python b.py"
deps = ["a.out"]
outs = ["b.out"]
"""
A = "import axil\naxil.log_table('t', [[1]])\naxil.log_table('deep/er/t', [[2]], step=3)\nopen('a.out', 'w')\n"
B = "import axil\naxil.log_table('t', [[3]])\n%s\n"


def files(store: Store, kept: Output | None) -> dict[str, bytes]:
    from axil.formats.tree import DIR

    def walk(tree: bytes, below: str) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for entry in store.entries(tree):
            path = below + os.fsdecode(entry.name)
            found |= walk(entry.oid, f"{path}/") if entry.kind == DIR[0] else {path: store.read(entry.oid)}
        return found

    return walk(bytes.fromhex(kept.oid), "") if kept is not None else {}


@pytest.mark.parametrize(("end", "state"), [("open('b.out', 'w')", "succeeded"), ("1 / 0", "failed")])
def test_good_and_failed_runs_keep_them(bench, end, state):
    bench.write(axil_toml=TWO, a_py=A, b_py=B % end)
    run = bench.run().run
    assert run.state == state
    assert files(bench.store, run.artifacts) == {"a/t.csv": b"1\n", "a/deep/er/t/3.csv": b"2\n", "b/t.csv": b"3\n"}
    assert (run.artifacts.kind, run.artifacts.files, run.artifacts.size) == ("tree", 3, 6)
    assert ("artifacts", run.artifacts.oid) in {(one.role, one.oid.hex()) for one in bench.journal.outputs()}


def test_a_lost_run_keeps_them(bench):
    script = A + "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nimport time; time.sleep(60)\n"
    bench.write(axil_toml=TWO.replace("python a.py", "exec python a.py"), a_py=script)
    pid = os.fork()
    if not pid:
        bench.run()
        os._exit(0)
    os.waitpid(pid, 0)
    (run,) = adopt_lost(bench.runs, bench.journal, bench.store, bench.index, system_clock, grace=0.1)
    assert run.state == "lost"
    assert set(files(bench.store, run.artifacts)) == {"a/t.csv", "a/deep/er/t/3.csv"}


def test_a_run_without_them_has_none(bench):
    bench.write(axil_toml='[stages.a]\ncmd = "mkdir -p $AXIL_RUN_DIR/artifacts/a/b; touch a.out"\nouts = ["a.out"]')
    assert bench.run().run.artifacts is None


def test_links_and_what_is_no_file_is_nobodys(tmp_path: Path) -> None:
    folder, store = tmp_path / "artifacts", Store(str(tmp_path / "store"))
    (folder / "a" / ".git").mkdir(parents=True)
    (folder / "a" / ".git" / "config").write_text("x")
    (folder / "a" / "good").write_text("y")
    (folder / "a" / "link").symlink_to("/etc/passwd")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    with store.batch() as batch:
        kept = artifacts.put(batch, str(folder))
        batch.commit()
    assert files(store, kept) == {"a/good": b"y"}


def test_a_tower_of_folders_ends(tmp_path: Path) -> None:
    here = tmp_path / "artifacts"
    for _ in range(artifacts.MAX_DEPTH + 20):
        here = here / "d"
    here.mkdir(parents=True)
    (here / "x").write_text("deep")
    (tmp_path / "artifacts" / "y").write_text("flat")
    assert [path for path, _ in artifacts.Found(str(tmp_path / "artifacts")).all()] == ["y"]

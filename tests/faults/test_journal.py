"""A journal whose writers are killed at any instant: nothing half-written, nothing lost that was reported as done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import Repo

from axil.journal.journal import Journal

WRITER = """
import sys, time
from axil.base.ids import new_id
from axil.formats.record import Note, Run
from axil.git.process import Git
from axil.journal.journal import Journal
journal = Journal(Git(sys.argv[1]), sys.argv[2])
while True:
    run = Run(id=new_id(time.time), time=1.0, author="Ada <a@b>", experiment="base", state="succeeded",
              metrics={f"m{n}": float(n) for n in range(50)})
    note = Note(id=new_id(time.time), time=1.0, author="Ada <a@b>", target="base", text="x" * 1000)
    journal.append([run, note])
    print(run.id, flush=True)
"""


@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_killed_writer_leaves_a_whole_journal(repo: Repo, after: int) -> None:
    database = str(repo.path / ".git" / "axil" / "journal.db")
    written: list[str] = []
    for extra in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(repo.path), database], stdout=subprocess.PIPE, start_new_session=True
        )
        assert writer.stdout
        written += [writer.stdout.readline().decode().strip() for _ in range(after + extra)]
        os.killpg(writer.pid, signal.SIGKILL)
        written += writer.stdout.read().decode().split()
        writer.wait()
        writer.stdout.close()
        for lock in (repo.path / ".git" / "refs").rglob("*.lock"):
            lock.unlink()
        journal = Journal(repo.git, database)
        runs, notes = journal.runs(), journal.notes("base")
        assert set(written) <= {row.id for row in runs} and len(notes) == len(runs)
        assert all(len(row.metrics) == 50 for row in runs) and journal.problems() == []
        journal.close()
        Path(database).unlink()
        fresh = Journal(repo.git, database)
        assert (fresh.runs(), fresh.notes("base")) == (runs, notes)
    assert "missing" not in repo.run("fsck", "--full")


def test_a_full_disk_does_not_lose_a_recorded_run(repo: Repo, tmp_path: Path) -> None:
    """The index cannot grow past a limit on file sizes, as on a full disk; git's objects are smaller."""
    database = str(repo.path / ".git" / "axil" / "journal.db")
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n{WRITER}"
    writer = subprocess.Popen([sys.executable, "-c", limited, str(repo.path), database], stdout=subprocess.PIPE)
    assert writer.stdout
    written = [writer.stdout.readline().decode().strip() for _ in range(60)]
    writer.kill()
    writer.wait()
    writer.stdout.close()
    assert os.path.getsize(database) <= 200_000
    assert set(written) <= {row.id for row in Journal(repo.git, database).runs()} and len(set(written)) == 60

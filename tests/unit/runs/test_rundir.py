"""runs.rundir: a run's folder is whole or not there, alive or free, and taken by one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from axil.errors import Blocked, NotFound
from axil.formats.runfiles import Spec, Started
from axil.runs import rundir

ONE, TWO = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"


def spec(run=ONE, root="/p", outs=("a/b",)):
    return Spec(id=run, time=1.0, root=root, outs=list(outs), pid=7)


@pytest.fixture
def runs(tmp_path):
    return str(tmp_path / "runs")


def test_life_of_a_folder(runs):
    folder = rundir.create(runs, spec(), b"{}")
    assert rundir.ids(runs) == [ONE]
    assert rundir.is_live(runs, ONE)
    assert rundir.take(runs, ONE) is None
    (live,) = rundir.live(runs, "/p")
    assert (live.id, live.root, live.pid, live.outs) == (ONE, "/p", 7, ("a/b",))
    assert list(rundir.live(runs, "/elsewhere")) == []
    folder.record(Started("s", 1, 2))
    assert rundir.RunDir(folder.path).state().processes["s"].pid == 1
    folder.release()
    assert not rundir.is_live(runs, ONE)
    taken = rundir.take(runs, ONE)
    assert taken is not None and taken.spec() == spec()
    taken.remove()
    assert rundir.ids(runs) == [] and not os.path.exists(folder.path)
    assert rundir.take(runs, ONE) is None
    with pytest.raises(NotFound):
        taken.spec()


@pytest.mark.parametrize("outs", [["a/b"], ["a"], ["x", "a/b/c"]])
def test_overlapping_outputs_are_refused(runs, outs):
    rundir.create(runs, spec(), b"{}")
    with pytest.raises(Blocked, match=ONE):
        rundir.create(runs, spec(TWO, outs=outs), b"{}")
    assert rundir.ids(runs) == [ONE]


@pytest.mark.parametrize("root, outs", [("/other", ["a/b"]), ("/p", ["a/bc", "b"]), ("/p", [])])
def test_others_run_side_by_side(runs, root, outs):
    rundir.create(runs, spec(), b"{}")
    rundir.create(runs, spec(TWO, root, outs), b"{}")
    assert rundir.ids(runs) == [ONE, TWO]


def test_a_dead_run_refuses_nobody(runs):
    rundir.create(runs, spec(), b"{}").release()
    rundir.create(runs, spec(TWO), b"{}")


def test_ids_of_a_missing_folder(runs):
    assert rundir.ids(runs) == []
    assert not rundir.is_live(runs, ONE)
    rundir.sweep(runs, 0.0)


def test_sweep_removes_only_old_leftovers(runs):
    folder = rundir.create(runs, spec(), b"{}")
    for name in (".new-x", ".gone-y"):
        Path(runs, name).mkdir()
    now = os.stat(runs).st_mtime
    rundir.sweep(runs, now + 60)
    assert len(os.listdir(runs)) == 4
    rundir.sweep(runs, now + 7200)
    assert sorted(os.listdir(runs)) == [ONE, "admission.lock"]
    folder.remove()

"""What a script reads of its parameters is on disk before it uses it."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from axil.formats.runfiles import parse_reads
from axil.tracking import reads, run
from axil.tracking.parameters import Params

VALUES = {"train": {"lr": 0.1, "opt": {"name": "sgd", "wd": 0}}, "seed": 3, "a.b": 1, "layers": [1, 2]}


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.setenv("AXIL_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("AXIL_STAGE", "train")
    monkeypatch.setattr(reads, "_noted", set())
    monkeypatch.setattr(run, "_warned", set())
    return Params(VALUES, "p.yaml")


def noted(folder: Path) -> set[str]:
    path = folder / "read.jsonl"
    return parse_reads(path.read_bytes()).get("train", set()) if path.exists() else set()


def test_values_are_noted_by_their_dotted_key(params: Params, tmp_path: Path) -> None:
    assert (params.train.lr, params["train"]["opt"]["name"], params["a.b"], params["train.opt.wd"]) == (
        0.1,
        "sgd",
        1,
        0,
    )
    assert noted(tmp_path) == {"train.lr", "train.opt.name", "a.b", "train.opt.wd"}


def test_a_table_alone_is_nothing_read(params: Params, tmp_path: Path) -> None:
    _ = params.train.opt, repr(params)
    assert noted(tmp_path) == set()


@pytest.mark.parametrize("read", [dict, list, len, lambda table: table == {}, lambda table: {**table}, bool])
def test_going_over_a_table_reads_all_of_it(params: Params, tmp_path: Path, read) -> None:
    read(params.train)
    assert "train" in noted(tmp_path)
    read(params)
    assert "" in noted(tmp_path)


def test_what_is_not_there_was_asked_for_all_the_same(params: Params, tmp_path: Path) -> None:
    assert params.get("train.momentum", 0.9) == 0.9
    assert "aug" not in params and "train" in params
    assert not hasattr(params, "gpu")
    assert noted(tmp_path) == {"train.momentum", "aug", "train", "gpu"}


def test_each_key_is_one_line(params: Params, tmp_path: Path) -> None:
    for _ in range(100):
        _ = params.seed
    assert (tmp_path / "read.jsonl").read_text() == '{"stage":"train","key":"seed"}\n'


def test_a_copy_in_a_worker_knows_where_it_is(params: Params, tmp_path: Path) -> None:
    assert pickle.loads(pickle.dumps(params.train)).opt.name == "sgd"
    assert noted(tmp_path) == {"train.opt.name"}


def test_a_full_disk_is_tried_again(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, data: real(fd, data[:9]))
        assert params.seed == 3
        full.setattr(os, "write", lambda fd, data: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        assert params.seed == 3
    assert params.seed == 3
    assert noted(tmp_path) == {"seed"}

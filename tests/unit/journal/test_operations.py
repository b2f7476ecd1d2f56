"""Tests of the operation log: what is written is read back whole, and nothing else is accepted."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axil.base.ids import encode, new_id
from axil.errors import BadInput, Damaged, NotFound
from axil.git.refs import Head
from axil.journal.operations import (
    DataMove,
    FileMove,
    GitFile,
    Kept,
    Operation,
    OperationLog,
    RefMove,
    _dump,
    _load,
)

GIT, OTHER, OID = "a" * 40, "b" * 40, "c" * 64
ID = "01JD0000000000000000000000"
FULL = Operation(
    id=ID,
    time=1_700_000_000.25,
    command="axil fork +wd",
    worktree=".",
    refs=(RefMove("refs/heads/digits_wd", None, GIT), RefMove("refs/axil/archive/old", GIT, None)),
    head=(Head("digits", GIT), Head("digits_wd", GIT)),
    data=(DataMove("data/raw", f"tree:{OID}", OID), DataMove("model.npz", None, f"file:{OID}")),
    files=(FileMove("params.yaml", GitFile("100644", GIT), GitFile("100644", OTHER)), FileMove("x.axil", None, None)),
    records=(ID,),
    saved=(Kept("data/raw before the switch", OID),),
    note="3 files",
)


def at(number: int, **fields: Any) -> Operation:
    return Operation(id=encode(number << 80), time=float(number), command="axil x", worktree=".")._replace(**fields)


@pytest.fixture
def log(tmp_path: Path) -> OperationLog:
    return OperationLog(str(tmp_path / "operations"))


HEX = st.sampled_from([GIT, OID])
PARTS = st.text(st.characters(exclude_characters="/\0", exclude_categories=[]), min_size=1, max_size=6)
PATHS = st.lists(PARTS.filter(lambda p: p.lower() not in (".", "..", ".git")), min_size=1, max_size=3).map("/".join)
FILES = st.none() | st.builds(GitFile, st.sampled_from(["100644", "100755", "120000"]), HEX)
OPERATIONS = st.builds(
    Operation,
    id=st.integers(0, 2**128 - 1).map(encode),
    time=st.floats(0, 1e11),
    command=st.text(max_size=20),
    worktree=st.text(max_size=5),
    refs=st.lists(st.builds(RefMove, st.just("refs/heads/ü"), st.none() | HEX, st.none() | HEX), max_size=2).map(tuple),
    head=st.none() | st.tuples(*[st.builds(Head, st.none() | st.text(max_size=3), st.none() | HEX)] * 2),
    data=st.lists(st.builds(DataMove, PATHS, st.none() | st.just(OID), st.just(f"exec:{OID}")), max_size=2).map(tuple),
    files=st.lists(st.builds(FileMove, PATHS, FILES, FILES), max_size=2).map(tuple),
    records=st.lists(st.just(ID), max_size=2).map(tuple),
    saved=st.lists(st.builds(Kept, st.text(max_size=5), HEX), max_size=2).map(tuple),
    note=st.text(max_size=9),
    undoes=st.sampled_from(["", ID]),
)


@given(OPERATIONS)
def test_read_back_what_was_written(operation: Operation) -> None:
    assert _load(_dump(operation), operation.id, "x") == operation


def test_names_that_are_not_utf8_survive() -> None:
    operation = FULL._replace(files=(FileMove(os.fsdecode(b"\xff/x"), None, None),))
    assert _load(_dump(operation), ID, "x") == operation


def test_append_and_read(log: OperationLog, tmp_path: Path) -> None:
    assert log.list() == ()
    assert log.last(".") is None
    log.append(FULL)
    assert log.read(ID) == FULL
    assert log.list() == (FULL,)
    assert os.listdir(tmp_path / "operations") == [f"{ID}.json"]


def test_the_documented_example_is_what_is_written() -> None:
    """docs/formats/operations.md shows this operation."""
    page = Path(__file__).parents[3] / "docs" / "formats" / "operations.md"
    example = page.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0]
    assert json.loads(example) == json.loads(_dump(FULL))


def test_append_again_replaces(log: OperationLog) -> None:
    log.append(FULL)
    log.append(FULL._replace(note="now with its outputs"))
    assert [operation.note for operation in log.list()] == ["now with its outputs"]


def test_newest_first_and_limit(log: OperationLog) -> None:
    for number in (2, 1, 3):
        log.append(at(number))
    assert [operation.time for operation in log.list()] == [3, 2, 1]
    assert [operation.time for operation in log.list(2)] == [3, 2]


def test_last_is_of_this_work_tree_and_not_undone(log: OperationLog) -> None:
    first, second, elsewhere = at(1), at(2), at(3, worktree="worktrees/b")
    for operation in (first, second, elsewhere):
        log.append(operation)
    assert log.last(".") == second
    assert log.last("worktrees/b") == elsewhere
    log.append(undo := at(4, undoes=second.id))
    log.mark_undone(second.id, by=undo.id)
    assert log.last(".") == first
    assert log.undone() == {second.id}
    assert log.read(second.id) == second


def test_mark_undone_once(log: OperationLog) -> None:
    log.append(FULL)
    log.mark_undone(ID, by=at(9).id)
    with pytest.raises(BadInput, match="was undone already"):
        log.mark_undone(ID, by=at(9).id)
    with pytest.raises(NotFound):
        log.mark_undone(at(7).id, by=ID)


def test_concurrent_undos_have_one_winner(log: OperationLog) -> None:
    log.append(FULL)
    outcome: list[bool] = []

    def undo() -> None:
        try:
            log.mark_undone(ID, by=at(9).id)
            outcome.append(True)
        except BadInput:
            outcome.append(False)

    threads = [threading.Thread(target=undo) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome) == [False] * 7 + [True]


def test_a_marker_cut_short_by_a_crash_still_counts(log: OperationLog, tmp_path: Path) -> None:
    log.append(FULL)
    (tmp_path / "operations" / f"{ID}.undone").write_bytes(b"")
    assert log.last(".") is None


def test_discard(log: OperationLog, tmp_path: Path) -> None:
    log.append(FULL)
    log.mark_undone(ID, by=at(9).id)
    log.discard(ID)
    log.discard(ID)
    assert os.listdir(tmp_path / "operations") == []


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    log = OperationLog(str(tmp_path / "operations"), keep=3)
    for number in range(1, 6):
        log.append(at(number))
        log.mark_undone(at(number).id, by=ID)
    assert [operation.time for operation in log.list()] == [5, 4, 3]
    assert len(log.undone()) == 3


def test_foreign_files_are_left_alone(log: OperationLog, tmp_path: Path) -> None:
    log.append(FULL)
    (tmp_path / "operations" / "notes.json").write_text("mine")
    (tmp_path / "operations" / f".{ID}.json.1.ab.tmp").write_text("half")
    assert log.list() == (FULL,)


@pytest.mark.parametrize("name", ["../../etc/passwd", "x", "", ID.lower(), ID + "/.."])
def test_only_ids_are_read(log: OperationLog, name: str) -> None:
    with pytest.raises(NotFound):
        log.read(name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", encode(5)),
        ("time", -1),
        ("time", "now"),
        ("time", True),
        ("command", None),
        ("worktree", 3),
        ("refs", [["heads/x", None, GIT]]),
        ("refs", [["refs/heads/a b", None, GIT]]),
        ("refs", [["refs/heads/x", None, "--force"]]),
        ("refs", [["refs/heads/x", None]]),
        ("refs", 3),
        ("head", [["main", GIT]]),
        ("head", [["main", GIT], [1, GIT]]),
        ("data", [["/etc/passwd", None, OID]]),
        ("data", [["a/../../b", None, OID]]),
        ("data", [["a", None, "c" * 63]]),
        ("data", [["a", None, f"link:{OID}"]]),
        ("files", [[".git/hooks/post-checkout", None, ["100755", GIT]]]),
        ("files", [["sub/.GIT/config", None, None]]),
        ("files", [["a\0b", None, None]]),
        ("files", [["", None, None]]),
        ("files", [["a//b", None, None]]),
        ("files", [["a", None, ["040000", GIT]]]),
        ("files", [["a", None, GIT]]),
        ("records", ["x"]),
        ("saved", [["words", "HEAD"]]),
        ("note", 1),
        ("undoes", "x"),
    ],
)
def test_what_is_not_valid_is_neither_read_nor_written(
    log: OperationLog, tmp_path: Path, field: str, value: Any
) -> None:
    data = json.loads(_dump(FULL)) | {field: value}
    folder = tmp_path / "operations"
    folder.mkdir()
    (folder / f"{ID}.json").write_text(json.dumps(data))
    for call in (lambda: log.read(ID), log.list, lambda: log.last(".")):
        with pytest.raises(Damaged) as caught:
            call()
        assert f"{ID}.json" in caught.value.what
        assert "remove the file" in caught.value.hint
    if field != "id":
        with pytest.raises(BadInput):
            log.append(FULL._replace(**{field: value}))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"null", b"\xff", b'{"version": 1}'])
def test_files_that_are_no_operation(log: OperationLog, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / f"{ID}.json").write_bytes(data)
    with pytest.raises(Damaged):
        log.list()


def test_newer_versions_say_so(log: OperationLog, tmp_path: Path) -> None:
    (tmp_path / "operations").mkdir()
    (tmp_path / "operations" / f"{ID}.json").write_text('{"version": 2}')
    with pytest.raises(Damaged) as caught:
        log.list()
    assert "version 2" in caught.value.why


def test_ids_of_the_clock_sort_in_the_order_of_appending(log: OperationLog) -> None:
    ids = [new_id(lambda: 1e9) for _ in range(5)]
    for each in ids:
        log.append(FULL._replace(id=each))
    assert [operation.id for operation in log.list()] == ids[::-1]

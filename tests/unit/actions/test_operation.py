"""Operations are in the log before anything moves, and gone again if nothing did."""

from __future__ import annotations

import pytest

from axil.actions.operation import KEEPS_DATA, LogAhead, Step, data_moves, log, perform
from axil.base.clock import system_clock
from axil.errors import AxilError
from axil.formats.pointer import Pointer
from axil.journal.operations import RefMove
from axil.project import open_project

MOVE = (RefMove("refs/heads/b", None, "1" * 40),)


@pytest.fixture
def project(repo):
    repo.commit({"axil.toml": ""})
    return open_project(str(repo.path), clock=system_clock)


def test_the_operation_is_logged_before_the_refs_move(project):
    seen = []
    perform(project, "try", Step(move_refs=lambda: seen.append(project.operations.list()[0].command)))
    assert seen == ["axil try"]


def test_a_refusal_takes_the_operation_back(project, repo):
    tip = repo.run("rev-parse", "HEAD")
    with pytest.raises(AxilError):
        perform(project, "try", Step(refs=(RefMove("refs/heads/main", "1" * 40, tip),)))
    assert project.operations.list() == ()


def test_an_interruption_leaves_it_for_undo(project):
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(project, "try", Step(move_refs=interrupted))
    assert [one.command for one in project.operations.list()] == ["axil try"]


def test_what_is_logged_ahead_is_taken_as_it_is(project):
    with LogAhead(project) as ahead:
        ahead.begin("try", Step(refs=MOVE))
        taken = log(project, "try", Step(refs=MOVE), ahead=ahead)
    assert project.operations.list() == (taken,)


def test_what_is_logged_ahead_and_becomes_another_operation_is_replaced(project):
    with LogAhead(project) as ahead:
        ahead.begin("try", Step())
        taken = log(project, "try", Step(refs=MOVE), ahead=ahead)
    assert taken.refs == MOVE
    assert project.operations.list() == (taken,)


def test_what_is_logged_ahead_and_refused_goes_again(project):
    with pytest.raises(KeyboardInterrupt), LogAhead(project) as ahead:
        ahead.begin("try", Step(refs=MOVE))
        raise KeyboardInterrupt
    assert project.operations.list() == ()


def test_what_is_logged_ahead_and_undone_by_another_process_is_logged_again(project):
    with LogAhead(project) as ahead:
        ahead.begin("try", Step(refs=MOVE))
        ahead._task.wait()  # type: ignore[union-attr]
        (begun,) = project.operations.list()
        project.operations.mark_undone(begun.id, by=project.new_id())
        taken = log(project, "try", Step(refs=MOVE), ahead=ahead)
    assert taken.id not in project.operations.undone()
    assert project.operations.last(taken.worktree) == taken


def test_a_log_that_cannot_be_written_stops_the_action(project, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("axil.journal.operations.write_atomic", full)
    with pytest.raises(OSError, match="No space"), LogAhead(project) as ahead:
        ahead.begin("try", Step(refs=MOVE))
        log(project, "try", Step(refs=MOVE), ahead=ahead)
    assert project.operations.list() == ()


def test_work_tree_operations_remember_where_they_happened(project):
    moved = data_moves([("d", None, Pointer("file", b"\1" * 32, 1, 1, True))])
    assert log(project, "add d", Step(data=moved)).head == (project.head, project.head)
    assert log(project, "add d", Step(data=moved, keeps_data=True)).note == KEEPS_DATA
    assert log(project, "note x", Step()).head is None


def test_what_stays_the_same_is_no_move():
    one = Pointer("tree", b"\1" * 32, 5, 3)
    # Sizes and counts only describe the content; the oid says whether it is another one.
    assert data_moves([("d", one, one._replace(files=4))]) == ()
    assert [move.old for move in data_moves([("d", one, None)])] == ["tree:" + "01" * 32]

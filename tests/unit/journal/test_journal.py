from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Repo
from tests.unit.journal.conftest import AUTHOR, START, Clock, ulid

from axil.errors import BadInput, Busy, Damaged, NotFound
from axil.formats.record import AnyRecord, Fork, Note, Output, Rename, Retract, Run, StageRecord, encode
from axil.git.fastimport import begin_commits, fast_import
from axil.journal import journal as module
from axil.journal.journal import Journal
from axil.journal.rows import OutputRow

OID = "ab" * 32
MakeRun = Callable[..., Run]


def fork(number: int, name: str, parent: str = "", **fields: str) -> Fork:
    return Fork(
        id=ulid(number), time=START + number, author=AUTHOR, name=name, parent=parent, commit="c" * 40, **fields
    )


def stage(name: str = "train", state: str = "succeeded", **fields: object) -> StageRecord:
    return StageRecord(name=name, state=state, reason="first run", cmd="python t.py", **fields)  # type: ignore[arg-type]


def again(journal: Journal, repo: Repo, database: str) -> Journal:
    """Another process's view of the same journal."""
    return Journal(repo.git, database, clock=lambda: START)


def test_an_empty_repository_has_an_empty_journal(journal: Journal) -> None:
    assert journal.tip == ""
    assert journal.runs() == []
    assert journal.experiments() == {}
    assert journal.cached("a" * 64) is None
    assert list(journal.all_outputs()) == []


def test_a_record_is_a_file_in_the_ref_with_its_snapshot_beside_it(
    journal: Journal, repo: Repo, make_run: MakeRun
) -> None:
    repo.commit({"a.txt": "hello"})
    tree = repo.run("rev-parse", "HEAD^{tree}")
    run = make_run(snapshot=tree)
    assert journal.append([run], snapshots={run.id: tree}) == [run.id]
    folder = f"run/{run.id[-2:]}/{run.id}"
    assert repo.run("show", f"{Journal.REF}:{folder}/record.json") == encode(run).decode().rstrip("\n")
    assert repo.run("show", f"{Journal.REF}:{folder}/snapshot/a.txt") == "hello"
    assert repo.run("log", "-1", "--format=%an <%ae>", Journal.REF) == AUTHOR
    assert "dangling" not in repo.run("fsck", "--strict")


def test_rows_tell_what_the_records_said(journal: Journal, make_run: MakeRun) -> None:
    run = make_run(params={"lr": 0.1, "opt": "adam", "aug": True, "sizes": [1, 2]}, metrics={"f1": 0.5}, message="why")
    journal.append([run])
    (row,) = journal.runs()
    assert row.id == run.id and row.experiment == "base" and row.message == "why" and row.author == AUTHOR
    assert row.params == {"lr": 0.1, "opt": "adam", "aug": True, "sizes": [1, 2]} and row.metrics == {"f1": 0.5}
    assert row.time == run.time and row.seconds == 10


def test_a_record_that_is_there_is_never_written_again(journal: Journal, repo: Repo, make_run: MakeRun) -> None:
    run = make_run()
    journal.append([run])
    before = journal.tip
    assert journal.append([make_run(id=run.id, state="lost")]) == []
    assert journal.tip == before and journal.runs()[0].state == "succeeded"


def test_a_new_process_sees_what_others_appended(
    journal: Journal, repo: Repo, database: str, make_run: MakeRun
) -> None:
    other = again(journal, repo, database)
    assert other.runs() == []
    journal.append([make_run()])
    other.refresh()
    assert len(other.runs()) == 1


def test_appending_from_a_stale_view_loses_nothing(
    journal: Journal, repo: Repo, database: str, make_run: MakeRun
) -> None:
    stale = again(journal, repo, database)
    stale.runs()
    first, second = make_run(), make_run()
    journal.append([first])
    stale.append([second])
    assert {row.id for row in stale.runs()} == {first.id, second.id}


APPENDER = """
import sys
from axil.formats.record import Run
from axil.git.process import Git
from axil.journal.journal import Journal
folder, database, *ids = sys.argv[1:]
journal = Journal(Git(folder), database)
sys.stdin.readline()
for id in ids:
    journal.append([Run(id=id, time=1.0, author="Ada <a@b>", experiment="base", state="succeeded")])
"""


def test_a_draft_that_is_published_is_an_append(journal: Journal, repo: Repo, database: str, make_run: MakeRun) -> None:
    first = journal.append([make_run()])
    draft = journal.draft([fork(9, "next", "base")])
    assert again(journal, repo, database).tip == draft.commit.base, "nothing has moved yet"
    (commit,) = begin_commits(repo.git, [draft.commit])()
    journal.publish(draft, commit)
    assert journal.tip == commit == repo.run("rev-parse", Journal.REF)
    assert (
        repo.run("show", f"{commit}:fork/{ulid(9)[-2:]}/{ulid(9)}/record.json") + "\n"
        == encode(draft.records[0]).decode()
    )
    assert repo.run("log", "-1", "--format=%an <%ae> %s", commit) == f"{AUTHOR} fork {ulid(9)}"
    for view in (journal, again(journal, repo, database)):
        assert view.experiments()["next"].parent == "base"
        assert [row.id for row in view.runs()] == first
    assert "dangling" not in repo.run("fsck", "--strict")


def test_a_draft_of_a_journal_that_moved_on_is_appended_to_what_others_wrote(
    journal: Journal, repo: Repo, database: str, make_run: MakeRun
) -> None:
    repo.commit({"a.txt": "hello"})
    other = again(journal, repo, database)
    draft = journal.draft([fork(9, "next")])
    assert draft.commit.base == ""
    _, commit = begin_commits(repo.git, [draft.commit._replace(base=repo.run("rev-parse", "HEAD")), draft.commit])()
    theirs = other.append([make_run()])
    journal.publish(draft, commit)
    for view in (journal, again(journal, repo, database)):
        assert set(view.experiments()) == {"base", "next"}
        assert [row.id for row in view.runs()] == theirs
    assert repo.run("rev-list", "--count", Journal.REF) == "2"


def test_processes_that_append_at_once_lose_nothing(repo: Repo, database: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(repo.path), database, *(ulid(n * 10 + k) for k in range(10))],
            stdin=subprocess.PIPE,
        )
        for n in range(1, 5)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    for process in processes:
        assert process.stdin
        process.stdin.close()
    expected = {ulid(n) for n in range(10, 50)}
    assert {row.id for row in Journal(repo.git, database).runs()} == expected
    Path(database).unlink()
    assert {row.id for row in Journal(repo.git, database).runs()} == expected
    assert repo.run("rev-list", "--count", Journal.REF) == "40"


def test_a_ref_that_stays_locked_is_reported_after_the_patience(
    journal: Journal, repo: Repo, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append([make_run()])
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    (repo.path / ".git" / "refs" / "axil" / "journal.lock").touch()
    with pytest.raises(Busy, match="could not be written"):
        journal.append([make_run()])
    assert len(journal.runs()) == 1


def test_a_deleted_index_is_built_again(journal: Journal, repo: Repo, database: str, make_run: MakeRun) -> None:
    journal.append([fork(900, "x", "base"), make_run(metrics={"f1": 1.0}), make_run(experiment="x")])
    before = journal.runs(), journal.all_experiments()
    journal.close()
    Path(database).unlink()
    fresh = again(journal, repo, database)
    assert (fresh.runs(), fresh.all_experiments()) == before


@pytest.mark.parametrize("damage", ["garbage", "truncated", "schema", "table", "empty"])
def test_a_broken_index_heals_without_a_word(
    journal: Journal, repo: Repo, database: str, make_run: MakeRun, damage: str
) -> None:
    journal.append([make_run() for _ in range(50)])
    journal.close()
    path = Path(database)
    if damage == "garbage":
        path.write_bytes(os.urandom(9000))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        with sqlite3.connect(database) as db:
            db.execute("PRAGMA user_version = 99" if damage == "schema" else "DROP TABLE details")
        db.close()
    assert len(again(journal, repo, database).runs()) == 50
    journal.refresh()
    journal.append([make_run()])
    assert len(journal.runs()) == 51


def test_an_index_that_breaks_while_open_heals(journal: Journal, database: str, make_run: MakeRun) -> None:
    journal.append([make_run() for _ in range(50)])
    with sqlite3.connect(database) as db:
        db.execute("DROP TABLE stages")
        db.execute("DROP TABLE details")
    db.close()
    assert len(journal.runs()) == 50
    assert journal.append([make_run()]) and len(journal.runs()) == 51


def test_an_index_ahead_of_a_ref_that_was_set_back_is_built_again(
    journal: Journal, repo: Repo, database: str, make_run: MakeRun
) -> None:
    first, second = make_run(), make_run()
    journal.append([first])
    old = journal.tip
    journal.append([second])
    repo.run("update-ref", Journal.REF, old)
    assert [row.id for row in again(journal, repo, database).runs()] == [first.id]
    repo.run("update-ref", "-d", Journal.REF)
    assert again(journal, repo, database).runs() == []


def test_a_stale_tip_given_by_the_caller_does_not_hide_runs(
    journal: Journal, repo: Repo, database: str, make_run: MakeRun
) -> None:
    journal.append([make_run()])
    old = journal.tip
    journal.append([make_run()])
    assert len(Journal(repo.git, database, tip=old).runs()) == 2


def test_a_read_only_folder_is_enough_to_read(journal: Journal, repo: Repo, database: str, make_run: MakeRun) -> None:
    journal.append([make_run()])
    journal.close()
    folder = Path(database).parent
    Path(database).chmod(stat.S_IRUSR)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        assert len(again(journal, repo, database).runs()) == 1
        run = make_run()
        assert again(journal, repo, database).append([run]) == [run.id]
        assert len(again(journal, repo, database).runs()) == 2
    finally:
        folder.chmod(stat.S_IRWXU)


def test_where_no_index_can_be_made_it_is_kept_in_memory(journal: Journal, repo: Repo, make_run: MakeRun) -> None:
    journal.append([make_run()])
    blocked = repo.path / "file"
    blocked.touch()
    assert len(Journal(repo.git, str(blocked / "axil" / "journal.db")).runs()) == 1
    assert blocked.read_bytes() == b""


def test_a_database_that_cannot_be_replaced_is_left_alone(journal: Journal, repo: Repo, make_run: MakeRun) -> None:
    journal.append([make_run()])
    folder = repo.path / "journal.db"
    folder.mkdir()
    assert len(Journal(repo.git, str(folder)).runs()) == 1


def test_cached_answers_with_the_newest_success_that_counts(journal: Journal, make_run: MakeRun) -> None:
    key = "1" * 64
    out = Output(kind="tree", oid=OID, size=7, files=2)
    old = make_run(stages=[stage(key=key)])
    new = make_run(
        experiment="other", stages=[stage("prep"), stage(key=key, outs={"m/\udcff.bin": out}, metrics={"f1": 1.0})]
    )
    failed = make_run(stages=[stage(key=key, state="failed")])
    reused = make_run(stages=[stage(key=key, state="cached", source=new.id)])
    journal.append([old, new, failed, reused])
    hit = journal.cached(key)
    assert hit is not None and hit.run == new.id and hit.experiment == "other" and hit.author == AUTHOR
    assert hit.outs == {"m/\udcff.bin": OutputRow("tree", OID, 7, 2, False)} and hit.metrics == {"f1": 1.0}
    assert journal.cached("2" * 64) is None and journal.cached("") is None
    journal.append([Retract(id=ulid(901), time=START, target=new.id)])
    after = journal.cached(key)
    assert after is not None and after.run == old.id


def test_the_last_record_of_a_stage_is_looked_for_along_the_line_of_descent(
    journal: Journal, make_run: MakeRun
) -> None:
    journal.append([fork(0, "child", "base")])
    elsewhere = make_run(experiment="stranger", stages=[stage(), stage("only_there")])
    parents = make_run(stages=[stage()])
    later = make_run(experiment="stranger", stages=[stage()])
    skipped = make_run(experiment="child", stages=[stage(state="skipped")])
    journal.append([elsewhere, parents, later, skipped])

    def found(name: str, experiment: str | None) -> str:
        row = journal.last_stage(name, experiment)
        return row.run if row else ""

    assert found("train", "child") == parents.id
    assert found("train", "base") == parents.id
    assert found("only_there", "child") == elsewhere.id
    assert found("train", None) == later.id
    assert found("never", "child") == ""
    own = make_run(experiment="child", stages=[stage(state="failed")])
    journal.append([own])
    assert found("train", "child") == own.id


def test_rehearsals_are_listed_only_if_asked_for(journal: Journal, make_run: MakeRun) -> None:
    real = make_run(stages=[stage(key="1" * 64)], metrics={"f1": 0.5})
    rehearsal = make_run(stages=[stage(key="2" * 64, sample=10)], metrics={"f1": 0.9}, sample=10)
    journal.append([real, rehearsal])
    assert [row.id for row in journal.runs()] == [real.id]
    assert [(row.id, row.sample) for row in journal.runs(samples=True)] == [(rehearsal.id, 10), (real.id, 0)]
    latest = journal.latest("base")
    assert latest is not None and latest.id == real.id == journal.find("base").id
    (summary,) = journal.summaries("f1").values()
    assert (summary.runs, summary.latest, summary.best, summary.best_run) == (1, real.id, 0.5, real.id)
    found = {sample: journal.last_stage("train", "base", sample=sample) for sample in (0, 10, 20)}
    assert {sample: row.run for sample, row in found.items() if row} == {0: real.id, 10: rehearsal.id}
    assert journal.find(rehearsal.id).sample == 10
    assert journal.is_rehearsal(rehearsal.id) and not journal.is_rehearsal(real.id)


def test_stages_come_in_the_order_of_the_run(journal: Journal, make_run: MakeRun) -> None:
    run = make_run(stages=[stage("b"), stage("a"), stage("c")])
    journal.append([run])
    assert [one.name for one in journal.stages(run.id)] == ["b", "a", "c"]


def test_outputs_name_everything_a_run_needs(journal: Journal, make_run: MakeRun) -> None:
    out = Output(kind="file", oid="1" * 64, size=1)
    run = make_run(stages=[stage(outs={"model.bin": out}, log="2" * 64)], series="3" * 64)
    other = make_run(stages=[stage(outs={"model.bin": out})])
    journal.append([run, other, Retract(id=ulid(902), time=START, target=run.id)])
    assert sorted(journal.all_outputs()) == [bytes.fromhex(d * 64) for d in "123"]
    kept = [(ref.oid.hex(), ref.run, ref.role, ref.path) for ref in journal.outputs(retracted=False)]
    assert kept == [("1" * 64, other.id, "out", "model.bin")]


def test_runs_follow_the_experiments_name(journal: Journal, make_run: MakeRun) -> None:
    journal.append([make_run(), make_run(experiment="")])
    journal.append([Rename(id=ulid(500), time=START, old="base", new="better")])
    late = make_run(id=ulid(501))
    journal.append([late])
    assert [row.experiment for row in journal.runs()] == ["base", "", "better"]
    assert [row.experiment for row in journal.runs(experiment="better")] == ["better"]
    assert [row.id for row in journal.runs(experiment="base")] == [late.id]
    with pytest.raises(NotFound, match="no experiment bettter") as info:
        journal.runs(experiment="bettter")
    assert "did you mean better?" in str(info.value)


def test_runs_are_sorted_with_the_missing_last(journal: Journal, make_run: MakeRun) -> None:
    values: list[float | None] = [0.3, None, 0.9, float("nan"), 0.5, float("inf")]
    made = [
        make_run(metrics={} if v is None else {"f1": v}, params={"lr": v if v and v < 1 else "auto"}) for v in values
    ]
    journal.append(made)
    order = {run.id: number for number, run in enumerate(made)}

    def by(**keywords: object) -> list[int]:
        return [order[row.id] for row in journal.runs(**keywords)]  # type: ignore[arg-type]

    assert by() == [5, 4, 3, 2, 1, 0]
    assert by(descending=False) == [0, 1, 2, 3, 4, 5]
    assert by(sort="f1") == [5, 2, 4, 0, 3, 1]
    assert by(sort="f1", limit=2) == [5, 2]
    assert by(sort="f1", directions={"f1": "min"}) == [0, 4, 2, 5, 3, 1]
    assert by(sort="f1", directions={"f1": "min"}, descending=True) == [5, 2, 4, 0, 3, 1]
    assert by(sort="params.lr") == [0, 4, 2, 5, 3, 1]
    assert by(sort="time", limit=1) == [5]
    assert by(sort="age", limit=1) == [5]
    assert by(limit=0) == []
    with pytest.raises(BadInput, match="`f2`") as info:
        by(sort="f2")
    assert "`f1`" in info.value.hint


def test_retracted_runs_are_listed_only_when_asked(journal: Journal, make_run: MakeRun) -> None:
    run = make_run()
    retract = Retract(id=ulid(903), time=START, target=run.id)
    journal.append([run])
    journal.append([retract])
    assert journal.runs() == [] and journal.runs(retracted=True)[0].retracted
    journal.append([Retract(id=ulid(904), time=START, target=retract.id)])
    assert [row.id for row in journal.runs()] == [run.id]


def test_a_retract_that_arrives_before_its_run_counts(journal: Journal, make_run: MakeRun) -> None:
    run = make_run()
    journal.append([Retract(id=ulid(905), time=START, target=run.id)])
    journal.append([run])
    assert journal.runs() == []


def test_runs_are_found_by_their_exact_code(journal: Journal, repo: Repo, make_run: MakeRun) -> None:
    trees = [f"{number:040x}" for number in (1, 2, 3)]
    runs = [make_run(snapshot=trees[0]), make_run(snapshot=trees[1]), make_run(snapshot=trees[0])]
    seeded, gone = make_run(snapshot=trees[1], seed=7), make_run(snapshot=trees[2])
    journal.append([*runs, seeded, gone, make_run(), Retract(id=ulid(90), time=START, target=gone.id)])
    found = journal.of_snapshots(trees)
    assert {tree: [row.id for row in rows] for tree, rows in found.items()} == {
        trees[0]: [runs[2].id, runs[0].id],
        trees[1]: [runs[1].id],
    }
    assert [row.id for row in journal.of_snapshots(trees, 7)[trees[1]]] == [seeded.id]
    assert journal.of_snapshots([f"{number:040x}" for number in range(4, 2000)]) == {}


def test_summaries_find_the_best_of_the_succeeded(journal: Journal, make_run: MakeRun) -> None:
    good, better = make_run(metrics={"f1": 0.5}), make_run(metrics={"f1": 0.7})
    failed = make_run(metrics={"f1": 0.9}, state="failed")
    journal.append([good, better, failed])
    identity = journal.experiments()["base"].identity
    best = journal.summaries("f1")[identity]
    assert (best.runs, best.latest, best.state, best.best, best.best_run) == (3, failed.id, "failed", 0.7, better.id)
    assert journal.summaries("f1", "min")[identity].best == 0.5
    assert journal.summaries("loss")[identity].best is None


def test_the_latest_run_may_be_of_any_state(journal: Journal, make_run: MakeRun) -> None:
    good, bad = make_run(), make_run(state="failed")
    journal.append([good, bad])
    newest, last_good = journal.latest("base", None), journal.latest("base")
    assert newest and newest.id == bad.id and last_good and last_good.id == good.id
    assert journal.latest("nobody") is None


def test_notes_follow_experiments_and_runs(journal: Journal, make_run: MakeRun) -> None:
    run = make_run()
    journal.append([run])
    journal.append([Note(id=ulid(600), time=START, author=AUTHOR, target="base", text="one")])
    journal.append([Note(id=ulid(601), time=START, author=AUTHOR, target=run.id, text="two")])
    journal.append([Rename(id=ulid(602), time=START, old="base", new="better")])
    assert [note.text for note in journal.notes("better")] == ["one"]
    assert [note.text for note in journal.notes(run.id)] == ["two"]
    assert journal.notes("base") == [] and journal.notes("nobody") == []


def test_a_run_is_named_by_the_beginning_or_the_end_of_its_id(journal: Journal, make_run: MakeRun) -> None:
    one = make_run(id="01K00000000000000000AAAAAA")
    two = make_run(id="01K00000000000000000BBAAAA", state="failed")
    journal.append([one, two])
    assert journal.resolve("01k00000000000000000b") == ("run", two.id)
    assert journal.resolve("BBAAAA") == ("run", two.id)
    assert journal.resolve("base") == ("experiment", "base")
    assert journal.find("base").id == two.id and journal.find(one.id).id == one.id
    assert journal.run(one.id[:21]) == one
    with pytest.raises(NotFound, match="01K may be any of several") as info:
        journal.resolve("01K")
    assert one.id in info.value.why and two.id in info.value.why and "failed" in info.value.why
    for text in ("01KZ", "AAA", "no such", "", "é", "0" * 27):
        with pytest.raises(NotFound):
            journal.resolve(text)


def test_an_experiment_without_a_run_says_so(journal: Journal) -> None:
    journal.append([fork(1, "child")])
    with pytest.raises(NotFound, match="child has no run"):
        journal.find("child")


def _put(repo: Repo, files: dict[str, bytes], journal: Journal) -> None:
    old = repo.run("rev-parse", "--verify", "-q", Journal.REF, check=False) or None
    fast_import(repo.git, Journal.REF, old, files, message="hostile", author=AUTHOR, time=START)
    journal.refresh()


def test_entries_of_a_hostile_journal_are_passed_over_and_reported(
    journal: Journal, repo: Repo, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, other, huge = make_run(), make_run(), make_run(message="x" * 5000)
    journal.append([good])
    monkeypatch.setattr("axil.journal.tree.MAX_RECORD", 4000)

    def at(number: int) -> str:
        return f"run/{ulid(number)[-2:]}/{ulid(number)}/record.json"

    escape = encode(make_run(stages=[stage(outs={"a": Output(kind="file", oid=OID, size=1)})]))
    _put(
        repo,
        {
            at(701): b"{not json",
            at(702): encode(other),
            at(703): encode(make_run(id=ulid(703))).replace(b'"time":', b'"time":"x","t":'),
            at(704): escape.replace(b'"a":', b'"../../.bashrc":').replace(b"01", b"01"),
            f"run/{huge.id[-2:]}/{huge.id}/record.json": encode(huge),
            "run/notes.txt": b"x",
            "run/\udcff\x1b": b"no text",
            "run/ab/short/record.json": b"{}",
            f"run/{ulid(705)[-2:]}/{ulid(705)}/extra": b"x",
            "future/ab/thing": b"from a newer version",
            f"note/{ulid(706)[-2:]}/{ulid(706)}/record.json": b'{"kind":"retract","id":"x"}',
        },
        journal,
    )
    assert [row.id for row in journal.runs()] == [good.id]
    why = {problem.path: problem.why for problem in journal.problems()}
    assert "not JSON" in why[at(701)]
    assert "not that of its folder" in why[at(702)]
    assert "$.time" in why[at(703)]
    assert "not a path inside the project" in why[at(704)]
    assert "of at most 4000" in why[f"run/{huge.id[-2:]}/{huge.id}/record.json"]
    assert {
        "run/\ufffd\ufffd",
        "run/notes.txt",
        "run/ab/short",
        f"run/{ulid(705)[-2:]}/{ulid(705)}/extra",
    } <= why.keys()
    assert not any(path.startswith("future") for path in why)


def test_a_record_altered_in_place_is_noticed(journal: Journal, repo: Repo, make_run: MakeRun) -> None:
    run = make_run()
    journal.append([run])
    _put(repo, {f"run/{run.id[-2:]}/{run.id}/record.json": encode(make_run(id=run.id, state="failed"))}, journal)
    assert [row.state for row in journal.runs()] == ["failed"]


def test_a_run_whose_record_git_lost_is_damaged(journal: Journal, repo: Repo, database: str, make_run: MakeRun) -> None:
    run = make_run()
    journal.append([run])
    oid = repo.run("rev-parse", f"{Journal.REF}:run/{run.id[-2:]}/{run.id}/record.json")
    (repo.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    assert [row.id for row in journal.runs()] == [run.id]
    with pytest.raises(Damaged, match="cannot be read"):
        journal.run(run.id)
    Path(database).unlink()
    fresh = again(journal, repo, database)
    assert fresh.runs() == [] and "missing" in fresh.problems()[0].why


def test_a_record_that_could_not_be_read_back_is_refused_and_nothing_written(
    journal: Journal, make_run: MakeRun
) -> None:
    bad: list[AnyRecord] = [
        make_run(),
        make_run(stages=[stage(outs={"/etc/passwd": Output(kind="file", oid=OID, size=1)})]),
    ]
    with pytest.raises(BadInput, match="not valid"):
        journal.append(bad)
    assert journal.tip == ""


def test_adding_to_many_costs_no_listing_of_them(journal: Journal, make_run: MakeRun, clock: Clock) -> None:
    journal.append([make_run() for _ in range(300)])
    reads: list[str] = []
    journal._index.connection.set_trace_callback(reads.append)
    journal.append([make_run()])
    assert not any("FROM records" in sql for sql in reads)
    scans = [sql for sql in reads if sql.startswith(("SELECT", "UPDATE", "INSERT"))]
    for sql in scans:
        plan = journal._index.connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
        assert not any(detail == "SCAN runs" for *_, detail in plan), sql

from __future__ import annotations

from tests.unit.journal.conftest import START, ulid

from axil.formats.record import AnyRecord, Archive, Delete, Fork, Note, Rename, Restore, Retract, Run
from axil.journal.rows import Experiment
from axil.journal.state import Inferred, State, by_name, fold, infer_parents

ONE, TWO, TIP = "1" * 40, "2" * 40, "f" * 40


def fork(n: int, name: str, parent: str = "", commit: str = ONE, hypothesis: str = "") -> Fork:
    return Fork(id=ulid(n), time=START + n, name=name, parent=parent, commit=commit, hypothesis=hypothesis)


def rename(n: int, old: str, new: str) -> Rename:
    return Rename(id=ulid(n), time=START + n, old=old, new=new)


def archive(n: int, name: str, commit: str = TIP) -> Archive:
    return Archive(id=ulid(n), time=START + n, name=name, commit=commit)


def restore(n: int, name: str, commit: str = TIP) -> Restore:
    return Restore(id=ulid(n), time=START + n, name=name, commit=commit)


def delete(n: int, name: str, commit: str = TIP) -> Delete:
    return Delete(id=ulid(n), time=START + n, name=name, commit=commit)


def retract(n: int, target: AnyRecord) -> Retract:
    return Retract(id=ulid(n), time=START + n, target=target.id)


def run(n: int, experiment: str) -> Run:
    return Run(id=ulid(n), time=START + n, experiment=experiment, state="succeeded")


def shown(*records: AnyRecord) -> dict[str, Experiment]:
    return by_name(fold(records).experiments.values())


def owner(state: State, name: str, at: int) -> str:
    """Current name of the experiment that a run recorded as `name` at that time belongs to."""
    identity = state.identity(name, ulid(at))
    return state.experiments[identity].name if identity in state.experiments else f"{identity} (implicit)"


def test_a_fork_has_its_parent_and_its_reason() -> None:
    child = shown(fork(1, "base"), fork(2, "child", "base", hypothesis="decay helps"))["child"]
    assert (child.parent, child.hypothesis, child.commit, child.created) == ("base", "decay helps", ONE, START + 2)
    assert not child.inferred and not child.archived and not child.deleted


def test_a_parent_known_only_by_name_is_an_experiment_of_plain_git() -> None:
    main = shown(fork(1, "child", "main"))["main"]
    assert main.inferred and main.parent is None and not main.deleted


def test_runs_alone_make_an_experiment_known() -> None:
    assert shown(run(1, "main"))["main"].inferred


def test_runs_and_children_follow_a_rename() -> None:
    state = fold([fork(1, "base"), fork(2, "child", "base"), rename(3, "base", "better")])
    names = by_name(state.experiments.values())
    assert names["child"].parent == "better" and names["better"].identity == ulid(1) and "base" not in names
    assert owner(state, "base", 2) == "better"
    assert owner(state, "base", 4) == f"base@{ulid(3)} (implicit)"
    assert owner(state, "better", 4) == "better"


def test_a_name_used_again_is_another_experiment() -> None:
    state = fold([fork(1, "a"), delete(3, "a"), fork(5, "a", commit=TWO)])
    assert state.identity("a", ulid(2)) == ulid(1) and state.identity("a", ulid(6)) == ulid(5)
    assert state.experiments[ulid(1)].deleted and state.experiments[ulid(1)].tip == TIP
    assert by_name(state.experiments.values())["a"].identity == ulid(5)


def test_a_fork_of_a_living_name_means_that_the_branch_was_gone() -> None:
    state = fold([fork(1, "a"), fork(5, "a", commit=TWO)])
    assert state.experiments[ulid(1)].deleted and not state.experiments[ulid(5)].deleted


def test_the_same_fork_made_in_two_clones_is_one_experiment() -> None:
    state = fold([fork(1, "a", "main"), fork(5, "a", "main")])
    assert list(state.experiments) == [ulid(1), "main@"] and owner(state, "a", 6) == "a"


def test_archive_frees_the_name_and_restore_takes_it_back() -> None:
    records: list[AnyRecord] = [fork(1, "a"), archive(2, "a")]
    one = shown(*records)["a"]
    assert one.archived and one.tip == TIP and one.identity == ulid(1)
    records += [fork(3, "a", commit=TWO)]
    assert shown(*records)["a"].identity == ulid(3)
    records += [delete(4, "a", TWO), restore(5, "a")]
    back = shown(*records)["a"]
    assert back.identity == ulid(1) and not back.archived and back.tip == ""


def test_restore_takes_the_archived_one_with_that_tip() -> None:
    state = fold(
        [fork(1, "a"), archive(2, "a", ONE), fork(3, "a", commit=TWO), archive(4, "a", TWO), restore(5, "a", ONE)]
    )
    assert not state.experiments[ulid(1)].archived and state.experiments[ulid(3)].archived


def test_an_archived_experiment_can_be_deleted_and_renamed() -> None:
    assert shown(fork(1, "a"), archive(2, "a"), delete(3, "a"))["a"].deleted
    renamed = shown(fork(1, "a"), archive(2, "a"), rename(3, "a", "b"))
    assert renamed["b"].archived and "a" not in renamed


def test_two_clones_archiving_or_deleting_the_same_do_it_once() -> None:
    assert len(fold([fork(1, "a"), archive(2, "a"), archive(3, "a")]).experiments) == 1
    assert len(fold([fork(1, "a"), delete(2, "a"), delete(3, "a")]).experiments) == 1


def test_a_deleted_experiment_comes_back_by_restore_or_by_retracting_the_delete() -> None:
    gone = delete(2, "a")
    assert not shown(fork(1, "a"), gone, restore(3, "a"))["a"].deleted
    assert not shown(fork(1, "a"), gone, retract(3, gone))["a"].deleted


def test_a_rename_onto_a_living_name_takes_it() -> None:
    state = fold([fork(1, "a"), fork(2, "b", commit=TWO), rename(3, "a", "b")])
    assert by_name(state.experiments.values())["b"].identity == ulid(1) and state.experiments[ulid(2)].deleted


def test_children_of_an_archived_parent_keep_it() -> None:
    child = shown(fork(1, "a"), archive(2, "a"), fork(3, "child", "a"))["child"]
    assert child.parent_identity == ulid(1)


def test_a_fork_from_its_own_name_is_no_circle() -> None:
    state = fold([fork(1, "a"), fork(2, "a", "a", commit=TWO)])
    assert state.experiments[ulid(2)].parent_identity == ulid(1)


def test_what_is_retracted_does_not_count_until_the_retract_is_retracted() -> None:
    made = fork(1, "a")
    off = retract(2, made)
    assert shown(made, off) == {}
    assert "a" in shown(made, off, retract(3, off))


def test_retracts_cannot_cancel_each_other() -> None:
    made = fork(1, "a")
    one = Retract(id=ulid(2), time=START, target=ulid(3))
    two = Retract(id=ulid(3), time=START, target=ulid(2))
    state = fold([made, one, two, Retract(id=ulid(4), time=START, target=ulid(4))])
    assert state.retracted == {ulid(2)} and "a" in by_name(state.experiments.values())


def test_notes_know_whom_they_are_about() -> None:
    notes = fold(
        [
            fork(1, "a"),
            Note(id=ulid(2), time=START, target="a", text="first"),
            delete(3, "a"),
            fork(4, "a", commit=TWO),
            Note(id=ulid(5), time=START, target="a", text="second"),
            Note(id=ulid(6), time=START, target=ulid(9), text="about a run"),
        ]
    ).notes
    assert [(note.text, identity) for note, identity in notes] == [
        ("first", ulid(1)),
        ("second", ulid(4)),
        ("about a run", ""),
    ]


# Ancestry: a-b-c-d on main; e-f on feature from b; g on sub from e.
ANCESTRY = {"a": [], "b": ["a"], "c": ["b"], "d": ["c"], "e": ["b"], "f": ["e"], "g": ["e"]}


def test_the_parent_owns_the_nearest_common_commit() -> None:
    tips = {"main": "d", "feature": "f", "sub": "g"}
    found = infer_parents(tips, {}, ANCESTRY, "main")
    assert found["main"] == Inferred(None, "")
    assert {found["feature"], found["sub"]} == {Inferred("main", "b"), Inferred("feature", "e")}


def test_recorded_forks_own_their_commits_and_are_not_inferred() -> None:
    found = infer_parents({"main": "d", "feature": "f", "sub": "g"}, {"feature": "b"}, ANCESTRY, "main")
    assert found == {"main": Inferred(None, ""), "sub": Inferred("feature", "e")}


def test_a_recorded_fork_point_belongs_to_the_parent() -> None:
    found = infer_parents({"main": "d", "feature": "f", "plain": "b"}, {"feature": "b"}, ANCESTRY, "main")
    assert found["plain"] == Inferred("main", "b")


def test_a_branch_at_the_tip_of_another_descends_from_it() -> None:
    assert infer_parents({"main": "d", "copy": "d"}, {}, ANCESTRY, "main")["copy"] == Inferred("main", "d")


def test_without_a_trunk_the_shorter_line_is_the_parent() -> None:
    found = infer_parents({"long": "d", "short": "b"}, {}, ANCESTRY)
    assert found == {"short": Inferred(None, ""), "long": Inferred("short", "b")}


def test_unrelated_histories_and_cut_ones_have_no_parent() -> None:
    found = infer_parents({"main": "d", "island": "x", "cut": "y"}, {}, ANCESTRY | {"y": ["unknown"]}, "main")
    assert found["island"] == Inferred(None, "") and found["cut"] == Inferred(None, "")


def test_a_child_stays_with_its_parent_when_the_name_is_used_again() -> None:
    """Not with the newcomer, which may even descend from the child."""
    for gone in (delete(3, "a"), archive(3, "a")):
        found = shown(fork(1, "a", "top"), fork(2, "child", "a"), gone, fork(4, "a", "child", commit=TWO))
        assert found["child"].parent == "top" and found["child"].parent_identity == ulid(1)
        assert found["a"].parent == "child"
    alone = shown(fork(2, "child", "main"), delete(3, "main"), fork(4, "main", "child", commit=TWO))
    assert alone["child"].parent is None


def test_a_rename_that_was_named_back_takes_no_name_from_anybody() -> None:
    """The delete that had freed the name does not count any more."""
    gone = delete(3, "a")
    records: list[AnyRecord] = [
        fork(1, "a"),
        fork(2, "b", commit=TWO),
        gone,
        rename(4, "b", "a"),
        rename(5, "a", "b"),
        retract(6, gone),
    ]
    names = shown(*records)
    assert names["a"].identity == ulid(1) and not names["a"].deleted
    assert names["b"].identity == ulid(2)
    assert fold(records).current("a") == ulid(1)

"""The fold of records: independent of order and of how often a record is seen, and always consistent."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from axil.base.ids import encode
from axil.formats.record import AnyRecord, Archive, Delete, Fork, Note, Rename, Restore, Retract, Run
from axil.journal.state import by_name, fold, implicit, infer_parents

NAMES = st.sampled_from(["a", "b", "c", "d"])
COMMITS = st.sampled_from(["1" * 40, "2" * 40])


def ulid(number: int) -> str:
    return encode((1 << 100) + number)


@st.composite
def histories(draw: st.DrawFn) -> list[AnyRecord]:
    """Any records at all, sensible or not; retracts aim at records before and after them."""
    count = draw(st.integers(0, 14))
    numbers = draw(st.permutations(range(count)))
    made: list[AnyRecord] = []
    for number in numbers:
        common: dict[str, Any] = {"id": ulid(number), "time": float(number)}
        name, other, commit = draw(NAMES), draw(NAMES), draw(COMMITS)
        choices: list[AnyRecord] = [
            Fork(**common, name=name, parent=other, commit=commit),
            Fork(**common, name=name, parent="", commit=commit),
            Rename(**common, old=name, new=other),
            Archive(**common, name=name, commit=commit),
            Restore(**common, name=name, commit=commit),
            Delete(**common, name=name, commit=commit),
            Note(**common, target=name, text="x"),
            Run(**common, experiment=name, state="succeeded"),
            Retract(**common, target=ulid(draw(st.integers(0, count)))),
        ]
        made.append(draw(st.sampled_from(choices)))
    return made


@given(histories(), st.randoms())
def test_order_and_repetition_do_not_matter(records: list[AnyRecord], random: random.Random) -> None:
    shuffled = records + random.sample(records, len(records) // 2)
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(records)


@given(histories())
def test_the_state_is_consistent(records: list[AnyRecord]) -> None:
    state = fold(records)
    living = [one.name for one in state.experiments.values() if not one.deleted and not one.archived]
    assert len(living) == len(set(living)), "two living experiments share a name"
    for identity, one in state.experiments.items():
        assert one.identity == identity and not (one.archived and one.deleted)
        if not one.deleted and not one.archived:
            assert state.current(one.name) == identity
        seen = {identity}
        while one.parent_identity:
            assert one.parent_identity not in seen, "a circle of parents"
            seen.add(one.parent_identity)
            one = state.experiments[one.parent_identity]
    for bound in state.spans.values():
        assert bound == sorted(bound, key=lambda span: span[0])


@given(histories())
def test_nothing_is_lost(records: list[AnyRecord]) -> None:
    state = fold(records)
    for record in records:
        if record.id in state.retracted:
            continue
        if isinstance(record, Run):
            assert state.identity(record.experiment, record.id) in state.experiments
        if isinstance(record, Fork):
            twin = [e for e in state.experiments.values() if e.commit == record.commit]
            assert record.id in state.experiments or twin
    counted = [r for r in records if isinstance(r, Note) and r.id not in state.retracted]
    assert {note.id for note, _ in state.notes} == {note.id for note in counted}
    assert set(by_name(state.experiments.values())) == {one.name for one in state.experiments.values()}


@given(histories())
def test_implicit_experiments_agree_with_the_fold(records: list[AnyRecord]) -> None:
    state = fold(records)
    without_runs = fold(r for r in records if not isinstance(r, Run))
    for identity, one in state.experiments.items():
        assert without_runs.experiments.get(identity, implicit(identity, without_runs)) == one


@given(st.data())
def test_every_plain_branch_gets_a_parent_that_is_not_its_descendant(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    ancestry = {"0": list[str]()}
    for number in range(1, size):
        ancestry[str(number)] = [str(data.draw(st.integers(0, number - 1)))]
    tips = {f"b{n}": str(data.draw(st.integers(0, size - 1))) for n in range(data.draw(st.integers(1, 6)))}
    trunk = data.draw(st.sampled_from([None, *tips]))
    found = infer_parents(tips, {}, ancestry, trunk)
    assert set(found) == set(tips)
    assert [name for name, one in found.items() if one.parent is None] == [next(iter(found))]
    for name in found:
        seen, at = {name}, found[name]
        while at.parent is not None:
            assert at.parent not in seen
            seen.add(at.parent)
            at = found[at.parent]

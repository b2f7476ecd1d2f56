"""Disks that fill up or fail while axil shares, remotes that fail, cut, flip and lag: clear words, no wrong byte."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.cli.sharing import Person
from tests.faults.cuts import Ended, Stage, failing, faulty, run, sampled
from tests.faults.test_sharing_kill import age, more, pasts, same

from axil.remotes.base import Denied
from axil.remotes.wrap.faulty import Fault
from axil.store import Store
from axil.store.verify import verify

CALLS = ("write", "pwrite", "fsync", "rename", "replace", "link", "mkdir", "makedirs")
PRUNE = ("remote", "prune", "-f", "--drop-roots")
MOST = 4
"""So many faults of each kind; all of them with AXIL_MODEL=long."""


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("GIT_TEMPLATE_DIR", "")
    return Stage(tmp_path / "place")


def begin(stage: Stage, action: str) -> tuple[Person, Sequence[str], Callable[[], object]]:
    """Who does what, and what must hold when it was done again."""
    if action == "prune":
        ann = pasts(stage)
        stage.keep()
        return ann, PRUNE, lambda: same(ann, stage.place.join("Cyd"))
    ann = stage.place.found()
    bob = stage.place.join("Bob") if action == "pull" else ann
    more(ann)
    if action == "pull":
        ann.axil("push")
    if action == "gc":
        for path in (ann.path / ".git/axil/operations").iterdir():
            path.unlink()
        ann.write({"data/raw/4.txt": "instead"})
        ann.axil("add", "data/raw")
    stage.keep()
    after = {
        "pull": lambda: same(ann, bob),
        "push": lambda: same(ann, stage.place.join("Cyd")),
        "gc": lambda: ann.axil("push"),
    }
    return bob, {"gc": ["gc", "--now"]}.get(action, [action]), after[action]


def told(ended: Ended) -> None:
    """Raise unless the command went well or said what was the matter."""
    assert ended.code in (0, 1), ended.said
    assert "Traceback" not in ended.said, ended.said
    assert ended.code == 0 or "error: " in ended.said, ended.said


def again(stage: Stage, person: Person, words: Sequence[str], after: Callable[[], object]) -> None:
    """Raise unless all is sound, and the same command now does it."""
    stage.clean(person)
    age(stage.place.store, 0.1)
    person.axil(*words)
    after()
    stage.clean(person)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize("action", ["push", "pull", "gc", "prune"])
def test_a_disk_that_fails_at_any_call(stage: Stage, action: str, code: int) -> None:
    person, words, after = begin(stage, action)
    whole = run(person, words, failing(-1, CALLS, code))
    assert whole.code == 0 and whole.steps > 3, whole
    for number in sampled(whole.steps, MOST):
        stage.reset()
        told(run(person, words, failing(number, CALLS, code)))
        again(stage, person, words, after)


@pytest.mark.parametrize("how", ["before", "after", "truncate", "flip"])
@pytest.mark.parametrize("action", ["push", "pull", "prune"])
def test_a_remote_that_fails_at_any_request(stage: Stage, action: str, how: str) -> None:
    person, words, after = begin(stage, action)
    whole = run(person, words, faulty({}))
    assert whole.code == 0 and whole.steps > 3, whole
    error = Denied("a fault", "it is a test") if how in ("before", "after") else None
    for number in sampled(whole.steps, MOST):
        stage.reset()
        ended = run(person, words, faulty({number: Fault(how, error)}))  # type: ignore[arg-type]
        told(ended)
        if how in ("truncate", "flip") and ended.verb in ("put", "create"):
            wrong_over_there(stage, person)
        else:
            again(stage, person, words, after)


def wrong_over_there(stage: Stage, person: Person) -> None:
    """The remote kept other bytes than it was given: a check tells, nobody takes them for the right ones."""
    cyd = Person(stage.place.folder, "Cyd")
    told(run(cyd, ["clone", str(stage.place.hub), "cyd"], faulty({})))
    assert verify(Store(str(person.path / ".git/axil/store"))).faults == ()
    assert verify(Store(str(stage.place.folder / "cyd/.git/axil/store"))).faults == ()
    checked = run(person, ["remote", "check", "--restore"], faulty({}))
    assert checked.code in (0, 1) and "Traceback" not in checked.said, checked.said
    for name in ("data/raw", "model"):
        for path in (stage.place.folder / "cyd" / name).glob("*"):
            assert path.read_bytes() == (person.path / name / path.name).read_bytes()


@pytest.mark.parametrize("action", ["push", "pull", "prune"])
def test_a_remote_whose_listings_lag(stage: Stage, action: str) -> None:
    person, words, after = begin(stage, action)
    for lag in (1, 2, 5, 50):
        stage.reset()
        told(run(person, words, faulty({}, lag)))
        again(stage, person, words, after)

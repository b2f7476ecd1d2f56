"""Pushes that meet, and pushes that are killed: real processes, started together; nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.cli.sharing import Place
from tests.conftest import Repo


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def journal_runs(hub: Path) -> int:
    """How many runs the hub's journal has."""
    listed = Repo(hub).run("ls-tree", "-r", "-d", "--name-only", "refs/axil/journal", "run/")
    return sum(line.count("/") == 2 for line in listed.splitlines())


def test_pushes_of_the_same_journal_at_once_all_come_through(place):
    ann = place.found()
    people = [ann, place.join("Bob"), place.join("Cyd")]
    for turn in range(2):
        for person in people:
            person.axil("fork", f"{person.path.name}{turn}", "--from", "main")
            person.axil("note", f"{person.path.name}{turn}", "a note")
        started = [person.begin("push") for person in people]
        ended = [(process.communicate(timeout=120), process.returncode) for process in started]
        assert [code for _, code in ended] == [0, 0, 0], ended
    for person in people:
        person.axil("fetch")
    journals = {person.run("rev-parse", "refs/axil/journal") for person in people}
    trees = {person.run("rev-parse", "refs/axil/journal^{tree}") for person in people}
    assert len(trees) == 1, journals
    names = {node["name"] for node in ann.axil("tree", "--json").json["nodes"]}
    assert names == {"main", *(f"{person.path.name}{turn}" for person in people for turn in range(2))}


def test_two_pushes_of_the_same_branch_at_once(place):
    """One is first; the other is told, merges, and then both are there."""
    ann = place.found()
    bob = place.join("Bob")
    for turn in range(2):
        for person in (ann, bob):
            person.commit({f"{person.path.name}{turn}.txt": "x"}, f"turn {turn}")
            person.axil("note", "main", f"{person.path.name} {turn}")
        started = {person: person.begin("push") for person in (ann, bob)}
        ended = {person: (*process.communicate(timeout=120), process.returncode) for person, process in started.items()}
        lost = [person for person, (_, _, code) in ended.items() if code]
        assert len(lost) == 1, ended
        assert "went another way" in ended[lost[0]][1]
        lost[0].axil("fetch")
        lost[0].run("merge", "-q", "--no-edit", "origin/main")
        lost[0].axil("push")
        for person in (ann, bob):
            person.axil("pull")
        assert ann.head() == bob.head() == place.branch("main")
    files = set(ann.run("ls-files").splitlines())
    assert {"ann0.txt", "ann1.txt", "bob0.txt", "bob1.txt"} <= files
    assert len(ann.axil("show", "main", "--json").json["notes"]) == 4


def test_a_push_against_a_git_remote_that_keeps_moving(place):
    """Between the look and the push somebody else is quicker: a hook of the pusher stands in for that."""
    ann = place.found()
    bob = place.join("Bob")
    notes = []
    for number in range(3):
        bob.axil("note", "main", f"quicker {number}")
        notes.append(bob.run("rev-parse", "refs/axil/journal"))
    bob.run("push", "-q", "origin", f"{notes[-1]}:refs/heads/keep")
    hook = ann.path / ".git/hooks/pre-push"
    lines = [
        f'[ -e {n} ] || {{ touch {n}; git -C "$HUB" update-ref refs/axil/journal {c}; exit 0; }}'
        for n, c in enumerate(notes)
    ]
    hook.write_text("#!/bin/sh\ncd .git\n" + "\n".join(lines) + "\n")
    hook.chmod(0o755)
    ann.env["HUB"] = str(place.hub)
    ann.axil("note", "main", "slower")
    said = ann.axil("push", "--json").json
    assert said["tries"] == 4
    assert len(ann.axil("show", "main", "--json").json["notes"]) == 4
    bob.axil("fetch")
    assert len(bob.axil("show", "main", "--json").json["notes"]) == 4


def test_force_replaces_only_what_was_seen(place):
    ann = place.found()
    bob = place.join("Bob")
    bob.commit({"b.txt": "b"}, "seen")
    bob.axil("push")
    seen = bob.head()
    unseen = bob.commit({"c.txt": "c"}, "unseen")
    bob.run("push", "-q", "origin", "HEAD:refs/heads/keep")
    ann.commit({"a.txt": "a"}, "instead")
    hook = ann.path / ".git/hooks/pre-push"
    hook.write_text(f'#!/bin/sh\ngit -C "$HUB" update-ref refs/heads/main {unseen} {seen} || true\n')
    hook.chmod(0o755)
    ann.env["HUB"] = str(place.hub)
    said = ann.axil("push", "--force", code=1)
    assert "somebody else pushed to main meanwhile" in said.err
    assert place.branch("main") == unseen
    hook.unlink()
    ann.axil("push", "--force")
    assert place.branch("main") == ann.head()


@pytest.mark.parametrize("moment", [0.15, 0.4, 0.7, 1.0, 1.5])
def test_a_killed_push_is_finished_by_the_same_push_again(place, moment):
    ann = place.found(push=False)
    ann.write({f"data/raw/{number}.bin": os.urandom(20_000) for number in range(100)})
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "large")
    process = ann.begin("push")
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=120)
    before = place.packs() if place.store.exists() else {}
    ann.axil("push")
    sent = sum(size for name, size in place.packs().items() if name not in before)
    assert sum(before.values()) + sent < 2 * 2_100_000
    if sum(before.values()) > 2_000_000:
        assert sent < 1_000_000
    bob = place.join("Bob")
    assert (bob.path / "data/raw/99.bin").read_bytes() == (ann.path / "data/raw/99.bin").read_bytes()
    assert "nothing is wrong" in bob.axil("remote", "check", "--restore").out
    assert journal_runs(place.hub) == 2


def test_a_killed_pull_is_finished_by_the_same_pull_again(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.write({f"data/raw/{number}.bin": os.urandom(20_000) for number in range(100)})
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "large")
    ann.axil("push")
    for moment in (0.2, 0.5, 0.8):
        process = bob.begin("pull")
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=120)
    # What git was doing at that moment may have left its lock.
    (bob.path / ".git/index.lock").unlink(missing_ok=True)
    bob.axil("pull")
    assert bob.head() == ann.head()
    assert bob.run("status", "--porcelain") == ""
    assert (bob.path / "data/raw/99.bin").read_bytes() == (ann.path / "data/raw/99.bin").read_bytes()


def test_git_without_atomic_pushes(place):
    ann = place.found(push=False)
    subprocess.run(["git", "-C", str(place.hub), "config", "receive.advertiseAtomic", "false"], check=True)
    ann.axil("push")
    assert place.branch("main") == ann.head()
    assert journal_runs(place.hub) == 1

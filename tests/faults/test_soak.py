"""Many at once, for a while, in one project with two work trees and in a colleague's clone: nothing is lost."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.cli.sharing import Person, Place
from tests.faults.cuts import LONG

SECONDS = 60.0 if LONG else 12.0
LACKING = "Lacking"
"""What a fetch says of runs that are known already, but whose results nobody has pushed yet."""
RACES = ("Busy", "Blocked", LACKING)
"""Kinds of errors that say that somebody else was in the way, or is not done yet."""


class Crew:
    """Threads that each give commands, one after the other, until time is up."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int, Any]] = []
        self.bad: list[str] = []
        self.ran: list[str] = []
        self._end = time.monotonic() + SECONDS
        self._threads: list[threading.Thread] = []

    def add(self, person: Person, commands: Callable[[int], Iterator[list[str]]]) -> None:
        """`commands` gives the words of each turn; what must be done in between, it does itself."""
        self._threads.append(threading.Thread(target=self._work, args=(person, commands)))

    def work(self) -> None:
        """Let all of them work until time is up."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()

    def _work(self, person: Person, commands: Callable[[int], Iterator[list[str]]]) -> None:
        try:
            for turn in itertools.count():
                for words in commands(turn):
                    if time.monotonic() > self._end:
                        return
                    self._one(person, words)
        except Exception as error:
            self.bad.append(repr(error))

    def _one(self, person: Person, words: list[str]) -> None:
        process = person.begin(*words, "--json")
        out, err = process.communicate(timeout=300)
        kind = ""
        if process.returncode:
            kind = _kind(out, err)
            if kind not in RACES:
                self.bad.append(f"{person.path.name}: axil {' '.join(words)} → {process.returncode}: {err}{out}")
        elif words[0] == "run":
            self.ran.append(json.loads(out)["run"]["id"])
        self.done.append((words[0], process.returncode, kind))


def _kind(out: str, err: str) -> str:
    """What kind of failure a command told of."""
    with contextlib.suppress(ValueError, LookupError):
        return str(json.loads(err[err.index("{") :])["error"]["kind"])
    with contextlib.suppress(ValueError, LookupError):
        return LACKING if json.loads(out)["lacking"] else "?"
    return "?"


def adding(person: Person, folder: str) -> Callable[[int], Iterator[list[str]]]:
    def commands(turn: int) -> Iterator[list[str]]:
        person.write({f"{folder}/{turn % 7}": f"{person.path.name} {turn}" * 100, f"{folder}/big": os.urandom(150_000)})
        yield ["add", folder]

    return commands


def running(person: Person) -> Callable[[int], Iterator[list[str]]]:
    def commands(turn: int) -> Iterator[list[str]]:
        yield ["run", "--set", f"lr={turn + 1}", "-m", f"turn {turn}"]

    return commands


def always(*words: list[str]) -> Callable[[int], Iterator[list[str]]]:
    return lambda turn: iter(words)


def garbage(person: Person) -> None:
    """Versions that nobody needs, older than an hour, in packs with some that are needed."""
    for number in range(30):
        person.write({"data/junk/a": f"{number}" * 500, "data/junk/b": "b"})
        person.axil("add", "data/junk")
    for path in (person.path / ".git/axil/operations").iterdir():
        path.unlink()
    for path in (person.path / ".git/axil/store/packs").iterdir():
        os.utime(path, (time.time() - 7200, time.time() - 7200))


def test_everybody_at_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ann = place.found(push=False)
    ann.commit({"train.py": ann.read("train.py").partition("with open")[0]})  # a log in .git is none in a work tree
    ann.axil("run", "-q", "-m", "first")
    ann.axil("push")
    bob = place.join("Bob")
    garbage(ann)
    ann.run("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = Person(tmp_path / "side", "Ann")
    side.axil("materialise")
    bob.axil("fork", "bobs", "--from", "main")
    crew = Crew()
    crew.add(ann, adding(ann, "data/raw"))
    crew.add(side, adding(side, "data/raw"))
    crew.add(ann, running(ann))
    crew.add(side, running(side))
    crew.add(ann, always(["push", "--all"], ["fetch"], ["pull"]))
    crew.add(side, always(["gc"], ["push"], ["note", "side", "words"], ["verify"]))
    crew.add(bob, always(["note", "bobs", "more words"], ["push"], ["fetch", "--all"], ["remote", "check"]))
    crew.work()
    assert crew.bad == []
    words = {word for word, code, _ in crew.done if not code}
    assert {"add", "run", "push", "gc", "fetch", "note"} <= words, crew.done
    for person in (ann, side):
        assert person.axil("verify", "--json").json["sound"]
    ann.axil("push", "--all")
    bob.axil("push")
    assert ann.axil("remote", "check", "--restore", "--json").json["sound"]
    bob.axil("fetch")
    assert bob.axil("verify", "--json").json["sound"]
    known = {run["id"] for run in bob.axil("runs", "--all", "--json").json["runs"]}
    assert crew.ran and set(crew.ran) <= known

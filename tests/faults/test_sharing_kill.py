"""axil killed at any step of push, pull, clone, gc and prune: the same command again does it, and nothing is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.cli.sharing import Person
from tests.faults.cuts import Stage

MOST = 9
"""So many cuts of each command; all of them with AXIL_MODEL=long."""
BIG = bytes(range(256)) * 1200


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("GIT_TEMPLATE_DIR", "")
    return Stage(tmp_path / "place")


def more(person: Person, text: str = "four", message: str = "more") -> None:
    """Another version of the data with a run of it."""
    person.write({"data/raw/4.txt": text, "data/raw/big": BIG + text.encode()})
    person.axil("add", "data/raw")
    person.axil("run", "-q", "-m", message)


def age(folder: Path, days: float) -> None:
    """Make everything in a folder older."""
    for path in [folder, *folder.rglob("*")]:
        found = path.stat()
        os.utime(path, (found.st_atime, found.st_mtime - days * 86400))


def same(one: Person, other: Person) -> None:
    """Raise unless both have the same commit, data and outputs."""
    assert one.head() == other.head()
    for folder in ("data/raw", "model"):
        files = {path.name: path.read_bytes() for path in (one.path / folder).iterdir()}
        assert files == {path.name: path.read_bytes() for path in (other.path / folder).iterdir()}


def collected(person: Person) -> None:
    """A collection a little later leaves nothing that killed processes left half done."""
    age(person.path / ".git/axil/store/tmp", 0.1)
    person.axil("gc", "--now")
    assert not [*person.path.rglob(".axil-part-*"), *person.path.glob(".git/axil/store/tmp/*")]


def test_push(stage: Stage) -> None:
    ann = stage.place.found()
    more(ann)
    stage.keep()
    for ended in stage.cuts(ann, ["push"], MOST):
        assert ended.code in (None, 0), ended.said
        stage.clean(ann)
        ann.axil("push")
        stage.clean(ann)
        cyd = stage.place.join("Cyd")
        same(ann, cyd)
        assert len(cyd.axil("runs", "--json").json["runs"]) == 2
        age(stage.place.store, 30)
        ann.axil("remote", "prune", "-f")
        assert kept(stage, "leases") == 0
        collected(ann)
        stage.restorable()


def test_pull(stage: Stage) -> None:
    ann = stage.place.found()
    bob = stage.place.join("Bob")
    more(ann)
    ann.axil("push")
    stage.keep()
    for ended in stage.cuts(bob, ["pull"], MOST):
        assert ended.code in (None, 0), ended.said
        stage.clean(bob)
        bob.axil("pull")
        same(ann, bob)
        assert bob.run("status", "--porcelain") == ""
        collected(bob)
        stage.clean(bob)


def test_clone(stage: Stage) -> None:
    ann = stage.place.found()
    more(ann)
    ann.axil("push")
    starting = Person(stage.place.folder, "Cyd")
    starting.path = stage.place.folder / "desk"
    starting.path.mkdir()
    stage.keep()
    for ended in stage.cuts(starting, ["clone", str(stage.place.hub), "cyd"], MOST):
        assert ended.code in (None, 0), ended.said
        cyd = Person(starting.path / "cyd", "Cyd")
        if not cyd.path.exists() or not list(cyd.path.iterdir()):
            starting.axil("clone", str(stage.place.hub), "cyd")
        else:
            said = starting.axil("clone", str(stage.place.hub), "cyd", code=1)
            assert "is there already" in said.err
        cyd.axil("pull")
        same(ann, cyd)
        assert len(cyd.axil("runs", "--json").json["runs"]) == 2
        collected(cyd)
        stage.clean(cyd)


def test_gc(stage: Stage) -> None:
    ann = stage.place.found()
    for number in range(3):
        ann.write({"other/file": f"{number}" * 1000, "other/big": BIG + b"%d" % number})
        ann.axil("add", "other")
    for path in (ann.path / ".git/axil/operations").iterdir():
        path.unlink()
    stage.keep()
    for ended in stage.cuts(ann, ["gc", "--now"], MOST):
        assert ended.code in (None, 0), ended.said
        stage.clean(ann)
        for trash in ann.axil("gc", "--trash", "--json").json:
            ann.axil("gc", "--restore", trash["name"])
        stage.clean(ann)
        ann.axil("gc", "--now")
        assert ann.axil("verify", "--json").json["sound"]
        shutil.rmtree(ann.path / "other")
        ann.axil("materialise", "-f")
        assert (ann.path / "other/big").read_bytes() == BIG + b"2"
        collected(ann)
        assert ann.axil("gc", "--now", "-n", "--json").json["objects"] == 0
        ann.axil("push")


def stranger(stage: Stage, ann: Person, number: int) -> None:
    """Somebody else used the same remote for data of his own, and one thing that Ann has, too, and went away."""
    sam = Person(stage.place.folder / f"sam{number}", "Sam")
    sam.path.mkdir()
    sam.run("init", "-q")
    shared = (ann.path / "data/raw/big").read_bytes() if number else b"small"
    sam.write({"axil.toml": "", "x/big": shared, "x/own": os.urandom(60_000), "x/two": os.urandom(200_000)})
    sam.axil("remote", "add", "origin", str(stage.place.store))
    sam.axil("add", "x")
    sam.commit(message="start")
    sam.run("init", "-q", "--bare", str(stage.place.folder / f"sam{number}.git"))
    sam.run("remote", "add", "origin", str(stage.place.folder / f"sam{number}.git"))
    sam.axil("push")


def pasts(stage: Stage) -> Person:
    """Ann, at a remote whose next prune deletes what was condemned, copies what she needs of it, condemns and drops."""
    ann = stage.place.found()
    stranger(stage, ann, 0)
    age(stage.place.store, 10)
    assert "condemned" in ann.axil("remote", "prune", "-f", "--drop-roots", "--json").out
    age(stage.place.store, 10)
    ann.write({"data/raw/big": os.urandom(150_000)})
    stranger(stage, ann, 1)
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "more")
    ann.axil("push")
    age(stage.place.store, 10)
    planned = ann.axil("remote", "prune", "-n", "--drop-roots", "--json").json["plan"]
    assert planned["mark"]["packs"] and planned["mark"]["drops"] and planned["sweeps"], planned
    assert any(pack["objects"] for pack in planned["mark"]["packs"]), planned
    return ann


def test_prune(stage: Stage) -> None:
    """A prune that deletes what an earlier one condemned, condemns more, copies, and drops roots."""
    ann = pasts(stage)
    stage.keep()
    for ended in stage.cuts(ann, ["remote", "prune", "-f", "--drop-roots"], MOST):
        assert ended.code in (None, 0), ended.said
        stage.clean(ann)
        age(stage.place.store, 0.1)
        ann.axil("remote", "prune", "-f", "--drop-roots")
        same(ann, stage.place.join("Cyd"))
        for _ in range(4):
            age(stage.place.store, 10)
            ann.axil("remote", "prune", "-f", "--drop-roots")
            stage.restorable()
        assert kept(stage, "condemned") == kept(stage, "leases") == 0
        assert kept(stage, "roots") == 2
        assert sum(size for name, size in stage.place.packs().items() if not name.startswith(".")) < 200_000


def kept(stage: Stage, kind: str) -> int:
    """How many objects of a kind the remote has."""
    return len([path for path in (stage.place.store / kind).iterdir() if not path.name.startswith(".")])

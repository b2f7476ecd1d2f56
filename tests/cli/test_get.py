"""`axil get`: one file or folder of any experiment or run, without switching."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.sharing import Person, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def bob(place: Place) -> Person:
    """A clone on main; the experiment main_fast is at the remote only."""
    ann = place.found()
    ann.axil("fork", "+fast", "--set", "lr=0.3")
    ann.write({"data/raw/sub/x.txt": "inner", "notes/a.md": "words"})
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "fast")
    ann.axil("push")
    ann.axil("switch", "main")
    return place.join("Bob")


def test_listing(bob):
    items = bob.axil("get", "main_fast:", "--json").json["items"]
    kinds = {item["path"]: item["kind"] for item in items}
    assert kinds["data/raw"] == "data"
    assert kinds["model"] == kinds["metrics.json"] == "output"
    assert kinds["train.py"] == kinds["notes/a.md"] == "code"
    assert "data/raw.axil" not in kinds
    assert "model" in bob.axil("get", "main_fast").out


def test_each_kind_of_thing(bob):
    said = bob.axil("get", "main_fast:model/weights.txt", "--json").json
    assert (said["kind"], said["files"]) == ("output", 1)
    assert bob.read("weights.txt").startswith("0.3")
    assert bob.read("model/weights.txt").startswith("0.1")
    bob.axil("get", "main_fast:data/raw/sub", "-o", "out")
    assert bob.read("out/x.txt") == "inner"
    bob.axil("get", "main_fast:params.yaml", "-o", "out")
    assert bob.read("out/params.yaml") == "lr: 0.3\n"
    bob.axil("get", "main_fast:notes/", "-o", "new/deep")
    assert bob.read("new/deep/a.md") == "words"
    bob.axil("get", "main_fast:data", "-o", "all")
    assert bob.read("all/raw/1 ä.txt") == "1"
    assert bob.axil("status", "--json").json["data"][0]["state"] == "clean"


def test_of_a_run_and_of_a_commit(bob):
    run = bob.axil("runs", "--json").json["runs"][0]
    assert run["experiment"] == "main_fast"
    bob.axil("get", f"{run['id'][-7:]}:metrics.json", "-o", "m.json")
    assert "0.6" in bob.read("m.json")
    bob.axil("get", "HEAD~1:params.yaml", "-o", "p.yaml")
    assert bob.read("p.yaml") == "lr: 0.1\n"


def test_only_what_is_asked_for_travels(bob):
    def stored() -> int:
        return sum(path.stat().st_size for path in (bob.path / ".git/axil/store").rglob("*") if path.is_file())

    before = stored()
    bob.axil("get", "main_fast:data/raw/sub/x.txt")
    assert stored() - before < 6000
    assert bob.axil("get", "main_fast:data/raw/sub/x.txt", "-o", "again").err == ""


def test_nothing_is_overwritten_unasked(bob):
    said = bob.axil("get", "main_fast:train.py", code=1)
    assert "is there already" in said.err
    bob.write({"model.txt": "mine"})
    bob.axil("get", "main_fast:model/weights.txt", "-o", "model.txt", "-f")
    assert bob.read("model.txt").startswith("0.3")
    bob.write({"there/x.txt": "mine", "there/own.txt": "stays"})
    bob.axil("get", "main_fast:data/raw/sub", "-o", "there/", "-f")
    assert bob.read("there/sub/x.txt") == "inner"
    assert bob.read("there/own.txt") == "stays"


def test_names_that_do_not_exist_get_suggestions(bob):
    assert "did you mean data/raw?" in bob.axil("get", "main_fast:data/rwa", code=1).err
    assert "did you mean main_fast" in bob.axil("get", "main_fats:data/raw", code=1).err
    assert "axil get main_fast:" in bob.axil("get", "main_fast:nothing/at/all", code=1).err
    assert "no path in the project" in bob.axil("get", "main_fast:../x", code=1).err
    assert "no path in the project" in bob.axil("get", "main_fast:.git/config", code=1).err


def test_what_nobody_has(bob, place):
    os.rename(place.store, place.folder / "gone")
    said = bob.axil("get", "main_fast:model", code=1)
    assert said.err.splitlines()[1].startswith("error:")
    assert not (bob.path / "weights.txt").exists()

"""`axil diff`: files of tracked data between versions, and between a version and the work tree."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def placed(lab):
    """The work tree has the data of `digits_decay`."""
    folder = os.path.join(lab.root, "data/raw")
    os.makedirs(folder)
    for entry in lab.store.entries(lab.more):
        with open(os.path.join(folder, os.fsdecode(entry.name)), "wb") as file:
            file.write(lab.store.read(entry.oid))
    return folder


def test_two_experiments(lab, axil):
    answer = axil("diff", "digits", "digits_decay")
    lines = answer.out.splitlines()
    assert lines[0] == "data/raw  +3 ~5 files"
    assert lines[1] == "  ~ 0000.png  1 B → 4 B"
    assert lines[-1] == "  + 0052.png  2 B"
    assert len(lines) == 9


def test_json(lab, axil):
    value = axil("diff", "digits_decay", "digits", "--json").json
    assert (value["old"], value["new"]) == ("digits_decay", "digits")
    assert (value["added"], value["removed"], value["changed"]) == (0, 3, 5)
    assert value["paths"][0]["files"][0]["kind"] == "changed"


def test_runs_and_commits_have_names_too(lab, axil):
    by_name = axil("diff", "digits", "digits_decay", "--json").json["paths"]
    assert axil("diff", lab.first, lab.third, "--json").json["paths"] == by_name
    assert axil("diff", "HEAD~1", "HEAD", "--json").json["paths"] == by_name


def test_name_only(lab, axil):
    out = axil("diff", "--name-only", "digits", "digits_decay").out.splitlines()
    assert out[0] == "data/raw/0000.png"
    assert len(out) == 8


def test_the_work_tree_against_what_is_recorded(lab, placed, axil):
    clean = axil("diff", "--exit-code")
    assert clean.out == ""
    assert "no tracked data differs between recorded and work tree" in clean.err
    with open(os.path.join(placed, "0007.png"), "wb") as file:
        file.write(b"edited")
    os.unlink(os.path.join(placed, "0008.png"))
    with open(os.path.join(placed, "new.png"), "wb") as file:
        file.write(b"12345")
    out = axil("diff", "--exit-code", code=1).out
    assert out == ("data/raw  +1 −1 ~1 files\n  ~ 0007.png  1 B → 6 B\n  − 0008.png  1 B\n  + new.png  5 B\n")


def test_the_work_tree_against_an_experiment(lab, placed, axil):
    value = axil("diff", "digits", "--json").json
    assert (value["old"], value["new"]) == ("digits", "work tree")
    assert (value["added"], value["removed"], value["changed"]) == (3, 0, 5)


def test_data_that_is_missing(lab, axil):
    assert axil("diff").out == "data/raw  removed (53 files, 1.2 KB)\n"


def test_paths_restrict_it(lab, placed, axil, monkeypatch):
    assert axil("diff", "digits", "--json", "--", "data").json["paths"]
    monkeypatch.chdir(os.path.join(lab.root, "data"))
    assert axil("diff", "digits", "--json", "--", "raw").json["paths"]
    assert axil("diff", "digits", "--json", "--", "raw/0001.png").json["paths"]
    assert "nothing is tracked at data/other" in axil("diff", "--", "other", code=1).err


def test_many_files_are_cut_until_asked_for(lab, axil):
    lab.repo.run("switch", "-qc", "empty", "digits")
    lab.repo.run("rm", "-q", "data/raw.axil")
    lab.repo.commit({"x": "y"})
    out = axil("diff", "empty", "digits").out.splitlines()
    assert out[0].startswith("data/raw  added (50 files, ")
    assert out[-1] == "  … 30 more files (--all lists them)"
    assert len(axil("diff", "empty", "digits", "--all").out.splitlines()) == 51


def test_mistakes_are_explained(lab, axil):
    assert "there is no experiment or run nope" in axil("diff", "nope", code=1).err
    lab.repo.write({"data/raw.axil": "axil = 1\nkind = 7\n"})
    assert "data/raw.axil" in axil("diff", code=1).err

"""Where axil is called from: linked work trees, subfolders, no branch, no commit, names beyond ASCII."""

from __future__ import annotations

import os

import pytest
from tests.cli.conftest import SMALL, TRAIN


@pytest.fixture
def linked(small, tmp_path):
    """A second work tree of the project, on the experiment `side`."""
    place = tmp_path / "other place é"
    small.repo.run("worktree", "add", "-q", "-b", "side", str(place))
    return place


def test_a_linked_work_tree_has_its_own_data(small, linked):
    def status():
        return small.axil("-C", str(linked), "status", "--json").json["data"][0]["state"]

    assert status() == "missing"
    small.axil("-C", str(linked), "materialise")
    assert status() == "clean"
    (linked / "data/raw/1.txt").write_text("only here")
    assert status() == "changed"
    assert small.axil("status", "--json").json["data"][0]["state"] == "clean"
    assert small.data()["1.txt"] == "1"


def test_both_work_trees_switch_on_their_own_and_share_results(small, linked):
    small.axil("-C", str(linked), "materialise")
    count = small.ran()
    small.axil("-C", str(linked), "run")
    assert small.ran() == count  # its result was there already
    assert (linked / "model.txt").read_text() == small.repo.read("model.txt")
    small.axil("-C", str(linked), "fork", "+lr")
    (linked / "data/raw/1.txt").write_text("one")
    small.axil("-C", str(linked), "add")
    small.repo.run("commit", "-qm", "data", cwd=linked)
    small.axil("fork", "here")
    small.axil("-C", str(linked), "switch", "side")
    assert (linked / "data/raw/1.txt").read_text() == "1"
    small.axil("switch", "side_lr")
    assert (small.head(), small.data()["1.txt"]) == ("side_lr", "one")
    assert small.repo.run("branch", "--show-current", cwd=linked) == "side"


def test_a_branch_is_checked_out_once(small, linked):
    answer = small.axil("switch", "side", code=1)
    assert str(linked) in answer.err
    assert small.head() == "main"
    assert str(linked) in small.axil("delete", "side", code=1).err


def test_paths_count_from_where_the_user_is(small, monkeypatch):
    small.repo.write({"data/new set/x": "x", "data/y": "y"})
    monkeypatch.chdir(small.path / "data")
    assert small.axil("add", "new set", "y", "--json").json[0]["path"] == "data/new set"
    assert small.axil("status", "--json").json["experiment"] == "main"
    monkeypatch.chdir(small.path)
    assert small.axil("-C", "data", "rm", "new set").out == "data/new set is no longer tracked, and removed\n"
    assert small.axil("-C", "data", "-C", "..", "rm", "data/y", "--json").json[0]["path"] == "data/y"
    assert small.axil("-C", "data", "materialise", "raw", "--json").json["paths"] == ["data/raw"]


def test_run_from_a_subfolder(small, monkeypatch):
    monkeypatch.chdir(small.path / "data")
    small.axil("run", "--force")
    assert small.ran() == 2
    assert small.axil("switch", "main", code=0).out == "on main\n"


def test_through_a_link_to_the_project(small, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(small.path)
    monkeypatch.chdir(tmp_path / "link")
    small.repo.write({"more/x": "x"})
    assert small.axil("add", str(tmp_path / "link/more"), "--json").json[0]["path"] == "more"


def test_detached(small):
    small.axil("fork", "b", "--set", "lr=0.2")
    small.repo.run("switch", "-q", "--detach", "main")
    assert small.axil("status").out.startswith("on no experiment: HEAD is detached at ")
    answer = small.axil("fork", "+x", code=1)
    assert answer.err == (
        "error: axil fork without --from needs an experiment\n"
        "  HEAD is detached: no branch is checked out\n"
        "hint: go to one with `axil switch EXP`, or make one here with `git switch -c NAME`\n"
    )
    assert "needs an experiment" in small.axil("run", "-m", "words", code=1).err
    small.axil("run", "--set", "lr=0.6")
    assert small.axil("runs", "--json").json["runs"][0]["experiment"] == ""
    small.axil("undo")
    small.repo.write({"more/x": "x"})
    small.axil("add", "more")
    small.axil("switch", "b")
    assert small.head() == "b"
    small.axil("undo")
    assert small.head() == ""


def test_fork_from_a_named_experiment_works_detached(small):
    small.repo.run("switch", "-q", "--detach", "main")
    small.axil("fork", "b", "--from", "main")
    assert small.head() == "b"
    small.axil("undo")
    assert (small.head(), small.repo.run("branch", "--list", "b")) == ("", "")


def test_an_unborn_branch(repo, axil, monkeypatch):
    monkeypatch.chdir(repo.path)
    repo.write({"axil.toml": SMALL, "train.py": TRAIN, "params.yaml": "lr: 0.1\n", "data/raw/1.txt": "1"})
    axil("init")
    axil("add", "data/raw")
    assert axil("status", "--json").json["commit"] is None
    assert [node["name"] for node in axil("tree", "--json").json["nodes"]] == ["main"]
    answer = axil("fork", "b", code=1)
    assert answer.err.startswith("error: main has no commit yet\n")
    run = axil("run", "--json").json["run"]
    assert (run["state"], run["commit"], bool(run["snapshot"])) == ("succeeded", "", True)
    axil("switch", "main")
    axil("fork", "b", "--from", run["id"])
    assert repo.run("branch", "--show-current") == "b"
    assert repo.run("status", "--porcelain", "--untracked-files=no") == ""


@pytest.mark.parametrize("name", ["modèle_é", "実験/最初", "a.b-c_1e-7", "x" * 200])
def test_names_beyond_ascii(small, name):
    small.axil("fork", name, "-m", "warum nicht – ü")
    assert small.head() == name
    assert small.axil("switch", "main").out == "on main\n"
    small.axil("switch", name)
    nodes = small.axil("tree", "--json").json["nodes"]
    assert nodes[1]["name"] == name and nodes[1]["hypothesis"] == "warum nicht – ü"
    small.axil("rename", name, name[:100] + "2")
    small.axil("undo")
    small.axil("undo")
    assert small.axil("undo", "--json").json["restored"]


@pytest.mark.parametrize("folder", ["a b/ü ñ", "-dash", "(x) [y]", "quo'te\"s"])
def test_a_project_in_any_folder(make_repo, axil, monkeypatch, folder):
    repo = make_repo(folder)
    monkeypatch.chdir(repo.path)
    repo.write({"axil.toml": SMALL, "train.py": TRAIN, "params.yaml": "lr: 0.1\n", "data/raw/1.txt": "1"})
    axil("add", "data/raw")
    axil("run", "-m", "start")
    axil("fork", "b")
    axil("switch", "main")
    assert "nothing to do" in axil("run").out


def test_outside_of_any_project(tmp_path, axil, monkeypatch, repo):
    monkeypatch.chdir(tmp_path)
    for verb in (["init"], ["status"], ["add", "x"], ["tree"], ["run"], ["undo"]):
        answer = axil(*verb, code=1)
        assert "git" in answer.err and "Traceback" not in answer.err
    monkeypatch.chdir(repo.path)
    assert axil("status", code=1).err == (
        "error: this repository is not an axil project yet\n"
        f"  {repo.path} has no axil.toml\n"
        "hint: run `axil init` to make it one; if the file was removed: git checkout -- axil.toml\n"
    )


def test_init(repo, axil, monkeypatch):
    os.mkdir(repo.path / "sub")
    monkeypatch.chdir(repo.path / "sub")
    value = axil("init", "--json").json
    assert value == {"root": str(repo.path), "name": "project", "already": False}
    assert repo.run("diff", "--cached", "--name-only") == "axil.toml"
    text = repo.read("axil.toml")
    assert axil("init", "--json").json["already"]
    assert repo.read("axil.toml") == text
    axil("status")


def test_init_does_not_replace_something_else(repo, axil, monkeypatch):
    monkeypatch.chdir(repo.path)
    os.mkdir(repo.path / "axil.toml")
    assert axil("init", code=1).err.startswith("error: axil.toml is not a file\n")

"""`axil undo`: one command after the other is taken back, and nothing newer is lost."""

from __future__ import annotations

import json

import pytest


def log(small):
    return small.axil("undo", "--list", "--json").json


def test_nothing_to_undo(repo, axil, monkeypatch):
    monkeypatch.chdir(repo.path)
    axil("init")
    assert axil("undo", code=1).err.startswith("error: there is nothing to undo\n")
    assert axil("undo", "--list").err == "no command has changed anything yet\n"


def test_the_list_names_commands_and_marks_what_was_undone(small):
    small.axil("fork", "b")
    small.axil("undo")
    listed = log(small)
    assert [(one["command"], one["undone"]) for one in listed] == [
        ("axil fork b", True), ("axil run", False), ("axil add data/raw", False),
    ]  # fmt: skip
    assert "undone" in small.axil("undo", "-l").out


def test_undo_goes_further_back_each_time(small):
    small.axil("fork", "b")
    small.axil("note", "b", "words")
    small.axil("rename", "b", "c")
    commands = [small.axil("undo", "--json").json["command"] for _ in range(3)]
    assert commands == ["axil rename b c", "axil note b", "axil fork b"]
    assert small.head() == "main"
    assert small.repo.run("branch", "--format=%(refname:short)") == "main"


def test_undo_a_fork(small):
    small.repo.write({"train.py": "mine\n"})
    small.axil("fork", "b")
    answer = small.axil("undo")
    assert answer.out == (
        "undid: axil fork b\n  on main again\n  branch b is gone\n  the journal no longer counts it\n"
    )
    assert (small.head(), small.repo.read("train.py")) == ("main", "mine\n")


def test_undo_refuses_to_drop_commits_made_since(small):
    small.axil("fork", "b")
    small.commit("work", **{"x.py": "x\n"})
    before = small.state()
    answer = small.axil("undo", code=1)
    assert answer.err == (
        "error: “axil fork b” cannot be undone any more\n"
        "  changed since then: refs/heads/b\n"
        "hint: take the later changes back first; axil undo --list shows what was done\n"
    )
    assert small.state() == before


def test_undo_refuses_after_a_plain_git_switch(small):
    small.axil("fork", "b")
    small.axil("switch", "main")
    small.repo.run("switch", "-qc", "elsewhere")
    assert "changed since then: HEAD" in small.axil("undo", code=1).err
    assert small.head() == "elsewhere"


def test_undo_a_switch_with_its_data(small):
    small.axil("fork", "b")
    small.repo.write({"data/raw/1.txt": "one"})
    small.axil("add")
    small.commit("data")
    small.axil("switch", "main")
    small.axil("undo")
    assert (small.head(), small.data()["1.txt"]) == ("b", "one")
    assert small.axil("status", "--json").json["data"][0]["state"] == "clean"


def test_undo_of_a_switch_blocks_on_edits_made_since_and_saves_them_by_force(small):
    small.axil("fork", "b")
    small.repo.write({"data/raw/1.txt": "one"})
    small.axil("add")
    small.commit("data")
    small.axil("switch", "main")
    small.repo.write({"data/raw/1.txt": "since"})
    before = small.state()
    answer = small.axil("undo", code=1)
    assert "data/raw/1.txt" in answer.err
    assert small.state() == before
    value = small.axil("undo", "--force", "--json").json
    assert small.data()["1.txt"] == "one"
    assert value["saved"][0]["description"] == "edits in the folder data/raw"


@pytest.mark.parametrize("verb", ["archive", "delete"])
def test_undo_brings_a_branch_back(small, verb):
    small.axil("fork", "b", "-m", "why")
    tip = small.commit("work", **{"x.py": "x\n"})
    small.axil("switch", "main")
    small.axil(verb, "b")
    assert "branch b is back" in small.axil("undo").out
    assert small.repo.run("rev-parse", "b") == tip
    shown = small.axil("show", "b", "--json").json["experiment"]
    assert (shown["parent"], shown["hypothesis"], shown["archived"]) == ("main", "why", False)
    assert small.repo.run("for-each-ref", "refs/axil/archive", "refs/axil/deleted") == ""


def test_undo_a_restore(small):
    small.repo.run("branch", "b")
    small.axil("archive", "b")
    small.axil("restore", "b")
    small.axil("undo")
    assert small.repo.run("branch", "--list", "b") == ""
    small.axil("undo")
    assert small.repo.run("branch", "--list", "b").strip() == "b"


def test_undo_an_add_forgets_the_pointer_and_keeps_the_files(small):
    small.repo.write({"other/x.bin": "x"})
    small.axil("add", "other")
    assert small.repo.run("diff", "--cached", "--name-only").split() == [".gitignore", "other.axil"]
    small.axil("undo")
    assert small.repo.run("diff", "--cached", "--name-only") == ""
    assert small.repo.read("other/x.bin") == "x"
    assert not (small.path / "other.axil").exists()
    assert [one["path"] for one in small.axil("status", "--json").json["data"]] == ["data/raw"]


def test_undo_an_add_of_edits_keeps_the_edits(small):
    pointer = small.repo.read("data/raw.axil")
    small.repo.write({"data/raw/1.txt": "edited"})
    small.axil("add")
    small.axil("undo")
    assert small.repo.read("data/raw.axil") == pointer
    assert small.data()["1.txt"] == "edited"
    assert small.axil("status", "--json").json["data"][0]["state"] == "changed"


def test_undo_a_removal_brings_files_pointer_and_ignore_line_back(small):
    small.axil("rm", "data/raw")
    assert small.data() == {}
    small.axil("undo")
    assert small.data() == {"1.txt": "1", "2.txt": "2", "3.txt": "3"}
    assert small.repo.run("status", "--porcelain") == ""


def test_undo_a_forced_removal_brings_the_edits_back(small):
    small.repo.write({"data/raw/1.txt": "edited"})
    assert "data/raw/1.txt" in small.axil("rm", "data/raw", code=1).err
    assert small.data()["1.txt"] == "edited"
    small.axil("rm", "-f", "data/raw")
    assert small.data() == {}
    small.axil("undo")
    assert small.data() == {"1.txt": "edited", "2.txt": "2", "3.txt": "3"}


def test_undo_a_removal_that_kept_the_files(small):
    small.axil("rm", "--keep", "data/raw")
    small.repo.write({"data/raw/1.txt": "edited"})
    small.axil("undo")
    assert small.data()["1.txt"] == "edited"
    (status,) = small.axil("status", "--json").json["data"]
    assert (status["state"], status["paths"]) == ("changed", [["data/raw/1.txt", "changed"]])


def test_undo_a_materialise_with_what_force_overwrote(small):
    small.repo.write({"data/raw/1.txt": "edited"})
    assert "data/raw/1.txt" in small.axil("materialise", code=1).err
    assert small.axil("materialise", "-f").out == "1 file written, 0 files removed\n"
    assert small.data()["1.txt"] == "1"
    small.axil("undo")
    assert small.data()["1.txt"] == "edited"


def test_undo_run_set_restores_parameters_and_outputs(small):
    model, params = small.repo.read("model.txt"), small.repo.read("params.yaml")
    small.axil("run", "--set", "lr=0.9")
    assert small.repo.read("model.txt") != model
    small.axil("undo")
    assert (small.repo.read("model.txt"), small.repo.read("params.yaml")) == (model, params)
    assert len(small.axil("runs", "--json").json["runs"]) == 2  # what ran stays on record


def test_undo_run_m_takes_the_commit_back_and_keeps_the_change(small):
    before = small.repo.run("rev-parse", "HEAD")
    small.repo.write({"train.py": small.repo.read("train.py") + "print('more')\n"})
    value = small.axil("run", "-m", "say more", "--json").json
    assert value["committed"] == small.repo.run("rev-parse", "HEAD") != before
    assert f"branch main is at {before[:9]} again" in small.axil("undo").out
    assert small.repo.run("rev-parse", "HEAD") == before
    assert "print('more')" in small.repo.read("train.py")


def test_undo_the_first_commit_of_all(repo, axil, monkeypatch):
    monkeypatch.chdir(repo.path)
    axil("init")
    axil("run", "-m", "start", code=0)
    assert repo.run("log", "--format=%s") == "start"
    axil("undo")
    assert repo.run("log", check=False) == ""
    assert repo.run("branch", "--show-current") == "main"


def test_undo_tells_when_git_threw_the_old_content_away(small):
    small.repo.write({"other/x.bin": "x", ".gitignore": small.repo.read(".gitignore") + "*.tmp\n"})
    small.axil("add", "other")
    small.repo.run("add", "-A")
    small.repo.run("commit", "-qm", "later")
    small.repo.run("gc", "-q", "--prune=now")
    before = small.state()
    answer = small.axil("undo", code=1)
    assert "git no longer has what was in .gitignore" in answer.err
    assert small.state() == before


def test_undo_belongs_to_the_work_tree_it_happened_in(small, tmp_path):
    small.repo.run("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    small.axil("fork", "b")
    assert "there is nothing to undo" in small.axil("-C", str(tmp_path / "linked"), "undo", code=1).err
    assert small.head() == "b"
    listed = small.axil("-C", str(tmp_path / "linked"), "undo", "-l", "--json").json
    assert not listed[0]["here"]


def test_undo_killed_on_its_way_can_be_given_again(small, monkeypatch):
    from axil.actions import undo as module

    small.axil("fork", "b")
    small.repo.write({"data/raw/1.txt": "one"})
    small.axil("add")
    small.commit("data")
    small.axil("switch", "main")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("_move_back", "_data_back", "_records_back"):
        with monkeypatch.context() as patch:
            patch.setattr(module, step, killed)
            assert small.axil("undo", code=130).out == ""
    small.axil("undo")
    assert (small.head(), small.data()["1.txt"]) == ("b", "one")


def test_a_damaged_operation_is_named(small):
    folder = small.path / ".git/axil/operations"
    newest = max(folder.glob("*.json"))
    newest.write_text(json.dumps({"version": 1}))
    answer = small.axil("undo", code=1)
    assert f"{newest} is damaged" in answer.err
    assert "remove the file to forget this operation" in answer.err


def test_a_switch_that_was_refused_is_not_there_to_be_undone(small):
    for word in ("one", "two"):
        small.repo.write({"many/x": word, "code.py": word})
        small.axil("add", "many")
        small.repo.commit()
        small.repo.run("branch", word)
    before = log(small)
    small.repo.write({"many/x": "edited"})
    assert "many/x" in small.axil("switch", "one", code=1).err
    small.repo.write({"many/x": "two", "code.py": "edited"})
    assert "code.py" in small.axil("switch", "one", code=1).err
    assert log(small) == before
    small.repo.write({"code.py": "two"})
    small.axil("switch", "one")
    assert log(small)[0]["command"] == "axil switch one"
    assert log(small)[1:] == before
    small.axil("undo")
    assert (small.repo.read("many/x"), small.repo.read("code.py")) == ("two", "two")


def test_an_added_stage(small):
    before = small.repo.read("axil.toml")
    small.axil("stage", "add", "other", "--", "true")
    assert "axil.toml" in small.axil("undo").out
    assert small.repo.read("axil.toml") == before

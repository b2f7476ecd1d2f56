"""Experiments as commands: fork, switch, tree, rename, archive, delete, note."""

from __future__ import annotations

import re
import shutil

import pytest


def names(small, *options):
    return [node["name"] for node in small.axil("tree", "--json", *options).json["nodes"]]


def runs(small, *words):
    return small.axil("runs", *words, "--json").json["runs"]


def test_fork_makes_a_branch_and_goes_there_with_uncommitted_changes(small):
    small.repo.write({"train.py": "x = 1\n", "new.py": "y\n"})
    answer = small.axil("fork", "wide", "-m", "width should help")
    assert answer.out == "on wide, forked from main\n"
    assert small.head() == "wide"
    assert (small.repo.read("train.py"), small.repo.read("new.py")) == ("x = 1\n", "y\n")
    shown = small.axil("show", "wide", "--json").json["experiment"]
    assert (shown["parent"], shown["hypothesis"]) == ("main", "width should help")


def test_a_plus_appends_to_the_current_name(small):
    value = small.axil("fork", "+wd_1e-7", "--json").json
    assert (value["name"], value["parent"]) == ("main_wd_1e-7", "main")
    small.axil("fork", "+warm")
    assert small.head() == "main_wd_1e-7_warm"


def test_fork_from_another_experiment_brings_its_data_and_outputs(small):
    small.axil("fork", "more")
    small.repo.write({"data/raw/4.txt": "4"})
    small.axil("add")
    small.commit("more data")
    small.axil("run")
    model = small.repo.read("model.txt")
    small.axil("switch", "main")
    assert "4.txt" not in small.data()
    value = small.axil("fork", "+bold", "--from", "more", "--json").json
    assert (value["name"], value["parent"]) == ("more_bold", "more")
    assert "4.txt" in small.data()
    assert small.repo.read("model.txt") == model
    assert "nothing to do" in small.axil("run").out


def test_fork_from_a_run_has_exactly_the_code_it_ran(small):
    small.repo.write({"params.yaml": "lr: 0.7\n", "extra.py": "z = 1\n"})
    run = small.axil("run", "--json").json["run"]["id"]
    model = small.repo.read("model.txt")
    (small.path / "extra.py").unlink()
    small.repo.run("checkout", "--", "params.yaml")
    small.axil("run")
    assert small.repo.read("model.txt") != model
    value = small.axil("fork", "kept", "--from", run[-7:].lower(), "--json").json
    assert value["run"] == run
    assert small.repo.read("params.yaml") == "lr: 0.7\n"
    assert small.repo.read("extra.py") == "z = 1\n"
    assert small.repo.read("model.txt") == model
    assert small.repo.run("status", "--porcelain") == ""
    assert "nothing to do" in small.axil("run").out
    assert small.axil("fork", "again", "--from", run).out == f"on again, forked from run {run[-7:]} of main\n"


def test_fork_from_the_run_just_made_although_nothing_is_committed(small):
    small.repo.write({"params.yaml": "lr: 0.7\n", "extra.py": "z = 1\n"})
    run = small.axil("run", "--json").json["run"]["id"]
    model = small.repo.read("model.txt")
    small.axil("fork", "kept", "--from", run)
    assert small.repo.run("status", "--porcelain") == ""
    assert (small.head(), small.repo.read("extra.py"), small.repo.read("model.txt")) == ("kept", "z = 1\n", model)
    small.axil("switch", "main")
    assert not (small.path / "extra.py").exists()
    small.axil("switch", "kept")
    small.repo.run("switch", "-q", "main")
    small.repo.write({"extra.py": "z = 2\n", "params.yaml": "lr: 0.7\n"})
    before = small.state()
    assert "they are in: extra.py, params.yaml" in small.axil("switch", "kept", code=1).err.replace(
        "params.yaml, extra.py", "extra.py, params.yaml"
    )
    assert small.state() == before


def test_fork_set_commits_the_parameter_and_keeps_comments(small):
    value = small.axil("fork", "+lr", "--set", "lr=0.5", "--json").json
    assert value["params"] == ["lr=0.5"]
    assert small.repo.read("params.yaml") == "# rates\nlr: 0.5  # start\nother: 1\n"
    assert small.repo.run("status", "--porcelain") == ""
    assert small.repo.run("log", "-1", "--format=%s") == "main_lr: lr = 0.5"
    assert small.repo.run("log", "--format=%s", "-1", "main") == "baseline"


def test_fork_set_refuses_what_it_could_not_carry(small):
    small.repo.write({"params.yaml": "lr: 0.3\n"})
    before = small.state()
    answer = small.axil("fork", "+lr", "--set", "lr=0.5", code=1)
    assert answer.err.startswith("error: params.yaml has uncommitted changes\n")
    assert small.state() == before


def test_switch_takes_code_data_and_outputs_along(small):
    models = {"main": small.repo.read("model.txt")}
    small.axil("fork", "b", "--set", "lr=0.4")
    small.repo.write({"data/raw/1.txt": "one"})
    small.axil("add", "data/raw")
    small.commit("data")
    small.axil("run")
    models["b"] = small.repo.read("model.txt")
    count = small.ran()
    for name, first in (("main", "1"), ("b", "one"), ("main", "1")):
        answer = small.axil("switch", name, "--json").json
        assert (answer["experiment"], answer["unavailable"], answer["saved"]) == (name, [], [])
        assert small.data()["1.txt"] == first
        assert small.repo.read("model.txt") == models[name]
        assert "nothing to do" in small.axil("run").out
    assert small.ran() == count


def test_switch_minus_and_the_current_name(small):
    small.axil("fork", "b")
    assert small.axil("switch", "-").out == "on main\n"
    assert small.axil("switch", "-").out == "on b\n"
    (small.path / "data/raw/2.txt").unlink()
    (small.path / "model.txt").unlink()
    assert small.axil("switch", "b").out == "on b  2 files written\n"
    assert small.data()["2.txt"] == "2"
    (small.path / "data/raw/2.txt").write_text("mine")
    small.axil("switch", "b")
    assert small.data()["2.txt"] == "mine"


def test_there_may_be_no_previous_experiment(small):
    assert small.axil("switch", "-", code=1).err.startswith("error: there is no previous experiment\n")


def test_unsaved_edits_block_a_switch_that_would_lose_them(small):
    small.axil("fork", "b")
    small.repo.write({"data/raw/1.txt": "one"})
    small.axil("add")
    small.commit("data")
    small.repo.write({"data/raw/1.txt": "precious", "data/raw/2.txt": "not in the way"})
    before = small.state()
    answer = small.axil("switch", "main", code=1)
    assert answer.err == (
        "error: 1 unsaved edit in tracked data would be lost\n"
        "  data/raw/1.txt\n"
        "hint: keep them with `axil add`, or go on with --force (they are saved to the store first)\n"
    )
    assert small.state() == before
    value = small.axil("switch", "main", "--force", "--json").json
    assert small.data() == {"1.txt": "1", "2.txt": "not in the way", "3.txt": "3"}
    assert [one["description"] for one in value["saved"]] == ["edits in the folder data/raw"]
    undone = small.axil("undo").out
    assert "  the edits in data/raw are back\n" in undone
    assert small.head() == "b"
    assert small.data() == {"1.txt": "precious", "2.txt": "not in the way", "3.txt": "3"}


def test_switch_force_puts_code_aside_and_undo_brings_it_back(small):
    small.axil("fork", "b")
    small.commit("other code", **{"train.py": "b = 1\n"})
    small.repo.write({"train.py": "uncommitted\n", "untracked.py": "u\n"})
    answer = small.axil("switch", "main", code=1)
    assert "they are in: train.py" in answer.err
    assert small.repo.read("train.py") == "uncommitted\n"
    value = small.axil("switch", "main", "-f", "--json").json
    assert value["saved"][0]["description"].startswith("uncommitted code (refs/axil/saved/")
    assert small.repo.read("train.py") != "uncommitted\n"
    assert "uncommitted changes of 2 files are back" in small.axil("undo").out
    assert (small.head(), small.repo.read("train.py")) == ("b", "uncommitted\n")


def test_undo_does_not_lay_saved_code_over_newer_edits(small):
    small.axil("fork", "b")
    small.commit("other code", **{"train.py": "b = 1\n"})
    small.repo.write({"train.py": "uncommitted\n"})
    small.axil("switch", "main", "-f")
    small.repo.write({"train.py": "newer\n"})
    answer = small.axil("undo", code=1)
    assert "changed since then: train.py" in answer.err
    assert (small.head(), small.repo.read("train.py")) == ("main", "newer\n")


def test_switch_touches_only_what_differs(small):
    small.axil("fork", "b")
    small.repo.write({"data/raw/1.txt": "one"})
    small.axil("add")
    small.commit("data")
    inode = (small.path / "data/raw/2.txt").stat()
    assert small.axil("switch", "main").out == "on main  1 file written\n"
    after = (small.path / "data/raw/2.txt").stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (inode.st_ino, inode.st_mtime_ns, inode.st_ctime_ns)


def test_ignore_lines_of_a_run_do_not_block_a_switch(small):
    # `.gitignore` gets axil's lines on one branch by a commit, on the other by a run.
    small.repo.run("switch", "-qc", "plain", "HEAD~1")
    small.axil("run")
    assert "?? .gitignore" in small.repo.run("status", "--porcelain")
    assert small.axil("switch", "main").out.startswith("on main")
    assert small.repo.run("status", "--porcelain") == ""
    small.axil("switch", "plain")
    small.axil("run")
    small.repo.write({".gitignore": small.repo.read(".gitignore") + "mine\n"})
    answer = small.axil("switch", "main", code=1)
    assert "they are in: .gitignore" in answer.err
    assert small.repo.read(".gitignore").endswith("mine\n")


def test_switching_over_data_that_git_kept_before(small):
    """Before a folder came under axil's care it was in git: both sides keep their files, in both directions."""
    small.repo.run("switch", "-qc", "old", "HEAD~1")
    small.axil("rm", "--keep", "data/raw")
    small.commit("data in git after all")
    small.repo.write({"data/raw/1.txt": "old one"})
    small.commit("an edit")
    small.axil("switch", "main")
    assert small.data() == {"1.txt": "1", "2.txt": "2", "3.txt": "3"}
    assert small.repo.run("status", "--porcelain") == ""
    assert small.axil("status", "--json").json["data"][0]["state"] == "clean"
    small.axil("switch", "old")
    assert small.data() == {"1.txt": "old one", "2.txt": "2", "3.txt": "3"}
    assert small.repo.run("status", "--porcelain") == ""


def test_outputs_of_a_failed_run_do_not_block_a_switch(small):
    small.axil("fork", "bad")
    small.repo.write({"train.py": "open('model.txt', 'w').write('half')\nraise SystemExit(3)\n"})
    small.axil("run", code=1)
    assert small.repo.read("model.txt") == "half"
    small.commit("broken")
    small.axil("switch", "main")
    assert small.repo.read("model.txt").startswith("0.1")


def test_an_output_edited_by_hand_is_saved_by_a_switch(small):
    model = small.repo.read("model.txt")
    small.axil("fork", "b", "--set", "lr=0.2")
    small.axil("run")
    small.repo.write({"model.txt": "by hand"})
    value = small.axil("switch", "main", "--json").json
    assert [one["description"] for one in value["saved"]] == ["edit of the file model.txt"]
    assert small.repo.read("model.txt") == model
    small.axil("undo")
    assert (small.head(), small.repo.read("model.txt")) == ("b", "by hand")


def test_the_tree_shows_lineage_results_and_what_is_inferred(small):
    small.axil("fork", "+up", "--set", "lr=0.3", "-m", "faster")
    small.axil("run")
    small.axil("switch", "main")
    small.axil("fork", "+down", "--set", "lr=0.05")
    small.axil("run")
    small.repo.run("switch", "-q", "-c", "by_git", "main_up")
    small.commit("work", **{"note.txt": "x"})
    small.axil("switch", "main")
    nodes = {node["name"]: node for node in small.axil("tree", "--json").json["nodes"]}
    assert [(one["name"], one["depth"]) for one in nodes.values()] == [
        ("main", 0), ("main_up", 1), ("by_git", 2), ("main_down", 1),
    ]  # fmt: skip
    assert nodes["main"]["current"] and not nodes["main_up"]["current"]
    assert (nodes["by_git"]["parent"], nodes["by_git"]["inferred"]) == ("main_up", True)
    up, down = nodes["main_up"], nodes["main_down"]
    assert (round(up["change"], 6), up["better"], up["hypothesis"]) == (0.4, True, "faster")
    assert (round(down["change"], 6), down["better"]) == (-0.1, False)
    text = small.axil("tree", "--color").out
    assert re.search("\x1b\\[32m *\\+0.4", text) and re.search("\x1b\\[31m *−0.1", text)


def test_show_an_experiment_and_a_run(small):
    small.axil("note", "main", "looks good")
    shown = small.axil("show", "main")
    assert "looks good" in shown.out
    (run,) = runs(small)
    assert "model.txt" in small.axil("show", run["id"]).out


def test_notes_on_experiments_and_runs(small):
    (run,) = runs(small)
    assert small.axil("note", run["id"][-7:], "check this").out == f"noted about run {run['id'][-7:]}\n"
    assert small.axil("note", "main", "text").out == "noted about main\n"
    assert "check this" in small.axil("show", run["id"]).out
    small.axil("undo")
    assert "text" not in small.axil("show", "main").out
    assert small.axil("note", "main", "  ", code=1).err.startswith("error: the note is empty\n")
    assert small.axil("note", "nobody", "x", code=1).err.startswith("error: ")


def test_runs_follow_a_rename_also_of_the_current_branch(small):
    assert small.axil("rename", "main", "first").out
    assert small.head() == "first"
    assert [run["experiment"] for run in runs(small, "first")] == ["first"]
    assert names(small) == ["first"]
    small.repo.write({"params.yaml": "lr: 0.9\n"})
    small.axil("run")
    assert len(runs(small, "first")) == 2
    small.axil("undo")
    small.repo.run("checkout", "--", "params.yaml")
    assert "main" in small.axil("undo").out
    assert small.head() == "main"
    assert len(runs(small, "main")) == 2


def test_rename_refuses_a_taken_or_impossible_name(small):
    small.axil("fork", "b")
    before = small.state()
    assert small.axil("rename", "b", "main", code=1).err.startswith("error: there is an experiment main already\n")
    assert "it contains a space" in small.axil("rename", "b", "two words", code=1).err
    assert "cannot be a branch" in small.axil("rename", "b", "main/x", code=1).err
    assert small.axil("rename", "nobody", "x", code=1).err.startswith("error: there is no experiment nobody\n")
    assert small.state() == before


def test_a_rename_reaches_linked_work_trees_and_so_does_its_undo(small, tmp_path):
    small.repo.run("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    small.axil("rename", "side", "aside")
    assert small.repo.run("branch", "--show-current", cwd=tmp_path / "linked") == "aside"
    small.repo.run("commit", "-q", "--allow-empty", "-m", "later", cwd=tmp_path / "linked")
    small.axil("undo")
    assert small.repo.run("branch", "--show-current", cwd=tmp_path / "linked") == "side"
    assert small.repo.run("log", "-1", "--format=%s", "side") == "later"


def test_archive_and_restore(small):
    small.axil("fork", "b", "-m", "try")
    assert "is checked out" in small.axil("archive", "b", code=1).err
    small.axil("switch", "main")
    assert small.axil("archive", "b").out == "archived b; bring it back with `axil restore b`\n"
    assert small.repo.run("branch", "--list", "b") == ""
    assert names(small) == ["main"]
    assert names(small, "--all") == ["main", "b"]
    assert "axil restore b" in small.axil("switch", "b", code=1).err
    small.axil("fork", "b")  # the name is free at once
    assert "there is another experiment b now" in small.axil("restore", "b", code=1).err
    small.axil("rename", "b", "b2")
    small.axil("restore", "b")
    assert small.axil("show", "b", "--json").json["experiment"]["hypothesis"] == "try"
    assert names(small) == ["main", "b", "b2"]
    assert small.axil("restore", "nobody", code=1).err.startswith("error: no archived experiment is called nobody\n")


def test_delete_keeps_the_runs(small):
    small.axil("fork", "b", "--set", "lr=0.2")
    small.axil("run")
    assert "is checked out" in small.axil("delete", "b", code=1).err
    small.axil("switch", "main")
    small.axil("delete", "b")
    assert names(small, "--all") == ["main"]
    assert len(runs(small)) == 2
    small.axil("switch", "b", code=1)


def test_an_unknown_name_is_met_with_close_ones(small):
    small.axil("fork", "baseline_wide")
    answer = small.axil("switch", "baseline_wid", code=1)
    assert answer.err == (
        "error: there is no experiment baseline_wid\n  did you mean baseline_wide?\nhint: list them: axil tree --all\n"
    )


def test_a_branch_of_plain_git_shows_its_parents_outputs(small):
    model = small.repo.read("model.txt")
    small.axil("fork", "b", "--set", "lr=0.2")
    small.axil("run")
    small.repo.run("branch", "plain", "main")
    small.repo.run("commit-tree", "main^{tree}", "-m", "x")
    small.axil("switch", "plain")
    assert small.repo.read("model.txt") == model


@pytest.mark.parametrize("way", ["delete", "archive", "git"])
def test_a_name_used_again_hides_no_experiment(small, way):
    base = small.repo.run("rev-parse", "--abbrev-ref", "HEAD").strip()
    small.axil("run", "-m", "one")
    small.axil("fork", "x")
    if way == "git":
        small.axil("delete", base)
        small.repo.run("branch", base)
    else:
        small.axil(way, base)
        small.axil("fork", base)
    nodes = {node["name"]: node for node in small.axil("tree", "--json").json["nodes"]}
    assert set(nodes) == {"x", base} and nodes["x"]["parent"] is None
    assert nodes[base]["parent"] == (None if way == "git" else "x")


def test_undoing_a_rename_and_a_delete_brings_the_runs_back(small):
    base = small.repo.run("rev-parse", "--abbrev-ref", "HEAD").strip()
    small.axil("run", "-m", "one")
    before = small.axil("tree", "--json").json
    small.axil("fork", "x")
    small.axil("delete", base)
    small.axil("rename", "x", base)
    for _ in range(3):
        small.axil("undo")
    assert small.axil("tree", "--json").json == before


@pytest.mark.parametrize("what", ["data/raw", "model.txt"])
def test_switch_brings_back_what_was_removed_by_hand(small, what):
    base = small.repo.run("rev-parse", "--abbrev-ref", "HEAD").strip()
    small.axil("run", "-m", "one")
    small.axil("fork", "x")
    path = small.path / what
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    small.axil("switch", base)
    assert path.exists()
    assert small.axil("status", "--json").json["data"][0]["state"] == "clean"

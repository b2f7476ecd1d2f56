"""Sharing as people do it: push, clone, run there, push back, pull here; what is refused, and how it says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.cli.sharing import Person, Place
from tests.conftest import Repo

from axil.base.progress import size
from axil.remotes.folder import Folder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_share_clone_run_there_push_back_pull_here(place):
    ann = place.found()
    bob = place.join("Bob")
    assert (bob.path / "data/raw/2 ä.txt").read_text() == "2"
    assert (bob.path / "model/weights.txt").read_text() == (ann.path / "model/weights.txt").read_text()
    assert "nothing to do" in bob.axil("run").out
    assert [row["experiment"] for row in bob.axil("runs", "--json").json["runs"]] == ["main"]
    bob.axil("run", "-q", "--set", "lr=0.4", "-m", "four times the rate")
    assert bob.ran() == 1
    pushed = bob.axil("push", "--json").json
    assert pushed["experiments"] == [{"name": "main", "commit": bob.head(), "state": "updated"}]
    assert pushed["journal"] is True
    assert pushed["objects"] > 0
    pulled = ann.axil("pull", "--json").json
    assert (pulled["experiment"], pulled["moved"], pulled["runs"], pulled["ahead"]) == ("main", 1, 1, 0)
    assert ann.head() == bob.head()
    assert (ann.path / "model/weights.txt").read_text().startswith("0.4")
    assert ann.ran() == 1
    assert "nothing to do" in ann.axil("run").out
    assert ann.run("status", "--porcelain") == ""


def test_a_colleagues_result_is_fetched_instead_of_computed(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.axil("run", "-q", "--set", "lr=0.3", "-m", "faster")
    ann.axil("push")
    bob.axil("fetch")
    bob.write({"params.yaml": "lr: 0.3\n"})
    for words in (("status",), ("run", "-n")):
        line = next(line for line in bob.axil(*words).out.splitlines() if "train " in line)
        assert line.startswith("restore train")
        assert "by Ann" in line
        assert line.endswith("to fetch")
    assert bob.axil("status", "--json").json["stages"][0]["fetch"] > 0
    done = bob.axil("run")
    assert "from origin" in done.err
    assert bob.ran() == 0
    assert (bob.path / "model/weights.txt").read_text().startswith("0.3")


def test_a_stage_that_reads_inside_a_result_to_be_fetched_waits(place):
    ann = place.found()
    toml = ann.read("axil.toml") + '\n[stages.score]\ncmd = "wc -c < model/weights.txt > score"\n'
    ann.write({"axil.toml": toml + 'deps = ["model/weights.txt"]\nouts = ["score"]\n'})
    ann.axil("run", "-q", "-m", "two stages")
    ann.axil("push")
    bob = place.join("Bob")
    ann.axil("run", "-q", "--set", "lr=0.3", "-m", "faster")
    ann.axil("push")
    bob.axil("fetch")
    bob.write({"params.yaml": "lr: 0.3\n"})
    stages = {one["name"]: one["action"] for one in bob.axil("status", "--json").json["stages"]}
    assert stages == {"train": "restore", "score": "waits"}
    bob.axil("run")
    assert bob.ran() == 0
    assert bob.read("score") == ann.read("score")


def test_a_result_that_vanished_from_the_remote_is_computed(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.axil("run", "-q", "--set", "lr=0.3", "-m", "faster")
    ann.axil("push")
    bob.axil("fetch")
    bob.write({"params.yaml": "lr: 0.3\n"})
    shutil.rmtree(place.store)
    done = bob.axil("run")
    assert "could not be fetched" in done.out
    assert bob.ran() == 1


def test_everything_is_visible_at_once_in_a_clone(place):
    ann = place.found()
    ann.axil("fork", "+fast", "--set", "lr=0.3", "-m", "because")
    ann.axil("run", "-q")
    ann.axil("push")
    ann.axil("switch", "main")
    bob = place.join("Bob")
    rows = {node["name"]: node for node in bob.axil("tree", "--json").json["nodes"]}
    assert rows["main_fast"]["remote"] == "origin"
    assert rows["main_fast"]["parent"] == "main"
    assert rows["main_fast"]["value"] == 0.6
    assert "(origin)" in bob.axil("tree").out
    compared = bob.axil("compare", "main", "main_fast", "--json").json
    assert compared["metrics"][0]["deltas"]["main_fast"] == pytest.approx(0.4)
    bob.axil("switch", "main_fast")
    assert bob.run("rev-parse", "--abbrev-ref", "main_fast@{upstream}") == "origin/main_fast"
    assert (bob.path / "model/weights.txt").read_text().startswith("0.3")
    assert "nothing to do" in bob.axil("run").out
    bob.axil("undo")
    assert bob.run("branch", "--format=%(refname:short)").split() == ["main"]


def test_fork_from_an_experiment_that_only_the_remote_has(place):
    ann = place.found()
    ann.axil("fork", "+fast", "--set", "lr=0.3")
    ann.axil("run", "-q")
    ann.axil("push")
    ann.axil("switch", "main")
    bob = place.join("Bob")
    refused = bob.axil("fork", "main_fast", code=1)
    assert "there is an experiment main_fast already" in refused.err
    bob.axil("fork", "faster", "--from", "main_fast")
    assert (bob.path / "model/weights.txt").read_text().startswith("0.3")
    for command in (("rename", "main_fast", "x"), ("archive", "main_fast"), ("delete", "main_fast")):
        assert "axil switch main_fast" in bob.axil(*command, code=1).err


def test_fetch_brings_data_only_when_asked(place):
    ann = place.found()
    ann.axil("fork", "+fast", "--set", "lr=0.3")
    ann.axil("run", "-q")
    ann.axil("push")
    ann.axil("switch", "main")
    bob = place.join("Bob")
    away = place.store.rename(place.store.with_name("elsewhere"))
    assert bob.axil("switch", "main_fast").err.count("warning") >= 1
    bob.axil("switch", "main")
    away.rename(place.store)
    bob.axil("fetch", "main_fast")
    shutil.rmtree(place.store)
    bob.axil("switch", "main_fast")
    assert (bob.path / "model/weights.txt").read_text().startswith("0.3")


def test_push_of_all_and_of_archived_experiments(place):
    ann = place.found()
    for name, rate in (("+a", "0.3"), ("+b", "0.5")):
        ann.axil("switch", "main")
        ann.axil("fork", name, "--set", f"lr={rate}")
        ann.axil("run", "-q")
    ann.axil("switch", "main")
    ann.axil("archive", "main_b")
    states = {one["name"]: one["state"] for one in ann.axil("push", "--all", "--json").json["experiments"]}
    assert states == {"main": "unchanged", "main_a": "new", "main_b": "archived"}
    bob = place.join("Bob")
    assert "main_b" not in bob.axil("tree").out
    assert "main_b" in bob.axil("tree", "--all").out
    bob.axil("restore", "main_b")
    bob.axil("switch", "main_b")
    assert (bob.path / "model/weights.txt").read_text().startswith("0.5")


def test_a_deleted_experiment_does_not_come_back(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.axil("fork", "+a")
    ann.axil("push")
    bob.axil("fetch")
    assert "main_a" in bob.axil("tree").out
    ann.axil("switch", "main")
    ann.axil("delete", "main_a")
    assert "main_a" not in ann.axil("tree").out
    ann.axil("push")
    bob.axil("fetch")
    assert "main_a" not in bob.axil("tree").out


def test_verify_and_gc_in_a_clone_know_what_lies_on_the_remote(place):
    ann = place.found()
    ann.axil("fork", "+fast", "--set", "lr=0.3")
    ann.write({"data/raw/4.txt": "4"})
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "fast")
    ann.axil("push")
    ann.axil("switch", "main")
    bob = place.join("Bob")
    said = bob.axil("verify", "--json").json
    assert (said["sound"], said["missing"]) == (True, [])
    assert said["elsewhere"] > 0
    assert "everything in the store is needed" in bob.axil("gc", "-n").out


def test_diff_and_compare_fetch_directories_only(place):
    ann = place.found()
    ann.axil("fork", "+fast", "--set", "lr=0.3")
    ann.write({"data/raw/4.txt": "x" * 100_000})
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "fast")
    ann.axil("push")
    ann.axil("switch", "main")
    bob = place.join("Bob")
    (change,) = bob.axil("diff", "main", "main_fast", "--json").json["paths"]
    assert [(file["path"], file["kind"]) for file in change["files"]] == [("data/raw/4.txt", "added")]
    outputs = bob.axil("compare", "main", "main_fast", "--json").json["outputs"][0]["paths"]
    assert {one["path"]: one["problem"] for one in outputs} == {"metrics.json": "", "model": ""}
    assert sum(path.stat().st_size for path in (bob.path / ".git/axil/store").rglob("*") if path.is_file()) < 50_000


# What is refused


def test_without_remotes_the_message_says_what_to_type(place):
    ann = place.found(push=False)
    ann.axil("remote", "rm", "origin")
    said = ann.axil("push", code=1)
    assert "axil remote add origin s3://bucket/prefix" in said.err
    ann.axil("remote", "add", "origin", str(place.store))
    ann.run("remote", "remove", "origin")
    assert "git remote add origin URL" in ann.axil("push", code=1).err
    assert "git remote add origin URL" in ann.axil("fetch", code=1).err
    assert "git remote add origin URL" in ann.axil("pull", code=1).err


def test_a_diverged_branch_is_left_alone(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.commit({"a.txt": "a"}, "of ann")
    ann.axil("push")
    bob.commit({"b.txt": "b"}, "of bob")
    before = place.branch("main")
    said = bob.axil("push", code=1)
    assert "main went another way at origin" in said.err
    assert "git merge origin/main" in said.err
    assert place.branch("main") == before
    assert "git merge origin/main" in bob.axil("pull", code=1).err
    bob.run("merge", "-q", "--no-edit", "origin/main")
    bob.axil("push")
    assert place.branch("main") == bob.head()


def test_force_replaces_what_was_seen(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.commit({"a.txt": "a"}, "of ann")
    ann.axil("push")
    bob.commit({"b.txt": "b"}, "of bob")
    bob.axil("push", "--force")
    assert place.branch("main") == bob.head()
    assert bob.run("cat-file", "-t", ann.head()) == "commit"


def test_behind_is_no_failure(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.commit({"a.txt": "a"}, "of ann")
    ann.axil("push")
    assert "axil pull" in bob.axil("push").out


def test_pull_refuses_as_git_does(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.commit({"train.py": ann.read("train.py") + "# more\n"}, "of ann")
    ann.axil("push")
    bob.write({"train.py": bob.read("train.py") + "# other\n"})
    said = bob.axil("pull", code=1)
    assert "train.py" in said.err
    assert bob.read("train.py").endswith("# other\n")


def test_pull_takes_new_data_and_undo_gives_the_old_back(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.write({"data/raw/4.txt": "4"})
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "more data")
    ann.axil("push")
    old = bob.head()
    bob.axil("pull")
    assert (bob.path / "data/raw/4.txt").read_text() == "4"
    assert bob.run("status", "--porcelain") == ""
    bob.axil("undo")
    assert not (bob.path / "data/raw/4.txt").exists()
    assert bob.head() == old
    assert bob.run("status", "--porcelain") == ""


def test_missing_objects_block_unless_forced(place):
    ann = place.found(push=False)
    shutil.rmtree(ann.path / ".git/axil/store")
    said = ann.axil("push", code=1)
    assert "data/raw (needed by main)" in said.err
    assert "--force" in said.err
    assert not (place.hub / "refs/heads/main").exists()
    ann.axil("push", "--force")
    assert place.branch("main") == ann.head()


def test_older_missing_objects_are_a_warning(place):
    ann = place.found(push=False)
    ann.write({"data/raw/4.txt": "4"})
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "more data")
    shutil.rmtree(ann.path / ".git/axil/store")
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-f")
    said = ann.axil("push", "--json").json
    assert {one["path"] for one in said["missing"]} >= {"data/raw"}
    assert "neither here nor on origin" in ann.axil("push").err


def test_an_offline_git_remote_says_so_and_sends_nothing(place):
    ann = place.found(push=False)
    ann.run("remote", "set-url", "origin", "https://127.0.0.1:9/hub.git")
    said = ann.axil("push", code=1)
    assert "cannot be reached" in said.err
    assert not place.store.exists() or not place.packs()
    ann.run("remote", "set-url", "origin", str(place.folder / "nowhere.git"))
    assert "there is no git repository at" in ann.axil("push", code=1).err


def test_a_storage_remote_that_cannot_be_used(place, tmp_path):
    ann = place.found()
    (tmp_path / "file").write_text("no folder")
    said = ann.axil("remote", "add", "other", str(tmp_path / "file" / "x"), code=1)
    assert "file" in said.err
    assert "[remotes.other]" not in ann.read("axil.toml")
    ann.axil("remote", "add", "other", str(tmp_path / "file" / "x"), "--no-check")
    assert ann.axil("push", "-r", "other", code=1).err.startswith("error:")
    assert "there is no storage remote ohter" in ann.axil("push", "-r", "ohter", code=1).err


def test_a_server_that_refuses_is_heard(place):
    ann = place.found(push=False)
    hook = place.hub / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    said = ann.axil("push", code=1)
    assert "not on a Friday" in said.err
    hook.unlink()
    own = ann.path / ".git/hooks/pre-push"
    own.write_text("#!/bin/sh\necho 'mind the tests' >&2\nexit 1\n")
    own.chmod(0o755)
    assert "mind the tests" in ann.axil("push", code=1).err
    own.unlink()
    ann.axil("push")


def test_hostile_names_from_a_remote_never_reach_the_terminal(place):
    place.found()
    commit = place.branch("main")
    hub = Repo(place.hub)
    (place.hub / "packed-refs").write_text(f"{commit} refs/heads/main\n{commit} refs/heads/-x\n")
    hub.run("update-ref", "refs/heads/bad\x1b[31m", commit, check=False)
    bob = place.join("Bob")
    out = bob.axil("tree").out
    assert "\x1b" not in out
    assert "-x" not in out


# Preflight


def test_preflight_tells_what_a_colleague_would_miss(place):
    ann = place.found(push=False)
    said = ann.axil("push", "-n", "--json").json
    assert said["experiments"] == [{"name": "main", "commit": ann.head(), "state": "new", "commits": 2, "runs": 1}]
    assert said["objects"] > 4
    assert said["verdicts"] == [{"experiment": "main", "reproducible": True, "reasons": []}]
    assert "yes  a colleague could reproduce main" in ann.axil("push", "-n").out
    assert not place.packs() if place.store.exists() else True
    ann.run("rm", "-q", "--cached", "uv.lock")
    ann.run("commit", "-qm", "no lock")
    ann.write({"train.py": ann.read("train.py") + "# changed\n", "data/raw/5.txt": "5"})
    kinds = {reason["kind"] for reason in ann.axil("push", "-n", "--json").json["verdicts"][0]["reasons"]}
    assert kinds == {"lock", "uncommitted", "unsaved"}
    out = ann.axil("push", "-n").out
    assert "no   a colleague could not reproduce main" in out
    assert "train.py has uncommitted changes" in out


def test_preflight_finds_untracked_inputs_and_runs_of_uncommitted_code(place):
    ann = place.found(push=False)
    toml = ann.read("axil.toml").replace('deps = ["data/raw"]', 'deps = ["data/raw", "extra.txt", "lib"]')
    ann.write({"axil.toml": toml, "extra.txt": "x", ".gitignore": ann.read(".gitignore") + "extra.txt\nlib/b\n"})
    ann.commit({"lib/a": "a", "lib/b": "b"}, "more inputs")
    ann.write({"train.py": ann.read("train.py").replace("lr * 2", "lr * 3")})
    ann.axil("run", "-q")
    ann.run("checkout", "-q", "train.py")
    reasons = ann.axil("push", "-n", "--json").json["verdicts"][0]["reasons"]
    assert {(reason["kind"], reason["path"]) for reason in reasons} == {
        ("run", "train.py"),
        ("input", "extra.txt"),
        ("input", "lib/b"),
    }


def inputs_missed(person: Person, *words: str) -> set[str]:
    verdicts = person.axil("push", "-n", "--json", *words).json["verdicts"]
    return {reason["path"] for verdict in verdicts for reason in verdict["reasons"] if reason["kind"] == "input"}


def test_preflight_finds_imported_code_that_no_commit_has(place):
    ann = place.found(push=False)
    ann.write({"local_cfg.py": "z = 1\n", ".gitignore": ann.read(".gitignore") + "local_cfg.py\n"})
    ann.commit({"helper.py": "y = 1\n", "train.py": "import local_cfg, helper\n" + ann.read("train.py")}, "imports")
    assert inputs_missed(ann) == {"local_cfg.py"}  # before any run
    ann.axil("run", "-q", "-m", "with them")
    ann.run("rm", "-q", "--cached", "helper.py")
    ann.run("commit", "-qm", "not in git any more")
    assert inputs_missed(ann) == {"local_cfg.py", "helper.py"}
    ann.axil("fork", "other")
    ann.write({"train.py": ann.read("train.py").replace("import local_cfg, helper\n", "")})
    ann.run("commit", "-qam", "without them")
    assert inputs_missed(ann) == set()
    assert inputs_missed(ann, "main") == {"local_cfg.py"}  # the run's own commit had the other one


def test_preflight_believes_no_note_that_all_was_pushed(place):
    ann = place.found()
    assert ann.axil("push", "-n", "--json").json["objects"] == 0
    whole = place.store.rename(place.folder / "whole")
    shutil.copytree(whole, place.store)
    for name in ("packs", "index", "roots"):
        shutil.rmtree(place.store / name)
    many = ann.axil("push", "-n", "--json").json["objects"]
    assert many > 4
    assert ann.axil("push", "--json").json["objects"] == many


def test_preflight_works_offline_and_without_a_storage_remote(place):
    ann = place.found(push=False)
    ann.run("remote", "set-url", "origin", "https://127.0.0.1:9/hub.git")
    said = ann.axil("push", "-n", "--json").json
    assert said["experiments"][0]["state"] == "unknown"
    assert said["trouble"]
    ann.axil("remote", "rm", "origin")
    ann.run("commit", "-qam", "no remote")
    reasons = ann.axil("push", "-n", "--json").json["verdicts"][0]["reasons"]
    assert [reason["kind"] for reason in reasons] == ["remote"]


# Clone


def test_clone_where_the_store_is_elsewhere(place):
    place.found()
    moved = place.store.rename(place.folder / "moved")
    carol = Person(place.folder, "Carol")
    said = carol.axil("clone", str(place.hub), "carol")
    assert "warning" in said.err
    assert "axil pull" in said.err
    carol.axil("clone", str(place.hub), "carol2", "--remote-url", str(moved))
    there = Person(place.folder / "carol2", "Carol")
    assert (there.path / "data/raw/1 ä.txt").read_text() == "1"
    assert there.run("status", "--porcelain") == ""
    assert "axil.local.toml" in there.axil("remote", "list").out


def test_clone_where_the_hub_names_a_branch_that_nobody_pushed(place):
    """As a bare repository does whose HEAD is master, when all work on main."""
    ann = place.found(push=False)
    ann.run("branch", "-m", "main")
    ann.axil("push")
    Person(place.hub, "Ann").run("symbolic-ref", "HEAD", "refs/heads/other")
    carol = Person(place.folder, "Carol")
    moved = place.store.rename(place.folder / "moved")
    said = carol.axil("clone", str(place.hub), "deep/carol", "--remote-url", moved.name)
    assert "1 run" in said.out
    there = Person(place.folder / "deep/carol", "Carol")
    assert there.run("rev-parse", "--abbrev-ref", "HEAD", "@{upstream}") == "main\norigin/main"
    assert (there.path / "model/weights.txt").read_text() == (ann.path / "model/weights.txt").read_text()
    there.axil("push")


def test_logs_come_when_they_are_asked_for(place):
    ann = place.found(push=False)
    ann.write({"train.py": "print('said by the stage')\n" + ann.read("train.py")})
    ann.axil("run", "-q", "-m", "talks")
    ann.axil("push")
    bob = place.join("Bob")
    assert "said by the stage" in bob.axil("logs").out


def test_clone_of_what_is_no_project_or_is_in_the_way(place):
    carol = Person(place.folder, "Carol")
    plain = Person(place.folder / "plain", "Carol")
    plain.path.mkdir()
    plain.run("init", "-q")
    plain.commit({"a": "a"})
    assert "no axil project" in carol.axil("clone", str(plain.path), "copy", code=1).err
    assert "is there already" in carol.axil("clone", str(plain.path), "copy", code=1).err
    assert "there is no git repository" in carol.axil("clone", str(place.folder / "none"), code=1).err


def test_plain_git_fetch_brings_the_journal_too(place):
    ann = place.found()
    bob = place.join("Bob")
    ann.axil("run", "-q", "--set", "lr=0.3")
    ann.axil("push")
    bob.run("fetch", "-q")
    assert bob.run("rev-parse", "refs/axil/remotes/origin/journal") == ann.run("rev-parse", "refs/axil/journal")


def test_of_a_large_file_with_one_row_more_little_comes(place, monkeypatch):
    """The colleague has the version before: only the chunks around the new row travel, by whatever command."""
    rows = [f"{n},{n * 7919 % 10007},{n * n}\n" for n in range(400_000)]
    ann = place.found()
    ann.write({"data/table.csv": "".join(rows), "data/many/0.csv": "".join(rows[200_000:])})
    ann.axil("add", "data/table.csv", "data/many")
    ann.commit(message="tables")
    ann.axil("push")
    bob = place.join("Bob")
    rows[150_000:150_000] = ["one,more,row\n"]
    ann.write({"data/table.csv": "".join(rows), "data/many/0.csv": "".join(rows[150_000:])})
    ann.axil("add", "data/table.csv", "data/many")
    ann.commit(message="a row more")
    ann.axil("push")
    came = []
    get = Folder.get

    def counted(self: Folder, key: str, start: int = 0, length: int | None = None) -> bytes:
        data = get(self, key, start, length)
        came.append(len(data) if key.startswith("packs/") else 0)
        return data

    monkeypatch.setattr(Folder, "get", counted)
    bytes_ = sum(path.stat().st_size for path in (ann.path / "data/table.csv", ann.path / "data/many/0.csv"))
    assert f"fetching at most {size(bytes_)} from origin" in bob.axil("pull").err
    assert (bob.path / "data/table.csv").read_text() == "".join(rows)
    assert (bob.path / "data/many/0.csv").read_text() == "".join(rows[150_000:])
    whole = len("".join(rows)) + len("".join(rows[150_000:]))
    assert 0 < sum(came) < whole // 6


def test_a_git_remote_whose_name_has_a_slash(place):
    ann = place.found()
    ann.axil("fork", "try/one")
    ann.axil("push")
    ann.axil("fork", "aside")
    ann.axil("push")
    ann.axil("switch", "main")
    ann.axil("archive", "aside")
    ann.axil("push", "--all")
    bob = place.join("Bob")
    bob.run("remote", "rename", "origin", "team/hub")
    bob.axil("fetch")
    tree = {row["name"]: row for row in bob.axil("tree", "--all", "--json").json["nodes"]}
    assert tree["try/one"]["remote"] == "team/hub"
    assert tree["aside"]["archived"]
    assert not [name for name in tree if name.startswith("hub/")]
    assert "git remote team/hub" in bob.axil("fork", "try/one", code=1).err
    bob.axil("fork", "hub/try")
    bob.axil("switch", "try/one")
    assert bob.run("rev-parse", "--abbrev-ref", "try/one@{upstream}") == "team/hub/try/one"
    bob.write({"note.txt": "a note"})
    bob.commit(message="a note")
    assert bob.axil("push", "--json").json["git"] == "team/hub"
    assert bob.axil("pull", "--json").json["there"] is True
    ann.axil("switch", "try/one")
    assert ann.axil("pull", "--json").json["moved"] == 1


def test_a_rename_is_shared_and_the_branch_of_the_former_name_is_told_of(place):
    ann = place.found()
    ann.axil("fork", "first")
    ann.axil("run", "-q", "--set", "lr=0.2", "-m", "a run")
    ann.axil("push")
    bob = place.join("Bob")
    ann.axil("rename", "first", "second")
    said = ann.axil("push")
    assert "first, as second was called, is still at origin: git push origin --delete first\n" in said.err
    assert ann.run("rev-parse", "--abbrev-ref", "second@{upstream}") == "origin/second"
    bob.axil("fetch")
    tree = {row["name"]: row for row in bob.axil("tree", "--all", "--json").json["nodes"]}
    assert set(tree) == {"main", "second"}
    assert tree["second"]["remote"] == "origin"
    bob.axil("switch", "second")
    bob.write({"note.txt": "a note"})
    bob.commit(message="a note")
    former = bob.axil("push", "--json").json["former"]
    assert former == [{"name": "first", "now": "second", "merged": True}]
    assert ann.axil("pull", "--json").json["moved"] == 1
    ann.run("push", "-q", "origin", "--delete", "first")
    assert ann.axil("push", "--json").json["former"] == []


def test_the_branch_of_a_former_name_with_commits_of_its_own(place):
    ann = place.found()
    ann.axil("fork", "first")
    ann.axil("push")
    bob = place.join("Bob")
    bob.axil("switch", "first")
    ann.axil("rename", "first", "second")
    ann.axil("push")
    bob.write({"note.txt": "a note"})
    bob.commit(message="a note")
    bob.axil("push")
    said = ann.axil("push")
    assert "has other commits than second" in said.err
    assert "--delete" not in said.err
    ann.axil("fetch")
    assert "first" in {row["name"] for row in ann.axil("tree", "--all", "--json").json["nodes"]}
    ann.run("merge", "-q", "origin/first")
    assert "--delete first" in ann.axil("push").err
    assert "that is how second was called" in ann.axil("fork", "first", code=1).err
    ann.run("push", "-q", "origin", "--delete", "first")
    ann.axil("fork", "first")
    assert "first, as" not in ann.axil("push", "--all").err
    ann.axil("fetch")
    assert "first" in {row["name"] for row in ann.axil("tree", "--json").json["nodes"]}


def test_a_rename_taken_back_leaves_the_other_name(place):
    ann = place.found()
    ann.axil("rename", "main", "trunk")
    ann.axil("push")
    ann.axil("undo")
    assert "trunk, as main was called" in ann.axil("push").err


def without_data(place: Place) -> Person:
    """A colleague whose store was lost."""
    bob = place.join("Bob")
    for folder in (".git/axil/store", ".git/axil/remotes"):
        shutil.rmtree(bob.path / folder)
    return bob


def test_what_another_remote_has_is_named_with_the_command_that_brings_it(place):
    place.found()
    bob = without_data(place)
    bob.axil("remote", "add", "fresh", str(place.folder / "fresh"))
    bob.commit(message="a second place")
    said = bob.axil("push", "-r", "fresh", code=1).err
    assert "data/raw (needed by main; origin has it)" in said
    assert "bring here what origin has: axil fetch main -r origin; then push again" in said
    assert "axil add the data again" not in said
    (verdict,) = bob.axil("push", "-n", "-r", "fresh", "--json").json["verdicts"]
    missing = [reason for reason in verdict["reasons"] if reason["kind"] == "missing"]
    assert missing
    assert all(
        "but origin has it" in reason["text"] and "axil fetch main -r origin" in reason["hint"] for reason in missing
    )
    bob.axil("fetch", "main", "-r", "origin")
    bob.axil("push", "-r", "fresh")


def test_what_no_reachable_remote_has_is_told_as_before(place):
    ann = place.found()
    ann.axil("remote", "add", "backup", str(place.folder / "backup"))
    ann.commit(message="more places")
    ann.axil("push", "-r", "origin")
    bob = without_data(place)
    shutil.rmtree(place.store)
    place.store.write_text("no folder any more")
    said = bob.axil("push", "-r", "backup", code=1).err
    assert "data/raw (needed by main)" in said
    assert "axil add the data again, or axil run what made it" in said

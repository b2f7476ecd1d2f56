"""Tracked data as commands: add, rm, status, diff, materialise."""

from __future__ import annotations

import os
import socket

import pytest


def state(small, path="data/raw"):
    return next(one for one in small.axil("status", "--json").json["data"] if one["path"] == path)


def test_add_a_folder_writes_pointer_and_ignore_line_and_stages_both(small):
    small.repo.write({"images/a.png": b"\x89PNG", "images/deep/b.png": b"b"})
    answer = small.axil("add", "images")
    assert answer.out == "added images  2 files, 5 B\n"
    assert small.repo.run("diff", "--cached", "--name-only").split() == [".gitignore", "images.axil"]
    assert "/images" in small.repo.read(".gitignore").splitlines()
    assert "??" not in small.repo.run("status", "--porcelain")
    assert 'kind = "tree"' in small.repo.read("images.axil")


def test_add_a_file(small):
    small.repo.write({"data/labels.csv": "a,b\n"})
    (value,) = small.axil("add", "data/labels.csv", "--json").json
    assert (value["path"], value["kind"], value["size"], value["files"], value["state"]) == (
        "data/labels.csv", "file", 4, 1, "new",
    )  # fmt: skip
    assert small.repo.read("data/.gitignore").splitlines() == ["# data kept by axil", "/labels.csv", "/raw"]


def test_add_without_a_path_saves_the_edits_of_everything(small):
    assert small.axil("add", "--json").json[0]["state"] == "unchanged"
    small.repo.write({"data/raw/4.txt": "4"})
    assert small.axil("add").out == "saved data/raw  4 files, 4 B\n"
    assert state(small)["state"] == "clean"


def test_add_stages_a_pointer_that_git_does_not_know_yet(small):
    small.repo.write({"images/a": "a"})
    small.axil("add", "images")
    small.repo.run("reset", "-q")
    assert small.axil("add", "images", "--json").json[0]["state"] == "unchanged"
    assert "images.axil" in small.repo.run("diff", "--cached", "--name-only").split()


def test_a_folder_that_the_user_ignores_can_be_tracked(small):
    small.repo.write({".gitignore": small.repo.read(".gitignore") + "/big/\n", "big/set/x": "x"})
    small.axil("add", "big/set")
    assert "big/set.axil" in small.repo.run("ls-files").splitlines()
    assert state(small, "big/set")["state"] == "clean"


def test_what_files_are_comes_back(small):
    folder = small.path / "mixed"
    (folder / "empty/inner").mkdir(parents=True)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("run.sh")
    (folder / "empty/up").symlink_to("../run.sh")
    (folder / "dangling").symlink_to("not/there")
    small.axil("add", "mixed")
    small.commit("mixed")
    small.axil("fork", "without")
    small.axil("rm", "mixed")
    small.commit("no mixed")
    assert not folder.exists()
    small.axil("switch", "main")
    assert (folder / "run.sh").stat().st_mode & 0o111
    assert os.readlink(folder / "link") == "run.sh"
    assert os.readlink(folder / "empty/up") == "../run.sh"
    assert os.readlink(folder / "dangling") == "not/there"
    assert (folder / "empty/inner").is_dir()
    assert state(small, "mixed")["state"] == "clean"
    (folder / "run.sh").chmod(0o644)
    assert state(small, "mixed")["paths"] == [["mixed/run.sh", "mode"]]


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "../raw2"])
def test_links_that_lead_out_are_refused(small, target):
    (small.path / "data/raw/bad").symlink_to(target)
    before = small.state()
    answer = small.axil("add", "data/raw", code=1)
    assert "data/raw/bad" in answer.err
    assert small.state() == before


def test_special_files_are_refused(small):
    os.mkfifo(small.path / "data/raw/pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(small.path / "data/raw")
        server.bind("s")
        os.chdir(here)
        answer = small.axil("add", "data/raw", code=1)
    assert "data/raw/pipe" in answer.err and "data/raw/s" in answer.err


NAMES = [
    " leading",
    "trailing ",
    "a\nb",
    "-rf",
    "é",
    "e\u0301",
    "*",
    "[x]",
    "!not",
    "#c",
    "a\\b",
    '"q"',
    ".hidden",
    "x.axil",
]


def test_weird_names_inside_a_folder(small):
    folder = os.fsencode(small.path / "odd")
    os.mkdir(folder)
    names = [os.fsencode(name) for name in NAMES] + [b"\xff\xfe"]
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(name)
    small.axil("add", "odd")
    small.commit("odd")
    small.axil("fork", "b")
    small.axil("rm", "odd")
    small.commit("gone")
    small.axil("switch", "main")
    assert sorted(os.listdir(folder)) == sorted(names)
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            assert file.read() == name


@pytest.mark.parametrize(
    "name", ["with space", "é ü", "*star", "[x]", "!bang", "#hash", "tail ", "back\\slash", "-dash"]
)
def test_weird_names_of_the_data_itself(small, name):
    small.repo.write({f"d/{name}/x": "x", "d/star": "code\n"})
    small.axil("add", f"d/{name}")
    tracked = small.repo.run("ls-files", "-z").split("\0")
    assert f"d/{name}.axil" in tracked
    small.repo.run("add", "-A")
    tracked = small.repo.run("ls-files", "-z").split("\0")
    assert f"d/{name}/x" not in tracked
    assert "d/star" in tracked
    assert state(small, f"d/{name}")["state"] == "clean"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("nothing", "nothing does not exist"),
        ("..", "outside the project"),
        (".", "the whole project cannot be tracked"),
        ("data/raw/1.txt", "data/raw/1.txt is inside data/raw, which is tracked already"),
        ("data", "data contains data/raw, which is tracked already"),
        ("data/raw.axil", "data/raw.axil is a pointer, not data"),
        ("train.py", "train.py is tracked by git already"),
        ("model.txt", "model.txt and the output model.txt of stage train overlap"),
        (".git/config", "the path is inside .git or .axil"),
    ],
)
def test_what_cannot_be_added(small, path, what):
    before = small.state()
    answer = small.axil("add", path, code=1)
    assert what in answer.err
    assert answer.out == ""
    assert small.state() == before


def test_data_that_git_tracks_names_the_way_out(small):
    small.commit("in git", **{"my set/a.csv": "a", "my set/b.csv": "b"})
    answer = small.axil("add", "my set", code=1)
    assert answer.err == (
        "error: my set is tracked by git already\n"
        "  git has my set/a.csv and 1 more files in it\n"
        "hint: take it out of git, the files stay: git rm -r --cached 'my set' && axil add 'my set'\n"
    )
    small.repo.run("rm", "-rq", "--cached", "my set")
    small.axil("add", "my set")
    assert state(small, "my set")["state"] == "clean"


def test_states(small):
    assert (state(small)["state"], state(small)["files"]) == ("clean", 3)
    small.repo.write({"data/raw/1.txt": "one", "data/raw/new.txt": "n"})
    (small.path / "data/raw/2.txt").unlink()
    found = state(small)
    assert (found["state"], found["added"], found["removed"], found["changed"]) == ("changed", 1, 1, 1)
    assert found["paths"] == [
        ["data/raw/1.txt", "changed"], ["data/raw/2.txt", "removed"], ["data/raw/new.txt", "added"],
    ]  # fmt: skip
    text = small.axil("status").out
    assert "data    data/raw  changed +1 −1 ~1  3 files, 3 B\n" in text


def test_a_missing_folder_comes_back(small):
    for path in sorted((small.path / "data/raw").iterdir()):
        path.unlink()
    (small.path / "data/raw").rmdir()
    assert state(small)["state"] == "missing"
    assert small.axil("materialise", "data/raw").out == "3 files written, 0 files removed\n"
    assert small.data() == {"1.txt": "1", "2.txt": "2", "3.txt": "3"}
    assert small.axil("materialise").out == "all data is as its pointers say\n"
    assert state(small)["state"] == "clean"


def test_one_missing_file_comes_back_without_touching_edits(small):
    (small.path / "data/raw/1.txt").unlink()
    small.repo.write({"data/raw/2.txt": "edit"})
    answer = small.axil("materialise", code=1)
    assert "data/raw/2.txt" in answer.err
    assert small.data() == {"2.txt": "edit", "3.txt": "3"}
    small.axil("materialise", "--force")
    assert small.data() == {"1.txt": "1", "2.txt": "2", "3.txt": "3"}


def test_after_plain_git_checkout_the_data_is_outdated(small):
    small.axil("fork", "b")
    small.repo.write({"data/raw/1.txt": "one"})
    small.axil("add")
    small.commit("data")
    small.repo.run("checkout", "-q", "main")
    assert state(small)["state"] == "outdated"
    assert small.data()["1.txt"] == "one"
    assert small.axil("materialise").out == "1 file written, 0 files removed\n"
    assert small.data()["1.txt"] == "1"
    assert state(small)["state"] == "clean"


def test_materialise_refuses_what_is_not_tracked(small):
    assert small.axil("materialise", "train.py", code=1).err.startswith("error: train.py is not tracked\n")


def test_rm_and_keep(small):
    assert small.axil("rm", "data/raw", "--keep").out == "data/raw is no longer tracked\n"
    assert small.data() == {"1.txt": "1", "2.txt": "2", "3.txt": "3"}
    assert small.repo.run("status", "--porcelain").splitlines() == [
        "D  data/.gitignore",
        "D  data/raw.axil",
        "?? data/",
    ]
    small.axil("undo")
    assert small.axil("rm", "data/raw").out == "data/raw is no longer tracked, and removed\n"
    assert small.data() == {}
    assert small.axil("rm", "data/raw", code=1).err.startswith("error: data/raw is not tracked\n")


def test_diff_of_the_work_tree_and_between_experiments(small):
    small.axil("fork", "b")
    small.repo.write({"data/raw/1.txt": "one", "data/raw/new.txt": "n"})
    assert small.axil("diff").out == "data/raw  +1 ~1 files\n  ~ 1.txt  1 B → 3 B\n  + new.txt  1 B\n"
    small.axil("add")
    small.commit("data")
    assert "  ~ 1.txt  1 B → 3 B\n" in small.axil("diff", "main", "b").out


def test_an_edit_that_keeps_size_and_time_is_found(small):
    """git's racy-entry rule: the same second, the same size, the time put back."""
    path = small.path / "data/raw/1.txt"
    before = path.stat()
    path.write_text("X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert state(small)["state"] == "changed"


def test_json_of_every_verb(small):
    small.repo.write({"more/x": "x"})
    assert small.axil("add", "more", "--json").json[0]["oid"]
    assert small.axil("rm", "more", "--json").json == [{"path": "more", "kept": False, "saved": []}]
    assert small.axil("materialise", "--json").json == {"paths": ["data/raw"], "written": 0, "removed": 0, "saved": []}


def test_a_switch_that_git_refuses_leaves_the_data_and_nothing_beside_it(small):
    folder = small.path / "many"
    for word in ("one", "two"):
        small.repo.write({"code.py": word, **{f"many/{number}": f"{word} {number}" for number in range(40)}})
        small.axil("add", "many")
        small.repo.commit()
        small.repo.run("branch", word)
    small.repo.write({"code.py": "edited"})
    refused = small.axil("switch", "one", code=1)
    assert "code.py" in refused.err
    assert sorted(os.listdir(folder), key=int) == [str(number) for number in range(40)]
    assert (folder / "7").read_text() == "two 7"
    assert state(small, "many")["state"] == "clean"
    small.repo.write({"code.py": "two"})
    small.axil("switch", "one")
    assert (folder / "7").read_text() == "one 7"


def test_many_files_may_come_after_others(small):
    """From 512 files on workers write packs of their own, beside what is staged already."""
    for number in range(600):
        small.repo.write({f"many/{number}": f"{number}\n"})
    small.repo.write({"first/x": "x", "large.bin": "b" * 3_000_000})
    small.axil("add", "first", "large.bin", "many")
    assert {one["state"] for one in small.axil("status", "--json").json["data"]} == {"clean"}
    assert small.axil("verify").out.splitlines()[-1].startswith("all is well")

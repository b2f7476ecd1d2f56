"""What is wrong is named with file, line and key, in three lines, and nothing is changed or lost."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.conftest import Repo

from axil.formats import pointer

AXIL = [sys.executable, "-m", "axil"]


def refused(small, *words, code=1):
    """The error of a call that must change nothing: [what, why, hint]."""
    before = small.state()
    answer = small.axil(*words, code=code)
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err
    assert small.state() == before
    return answer.err.splitlines()


def toml(small, old, new):
    text = small.repo.read("axil.toml")
    assert old in text
    small.repo.write({"axil.toml": text.replace(old, new)})


# axil.toml and parameters


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[stages.train]", "[stages.train", "axil.toml line 5"),
        ("outs =", "out =", "axil.toml line 9"),
        ('params = ["lr"]', "params = 3", "axil.toml line 8"),
        ('f1 = "max"', 'f1 = "up"', "axil.toml line 3"),
        ('cmd = "python train.py"\n', "", "axil.toml line 5"),
        ("[project]", "[proyect]", "axil.toml line 1"),
        ('deps = ["data/raw"]', 'deps = ["../raw"]', "axil.toml line 7"),
        ('outs = ["model.txt"]', 'outs = ["/tmp/model"]', "axil.toml line 9"),
    ],
)
def test_broken_axil_toml(small, old, new, what):
    toml(small, old, new)
    for words in (["run"], ["run", "-n"], ["run", "--set", "lr=0.5", "-m", "x"]):
        lines = refused(small, *words)
        assert what in "\n".join(lines) or (lines[0].endswith("axil.toml is not valid TOML") and "line 5" in lines[1])


def test_an_unknown_key_gets_a_suggestion(small):
    toml(small, "outs =", "out =")
    lines = refused(small, "run")
    assert "`out`" in lines[0] + lines[1] and "outs" in "\n".join(lines[1:])


def test_broken_parameters(small):
    small.repo.write({"params.yaml": "lr: 0.1\nother: [1,\n"})
    lines = refused(small, "run")
    assert lines[0].startswith("error: params.yaml") and "3" in lines[0]
    small.repo.write({"params.yaml": "lr: 0.1\nlr: 0.2\n"})
    assert "params.yaml" in refused(small, "run", "--set", "lr=1")[0]
    small.repo.write({"params.yaml": "other: 1\n"})
    lines = refused(small, "run")
    assert "lr" in lines[0]


@pytest.mark.parametrize("text", ["lr", "=3", "", "a..b=1", "lr=[1"])
def test_assignments_that_are_none(small, text):
    refused(small, "run", "--set", text)
    refused(small, "fork", "x", "--set", text)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["run", "--sample", "x"], "'x' is not a whole number from 1 on"),
        (["run", "--sample", "0"], "'0' is not a whole number from 1 on"),
        (["run", "-j", "-2"], "'-2' is not a whole number from 1 on"),
        (["run", "-d", "--gpus", "1.5"], "'1.5' is not a whole number from 0 on"),
        (["run", "--seeds", "none"], "'none' is not a whole number from 1 on"),
        (["run", "--seeds", "1,1"], "'1,1' is not a list of different seeds such as 1,7,9"),
        (["run", "--seeds", "1,-7"], "'1,-7' is not a list of different seeds such as 1,7,9"),
        (["sweep", "lr=1,2", "--time-limit", "5x"], "--time-limit: '5x' is no length of time: write \"2h\""),
        (["sweep", "lr=1,2", "--time-limit", "0"], "--time-limit: it must be more than 0 seconds"),
        (["remote", "check", "--max-time", "inf"], "--max-time: 'inf' is no length of time"),
        (["remote", "check", "--sample", "200%"], "--sample: '200%' is not a share such as 5% or 0.05"),
        (["wait", "x", "--timeout", "nan"], "--timeout: 'nan' is no length of time"),
    ],
)
def test_numbers_that_are_none(small, words, wanted):
    assert wanted in refused(small, *words, code=2)[0]


def test_cycles_and_shared_outputs(small):
    stage = '\n[stages.{name}]\ncmd = "true"\ndeps = ["{dep}"]\nouts = ["{out}"]\n'
    text = small.repo.read("axil.toml")
    small.repo.write(
        {
            "axil.toml": text
            + stage.format(name="a", dep="b.txt", out="a.txt")
            + stage.format(name="b", dep="a.txt", out="b.txt")
        }
    )
    assert refused(small, "run")[0] == "error: axil.toml line 12: stages wait for each other: a → b → a"
    refused(small, "run", "--set", "lr=2")
    small.repo.write({"axil.toml": text + stage.format(name="again", dep="train.py", out="model.txt")})
    lines = refused(small, "run")
    assert "model.txt" in lines[0] and "train" in "\n".join(lines)
    small.repo.write({"axil.toml": text + stage.format(name="inside", dep="train.py", out="data/raw/made")})
    assert "data/raw" in "\n".join(refused(small, "run"))


def test_status_tells_of_a_broken_pipeline_and_shows_the_rest(small):
    toml(small, "data/raw", "data/row")
    small.repo.write({"data/raw/1.txt": "edit"})
    answer = small.axil("status")
    assert "data    data/raw  changed ~1" in answer.out
    assert answer.err.startswith("warning: axil.toml line 5: stage train depends on data/row, which does not exist\n")
    assert small.axil("status", "--json").json["problem"]["hint"]


# Pointers


def test_a_pointer_with_conflict_markers(small):
    text = small.repo.read("data/raw.axil")
    small.repo.write({"data/raw.axil": f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> b\n"})
    for words in (["run"], ["add"], ["materialise"], ["switch", "main"], ["rm", "data/raw"], ["gc"]):
        lines = refused(small, *words)
        assert "data/raw.axil" in "\n".join(lines)
    assert "conflict" in "\n".join(refused(small, "materialise"))
    assert "data/raw.axil" in small.axil("status").err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "axil = 1\n",
        "axil = 99\nkind = 'file'\n",
        'axil = 1\nkind = "tree"\noid = "../../etc"\nsize = 1\nfiles = 1\n',
        'axil = 1\nkind = "tree"\noid = "' + "0" * 64 + '"\nsize = -1\nfiles = 1\n',
        'axil = 1\nkind = "tree"\nkind = "file"\noid = "' + "0" * 64 + '"\nsize = 1\nfiles = 1\n',
        "axil = 1\npath = '/etc/passwd'\n",
    ],
)
def test_broken_pointers_name_file_and_line(small, text):
    small.repo.write({"data/raw.axil": text})
    assert refused(small, "materialise")[0].startswith("error: data/raw.axil")


def hostile(small, name, mode="100644"):
    """A branch whose tree has the pointer file `name`; other content is as on `main`."""
    blob = small.repo.run("rev-parse", "HEAD:data/raw.axil")
    entries = small.repo.run("ls-tree", "-r", "HEAD")
    script = f"{entries}\n{mode} blob {blob}\t{name}\n"
    index = {**os.environ, "GIT_INDEX_FILE": str(small.path / ".git/hostile")}
    lines = [f"{line.split()[0]} {line.split()[2]}\t{line.partition(chr(9))[2]}" for line in script.splitlines()]
    subprocess.run(
        ["git", "update-index", "--add", "--index-info"],
        input="\n".join(lines) + "\n",
        text=True,
        cwd=small.path,
        env=index,
        check=True,
    )
    tree = subprocess.run(
        ["git", "write-tree"], cwd=small.path, env=index, check=True, capture_output=True, text=True
    ).stdout.strip()
    commit = small.repo.run("commit-tree", "-p", "HEAD", "-m", "hostile", tree)
    small.repo.run("branch", "-f", "evil", commit)


@pytest.mark.parametrize("name", [".AXIL/x.axil", "data/raw/inner.axil"])
def test_pointers_at_places_that_are_not_theirs(small, name):
    hostile(small, name)
    refused(small, "switch", "evil")
    assert small.head() == "main"


def test_a_pointer_below_a_link_out_of_the_project(small, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (small.path / "way").symlink_to(outside)
    small.repo.run("add", "way")
    small.repo.run("commit", "-qm", "link")
    # git itself has no `way/x.axil` beside a link `way`; the link is the user's own.
    small.repo.run("switch", "-qc", "evil")
    small.repo.run("rm", "-q", "way")
    small.repo.write({"way/x.axil": small.repo.read("data/raw.axil")})
    small.repo.run("add", "-f", "way/x.axil")
    small.repo.run("commit", "-qm", "pointer")
    small.repo.run("switch", "-q", "main")
    answer = small.axil("switch", "evil", code=1)
    assert "way/x" in answer.err and "is a symbolic link" in answer.err
    assert small.head() == "main"
    assert list(outside.iterdir()) == []


def test_data_replaced_by_a_link_is_not_followed(small, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.txt").write_text("theirs")
    small.axil("fork", "b")
    small.repo.write({"data/raw/1.txt": "one"})
    small.axil("add")
    small.commit("data")
    for path in (small.path / "data/raw").iterdir():
        path.unlink()
    (small.path / "data/raw").rmdir()
    (small.path / "data/raw").symlink_to(outside)
    answer = small.axil("switch", "main", code=1)
    assert "data/raw" in answer.err
    small.axil("switch", "main", "--force")
    assert (outside / "1.txt").read_text() == "theirs"
    assert small.data() == {"1.txt": "1"}  # what does not differ is not touched
    small.axil("materialise")
    assert small.data() == {"1.txt": "1", "2.txt": "2", "3.txt": "3"}


def test_data_that_is_not_in_the_store(small):
    text = small.repo.read("data/raw.axil")
    oid = pointer.parse(text.encode(), "x").oid.hex()
    small.repo.run("switch", "-qc", "b")
    small.commit("unknown", **{"data/raw.axil": text.replace(oid, "ab" * 32)})
    small.repo.run("switch", "-q", "main")
    lines = refused(small, "switch", "b")
    assert lines[0] == "error: the data of data/raw is not in the store"


# Names and git


@pytest.mark.parametrize(
    "name", ["", "two words", "-x", "a..b", "a~1", "x.lock", "/x", "HEAD", "@", "a\x01b", "a//b", "x" * 300]
)
def test_names_that_cannot_be(small, name):
    words = refused(small, "fork", "--", name)
    assert "cannot be an experiment's name" in words[0]
    refused(small, "rename", "main", "--", name)


def test_a_name_that_is_taken(small):
    assert refused(small, "fork", "main") == [
        "error: there is an experiment main already",
        "hint: go to it with axil switch main",
    ]
    assert "cannot be a branch" in refused(small, "fork", "main/x")[0]


def test_a_name_the_project_does_not_allow(small):
    small.repo.write({"axil.toml": small.repo.read("axil.toml") + '\n[experiments]\nnames = "[a-z_]+"\n'})
    lines = refused(small, "fork", "Big")
    assert lines[0] == "error: “Big” is not a name this project allows"
    assert "[a-z_]+" in lines[1]


def test_unknown_sources(small):
    assert "nobody" in refused(small, "fork", "x", "--from", "nobody")[0]
    assert "nobody" in refused(small, "switch", "nobody")[0]


def test_an_unresolved_merge(small):
    small.repo.run("switch", "-qc", "b")
    small.commit("b", **{"params.yaml": "lr: 0.2\n"})
    small.repo.run("switch", "-q", "main")
    small.commit("main", **{"params.yaml": "lr: 0.3\n"})
    small.repo.run("merge", "b", check=False)
    assert "conflict  params.yaml" in small.axil("status").out
    refused(small, "switch", "b")
    small.repo.write({"params.yaml": "lr: 0.5\n"})  # edited, not yet `git add`ed
    lines = refused(small, "run")
    assert lines[0] == "error: a merge in this work tree is not resolved"
    refused(small, "run", "--set", "lr=0.6")


def test_no_identity(small):
    small.repo.run("config", "--unset", "user.name")
    small.repo.run("config", "--unset", "user.email")
    small.repo.write({"params.yaml": "lr: 0.5\n"})
    for words in (["fork", "b"], ["run"], ["note", "main", "x"], ["rename", "main", "b"]):
        lines = refused(small, *words)
        assert lines[0] == "error: git does not know who you are"
        assert any("git config --global user.name" in line for line in lines)
    small.axil("status")
    small.axil("tree")


def test_no_git(small, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = small.axil("status", code=1)
    assert answer.err.startswith("error: git is not installed\n")


def test_a_bare_repository(make_repo, axil, monkeypatch):
    repo = make_repo("bare", "--bare")
    monkeypatch.chdir(repo.path)
    answer = axil("init", code=1)
    assert "bare" in answer.err and "hint: " in answer.err
    assert "bare" in axil("status", code=1).err


def test_a_shallow_clone_works(small, axil, tmp_path, monkeypatch):
    small.commit("more")
    small.repo.run("clone", "-q", "--depth", "1", f"file://{small.path}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    for key, value in (("user.name", "Bo"), ("user.email", "bo@example.com")):
        small.repo.run("config", key, value, cwd=tmp_path / "shallow")
    assert axil("status", "--json").json["data"][0]["state"] == "missing"
    assert "data/raw is not in the store" in axil("materialise", code=1).err
    (tmp_path / "shallow/data/raw").mkdir()
    for name, text in small.data().items():
        (tmp_path / "shallow/data/raw" / name).write_text(text)
    axil("add")
    axil("run")
    axil("fork", "b")
    axil("switch", "main")
    assert [node["name"] for node in axil("tree", "--json").json["nodes"]] == ["main", "b"]
    axil("gc")
    axil("verify")


# Disk and processes


@pytest.fixture
def disk(small):
    """The store of the project on a small file system of its own."""
    folder = small.path / ".git/axil/store"
    kept = folder.with_name("kept")
    folder.rename(kept)
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted only by root")
    subprocess.run(["cp", "-a", f"{kept}/.", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_while_adding(small, disk):
    big = os.urandom(8 << 20)
    small.repo.write({"big/one.bin": big})
    lines = refused(small, "add", "big")
    assert "space" in "\n".join(lines).lower()
    assert small.axil("verify", "--json").json["sound"]
    assert (small.path / "big/one.bin").read_bytes() == big
    assert not (small.path / "big.axil").exists()
    small.repo.write({"small/x": "x"})
    small.axil("add", "small")  # what was half written is not in the way


def test_a_read_only_store(small, disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    small.repo.write({"data/raw/1.txt": "new"})
    lines = refused(small, "add")
    assert "read-only" in "\n".join(lines).lower()
    assert small.data()["1.txt"] == "new"
    assert small.axil("status", "--json").json["data"][0]["state"] == "changed"
    small.axil("verify")


def both(small, *commands):
    """Run axil commands at the same time; their exit codes and errors."""
    processes = [
        subprocess.Popen([*AXIL, *words], cwd=small.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for words in commands
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    return [(process.returncode, err) for process, (_, err) in zip(processes, answers, strict=True)]


def test_adding_in_many_processes_at_once(small):
    for number in range(6):
        small.repo.write({f"sets/{number}/{file}.txt": f"{number} {file}" for file in range(20)})
    results = both(small, *(["add", f"sets/{number}"] for number in range(6)))
    assert [code for code, _ in results] == [0] * 6, results
    ignored = small.repo.read("sets/.gitignore").splitlines()
    assert ignored[1:] == [f"/{number}" for number in range(6)]
    staged = small.repo.run("diff", "--cached", "--name-only").split()
    assert [f"sets/{number}.axil" in staged for number in range(6)] == [True] * 6
    assert {one["state"] for one in small.axil("status", "--json").json["data"]} == {"clean"}
    assert small.axil("verify", "--json").json["sound"]


def test_the_same_add_twice_at_once(small):
    small.repo.write({f"set/{file}.txt": f"{file}" * 50 for file in range(200)})
    results = both(small, ["add", "set"], ["add", "set"])
    assert [code for code, _ in results] == [0, 0], results
    assert small.axil("status", "--json").json["data"][1]["state"] == "clean"
    assert small.axil("verify", "--json").json["sound"]


def test_running_while_collecting(small):
    small.repo.write({"params.yaml": "lr: 0.5\n"})
    results = both(small, ["run"], ["gc"], ["gc", "--now"], ["status"])
    assert results[0][0] == 0, results
    assert small.repo.read("model.txt").startswith("0.5")
    (small.path / "model.txt").unlink()
    assert "0.5" in (small.axil("run").out and small.repo.read("model.txt"))
    assert small.ran() == 2
    assert small.axil("verify", "--json").json["sound"]


def test_notes_from_many_processes_all_count(small):
    results = both(small, *(["note", "main", f"number {number}"] for number in range(5)))
    assert [code for code, _ in results] == [0] * 5, results
    shown = small.axil("show", "main").out
    assert all(f"number {number}" in shown for number in range(5))


def test_a_broken_axil_toml_is_told_by_what_only_reads(small):
    small.axil("run", "-m", "one")
    small.repo.write({"axil.toml": "[bad"})
    for words in (("diff",), ("logs",)):
        assert "axil.toml" in refused(small, *words)[0]


def test_nothing_is_forked_from_or_renamed_before_its_first_commit(axil, tmp_path, monkeypatch):
    repo = Repo(tmp_path)
    repo.run("init", "-q", "-b", "main")
    monkeypatch.chdir(tmp_path)
    axil("init")
    for words in (("rename", "main", "foo"), ("fork", "x", "--from", "main"), ("fork", "x")):
        assert "error: main has no commit yet" in axil(*words, code=1).err


def test_an_empty_suffix(small):
    assert refused(small, "fork", "+")[0] == "error: the suffix is empty"


def test_a_stage_may_not_make_tracked_data(small):
    assert "tracked data" in refused(small, "stage", "add", "bad", "-o", "data/raw/x", "--", "true")[0]


def test_a_pipe_in_tracked_data_is_named(small):
    os.mkfifo(small.path / "data/raw/fifo")
    said = small.axil("status")
    assert "fifo" in said.err and "devices, sockets and pipes" in said.err


def test_pointers_that_git_could_not_stage(small):
    small.repo.write({"data/raw/9.txt": "9"})
    lock = small.path / ".git/index.lock"
    lock.touch()
    said = small.axil("add", code=1).err
    assert "data/raw.axil" in said and "axil undo" in said
    lock.unlink()
    small.axil("add")
    assert "data/raw.axil" in small.repo.run("diff", "--cached", "--name-only")


def test_a_pointer_to_what_is_nowhere_is_named(small):
    pointer_file = small.path / "data/raw.axil"
    text = pointer_file.read_text()
    (line,) = [one for one in text.splitlines() if one.startswith("oid")]
    pointer_file.write_text(text.replace(line, f'oid = "{"0" * 64}"'))
    assert "data/raw.axil" in small.axil("status").err


def test_a_part_of_tracked_data_is_not_what_is_tracked(small):
    name = sorted(os.listdir(small.path / "data/raw"))[0]
    assert "it is part of data/raw" in refused(small, "rm", f"data/raw/{name}")[1]

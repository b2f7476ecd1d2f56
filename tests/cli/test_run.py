"""`axil run`: what it runs and why, what it records, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

AXIL = [sys.executable, "-m", "axil"]


def record(small, which=0):
    run = small.axil("runs", "--json").json["runs"][which]["id"]
    return small.axil("show", run, "--json").json["run"]


def plan(small, *options):
    return {one["name"]: (one["action"], one["reason"]) for one in small.axil("run", "-n", "--json", *options).json}


def last(small):
    return small.axil("runs", "--json").json["runs"][0]["id"][-7:]


CHAIN = """\
[stages.prepare]
cmd = "python prepare.py"
deps = ["data/raw"]
outs = ["clean.txt"]

[stages.train]
cmd = "python train.py"
deps = ["clean.txt"]
params = ["lr"]
outs = ["model.txt"]

[stages.report]
cmd = "cp model.txt report.txt"
deps = ["model.txt"]
outs = ["report.txt"]
"""
PREPARE = """\
import helper
from pathlib import Path
Path("clean.txt").write_text(helper.join(sorted(p.read_text() for p in Path("data/raw").glob("*.txt"))).strip())
open(".git/ran", "a").write("prepare\\n")
"""
TRAIN = """\
from pathlib import Path
lr = next(line for line in open("params.yaml") if line.startswith("lr")).split()[1]
Path("model.txt").write_text(lr + Path("clean.txt").read_text())
open(".git/ran", "a").write("train\\n")
"""


@pytest.fixture
def chain(small):
    """Three stages in a row; the first one imports a module of the project."""
    small.axil("undo")  # the run of the stage that was
    files = {
        "axil.toml": CHAIN,
        "prepare.py": PREPARE,
        "train.py": TRAIN,
        "helper.py": "def join(x):\n    return ''.join(x)\n",
    }
    (small.path / ".git/ran").unlink()
    small.commit("chain", **files)
    small.axil("run", "-m", "outputs are ignored")
    return small


def commands(small):
    """What ran since asked last."""
    log = small.path / ".git/ran"
    words = log.read_text().split() if log.exists() else []
    log.write_text("")
    return words


def test_the_snapshot_is_exact_and_the_index_is_not_touched(small):
    small.repo.write({"new.py": "n = 1\n", "params.yaml": "lr: 0.2\n", "staged.py": "s\n"})
    small.repo.run("add", "staged.py")
    small.repo.write({"staged.py": "s again\n"})
    before = small.repo.run("status", "--porcelain"), small.repo.run("ls-files", "--stage")
    small.axil("run")
    assert (small.repo.run("status", "--porcelain"), small.repo.run("ls-files", "--stage")) == before
    run = record(small)

    def show(name):
        return small.repo.run("show", f"{run['snapshot']}:{name}")

    assert (show("new.py"), show("params.yaml"), show("staged.py")) == ("n = 1", "lr: 0.2", "s again")
    names = small.repo.run("ls-tree", "-r", "--name-only", run["snapshot"]).splitlines()
    assert "data/raw.axil" in names and "model.txt" not in names and "data/raw/1.txt" not in names
    assert run["commit"] == small.repo.run("rev-parse", "HEAD")


def test_large_untracked_files_are_named_not_swept_in(small):
    small.repo.write({"big.bin": b"\0" * (11 << 20), "params.yaml": "lr: 0.2\n"})
    answer = small.axil("run")
    assert (
        "warning: big.bin (11.5 MB) is too large for git and not part of the snapshot: axil add big.bin" in answer.err
    )
    names = small.repo.run("ls-tree", "-r", "--name-only", record(small)["snapshot"]).splitlines()
    assert "big.bin" not in names


def test_nothing_to_do_records_nothing(small):
    before = small.repo.run("rev-parse", "refs/axil/journal")
    answer = small.axil("run")
    assert answer.out.endswith("nothing to do: every output is up to date\n")
    assert small.repo.run("rev-parse", "refs/axil/journal") == before
    assert small.ran() == 1
    assert small.axil("run", "--json").json["recorded"] is False


def test_back_to_an_old_parameter_runs_nothing(small):
    model = small.repo.read("model.txt")
    small.axil("run", "--set", "lr=0.5")
    assert small.ran() == 2
    answer = small.axil("run", "--set", "lr=0.1")
    assert small.ran() == 2
    assert small.repo.read("model.txt") == model
    assert "same inputs as run" in answer.out
    assert record(small)["stages"][0]["state"] == "cached"


def test_siblings_share_results(small):
    small.axil("fork", "a", "--set", "lr=0.3")
    small.axil("run")
    small.axil("switch", "main")
    small.axil("fork", "b", "--set", "lr=0.3")
    small.axil("run")
    assert small.ran() == 2
    assert small.repo.read("model.txt").startswith("0.3")
    assert record(small)["experiment"] == "b"


def test_deleted_outputs_are_restored_not_made(small):
    model = small.repo.read("model.txt")
    (small.path / "model.txt").unlink()
    assert plan(small)["train"][0] == "restore"
    small.axil("run")
    assert (small.ran(), small.repo.read("model.txt")) == (1, model)


def test_early_cutoff(chain):
    commands(chain)
    chain.repo.write({"data/raw/4.txt": " "})  # `prepare` strips it: what it makes is the same
    chain.axil("add")
    chain.axil("run")
    assert commands(chain) == ["prepare"]
    states = {stage["name"]: stage["state"] for stage in record(chain)["stages"]}
    assert states == {"prepare": "succeeded", "train": "current", "report": "current"}


def test_comments_docstrings_and_form_do_not_run_anything(chain):
    commands(chain)
    chain.repo.write(
        {"prepare.py": '"""Doc."""\n# a comment\n\n' + PREPARE, "helper.py": "def join( x ):\n  return ''.join( x )\n"}
    )
    chain.axil("run")
    assert commands(chain) == []


def test_a_changed_import_is_named(chain):
    commands(chain)
    run = last(chain)
    chain.repo.write({"helper.py": "def join(x):\n    return '-'.join(x)\n"})
    assert plan(chain) == {
        "prepare": ("run", f"code: helper.py changed (imported by prepare.py) since run {run}"),
        "train": ("waits", "after prepare (may be cached)"),
        "report": ("waits", "after train (may be cached)"),
    }
    assert chain.axil("status", "--json").json["stages"][0]["reason"] == plan(chain)["prepare"][1]
    chain.axil("run")
    assert commands(chain) == ["prepare", "train"]


def test_only_what_a_target_needs(chain):
    commands(chain)
    chain.axil("run", "--set", "lr=0.7", "train")
    assert commands(chain) == ["train"]
    assert [stage["name"] for stage in record(chain)["stages"]] == ["prepare", "train"]
    answer = chain.axil("run", "trian", code=1)
    assert "trian" in answer.err and "train" in answer.err.replace("trian", "")


def test_force(chain):
    commands(chain)
    chain.axil("run", "-f", "train")
    assert commands(chain) == ["train"]
    chain.axil("run", "-f")
    assert commands(chain) == ["prepare", "train"]


def test_a_dry_run_changes_nothing(small):
    small.repo.write({"train.py": small.repo.read("train.py") + "print(1)\n"})
    before = small.state()
    assert plan(small, "--set", "lr=0.9")["train"][0] == "run"
    assert "params.lr 0.1 → 0.9" in plan(small, "--set", "lr=0.9")["train"][1] or "code" in plan(small)["train"][1]
    assert small.state() == before
    assert small.ran() == 1


def test_set_keeps_comments_and_refuses_unknown_keys(small):
    small.axil("run", "--set", "lr=0.25", "--set", "+extra.deep=[1, two]")
    assert small.repo.read("params.yaml").startswith("# rates\nlr: 0.25  # start\nother: 1\n")
    before = small.state()
    answer = small.axil("run", "--set", "lrr=1", code=1)
    assert "lrr" in answer.err and "lr" in answer.err
    assert small.state() == before


def test_a_wrong_pipeline_leaves_the_parameters_alone(small):
    small.repo.write({"axil.toml": small.repo.read("axil.toml").replace("data/raw", "data/row")})
    before = small.state()
    answer = small.axil("run", "--set", "lr=0.9", "-m", "words", code=1)
    assert "depends on data/row, which does not exist" in answer.err
    assert small.state() == before
    assert small.axil("undo", "--list", "--json").json[0]["command"] != "axil run --set"


def test_m_commits_what_ran(small):
    small.repo.write({"new.py": "n\n"})
    value = small.axil("run", "--set", "lr=0.4", "-m", "bigger steps", "--json").json
    assert small.repo.run("status", "--porcelain") == ""
    assert small.repo.run("log", "-1", "--format=%H %s") == f"{value['committed']} bigger steps"
    run = value["run"]
    assert (run["commit"], run["message"]) == (value["committed"], "bigger steps")
    assert run["snapshot"] == small.repo.run("rev-parse", "HEAD^{tree}")


def test_a_hook_that_refuses_stops_the_run(small):
    hook = small.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho too long >&2\nexit 1\n")
    hook.chmod(0o755)
    small.repo.write({"train.py": small.repo.read("train.py") + "print(1)\n"})
    answer = small.axil("run", "-m", "x", code=1)
    assert "too long" in answer.err
    assert small.ran() == 1


def test_a_failed_run_is_there_to_be_seen(small):
    small.repo.write(
        {"train.py": "print('begun', flush=True)\nopen('model.txt', 'w').write('half')\nraise ValueError('too big')\n"}
    )
    answer = small.axil("run", code=1)
    assert "exit code 1" in answer.out
    (run,) = small.axil("runs", "--failed", "--json").json["runs"]
    assert run["state"] == "failed"
    stage = record(small)["stages"][0]
    assert (stage["exit_code"], stage["tail"].splitlines()[0]) == (1, "begun")
    assert stage["tail"].splitlines()[-1] == "ValueError: too big"
    assert stage["outs"]["model.txt"]["size"] == 4
    assert "ValueError: too big" in small.axil("logs", run["id"][-7:]).out
    assert "ValueError: too big" in small.axil("show", run["id"][-7:]).out
    assert small.axil("tree", "--json").json["nodes"][0]["state"] == "failed"
    assert f"it failed in run {run['id'][-7:]}: exit code 1" in plan(small)["train"][1]


def test_a_program_that_is_not_there(small):
    small.repo.write({"axil.toml": small.repo.read("axil.toml").replace("python train.py", "no_such_program")})
    small.axil("run", code=1)
    assert record(small)["stages"][0]["exit_code"] == 127


def test_an_output_that_was_not_made(small):
    small.repo.write({"train.py": "pass\n"})
    small.axil("run", code=1)
    assert "stage train did not make model.txt, metrics.json" in record(small)["stages"][0]["tail"]


def test_independent_stages_run_side_by_side(small):
    stages = "".join(
        f'[stages.{a}]\ncmd = "sh meet.sh {a} {b}"\nouts = ["{a}.out"]\n' for a, b in (("one", "two"), ("two", "one"))
    )
    # Each waits until the other has begun: one after the other, they would wait for ever.
    script = (
        "touch $1.begun\ni=0\n"
        "while [ ! -e $2.begun ]; do sleep 0.05; i=$((i+1)); [ $i -gt 400 ] && exit 9; done\n"
        "echo $1 > $1.out\n"
    )
    small.commit("pair", **{"axil.toml": stages, "meet.sh": script, ".gitignore": "*.begun\n"})
    small.axil("run", "-j", "2")
    assert (small.repo.read("one.out"), small.repo.read("two.out")) == ("one\n", "two\n")


def test_one_stage_fails_the_other_finishes(small):
    stages = '[stages.bad]\ncmd = "exit 3"\nouts = ["bad.out"]\n'
    stages += '[stages.good]\ncmd = "echo 1 > good.out"\nouts = ["good.out"]\n'
    stages += '[stages.after]\ncmd = "cp bad.out after.out"\ndeps = ["bad.out"]\nouts = ["after.out"]\n'
    small.commit("three", **{"axil.toml": stages})
    small.axil("run", "-j", "2", code=1)
    states = {stage["name"]: stage["state"] for stage in record(small)["stages"]}
    assert states == {"bad": "failed", "good": "succeeded", "after": "skipped"}


def test_outputs_are_kept_out_of_git(small):
    assert {"/model.txt", "/metrics.json"} <= set(small.repo.read(".gitignore").splitlines())
    assert small.repo.run("status", "--porcelain") == ""
    small.repo.write({"axil.toml": small.repo.read("axil.toml").replace('"model.txt"', '"deep/new dir/m.txt"')})
    script = small.repo.read("train.py").replace('"model.txt"', '"deep/new dir/m.txt"')
    small.repo.write({"train.py": script})
    small.axil("run")
    assert small.repo.read("deep/new dir/.gitignore").splitlines()[-1] == "/m.txt"


def test_outputs_that_git_keeps_are_refused(small):
    small.repo.run("add", "-f", "model.txt")
    small.repo.run("commit", "-qm", "model in git")
    small.repo.write({"params.yaml": "lr: 0.9\n"})
    before = small.state()
    answer = small.axil("run", "--set", "lr=0.8", "-m", "words", code=1)
    assert "model.txt" in answer.err and "git rm" in answer.err
    assert small.state() == before
    assert small.ran() == 1


def test_outputs_edited_by_hand_are_saved_first(small):
    small.repo.write({"model.txt": "by hand"})
    answer = small.axil("run")
    assert "model.txt had edits that exist nowhere else" in answer.err
    assert small.repo.read("model.txt").startswith("0.1")
    small.axil("undo")
    assert small.repo.read("model.txt") == "by hand"


WAIT = """\
import time
from pathlib import Path
Path("model.txt").write_text("half")
Path("metrics.json").write_text("{}")
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture
def running(small):
    """An `axil run` in a process of its own whose command has begun and sleeps."""
    small.commit("slow", **{"train.py": WAIT})
    process = subprocess.Popen([*AXIL, "run"], cwd=small.path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "begun" in line:
            break
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stdout.close()


def test_ctrl_c_is_recorded_as_stopped(small, running):
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    run = record(small)
    assert (run["state"], run["stages"][0]["state"]) == ("stopped", "stopped")
    assert run["stages"][0]["outs"]["model.txt"]["size"] == 4
    small.repo.run("switch", "-q", "--detach")
    assert small.axil("switch", "main").out.startswith("on main")


def test_a_killed_axil_is_recorded_as_lost_by_the_next_command(small, running):
    running.kill()
    running.wait()
    answer = small.axil("status")
    run = record(small)
    assert answer.err == f"run {run['id'][-7:]} had been killed: recorded as lost\n"
    assert (run["state"], run["stages"][0]["tail"]) == ("lost", "begun")
    assert f"it was lost in run {run['id'][-7:]}" in plan(small)["train"][1]
    # What the command left half-made is no edit that could block.
    small.axil("fork", "b", "--from", "main")
    small.axil("switch", "main")


def test_what_would_move_files_under_a_run_is_refused(small, running):
    small.repo.run("branch", "b", "main~1")
    before = small.state()
    for words in (
        ["switch", "b"],
        ["materialise"],
        ["undo"],
        ["rm", "data/raw"],
        ["gc", "--now"],
        ["fork", "c", "--from", "b"],
    ):
        answer = small.axil(*words, code=1)
        assert "would change files under a run" in answer.err
        assert f"process {running.pid}" in answer.err
    assert small.state() == before
    small.axil("note", "main", "goes on")
    small.axil("status")
    assert running.poll() is None


def test_two_runs_do_not_write_the_same_outputs(small, running):
    before = small.state()
    answer = small.axil("run", "--set", "lr=0.8", code=1)
    assert "is writing " in answer.err and f"process {running.pid}" in answer.err
    assert small.state() == before


def test_a_killed_axil_leaves_no_command_behind(small, running):
    running.kill()
    running.wait()
    small.axil("status")
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and _works_in(pid, str(small.path))]
    assert left == []


def _works_in(pid, folder):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return os.readlink(f"/proc/{pid}/cwd") == folder and b"train.py" in file.read()
    except OSError:
        return False


def test_json_of_a_run_is_the_result_alone(small):
    value = small.axil("run", "--set", "lr=0.3", "--json").json
    assert value["recorded"] and value["run"]["metrics"] == {"f1": 0.6}
    assert set(value) == {"run", "recorded", "committed", "left_out", "adopted", "saved"}


def test_no_stages_yet(repo, axil, monkeypatch):
    monkeypatch.chdir(repo.path)
    axil("init")
    assert "axil stage add NAME" in axil("run").err


def test_always_and_keep(small):
    stage = '[stages.log]\ncmd = "echo again >> log.txt"\nouts = ["log.txt"]\nkeep = ["log.txt"]\nalways = true\n'
    small.commit("always", **{"axil.toml": stage})
    small.axil("run")
    small.axil("run")
    assert small.repo.read("log.txt") == "again\nagain\n"
    assert plan(small)["log"] == ("run", "always runs")

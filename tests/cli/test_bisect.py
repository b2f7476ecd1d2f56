"""`axil bisect` with real runs: a history in which one commit made the metric worse."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import pytest
from tests.cli.detached import until
from tests.cli.sharing import Person, Said

TOML = """\
[project]
name = "trail"
metrics = { f1 = "max" }

[stages.train]
cmd = "python train.py"
deps = ["data/raw"]
params = ["train"]
metrics = ["metrics.json"]
"""
TRAIN = """\
import json, os, time
from pathlib import Path
import axil
import first, second, third

here = Path(os.environ["RAN"])
with open(here / "ran", "a") as log:
    log.write("train\\n")
if (here / "wait").exists():
    (here / "began").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
lr, decay = axil.params.train.lr, axil.params.train.decay
noise = sum(path.read_text().count("noise") for path in Path("data/raw").iterdir())
f1 = 0.9 - 0.4 * (lr > 0.5) - 0.1 * noise + first.offset + second.offset + third.offset - 0.001 * decay
Path("metrics.json").write_text(json.dumps({"f1": round(f1, 3), "loss": 1 - f1}))
"""
PARAMS = "train:\n  lr: 0.1  # the rate\n  decay: {decay}\n"


class Trail(Person):
    """One project with a history; `ran` counts what the stage's command did."""

    lab: Path
    """A folder outside of it."""

    @classmethod
    def founded(cls, path: Path) -> Trail:
        path.mkdir()
        trail = cls(path, "Ada")
        trail.lab = path.parent / "lab"
        trail.lab.mkdir()
        trail.env["RAN"] = str(trail.lab)
        trail.run("init", "-q", "-b", "main")
        trail.axil("init")
        trail.write({"data/raw/a.txt": "a", "data/raw/b.txt": "b"})
        trail.axil("add", "data/raw")
        modules = {f"{name}.py": "offset = 0.0\n" for name in ("first", "second", "third")}
        files = {
            "axil.toml": TOML,
            "train.py": TRAIN,
            "params.yaml": PARAMS.format(decay=0),
            ".gitignore": "__pycache__\n",
        }
        trail.commit({**files, **modules}, "start")
        return trail

    def ran(self) -> int:
        log = self.lab / "ran"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def harmless(self, *numbers: int) -> None:
        """Commits that move the metric a little, each of them with code, parameters and words."""
        for number in numbers:
            files = {"params.yaml": self.read("params.yaml").replace(f"decay: {number - 1}", f"decay: {number}")}
            self.commit({**files, "README.md": f"step {number}\n"}, f"step {number}")

    def bisect(self, *words: str, code: int = 0):
        return self.axil("bisect", *words, "--json", code=code).json

    def clean(self) -> None:
        """Asserts that the user's repository is as if nothing had happened."""
        assert self.run("status", "--porcelain") == ""
        assert self.run("branch", "--show-current") == "main"
        assert self.run("worktree", "list", "--porcelain").count("worktree ") == 1
        runs = self.path / ".axil/runs"
        assert not runs.exists() or list(runs.iterdir()) == []
        assert [one.name for one in (self.path / ".git/axil/runs").iterdir() if one.is_dir()] == []


@pytest.fixture
def trail(tmp_path):
    return Trail.founded(tmp_path / "project")


def test_the_commit_and_the_parameter_in_it(trail):
    trail.harmless(1, 2, 3, 4)
    params = trail.read("params.yaml").replace("0.1", "0.8").replace("decay: 4", "decay: 5")
    culprit = trail.commit({"params.yaml": params, "first.py": "offset = 0.001\n", "notes.md": "x"}, "faster")
    trail.harmless(6, 7)
    found = trail.bisect("main~7", "main", "--metric", "f1")
    assert [one["commit"] for one in found["candidates"]] == [culprit]
    assert (found["direction"], found["good"]["value"], found["bad"]["value"]) == ("max", 0.9, 0.494)
    assert (found["cause"]["kind"], len(found["cause"]["parts"])) == ("params", 1)
    part = found["cause"]["parts"][0]
    assert (part["name"], part["old"], part["new"]) == ("train.lr", 0.1, 0.8)
    # The ends, three between them, all parameters, and one half of them.
    assert found["runs"] == trail.ran() == 7
    trail.clean()
    again = trail.axil("bisect", "main~7", "main")
    assert "f1 fell from 0.896 to 0.496 with commit " in again.out
    assert "the parameters did it: train.lr 0.1 → 0.8" in again.out
    assert trail.ran() == 7
    # Nothing of it counts as a result of the experiment.
    assert {row["experiment"] for row in trail.axil("runs", "--json").json["runs"]} == {""}
    assert trail.axil("tree", "--json").json["nodes"][0]["runs"] == 0


def test_the_file_of_code(trail):
    trail.harmless(1, 2)
    files = {"first.py": "offset = 0.002\n", "second.py": "offset = -0.3\n", "third.py": "offset = 0.001\n"}
    culprit = trail.commit(files, "tidy up")
    trail.harmless(3, 4, 5)
    found = trail.bisect("main~6")
    assert found["candidates"][0]["commit"] == culprit
    assert found["cause"]["kind"] == "code"
    assert [(one["name"], one["change"]) for one in found["cause"]["parts"]] == [("second.py", "changed")]
    trail.clean()


def test_data_and_a_step_that_fails(trail):
    trail.harmless(1, 2)
    trail.commit({"second.py": "offset = 1 / 0\n"}, "broken")
    trail.commit({"second.py": "offset = 0.0\n"}, "mended")
    trail.write({"data/raw/c.txt": "noise noise noise"})
    trail.axil("add", "data/raw")
    culprit = trail.commit({"first.py": "offset = 0.003\n"}, "more data")
    trail.harmless(3, 4)
    found = trail.bisect("main~7", "main")
    assert found["candidates"][0]["commit"] == culprit
    assert (found["cause"]["kind"], found["cause"]["parts"][0]["name"]) == ("data", "data/raw")
    assert sum(point["side"] == "skipped" for point in found["points"]) <= 1
    trail.clean()


def test_steps_that_fail_around_the_change_leave_several(trail):
    trail.harmless(1)
    broken = trail.commit({"second.py": "offset = 1 / 0\n"}, "broken")
    worse = trail.commit({"first.py": "offset = -0.3\n"}, "worse")
    mended = trail.commit({"second.py": "offset = 0.0\n"}, "mended")
    trail.harmless(2)
    found = trail.bisect("main~5", "main")
    assert [one["commit"] for one in found["candidates"]] == [broken, worse, mended]
    assert [one["side"] for one in found["candidates"]] == ["skipped", "skipped", "bad"]
    # What did it is known all the same.
    assert [one["name"] for one in found["cause"]["parts"]] == ["first.py"]
    text = trail.axil("bisect", "main~5", "main").out
    assert "with one of these" in text
    assert " failed)" in text
    runs = len(trail.axil("runs", "--json").json["runs"])
    trail.axil("bisect", "main~5", "main", "--retry-failed")
    assert len(trail.axil("runs", "--json").json["runs"]) == runs + 2
    trail.clean()


def test_what_only_works_together(trail):
    train = trail.read("train.py").replace("first.offset + second.offset", "first.offset * second.offset")
    trail.commit({"train.py": train})
    trail.commit({"first.py": "offset = -0.6\n", "second.py": "offset = 0.5\n"}, "both")
    found = trail.bisect("main~1", "main")
    assert found["cause"]["kind"] == "code"
    assert [one["name"] for one in found["cause"]["parts"]] == ["first.py", "second.py"]
    assert [mix["moved"] for mix in found["cause"]["mixes"]] == [False, False]
    assert "no half of them does it alone" in trail.axil("bisect", "main~1").out


def test_recorded_runs_of_the_user_are_used(trail):
    for number in (1, 2, 3):
        trail.write({"params.yaml": PARAMS.format(decay=number)})
        trail.axil("run", "-m", f"step {number}")
    trail.write({"params.yaml": trail.read("params.yaml").replace("0.1", "0.7")})
    trail.axil("run", "-m", "faster")
    ran = trail.ran()
    # A snapshot that is no commit: what counts are the keys.
    trail.commit({"README.md": "words\n"}, "words")
    assert "at most 1 run " in trail.axil("bisect", "main~4", "main", "-n").out
    assert "at most 0 runs" in trail.axil("bisect", "main~4", "main~1", "-n").out
    found = trail.bisect("main~4", "main")
    assert found["candidates"][0]["title"] == "faster"
    assert (found["runs"], trail.ran()) == (0, ran)


def test_edits_of_the_user_stay_and_do_not_count(trail):
    trail.harmless(1, 2)
    trail.commit({"first.py": "offset = -0.3\n"}, "worse")
    trail.write(
        {"first.py": "offset = 5\n", "data/raw/a.txt": "noise", "new.txt": "x", "train.py": "raise SystemExit(3)\n"}
    )
    trail.run("add", "new.txt")

    def state():
        paths = [path for path in trail.path.rglob("*") if not {".git", ".axil"} & set(path.parts) and path.is_file()]
        words = trail.run("ls-files", "--stage"), trail.run("for-each-ref", "refs/heads"), trail.run("status", "-s")
        return {path: path.read_bytes() for path in paths}, *words

    before = state()
    assert trail.bisect("main~3", "main")["candidates"][0]["title"] == "worse"
    assert state() == before


def test_commits_that_cannot_run_at_all_are_passed_over(trail):
    trail.harmless(1)
    trail.commit({"axil.toml": "[stages.train\n"}, "no project file")
    trail.run("rm", "-q", "axil.toml")
    trail.commit(message="no project")
    pointer = trail.read("data/raw.axil")
    trail.commit({"axil.toml": TOML, "data/raw.axil": re.sub("[0-9a-f]{64}", "ab" * 32, pointer)}, "no data")
    trail.commit({"data/raw.axil": pointer}, "mended")
    worse = trail.commit({"first.py": "offset = -0.3\n"}, "worse")
    found = trail.bisect("main~5", "main")
    assert found["candidates"][0]["commit"] == worse
    for number, words in ((2, "failed"), (3, "no axil.toml"), (4, "not valid TOML: ")):
        said = trail.axil("bisect", f"main~{number}", "main", code=1).err
        assert "has no f1" in said
        assert words in said
    trail.clean()


def test_a_plan_changes_nothing(trail):
    trail.harmless(1, 2, 3, 4, 5, 6, 7)
    before = trail.run("for-each-ref")
    planned = trail.bisect("main~7", "main", "-n")
    assert (planned["state"], planned["runs"], len(planned["points"])) == ("planned", 5, 8)
    assert (trail.ran(), trail.run("for-each-ref")) == (0, before)


def test_ends_that_do_not_differ(trail):
    trail.commit({"README.md": "hello\n"})
    trail.commit({"README.md": "hello again\n"})
    said = trail.axil("bisect", "main~2", "main", code=1)
    assert "GOOD and BAD do not differ in f1" in said.err
    assert said.err.count(": 0.9") == 2
    trail.commit({"first.py": "offset = -0.3\n"})
    said = trail.axil("bisect", "main~3", "main", "--threshold", "0.2", code=1)
    assert "the threshold 0.2 does not part GOOD from BAD" in said.err
    assert "f2" in trail.axil("bisect", "main~3", "--metric", "f2", code=1).err
    assert "it has: f1, loss" in trail.axil("bisect", "main~3", "--metric", "f2", code=1).err
    assert "nothing between" in trail.axil("bisect", "main", "HEAD", code=1).err
    assert "there is no experiment or run nowhere" in trail.axil("bisect", "nowhere", code=1).err
    trail.run("switch", "-qc", "aside", "main~2")
    trail.commit({"first.py": "offset = 0.1\n"})
    assert "not on one line" in trail.axil("bisect", "main~1", "HEAD", code=1).err


def test_the_good_end_may_be_the_newer_one(trail):
    trail.harmless(1)
    better = trail.commit({"first.py": "offset = 0.05\n"}, "better")
    trail.harmless(2)
    found = trail.bisect("main", "main~3", "--metric", "f1")
    assert found["candidates"][0]["commit"] == better
    assert [one["side"] for one in found["points"]] == ["bad", "bad", "good", "good"]
    assert "f1 rose from 0.899 to 0.949" in trail.axil("bisect", "main", "main~3").out


def test_experiments_of_a_lineage(trail):
    trail.axil("run")
    for name, change in (("+x", "0.2"), ("+y", "0.9"), ("+z", "0.95")):
        trail.axil("fork", name, "-m", f"try {change}")
        lr = trail.read("params.yaml").partition("lr: ")[2].split()[0]
        trail.write({"params.yaml": trail.read("params.yaml").replace(f"lr: {lr}", f"lr: {change}")})
        trail.axil("run", "-m", change)
    ran = trail.ran()
    found = trail.bisect("main", "main_x_y_z")
    assert [(one["kind"], one["name"]) for one in found["points"]] == [
        ("experiment", name) for name in ("main", "main_x", "main_x_y", "main_x_y_z")
    ]
    assert (found["candidates"][0]["name"], found["cause"]["parts"][0]["name"]) == ("main_x_y", "train.lr")
    assert (found["runs"], trail.ran()) == (0, ran)


def test_two_runs_with_uncommitted_changes(trail):
    trail.axil("run")
    trail.axil("run", "--set", "train.lr=0.6", "--set", "train.decay=2")
    trail.run("checkout", "-q", "params.yaml")
    trail.commit(message="ignore results")
    bad, good = (row["id"] for row in trail.axil("runs", "--json").json["runs"])
    found = trail.bisect(good, bad)
    assert (found["candidates"][0]["kind"], found["candidates"][0]["run"]) == ("run", bad)
    assert [one["name"] for one in found["cause"]["parts"]] == ["train.lr"]
    trail.clean()


def test_edited_data_of_a_run_are_not_those_of_its_commit(trail):
    trail.write({"data/raw/a.txt": "noise noise"})
    trail.axil("run")
    trail.write({"data/raw/a.txt": "a"})
    trail.commit({"first.py": "offset = -0.5\n"})
    found = trail.bisect("main~1", "main")
    assert (found["good"]["value"], found["bad"]["value"]) == (0.9, 0.4)


class Library:
    """A package `lib` that the trail's script uses, whose version changes while nothing of the project does."""

    def __init__(self, trail: Trail) -> None:
        self.site = trail.lab / "site-packages"
        self.site.mkdir()
        trail.env["PYTHONPATH"] = str(self.site)
        train = trail.read("train.py").replace("import first", "import lib, first").replace("0.9 -", "lib.top -")
        trail.commit({"train.py": train}, "use lib")

    def install(self, version: str, top: float) -> None:
        for old in self.site.iterdir():
            shutil.rmtree(old)
        for name, content in (("lib", f"top = {top}\n"), (f"lib-{version}.dist-info", "lib/__init__.py,,\n")):
            (self.site / name).mkdir()
            (self.site / name / ("__init__.py" if name == "lib" else "RECORD")).write_text(content)


def test_another_environment_did_it(trail):
    library = Library(trail)
    library.install("1.0", 0.9)
    trail.axil("run", "-m", "results")
    library.install("2.0", 0.4)
    trail.commit({"params.yaml": PARAMS.format(decay=1)}, "innocent")
    for runs in (2, 0):
        found = trail.bisect("main~1", "main")
        assert found["cause"]["kind"] == "environment"
        facts = [(one["name"], one["old"], one["new"]) for one in found["cause"]["environment"]]
        assert (facts, found["runs"]) == ([("lib", "1.0", "2.0")], runs)
    assert "the environment did it: lib 1.0 → 2.0" in trail.axil("bisect", "main~1").out


def test_the_environment_of_the_newer_end_did_it(trail):
    library = Library(trail)
    library.install("2.0", 0.4)
    trail.commit({"params.yaml": PARAMS.format(decay=1)}, "innocent")
    trail.axil("run", "-m", "results")
    library.install("1.0", 0.9)
    for runs in (2, 0):
        found = trail.bisect("HEAD~2", "HEAD")
        assert (found["cause"]["kind"], found["runs"]) == ("environment", runs)


def test_another_version_that_is_innocent(trail):
    library = Library(trail)
    library.install("1.0", 0.9)
    trail.axil("run", "-m", "results")
    library.install("2.0", 0.9)
    trail.commit({"params.yaml": PARAMS.format(decay=1).replace("0.1", "0.8")}, "faster")
    found = trail.bisect("main~1", "main")
    assert found["cause"]["kind"] == "params"
    assert [one["name"] for one in found["cause"]["parts"]] == ["train.lr"]
    assert [mix["parts"] for mix in found["cause"]["mixes"]] == [
        ["environment of now, older code"],
        ["params train.lr"],
    ]


def test_the_mean_over_seeds(trail):
    train = trail.read("train.py").replace("0.9 -", "0.9 + 0.01 * int(os.environ['AXIL_SEED']) -")
    trail.commit({"train.py": train, "axil.toml": TOML.replace('["train"]', '["train", "seed"]')})
    seeded = trail.read("params.yaml") + "seed: 0\n"
    trail.commit({"params.yaml": seeded})
    trail.commit({"README.md": "x\n"})
    worse = trail.commit({"params.yaml": seeded.replace("0.1", "0.7")})
    found = trail.bisect("main~2", "main", "--seeds", "1,3")
    assert (found["good"]["value"], round(found["bad"]["value"], 3)) == (0.92, 0.52)
    assert found["candidates"][0]["commit"] == worse
    assert [one["name"] for one in found["cause"]["parts"]] == ["train.lr"]
    assert {row["seed"] for row in trail.axil("runs", "--json").json["runs"]} == {1, 3}
    ran = trail.ran()
    assert trail.bisect("main~2", "main", "--seeds", "1,3")["runs"] == 0
    assert trail.ran() == ran
    trail.run("checkout", "-q", "main~4")
    assert "nothing depends on the seed" in trail.axil("bisect", "main~2", "main", "--seeds", "2", code=1).err


def test_stopped_it_leaves_nothing_and_goes_on(trail):
    trail.harmless(1, 2, 3)
    trail.commit({"first.py": "offset = -0.3\n"}, "worse")
    home = trail.lab
    (home / "wait").touch()
    going = trail.begin("bisect", "main~4", "main")
    until((home / "began").exists, "the first run begins")
    going.send_signal(signal.SIGINT)
    out, err = going.communicate(timeout=120)
    assert going.returncode == 130, (out, err)
    assert "the same command goes on" in err
    trail.clean()
    (home / "wait").unlink()
    assert trail.bisect("main~4", "main")["candidates"][0]["title"] == "worse"
    trail.clean()


def test_stopped_while_it_looks_for_the_cause(trail):
    trail.axil("run", "-m", "results")
    trail.commit({"first.py": "offset = -0.3\n", "second.py": "offset = 0.01\n"}, "worse")
    trail.axil("run")
    (trail.lab / "wait").touch()
    going = trail.begin("bisect", "main~1", "main", "--json")
    until((trail.lab / "began").exists, "the first mixture begins")
    going.send_signal(signal.SIGINT)
    found = Said(0, *going.communicate(timeout=120)).json
    assert going.returncode == 130
    assert (found["state"], found["candidates"][0]["title"], found["cause"]["kind"]) == ("stopped", "worse", "unknown")
    assert [one["name"] for one in found["cause"]["parts"]] == ["first.py", "second.py"]
    trail.clean()
    (trail.lab / "wait").unlink()
    assert [one["name"] for one in trail.bisect("main~1", "main")["cause"]["parts"]] == ["first.py"]


def test_killed_it_goes_on_too(trail):
    trail.harmless(1, 2)
    trail.commit({"first.py": "offset = -0.3\n"}, "worse")
    home = trail.lab
    (home / "wait").touch()
    going = trail.begin("bisect", "main~3", "main")
    until((home / "began").exists, "the first run begins")
    going.send_signal(signal.SIGKILL)
    going.communicate(timeout=120)
    (home / "wait").unlink()
    assert trail.bisect("main~3", "main")["candidates"][0]["title"] == "worse"
    assert [row["state"] for row in trail.axil("runs", "--json").json["runs"]].count("lost") == 1
    trail.clean()


def test_merges_are_followed_by_the_way_that_leads_from_the_older_end(trail):
    trail.run("switch", "-qc", "side")
    old = trail.commit({"second.py": "offset = 0.001\n"}, "side 1")
    trail.commit({"second.py": "offset = 0.002\n"}, "side 2")
    trail.run("switch", "-q", "main")
    trail.commit({"README.md": "x\n"}, "main 1")
    trail.run("merge", "-q", "--no-ff", "-m", "merge", "side")
    trail.commit({"first.py": "offset = -0.3\n"}, "worse")
    found = trail.bisect(old, "main")
    assert [one["title"] for one in found["points"]] == ["side 1", "side 2", "merge", "worse"]
    assert found["candidates"][0]["title"] == "worse"

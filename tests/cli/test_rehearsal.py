"""`axil run --sample N`: a rehearsal on a small part of the data, which never passes for a real result."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.cli.detached import Lab, until

TOML = """\
[project]
metrics = { f1 = "max" }
seed = "seed"

[stages.prepare]
cmd = "python prepare.py"
deps = ["data/raw", "rows.csv", "tables"]
outs = ["clean.json"]

[stages.train]
cmd = "python train.py"
deps = ["clean.json"]
params = ["lr", "seed"]
outs = ["model.txt"]
metrics = ["metrics.json"]
checkpoint = "ckpt/"
"""
PREPARE = """\
import csv, json
from pathlib import Path

seen = {
    "files": sorted(str(path.relative_to("data/raw")) for path in Path("data/raw").rglob("*") if path.is_file()),
    "labels": list(csv.reader(open("data/raw/labels.csv", newline=""))),
    "rows": list(csv.reader(open("rows.csv", newline=""))),
    "lines": [json.loads(line) for line in open("tables/lines.jsonl")],
    "code": Path("tables/code.py").read_text(),
}
Path("clean.json").write_text(json.dumps(seen))
"""
TRAIN = """\
import json, os
from pathlib import Path
import axil

clean = json.loads(Path("clean.json").read_text())
step = Path("ckpt/step")
if os.environ.get("BREAK") and not step.exists():
    step.parent.mkdir(exist_ok=True)
    step.write_text("1")
    raise SystemExit(3)
clean["sample"] = [axil.sample(), os.environ.get("AXIL_SAMPLE"), len(list(axil.sample(range(100))))]
clean["went_on"] = step.exists()
Path("model.txt").write_text(json.dumps(clean))
# A rehearsal would look far better than any real run.
Path("metrics.json").write_text(json.dumps({"f1": axil.params.lr + (100 if axil.sample() else 0)}))
"""


class Studio(Lab):
    """Pictures of two classes in a tracked folder with their labels, a tracked table, and tables in git."""

    @classmethod
    def built(cls, path: Path) -> Studio:
        path.mkdir()
        lab = cls(path, "Ada")
        lab.gates = path.parent / "gates"
        lab.gates.mkdir()
        lab.run("init", "-q")
        lab.axil("init")
        pictures: dict[str, str | bytes] = {
            f"data/raw/{kind}/{n:03}.jpg": f"{kind}{n}" for kind in ("cat", "dog") for n in range(30)
        }
        labels = "".join(f"{kind}/{n:03}.jpg,{kind}\n" for kind in ("cat", "dog") for n in range(30))
        rows = "".join(f'{n},"a\nb, {n}"\n' for n in range(50))
        lab.write({**pictures, "data/raw/labels.csv": "file,label\n" + labels, "rows.csv": "n,text\n" + rows})
        lab.axil("add", "data/raw", "rows.csv")
        files: dict[str, str | bytes] = {"axil.toml": TOML, "prepare.py": PREPARE, "train.py": TRAIN}
        files["params.yaml"] = "lr: 0.25\nseed: 1\n"
        files["tables/lines.jsonl"] = "".join(f'{{"n": {n}}}\n' for n in range(40))
        files["tables/code.py"] = "x = 1\n"
        ignored = (path / ".gitignore").read_text()
        files[".gitignore"] = ignored + "/clean.json\n/model.txt\n/metrics.json\n/ckpt\n"
        lab.commit(files, "start")
        return lab

    def rehearse(self, *words: str) -> Any:
        """The record of `axil run --sample 4 WORDS`."""
        return self.axil("run", "--sample", "4", "--json", *words).json

    def model(self, run: str) -> Any:
        """What the run's training saw."""
        out = self.path.parent / f"model-{run}"
        self.axil("get", f"{run}:model.txt", "-f", "-o", str(out))
        return json.loads(out.read_text())

    def states_of(self, run: Any) -> list[str]:
        return [stage["state"] for stage in run["stages"]]


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio.built(tmp_path / "studio")


def test_a_rehearsal_sees_a_little_of_everything(studio: Studio) -> None:
    before = studio.run("status", "--porcelain")
    run = studio.rehearse()
    assert run["state"] == "succeeded"
    assert run["sample"] == 4
    assert [stage["sample"] for stage in run["stages"]] == [4, 4]
    seen = studio.model(run["id"])
    pictures = [name for name in seen["files"] if name.endswith(".jpg")]
    assert len(pictures) == 4
    assert sorted({name.split("/")[0] for name in pictures}) == ["cat", "dog"]
    assert seen["labels"][0] == ["file", "label"]
    assert sorted(row[0] for row in seen["labels"][1:]) == pictures
    assert seen["rows"][0] == ["n", "text"]
    assert [row[0] for row in seen["rows"][1:]] == ["0", "12", "24", "36"]
    assert all(row[1] == f"a\nb, {row[0]}" for row in seen["rows"][1:])
    assert len(seen["lines"]) == 4
    assert seen["code"] == "x = 1\n"
    assert seen["sample"] == [4, "4", 4]
    assert studio.run("status", "--porcelain") == before
    assert not (studio.path / "model.txt").exists()
    studio.clean()


def test_a_rehearsal_and_a_real_run_share_no_result(studio: Studio) -> None:
    assert studio.states_of(studio.rehearse()) == ["succeeded", "succeeded"]
    real = studio.axil("run", "--json").json["run"]
    assert "sample" not in real or real["sample"] == 0
    assert studio.states_of(real) == ["succeeded", "succeeded"]
    assert json.loads((studio.path / "model.txt").read_text())["sample"] == [None, None, 100]
    assert "nothing to do" in studio.axil("run").out
    again = studio.rehearse()
    assert studio.states_of(again) == ["cached", "cached"]
    assert studio.model(again["id"])["sample"] == [4, "4", 4]
    assert studio.states_of(studio.axil("run", "--sample", "5", "--json").json) == ["succeeded", "succeeded"]
    assert "nothing to do" in studio.axil("run").out
    assert [one["action"] for one in studio.axil("status", "--json").json["stages"]] == ["current", "current"]
    assert json.loads((studio.path / "model.txt").read_text())["sample"] == [None, None, 100]


def test_a_real_run_first(studio: Studio) -> None:
    studio.axil("run")
    run = studio.rehearse()
    assert studio.states_of(run) == ["succeeded", "succeeded"]
    assert "sample all → 4" in run["stages"][0]["reason"]


def test_a_rehearsal_is_never_the_headline(studio: Studio) -> None:
    studio.rehearse()
    assert studio.axil("runs", "--json").json["runs"] == []
    (node,) = studio.axil("tree", "--json").json["nodes"]
    assert (node["value"], node["runs"]) == (None, 0)
    real = studio.axil("run", "--json").json["run"]["id"]
    rehearsal = studio.rehearse("--set", "lr=0.5")["id"]
    assert [one["id"] for one in studio.axil("runs", "--json").json["runs"]] == [real]
    assert next(one["id"] for one in studio.axil("runs", "--samples", "--json").json["runs"]) == rehearsal
    assert "~4" in studio.axil("runs", "--samples").out
    (node,) = studio.axil("tree", "--json").json["nodes"]
    assert (node["value"], node["run"], node["runs"]) == (0.25, real, 1)
    branch = studio.run("branch", "--show-current")
    compared = studio.axil("compare", branch, rehearsal, "--json").json
    assert [side["run"] for side in compared["sides"]] == [real, rehearsal]
    assert "is a rehearsal" in studio.axil("bisect", real, rehearsal, "--metric", "f1", code=1).err
    shown = studio.axil("show", branch, "--json").json
    assert rehearsal not in json.dumps(shown)
    assert "a rehearsal on 4 samples" in studio.axil("show", rehearsal).out


def test_a_rehearsal_never_reaches_the_work_tree(studio: Studio) -> None:
    branch = studio.run("branch", "--show-current")
    studio.axil("run")
    rehearsal = studio.rehearse("--set", "lr=0.5")["id"]
    studio.axil("fork", "other", "--from", rehearsal)
    assert json.loads((studio.path / "model.txt").read_text())["sample"] == [None, None, 100]
    studio.axil("switch", branch)
    studio.axil("switch", "other")
    assert json.loads((studio.path / "model.txt").read_text())["sample"] == [None, None, 100]
    assert studio.run("status", "--porcelain") == ""


def test_the_plan_tells_what_is_cut_and_changes_nothing(studio: Studio) -> None:
    said = studio.axil("run", "--sample", "4", "-n")
    assert "never ran" in said.out
    words = {line.split()[0]: " ".join(line.split()[1:]) for line in said.out.splitlines()}
    assert words["data/raw"] == "5 of 61 files, 1 of them cut to 4 rows"
    assert words["rows.csv"] == "to 4 rows"
    assert words["tables"] == "2 of 2 files, 1 of them cut to 4 rows"
    value = studio.axil("run", "--sample", "4", "-n", "--json").json
    assert value["sample"] == 4 and [one["name"] for one in value["stages"]] == ["prepare", "train"]
    assert {one["path"] for one in value["data"]} == {"data/raw", "rows.csv", "tables"}
    assert studio.axil("runs", "--samples", "--json").json["runs"] == []
    studio.rehearse()
    run = studio.axil("runs", "--samples", "--json").json["runs"][0]["id"]
    log = studio.axil("logs", run, "prepare").out
    assert "data/raw: 4 of 60" in log or "data/raw: 5 of 61 files, labels.csv 4 of 60 rows" in log
    assert "rows.csv: 4 of 50 rows" in log


def test_in_the_background_and_kept(studio: Studio) -> None:
    run = studio.detach("--sample", "4", "--keep")
    assert studio.record(run)["sample"] == 4
    left = studio.path / ".axil/runs" / run
    assert len(list((left / "data/raw").rglob("*.jpg"))) == 4
    assert not (left / "data/raw").is_symlink()
    assert len((studio.path / "rows.csv").read_text().splitlines()) == 101
    studio.axil("verify")


def test_what_it_changes_in_its_data_harms_nothing(studio: Studio) -> None:
    studio.commit(
        {"prepare.py": PREPARE + "for name in ('data/raw/cat/000.jpg', 'rows.csv'): open(name, 'a').write('x')\n"},
        "edit",
    )
    assert studio.rehearse()["state"] == "succeeded"
    studio.axil("verify")
    assert (studio.path / "data/raw/cat/000.jpg").read_text() == "cat0"
    assert studio.axil("run").out


def test_a_rehearsal_that_fails_is_resumed_as_one(studio: Studio) -> None:
    studio.env["BREAK"] = "1"
    said = studio.axil("run", "--sample", "4", "--json", code=1)
    failed = said.json
    assert (failed["state"], failed["sample"]) == ("failed", 4)
    assert "rehearsal" in studio.axil("fork", "new", "--from", failed["id"], "--checkpoint", code=1).err
    resumed = studio.axil("resume", failed["id"], "--json").json
    assert (resumed["state"], resumed["sample"], resumed["attempt"]) == ("succeeded", 4, 2)
    assert studio.states_of(resumed) == ["cached", "succeeded"]
    assert studio.model(resumed["id"])["went_on"]
    assert studio.model(resumed["id"])["sample"] == [4, "4", 4]
    assert studio.axil("runs", "--json").json["runs"] == []


def test_replicates_and_sweeps_of_rehearsals(studio: Studio) -> None:
    group = studio.axil("run", "--seeds", "2", "--sample", "4", "--json").json
    trials = [one for one in group["trials"] if one["number"]]
    assert [studio.record(one["run"])["sample"] for one in trials] == [4, 4]
    sweep = studio.axil("sweep", "lr=0.1,0.2", "--sample", "4", "--json").json
    assert len({studio.model(one["run"])["sample"][0] for one in sweep["trials"]}) == 1
    assert "new sweep" in studio.axil("sweep", "resume", "--sample", "5", code=2).err
    assert sweep["best"]["value"] == pytest.approx(100.2)
    assert studio.axil("runs", "--json").json["runs"] == []
    (node,) = studio.axil("tree", "--json").json["nodes"]
    assert node["value"] is None
    studio.axil("run")
    (real,) = studio.axil("tree", "--json").json["nodes"]
    studio.axil("run", "--seeds", "2", "--sample", "5")
    assert studio.axil("tree", "--json").json["nodes"][0]["value"] == real["value"] is not None
    assert "2 seeds ~5" in studio.axil("runs", "--samples").out


def test_a_real_run_never_learns_of_a_sample(studio: Studio) -> None:
    studio.env["AXIL_SAMPLE"] = "7"
    studio.axil("run")
    assert json.loads((studio.path / "model.txt").read_text())["sample"] == [None, None, 100]


def test_data_in_a_folder_that_counts_as_a_whole(studio: Studio) -> None:
    toml = TOML.replace('deps = ["data/raw", ', 'deps = ["data", "tables/code.py", ')
    studio.commit({"axil.toml": toml, "data/notes.txt": "notes", "data/more.csv": "n\n" + "1\n" * 30}, "whole folder")
    run = studio.rehearse()
    seen = studio.model(run["id"])
    assert len([name for name in seen["files"] if name.endswith(".jpg")]) == 4
    assert len(seen["labels"]) == 5
    assert studio.states_of(studio.rehearse()) == ["cached", "cached"]
    real = studio.axil("run", "--json").json["run"]
    assert real["stages"][0]["deps"] == run["stages"][0]["deps"]


def test_wrong_numbers(studio: Studio) -> None:
    for wrong in ("0", "-1", "x", "1.5", "99999999999"):
        assert studio.axil("run", "--sample", wrong, code=2).err


def test_what_it_made_is_not_pushed(studio: Studio, tmp_path: Path) -> None:
    studio.run("init", "-q", "--bare", str(tmp_path / "git"))
    studio.run("remote", "add", "origin", str(tmp_path / "git"))
    studio.axil("remote", "add", "origin", str(tmp_path / "objects"))
    studio.run("add", "-A")
    studio.run("commit", "-qm", "remote")
    studio.axil("run")
    studio.axil("push")
    studio.rehearse()
    assert studio.axil("push", "--json").json["objects"] == 0


def test_a_killed_rehearsal_is_lost_as_one(studio: Studio) -> None:
    hold = "import os, time\nopen(os.environ['GATES'] + '/began', 'w').close()\ntime.sleep(600)\n"
    studio.commit({"train.py": hold}, "hold")
    studio.env["GATES"] = str(studio.gates)
    run = studio.detach("--sample", "4")
    until((studio.gates / "began").exists)
    assert studio.axil("ps", "--json").json[0]["sample"] == 4
    assert studio.axil("runs", "--json").json["runs"] == []
    assert studio.axil("runs", "--samples", "--json").json["runs"][0]["sample"] == 4
    os.kill(studio.supervisor(run), signal.SIGKILL)
    lost = studio.record(run)
    assert (lost["state"], lost["sample"]) == ("lost", 4)
    assert studio.axil("runs", "--json").json["runs"] == []
    studio.clean()


def test_files_that_cannot_be_cut_are_whole(studio: Studio) -> None:
    big = bytes(range(256)) * (70 << 10)
    files: dict[str, str | bytes] = {f"data/raw/model-{n}.bin": f"part {n}" for n in range(3)}
    studio.write({**files, "data/raw/large.bin": big, "data/raw/odd.json": "{}", "data/raw/bad.jsonl": "}\n" * 99})
    studio.write({"weights.bin": big})
    studio.axil("add", "data/raw", "weights.bin")
    look = "for name in ('data/raw/large.bin', 'weights.bin'): print(len(open(name, 'rb').read()))\n"
    studio.commit({"prepare.py": PREPARE + look}, "weights")
    run = studio.rehearse()
    seen = studio.model(run["id"])["files"]
    assert len(seen) == 4 + 1 + 3 + 3
    log = studio.axil("logs", run["id"], "prepare").out
    assert log.count(str(len(big))) == 2
    assert "odd.json whole (not a list)" in log
    assert "weights.bin: whole" in log
    studio.axil("gc")
    studio.axil("verify")

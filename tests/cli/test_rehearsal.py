"""`axil run --sample N`: a rehearsal on a small part of the data, which never passes for a real result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.detached import Lab

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

"""The shim for scripts written for Weights & Biases: values, steps, config, summary, media."""

from __future__ import annotations

from tests.unit.integrations.conftest import KEEPING, Script

BASIC = """
import argparse
import axil.integrations.wandb as wandb
run = wandb.init(project="digits", config={"lr": 0.1, "net": {"depth": 3}}, name="first", tags=["a"])
assert wandb.run is run and run.name == "first" and run.project == "digits"
wandb.config.batch = 32
wandb.config.update(argparse.Namespace(seed=7))
wandb.config.setdefaults({"lr": 9, "late": True})
assert wandb.config.lr == 0.1 and wandb.config["batch"] == 32 and "seed" in wandb.config
assert dict(wandb.config)["net"] == {"depth": 3}
for epoch in range(3):
    wandb.log({"loss": 1 / (epoch + 1), "val": {"f1": epoch}, "text": "x"})
wandb.log({"a": 1}, commit=False)
wandb.log({"b": 2})
wandb.log({"c": 5}, step=10)
wandb.log({"d": 6}, step=10)
wandb.log({"c": 7}, step=11)
assert run.summary["loss"] == 1 / 3
run.summary["best"] = 0.9
run.summary.update({"note": "good"})
wandb.summary["again"] = 1
wandb.watch(object())
wandb.finish()
assert wandb.run is None
try:
    wandb.sweep
except AttributeError as error:
    print(error)
"""


def test_values_config_and_summary(script: Script) -> None:
    came = script(BASIC)
    assert came.series["loss"] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert came.series["val.f1"] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert (came.series["a"], came.series["b"]) == ([(3, 1.0)], [(3, 2.0)])
    assert (came.series["c"], came.series["d"]) == ([(10, 5.0), (11, 7.0)], [(10, 6.0)])
    assert (came.series["best"], came.series["again"]) == ([(0, 0.9)], [(0, 1.0)])
    assert came.params == {
        "lr": 0.1, "net.depth": 3, "batch": 32, "seed": 7, "late": True, "summary.note": "good",
    }  # fmt: skip
    assert "has no 'sweep'" in came.done.stdout
    assert "gradients are not logged" in came.done.stderr


def test_step_metrics(script: Script) -> None:
    came = script(
        "import axil.integrations.wandb as wandb\n"
        "with wandb.init() as run:\n"
        "    run.define_metric('epoch')\n    run.define_metric('val/*', step_metric='epoch')\n"
        "    run.define_metric('test', step_metric='epoch')\n"
        "    for epoch in (5, 10): run.log({'epoch': epoch, 'val/f1': 1, 'test': 2, 'loss': 3})\n"
    )
    assert came.series["val/f1"] == [(5, 1.0), (10, 1.0)]
    assert came.series["test"] == [(5, 2.0), (10, 2.0)]
    assert came.series["loss"] == [(0, 3.0), (1, 3.0)]


def test_log_without_init(script: Script) -> None:
    came = script("import axil.integrations.wandb as wandb\nwandb.log({'loss': 1})\nwandb.log({'loss': object()})")
    assert came.series == {"loss": [(0, 1.0)]}


MEDIA = (
    KEEPING
    + """
import axil.integrations.wandb as wandb
wandb.init()
open("a.txt", "w").close()
open("clip.mp4", "w").close()
table = wandb.Table(columns=["x", "y"], data=[[1, 2]])
table.add_data(3, 4)
wandb.log({"im": wandb.Image("picture", caption="c"), "t": table, "many": [wandb.Image("p"), wandb.Image("q")],
           "film": wandb.Video("clip.mp4"), "page": wandb.Html("<p>hi</p>"), "film2": wandb.Video([1])})
art = wandb.Artifact("model", type="model")
art.add_file("a.txt"); art.add_dir(".", name="all")
wandb.log_artifact(art)
wandb.log_artifact("a.txt")
wandb.save("*.mp4")
"""
)


def test_media_and_files_become_artifacts(script: Script, artifacts) -> None:
    came = script(MEDIA)
    assert artifacts()[:4] == [
        ["log_image", "im", "picture", 0],
        ["log_table", "t", "[[1, 2], [3, 4]]", "['x', 'y']", 0],
        ["log_image", "many/0", "p", 0],
        ["log_image", "many/1", "q", 0],
    ]
    assert [row[-1] for row in artifacts()[4:]] == [
        "film/0.mp4", "page/0.html", "model/a.txt", "model/all", "a.txt", "clip.mp4",
    ]  # fmt: skip
    assert "film2 is not kept: only files can be, not list" in came.done.stderr


ARRAYS = (
    KEEPING.replace("map(str, args)", "(str(getattr(one, 'shape', one)) for one in args)")
    + """
import numpy as np
import axil.integrations.wandb as wandb
wandb.log({"im": wandb.Image(np.zeros((4, 5, 3))), "h": wandb.Histogram([1, 2, 2], num_bins=2)})
"""
)


def test_arrays(script: Script, artifacts) -> None:
    script(ARRAYS, needs="numpy")
    assert artifacts() == [
        ["log_image", "im", "(4, 5, 3)", 0],
        ["log_table", "h", "[[1.0, 1.5, 1.0], [1.5, 2.0, 2.0]]", "['from', 'to', 'count']", 0],
    ]

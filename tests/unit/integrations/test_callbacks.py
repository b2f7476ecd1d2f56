"""Callbacks inside the real libraries; those not in the `dev` extra run where they are installed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.unit.integrations.conftest import KEEPING, Script

TORCH = """
import torch
torch.manual_seed(0)
torch.set_num_threads(2)
X = torch.randn(64, 4)
y = (X.sum(1, keepdim=True) > 0).float()
"""
LIGHTNING = (
    TORCH
    + """
{imports}
from axil.integrations.lightning import AxilLogger

class Net(pl.LightningModule):
    def __init__(self, width=3, rate=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
    def training_step(self, batch, _):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss
    def validation_step(self, batch, _):
        self.log("val/loss", torch.nn.functional.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1]))
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.rate)

data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, y), batch_size=16)
trainer = pl.Trainer(max_epochs=3, logger=AxilLogger(log_model=True), log_every_n_steps=2, accelerator="cpu",
                     enable_progress_bar=False, enable_model_summary=False)
trainer.fit(Net(), data, data)
print(trainer.checkpoint_callback.best_model_path)
"""
)


@pytest.mark.parametrize(
    ("package", "imports"),
    [("lightning", "import lightning.pytorch as pl"), ("pytorch_lightning", "import pytorch_lightning as pl")],
)
def test_lightning(script: Script, artifacts, package: str, imports: str) -> None:
    came = script(KEEPING + LIGHTNING.format(imports=imports), needs=f"torch {package}")
    assert [step for step, _ in came.series["train/loss"]] == [1, 3, 5, 7, 9, 11]
    assert [step for step, _ in came.series["val/loss"]] == [3, 7, 11]
    assert came.series["epoch"][-1] == (11, 2)
    assert came.series["val/loss"][-1][1] < came.series["val/loss"][0][1]
    assert came.params == {"width": 3, "rate": 0.1}
    best = came.done.stdout.strip().splitlines()[-1]
    assert "/checkpoints/epoch=2" in best
    assert ["log_artifact", best, "model.ckpt"] in artifacts()


HUGGINGFACE = (
    TORCH
    + """
from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments
from axil.integrations.huggingface import AxilCallback

class Net(PreTrainedModel):
    config_class = PretrainedConfig
    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(4, 1)
        self.post_init()
    def forward(self, x, labels=None):
        out = self.layer(x)
        return {"loss": torch.nn.functional.binary_cross_entropy_with_logits(out, labels), "logits": out}

rows = [{"x": a, "labels": b} for a, b in zip(X, y)]
args = TrainingArguments("out", num_train_epochs=3, per_device_train_batch_size=16, logging_steps=2,
                         eval_strategy="epoch", report_to="none", learning_rate=0.01, use_cpu=True, disable_tqdm=True,
                         save_strategy="no")
trainer = Trainer(Net(PretrainedConfig()), args, train_dataset=rows, eval_dataset=rows, callbacks=[AxilCallback()])
trainer.train()
"""
)


def test_huggingface(script: Script) -> None:
    came = script(HUGGINGFACE, needs="torch transformers accelerate")
    assert [step for step, _ in came.series["loss"]] == [2, 4, 6, 8, 10, 12]
    assert [step for step, _ in came.series["eval/loss"]] == [4, 8, 12]
    assert {"learning_rate", "grad_norm", "epoch", "train_loss"} <= came.series.keys()
    assert came.params["learning_rate"] == 0.01
    assert came.params["per_device_train_batch_size"] == 16
    assert "hub_token" not in came.params
    assert len(came.params) < 30, came.params


KERAS = """
import numpy as np, keras
from axil.integrations.keras import AxilCallback
keras.utils.set_random_seed(0)
X = np.random.randn(64, 4).astype("float32")
y = (X.sum(1) > 0).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(X, y, epochs=3, batch_size=16, validation_split=0.25, verbose=0, callbacks=[AxilCallback(every=2)])
"""


def test_keras(script: Script) -> None:
    came = script(KERAS, needs="keras torch numpy")
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert [step for step, _ in came.series[name]] == [0, 1, 2]
    assert [step for step, _ in came.series["batch/loss"]] == [0, 2, 4, 6, 8]
    assert came.params["fit.epochs"] == 3
    assert came.params["optimizer.name"] == "adam"


XGBOOST = """
import numpy as np, xgboost
from axil.integrations.xgboost import AxilCallback
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
y = (X.sum(1) > 0).astype(int)
train, val = xgboost.DMatrix(X[:150], y[:150]), xgboost.DMatrix(X[150:], y[150:])
params = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "nthread": 1}
xgboost.train(params, train, 5, evals=[(train, "train"), (val, "val")], verbose_eval=False, callbacks=[AxilCallback()],
              early_stopping_rounds=50)
xgboost.cv(params, train, 3, nfold=2, callbacks=[AxilCallback("cv/")])
"""


def test_xgboost(script: Script) -> None:
    came = script(XGBOOST, needs="xgboost numpy")
    for name in ("train/logloss", "train/error", "val/logloss", "val/error"):
        assert [step for step, _ in came.series[name]] == [0, 1, 2, 3, 4]
    assert came.series["train/logloss"][-1][1] < came.series["train/logloss"][0][1]
    assert [step for step, _ in came.series["cv/test/logloss"]] == [0, 1, 2]
    assert len(came.series["cv/test/logloss_std"]) == 3
    assert len(came.series["best_score"]) == 1


LIGHTGBM = """
import numpy as np, lightgbm
from axil.integrations.lightgbm import axil_callback
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
y = (X.sum(1) > 0).astype(int)
train = lightgbm.Dataset(X[:150], y[:150])
val = lightgbm.Dataset(X[150:], y[150:], reference=train)
params = {"objective": "binary", "metric": ["binary_logloss", "auc"], "verbosity": -1, "num_threads": 1}
lightgbm.train(params, train, 5, valid_sets=[train, val], valid_names=["train", "val"], callbacks=[axil_callback()])
lightgbm.cv(params, lightgbm.Dataset(X, y), 3, nfold=2, callbacks=[axil_callback("cv/")])
lightgbm.LGBMClassifier(n_estimators=100, verbosity=-1, n_jobs=1).fit(
    X[:150], y[:150], eval_set=[(X[150:], y[150:])],
    callbacks=[lightgbm.early_stopping(2, verbose=False), axil_callback("fit/")])
"""


def test_lightgbm(script: Script) -> None:
    came = script(LIGHTGBM, needs="lightgbm numpy")
    for name in ("train/binary_logloss", "train/auc", "val/binary_logloss", "val/auc"):
        assert [step for step, _ in came.series[name]] == [0, 1, 2, 3, 4]
    cv = [name for name in came.series if name.startswith("cv/") and not name.endswith("_std")]
    assert {name.split("/")[-1] for name in cv} == {"binary_logloss", "auc"}
    assert all(f"{name}_std" in came.series for name in cv)
    assert any(name.startswith("fit/valid_0/") for name in came.series)


SKLEARN = """
import numpy as np
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from axil.integrations.sklearn import log_estimator, log_search, steps
rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
y = (X.sum(1) > 0).astype(int)
model = MLPClassifier((3,), random_state=0)
for epoch in steps(model, 4, scores={"val/accuracy": lambda: model.score(X, y), "bad": lambda: 1 / 0}):
    model.partial_fit(X, y, classes=[0, 1])
forest = GradientBoostingClassifier(warm_start=True, n_estimators=1)
for epoch in steps(forest, 3):
    forest.set_params(n_estimators=epoch + 1).fit(X, y)
search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}).fit(X, y)
log_search(search)
log_search(object())
"""


def test_sklearn(script: Script) -> None:
    came = script(SKLEARN, needs="sklearn numpy")
    assert [step for step, _ in came.series["val/accuracy"]] == [0, 1, 2, 3]
    assert [step for step, _ in came.series["loss"]] == [0, 1, 2, 3]
    assert [step for step, _ in came.series["train_score"]] == [0, 1, 2]
    assert came.series["search/param_C"] == [(0, 0.1), (1, 1.0), (2, 10.0)]
    assert len(came.series["search/mean_test_score"]) == 3
    assert came.params["search/C"] in (0.1, 1.0, 10.0)
    assert came.params["learning_rate_init"] == 0.001
    assert "division by zero" in came.done.stderr
    assert "cv_results_" in came.done.stderr


@pytest.mark.parametrize("name", ["lightning", "huggingface", "keras", "xgboost"])
def test_a_missing_library_is_named(name: str) -> None:
    """An integration without its library says which package is missing."""
    packages = {"huggingface": "transformers"}
    package = packages.get(name, name)
    code = (
        "import sys\n"
        f"for name in ({package!r}, 'pytorch_lightning'): sys.modules[name] = None\n"
        f"try:\n    import axil.integrations.{name}\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"needs the package {package} (pip install {package})" in done.stdout


def test_outside_a_run_nothing_is_written(script: Script) -> None:
    came = script(XGBOOST, needs="xgboost numpy", inside=False)
    assert not came.series
    assert came.done.stderr.count("axil:") == 1

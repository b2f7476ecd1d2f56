"""The tracking store inside the real MLflow, by its own client and by its autologging."""

from __future__ import annotations

from tests.unit.integrations.conftest import KEEPING, Script

SET = "import mlflow\nmlflow.set_tracking_uri('axil:')\n"
FLUENT = (
    KEEPING
    + SET
    + """
from mlflow import MlflowClient
client = MlflowClient()
with mlflow.start_run(run_name="whole") as run:
    for value in (3, 2, 1): mlflow.log_metric("loss", value)
    mlflow.log_metrics({"f1": 0.5, "auc": 0.6}, step=7)
    mlflow.log_metric("f1", float("nan"), step=8)
    mlflow.log_params({"lr": 0.1, "depth": 3, "fast": True, "kind": "adam", "none": None, "version": "1_0"})
    mlflow.set_tag("team", "a")
    mlflow.log_text("hello", "notes/a.txt")
    assert mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/a.txt") == "hello"
    with mlflow.start_run(nested=True): mlflow.log_metric("inner", 1, step=0)
    with mlflow.start_run(nested=True): mlflow.log_metric("inner", 2, step=0)
with mlflow.start_run(run_name="fold"): mlflow.log_metric("loss", 9)
with mlflow.start_run(run_name="fold"): mlflow.log_metric("loss", 8)
again = mlflow.get_run(run.info.run_id)
assert again.info.status == "FINISHED" and again.data.metrics["loss"] == 1 and again.data.params["lr"] == "0.1"
assert again.data.tags["team"] == "a" and again.info.run_name == "whole"
assert [m.value for m in client.get_metric_history(run.info.run_id, "loss")] == [3, 2, 1]
found = mlflow.search_runs(filter_string="metrics.auc > 0.5 and tags.team = 'a'", output_format="list")
assert [one.info.run_id for one in found] == [run.info.run_id]
assert len(mlflow.search_runs(output_format="list")) == 5
try:
    client.log_param(run.info.run_id, "lr", 2)
except mlflow.MlflowException as error:
    print("refused")
"""
)


def test_a_run_of_mlflow_is_the_run(script: Script, artifacts) -> None:
    came = script(FLUENT, needs="mlflow")
    assert came.series["loss"] == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert came.series["auc"] == [(7, 0.6)]
    assert [step for step, _ in came.series["f1"]] == [7, 8]
    assert came.series["child-1/inner"] == [(0, 1.0)]
    assert came.series["child-2/inner"] == [(0, 2.0)]
    assert came.series["fold/loss"] == [(0, 9.0)]
    assert came.series["fold-2/loss"] == [(0, 8.0)]
    assert came.params == {
        "lr": 0.1, "depth": 3, "fast": True, "kind": "adam", "none": None, "version": "1_0",
    }  # fmt: skip
    assert [row[-1] for row in artifacts()] == ["notes"]
    assert "refused" in came.done.stdout
    assert came.done.stderr.count("MLflow logs to this run") == 1


EXPERIMENTS = (
    SET
    + """
from mlflow import MlflowClient
client = MlflowClient()
made = mlflow.set_experiment("speed")
assert client.get_experiment_by_name("speed").experiment_id == made.experiment_id
client.set_experiment_tag(made.experiment_id, "a", "b")
client.rename_experiment(made.experiment_id, "slow")
client.delete_experiment(made.experiment_id)
client.restore_experiment(made.experiment_id)
now = client.get_experiment(made.experiment_id)
assert (now.name, now.tags, now.lifecycle_stage) == ("slow", {"a": "b"}, "active")
assert [one.name for one in client.search_experiments(filter_string="name = 'slow'")] == ["slow"]
try:
    client.create_experiment("slow")
except mlflow.MlflowException as error:
    print(error)
# A run begun elsewhere and handed on by its id.
with mlflow.start_run(run_id="0123456789abcdef0123456789abcdef"): mlflow.log_metric("far", 1)
try:
    mlflow.get_run("nonsense")
except mlflow.MlflowException as error:
    print(error)
run = client.create_run(made.experiment_id)
client.delete_run(run.info.run_id)
try:
    client.log_metric(run.info.run_id, "a", 1)
except mlflow.MlflowException as error:
    print(error)
"""
)


def test_experiments_and_runs_of_others(script: Script) -> None:
    came = script(EXPERIMENTS, needs="mlflow")
    assert came.series["far"] == [(0, 1.0)]
    assert "a" not in came.series
    for words in ("'slow' already exists", "Run 'nonsense' not found", "'active' state"):
        assert words in came.done.stdout


AUTOLOG = (
    KEEPING
    + SET
    + """
import logging, numpy as np
from sklearn.linear_model import LogisticRegression
mlflow.sklearn.autolog(log_models=False, log_datasets=False)
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
LogisticRegression(C=0.25).fit(X, (X.sum(1) > 0).astype(int))
"""
)


def test_sklearn_autolog(script: Script, artifacts) -> None:
    came = script(AUTOLOG, needs="mlflow sklearn pandas")
    assert came.series["training_accuracy_score"][0][1] > 0.8
    assert {"training_f1_score", "training_log_loss", "training_roc_auc"} <= came.series.keys()
    assert came.params["C"] == 0.25
    assert came.params["max_iter"] == 100
    assert "estimator.html" in [row[-1] for row in artifacts()]


MODEL = (
    KEEPING
    + SET
    + """
import numpy as np
from sklearn.linear_model import LogisticRegression
X = np.arange(20.0).reshape(10, 2)
model = LogisticRegression().fit(X, np.arange(10) > 4)
with mlflow.start_run() as run:
    info = mlflow.sklearn.log_model(model, name="net", pip_requirements=["scikit-learn"],
                                    serialization_format="cloudpickle")
    mlflow.log_metric("f1", 0.5, model_id=info.model_id)
loaded = mlflow.sklearn.load_model(info.model_uri)
assert (loaded.predict(X) == model.predict(X)).all()
(found,) = mlflow.search_logged_models(output_format="list")
assert found.name == "net" and [m.value for m in found.metrics] == [0.5]
mlflow.set_logged_model_tags(info.model_id, {"a": "b"})
assert mlflow.get_logged_model(info.model_id).tags["a"] == "b"
"""
)


def test_models(script: Script, artifacts) -> None:
    script(MODEL, needs="mlflow sklearn pandas")
    assert "models/net" in [row[-1] for row in artifacts()]


def test_outside_a_run_the_store_works_and_leaves_nothing(script: Script, tmp_path) -> None:
    came = script(
        SET + "with mlflow.start_run(): mlflow.log_metric('a', 1); mlflow.log_text('x', 'a.txt')",
        needs="mlflow",
        inside=False,
        TMPDIR=str(tmp_path),
    )
    assert not came.series
    assert not list(tmp_path.glob("axil-mlflow-*"))

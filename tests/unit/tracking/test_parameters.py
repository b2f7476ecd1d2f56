"""axil.params: one value by key and by attribute, from the run or from the project's file."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from axil.tracking.parameters import Params, find, load

VALUES = {"train": {"lr": 0.1, "opt": {"name": "sgd"}}, "seed": 3, "a.b": 1, "layers": [1, 2]}


def test_attribute_key_and_dotted_key_are_one() -> None:
    params = Params(VALUES, "p.yaml")
    assert params.train.lr == params["train"]["lr"] == params["train.lr"] == 0.1
    assert params["train.opt.name"] == params.train.opt.name == "sgd"
    assert params["a.b"] == 1
    assert params.layers == [1, 2]
    assert params.get("train.momentum", 0.9) == 0.9
    assert "train.lr" in params and "train.x" not in params
    assert list(params) == list(VALUES) and len(params) == 4
    assert {**params.train.opt} == {"name": "sgd"}


@pytest.mark.parametrize("key", ["lr", "train.x", "train.lr.x", "seed.x"])
def test_missing_keys_name_what_is_there(key: str) -> None:
    with pytest.raises(KeyError) as caught:
        Params(VALUES, "p.yaml")[key]
    assert "p.yaml" in str(caught.value)
    with pytest.raises(AttributeError, match="there: lr, opt"):
        _ = Params(VALUES, "p.yaml").train.momentum


def test_params_travel_to_worker_processes() -> None:
    assert pickle.loads(pickle.dumps(Params(VALUES))).train.lr == 0.1


@pytest.mark.parametrize(
    "name, text",
    [("params.yaml", "lr: 1e-4\n"), ("params.toml", "lr = 1e-4\n"), ("params.json", '{"lr": 1e-4}')],
)
def test_outside_a_run_the_projects_file_is_read(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "axil.toml").write_text("")
    (tmp_path / name).write_text(text)
    below = tmp_path / "src" / "deep"
    below.mkdir(parents=True)
    assert find(str(below)).lr == 1e-4


def test_the_search_ends_at_the_projects_root(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"lr": 1}')
    project = tmp_path / "project"
    project.mkdir()
    (project / "axil.toml").write_text("")
    assert dict(find(str(project))) == {}
    with pytest.raises(AttributeError, match="no params file"):
        _ = find(str(project)).lr


def test_a_file_without_keys_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"params\.json"):
        load(str(tmp_path / "params.json"))


def test_an_empty_file_has_no_params(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("")
    assert dict(load(str(tmp_path / "params.yaml"))) == {}

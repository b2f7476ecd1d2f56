"""Keys: the golden vectors, and reasons in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from axil.journal.rows import OutputRow, StageRow
from axil.pipeline.keys import ENVIRONMENT, UNSTABLE, StageInputs, explain, hash_env, key, preimage

VECTORS = json.loads((Path(__file__).parents[2] / "formats" / "stage-key.json").read_text())
INPUTS = StageInputs(
    cmd="python src/train.py",
    cwd="",
    deps={"data": "aa"},
    params={"train.lr": 0.01, "train.steps": [1, 2]},
    code={"src/model.py": "c1", "src/train.py": "c2"},
    env={"CUDA": "e1"},
    outs=("m.bin",),
)
RUN = "01KB3Z5Q2WXXXXXXXXXK3Z5Q2W"


def row(inputs: StageInputs, state: str = "succeeded", exit_code: int | None = None) -> StageRow:
    outs = {path: OutputRow("file", "00", 1) for path in inputs.outs}
    return StageRow(
        "train", state, "", inputs.cmd, inputs.cwd, key(inputs), inputs.deps, inputs.params, inputs.code, [],
        inputs.env, outs, {}, RUN, "", 0.0, exit_code=exit_code,
    )  # fmt: skip


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_golden_vectors(vector):
    inputs = StageInputs(**{**vector["inputs"], "outs": tuple(vector["inputs"]["outs"])})
    assert preimage(inputs).decode() == vector["preimage"]
    assert key(inputs) == vector["key"]


def test_the_order_of_mappings_and_outs_does_not_count():
    other = INPUTS._replace(
        params=dict(reversed(INPUTS.params.items())), code=dict(reversed(INPUTS.code.items())), outs=("b", "a")
    )
    assert key(other) == key(INPUTS._replace(outs=("a", "b")))


@pytest.mark.parametrize(
    "change",
    [
        {"cmd": "python src/train.py "},
        {"cwd": "src"},
        {"deps": {"data": "ab"}},
        {"deps": {"data": "aa", "more": ""}},
        {"params": {"train.lr": "0.01", "train.steps": [1, 2]}},
        {"params": {"train.lr": 0.01, "train.steps": [1, 2.0]}},
        {"params": {"train.lr": 0.01, "train.steps": [[1], 2]}},
        {"code": {"src/model.py": "c2", "src/train.py": "c1"}},
        {"env": {"CUDA": ""}},
        {"env": {}},
        {"outs": ()},
        {"sample": 10},
    ],
)
def test_every_input_counts(change):
    assert key(INPUTS._replace(**change)) != key(INPUTS)


def test_names_that_are_no_text_have_a_key():
    assert len(key(INPUTS._replace(deps={"data/\udcff": "aa"}))) == 64


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"params": {"train.lr": 0.1, "train.steps": [1, 2]}}, "params.train.lr 0.1 → 0.01 since run K3Z5Q2W"),
        ({"params": {"train.lr": 0.01}}, "params.train.steps new: [1, 2] since run K3Z5Q2W"),
        ({"params": {**INPUTS.params, "old": "no"}}, 'params.old "no" → removed since run K3Z5Q2W'),
        (
            {"code": {**INPUTS.code, "src/model.py": "c0"}},
            "code: src/model.py changed (imported by src/train.py) since run K3Z5Q2W",
        ),
        ({"code": {"src/train.py": "c2"}}, "code: src/model.py is new (imported by src/train.py) since run K3Z5Q2W"),
        ({"code": {**INPUTS.code, "x.py": "c"}}, "code: x.py is no longer used since run K3Z5Q2W"),
        (
            {"code": {**INPUTS.code, "src/train.py": UNSTABLE}},
            "code: src/train.py was edited while it ran since run K3Z5Q2W",
        ),
        ({"deps": {"data": "a0"}}, "deps: data changed (+3 −1 ~2) since run K3Z5Q2W"),
        ({"deps": {}}, "deps: data is new since run K3Z5Q2W"),
        ({"deps": {"data": "aa", "x": "b"}}, "deps: x is no longer a dependency since run K3Z5Q2W"),
        ({"cmd": "x"}, "the command changed since run K3Z5Q2W"),
        ({"cwd": "src"}, "cwd src → . since run K3Z5Q2W"),
        ({"env": {"CUDA": "e0"}}, "environment variable CUDA changed since run K3Z5Q2W"),
        ({"env": {"CUDA": "e1", ENVIRONMENT: "x"}}, "the environment changed since run K3Z5Q2W"),
        ({"outs": ("n.bin",)}, "the outputs changed: +m.bin, −n.bin since run K3Z5Q2W"),
        (
            {"params": {"train.lr": 0.1, "train.steps": [1]}, "deps": {"data": "a0"}},
            "params.train.lr 0.1 → 0.01 (and 2 more) since run K3Z5Q2W",
        ),
    ],
)
def test_one_line_says_what_changed(change, reason):
    old = row(INPUTS._replace(**change))
    via = {"src/model.py": "src/train.py", "src/train.py": ""}
    assert explain(old, INPUTS, via=via, difference=lambda *_: "+3 −1 ~2") == reason
    assert "\n" not in reason


def test_a_changed_module_is_told_before_a_new_one():
    old = row(INPUTS._replace(code={"src/train.py": "c0"}))
    assert explain(old, INPUTS).startswith("code: src/train.py changed (and 1 more)")


def test_reasons_without_a_change():
    assert explain(None, INPUTS) == "never ran"
    assert explain(row(INPUTS, "failed", 2), INPUTS) == "it failed in run K3Z5Q2W: exit code 2"
    assert explain(row(INPUTS, "stopped"), INPUTS) == "it was stopped in run K3Z5Q2W"
    assert explain(row(INPUTS, "lost"), INPUTS) == "it was lost in run K3Z5Q2W"
    assert explain(row(INPUTS), INPUTS) == "the result of run K3Z5Q2W cannot be used"


def test_values_of_variables_are_not_kept():
    assert hash_env(None) == ""
    assert hash_env("") != ""
    assert "secret" not in hash_env("secret")

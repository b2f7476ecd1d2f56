"""The snippets of docs/how-to/integrations.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.unit.integrations.conftest import Script

PAGE = Path(__file__).parents[3] / "docs/how-to/integrations.md"
LOGGED = {
    "mlflow": "loss",
    "tensorboardX": "",
    "xgboost": "train/logloss",
    "lightgbm": "training/binary_logloss",
    "sklearn": "search/param_C",
    "wandb": "best",
}
"""Snippet -> a metric that it logs; the others begin in the middle of a script."""
NEEDS = {"mlflow": "mlflow sklearn pandas", "wandb": ""}


def snippets() -> dict[str, str]:
    found = {}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        name = re.search(r"axil\.integrations\.(\w+)", code) or re.search(r"(mlflow|tensorboardX)", code)
        assert name, code
        found[name[1]] = code
    return found


def test_there_is_one_for_each() -> None:
    assert snippets().keys() == LOGGED.keys() | {"lightning", "huggingface", "keras"}


@pytest.mark.parametrize("name", LOGGED)
def test_it_runs(script: Script, name: str) -> None:
    came = script(snippets()[name], needs=NEEDS.get(name, name), MLFLOW_TRACKING_URI="axil:")
    assert LOGGED[name] in came.series or not LOGGED[name], came.series.keys()

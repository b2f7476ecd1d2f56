"""What counts as clutter."""

from __future__ import annotations

import pytest

from axil.base.clutter import is_clutter


@pytest.mark.parametrize(
    "path",
    [
        "__pycache__/",
        "src/__pycache__/model.cpython-311.pyc",
        "a.pyc",
        "x/.DS_Store",
        "nb/.ipynb_checkpoints/a.ipynb",
        "axil.local.toml",
        ".axil-part-12-3",
        ".axil-part-12-3/deep/a",
        "data/.axil-part-12-3/a",
    ],
)
def test_leftovers_of_tools_are_clutter(path: str) -> None:
    assert is_clutter(path)


@pytest.mark.parametrize("path", ["src/model.py", "pycache/a", "data/DS_Store", "a.pyc.txt", "x.axil-part-1/a"])
def test_what_a_person_wrote_is_not(path: str) -> None:
    assert not is_clutter(path)

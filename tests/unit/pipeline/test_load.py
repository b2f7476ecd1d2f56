"""Project file and parameters through the cache."""

from __future__ import annotations

import pytest

from axil.errors import BadInput
from axil.formats.project import ProjectFile
from axil.pipeline.load import load_params, load_project


def test_a_file_is_parsed_once_per_content(world, monkeypatch):
    world.write("axil.toml", '[project]\nname = "x"\n')
    world.write("params.yaml", "a: {b: 1e-4}\n")
    root = str(world.root)
    first = load_project(root, world.index()), load_params(root, ProjectFile(), world.index())
    monkeypatch.setattr("axil.formats.project.parse", None)
    monkeypatch.setattr("axil.formats.params.load", None)
    assert (load_project(root, world.index()), load_params(root, ProjectFile(), world.index())) == first
    assert first[0].name == "x"
    assert first[1] == ("params.yaml", {"a.b": 1e-4})


def test_missing_files(world):
    root = str(world.root)
    assert load_project(root, world.index()) == ProjectFile()
    assert load_params(root, ProjectFile(), world.index()) == ("", {})
    with pytest.raises(BadInput, match=r"conf/p\.yaml does not exist"):
        load_params(root, ProjectFile(params_file="conf/p.yaml"), world.index())


def test_a_file_that_is_not_utf8_names_its_line(world):
    (world.root / "axil.toml").write_bytes(b"# a\n# \xff\n")
    with pytest.raises(BadInput, match=r"axil\.toml line 2: not UTF-8"):
        load_project(str(world.root), world.index())
    (world.root / "params.yaml").mkdir()
    with pytest.raises(BadInput, match=r"params\.yaml cannot be read"):
        load_params(str(world.root), ProjectFile(params_file="params.yaml"), world.index())

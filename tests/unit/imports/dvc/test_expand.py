"""Templates of dvc.yaml, compared with what DVC itself makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from axil.imports.dvc import expand, interpolate
from axil.imports.dvc.expand import Template
from axil.imports.dvc.interpolate import Unresolved

GOLDEN = json.loads((Path(__file__).parent / "expansions.json").read_text())


def no_files(_: str) -> None:
    return None


def stages(data: dict[str, Any], **files: dict[str, Any]) -> dict[str, Any]:
    """Stage -> its definition, None where it cannot be written out."""
    tables = {name.replace("_yaml", ".yaml"): table for name, table in files.items()}
    return {one.name: None if one.error else one.definition for one in Template(data, "", tables.get).stages()}


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=range(len(GOLDEN["cases"])))
def test_as_dvc_does_it(case: dict[str, Any]) -> None:
    def expanded() -> Any:
        try:
            return stages(case["dvc"], params_yaml=case["params"], more_yaml=GOLDEN["more"])
        except Unresolved:
            return None

    assert json.loads(json.dumps(expanded())) == case["stages"]


def test_loops_over_tables_know_key_and_item():
    made = stages({"stages": {"t": {"foreach": {"us": {"n": 1}, "eu": {"n": 2}}, "do": {"cmd": "${key} ${item.n}"}}}})
    assert made == {"t@us": {"cmd": "us 1"}, "t@eu": {"cmd": "eu 2"}}


def test_a_matrix_makes_every_combination():
    made = stages({"stages": {"t": {"matrix": {"a": ["x", "y"], "b": [1, {"c": 2}]}, "cmd": "${item.a} ${key}"}}})
    assert list(made) == ["t@x-1", "t@x-b1", "t@y-1", "t@y-b1"]
    assert made["t@y-b1"] == {"cmd": "y y-b1"}


def test_a_table_in_a_command_becomes_options_in_the_configured_style():
    table = {"on": True, "off": False, "list": ["a b", 2], "deep": {"x": 1}}
    data = {"stages": {"t": {"cmd": "run ${t}"}}}

    def command(**style: str) -> Any:
        return next(Template(data, "", {"params.yaml": {"t": table}}.get, style).stages()).definition["cmd"]

    assert command() == "run --on --list 'a b' 2 --deep.x 1"
    assert command(bool="boolean_optional") == "run --on --no-off --list 'a b' 2 --deep.x 1"
    assert command(list="append") == "run --on --list 'a b' --list 2 --deep.x 1"


def test_params_files_are_looked_for_beside_dvc_yaml_and_in_wdir():
    files = {"sub/params.yaml": {"a": 1}, "sub/deep/v.yaml": {"b": 2}}
    data = {"stages": {"t": {"wdir": "deep", "vars": ["v.yaml"], "cmd": "${a} ${b}"}}}
    assert next(Template(data, "sub", files.get).stages()).definition["cmd"] == "1 2"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"vars": ["gone.yaml"]}, "does not exist"),
        ({"vars": [{"a": 1}, {"a": 2}]}, "given twice"),
        ({"vars": ["${a}"]}, "must not have"),
        ({"vars": {"a": 1}}, "must be a list"),
        ({"vars": [1]}, "something else"),
    ],
)
def test_bad_vars_are_refused(data: dict[str, Any], why: str):
    with pytest.raises(Unresolved, match=why):
        Template(data, "", no_files)


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ({"cmd": "${gone}"}, "no value"),
        ({"cmd": "${}"}, "not the name"),
        ({"cmd": "${list}"}, "a list cannot stand"),
        ({"foreach": "${one}", "do": {"cmd": "x"}}, "neither a list nor a table"),
        ({"matrix": {"a": "${one}"}, "cmd": "x"}, "not a table of lists"),
        ("no table", "not a table"),
    ],
)
def test_a_stage_that_cannot_be_written_out_says_why(definition: Any, why: str):
    params = {"params.yaml": {"list": [1], "one": 1}}
    (stage,) = Template({"stages": {"t": definition}}, "", params.get).stages()
    assert why in stage.error


def test_loops_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(expand, "MAX_STAGES", 10)
    (stage,) = Template(
        {"stages": {"t": {"matrix": {"a": [1, 2, 3, 4], "b": [1, 2, 3]}, "cmd": "x"}}}, "", no_files
    ).stages()
    assert "more than 10" in stage.error
    loop = {"foreach": list(range(8)), "do": {"cmd": "x"}}
    with pytest.raises(Unresolved, match="more than 10"):
        list(Template({"stages": {"a": loop, "b": loop}}, "", no_files).stages())


def test_what_is_written_out_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(interpolate, "MAX_TEXT", 1000)
    data = {"stages": {"t": {"foreach": list(range(100)), "do": {"cmd": "run ${a}"}}}}
    errors = [one.error for one in Template(data, "", {"params.yaml": {"a": "x" * 100}}.get).stages()]
    assert not errors[0] and "grows too large" in errors[-1]

"""Whatever stands in a DVC project: values come through templates unchanged, and no path leads out."""

from __future__ import annotations

import json
import posixpath
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from axil.errors import BadInput
from axil.formats.project import check_path, check_stage_name
from axil.imports.dvc.files import manifest, project_path
from axil.imports.dvc.interpolate import Scope, marked, resolve, to_text
from axil.imports.dvc.stages import free_name

names = st.text("abcxyz_-0", min_size=1, max_size=4)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab ${}\\'", max_size=6)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)
steps = st.sampled_from(["a", "b.c", "..", ".", "", "...", ".git", "~", "-x", "é"])
paths = st.lists(steps, min_size=1, max_size=6).map("/".join)


def leaves(value: Any, place: str = "") -> list[tuple[str, Any]]:
    """(expression, value) of everything in `value`."""
    found = [(place, value)] if place else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += leaves(item, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found += leaves(item, f"{place}[{number}]")
    return found


@given(st.dictionaries(names, values, max_size=4))
def test_every_value_can_be_named(table: dict[str, Any]):
    for expression, value in leaves(table):
        assert resolve(f"${{{expression}}}", Scope(table)) == value
        if not isinstance(value, list | dict):
            assert resolve(f"<${{{expression}}}>", Scope(table), key="cmd") == f"<{to_text(value)}>".replace(
                r"\${", "${"
            )


@given(values)
def test_what_has_no_template_stays_as_it_is(value: Any):
    if not marked(value) and "\\${" not in json.dumps(value).replace("\\\\", "\\"):
        assert resolve(value, Scope()) == value


@given(paths, paths)
def test_a_project_path_lies_in_the_project(folder: str, path: str):
    try:
        found = project_path(posixpath.normpath(folder).lstrip("/") if ".." not in folder else "", path)
    except ValueError:
        return
    assert check_path(found) == found and not found.startswith("/") and ".." not in found.split("/")


@given(st.lists(paths, max_size=4))
def test_a_manifest_lists_files_inside_only(entries: list[str]):
    data = json.dumps([{"md5": "0" * 32, "relpath": path} for path in entries]).encode()
    try:
        found = manifest(data, "it")
    except BadInput:
        return
    for path in found:
        assert (
            posixpath.normpath(path) == path and not path.startswith("/") and not {"..", ".git"} & set(path.split("/"))
        )


@given(st.text(max_size=130), st.lists(st.text("ab@/", max_size=3), max_size=3))
def test_a_free_name_can_be_a_stages(name: str, taken: list[str]):
    found = free_name(name, taken)
    check_stage_name(found)
    assert found not in taken

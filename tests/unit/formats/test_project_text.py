"""A whole axil.toml is written so that it reads back as what was meant."""

from __future__ import annotations

import pytest

from axil.errors import BadInput
from axil.formats.project import ProjectFile, Stage, parse
from axil.formats.project_text import render

FILE = ProjectFile(
    name='a "b"',
    params_file="sub/params.yaml",
    stages={
        "train@us": Stage("train@us", "first &&\n(\necho 'x' \\\n)", deps=("é",), outs=("o",), keep=("o",), cwd="sub"),
        "b": Stage("b", "echo '''", metrics=("m.json",), always=True),
    },
    remotes={"r.1": {"url": "s3://b"}},
)


def test_it_reads_back():
    text = render(FILE, {"b": ["one", "two\n[stages.evil]\x00"]}, ["about"])
    read = parse(text)
    assert read._replace(stages={n: s._replace(line=0) for n, s in read.stages.items()}) == FILE
    assert "# one\n# two [stages.evil]\n[stages.b]" in text
    assert "# about\n" in text


def test_what_is_not_valid_is_refused():
    with pytest.raises(BadInput):
        render(ProjectFile(name="x", stages={"a": Stage("a", "x", deps=("../up",))}))
    with pytest.raises(BadInput):
        render(ProjectFile(name="x", stages={"a": Stage("a", " padded ")}))

"""Normalised hashes and imports of source files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from axil.pipeline.normal import Import, imports_of, summarise

GOLDEN = Path(__file__).parents[2] / "formats" / "code"


def digest(text: str, path: str = "a.py") -> str:
    return summarise(path, text.encode()).hash


BASE = 'def f(a, b=1):\n    return [a, "x"]\n'


@pytest.mark.parametrize(
    "same",
    [
        '# comment\ndef f(a, b=1):\n    return [a, "x"]\n',
        '"""Module."""\ndef f(a, b=1):\n    """Doc."""\n    return [a, "x"]\n',
        "def f(\n    a,\n    b = 1,\n):\n\n    return ([a,\n      'x',])  # why\n",
        'def f(a, b=1):\r\n    return [a, "x"]\r\n',
        '# -*- coding: utf-8 -*-\ndef f(a, b=0x1):\n\treturn [a, u"x"]',
    ],
)
def test_how_code_is_written_does_not_count(same: str):
    assert digest(same) == digest(BASE)


@pytest.mark.parametrize(
    "other",
    [
        'def f(a, b=2):\n    return [a, "x"]\n',
        'def f(a, b=1.0):\n    return [a, "x"]\n',
        'def f(a, b=True):\n    return [a, "x"]\n',
        'def f(a, b=1):\n    return [a, "y"]\n',
        'def f(a, b=1):\n    return [a, b"x"]\n',
        'def f(a, b=1):\n    return ["x", a]\n',
        'def f(a, b=1):\n    return (a, "x")\n',
        'def g(a, b=1):\n    return [a, "x"]\n',
        'def f(a, *, b=1):\n    return [a, "x"]\n',
        'def f(a, b=1):\n    return [a, "x"]\nf(1)\n',
        'async def f(a, b=1):\n    return [a, "x"]\n',
        'def f(a, b=1):\n    "x"\n    "y"\n    return [a, "x"]\n',
    ],
)
def test_what_code_means_counts(other: str):
    assert digest(other) != digest(BASE)


def test_statements_that_differ_by_structure_only():
    assert digest("if a:\n    b\n    c\n") != digest("if a:\n    b\nc\n")
    assert digest("x = {1: 2, **y}") != digest("x = {1: 2, y: None}")
    assert digest("f(a, b)") != digest("f(a)(b)")
    assert digest("x = 1e999") != digest("x = -1e999")
    assert digest("f'{a!r:>{w}} b'") != digest("f'{a!r} b'")
    assert digest("def f():\n    'doc'") == digest("def f():\n    pass") != digest("def f():\n    ...")
    assert digest("import a.b") != digest("import a, b")


def test_f_strings_do_not_depend_on_how_their_text_is_cut():
    assert digest("x = f'a{b}c' 'd'") == digest("x = 'a' f'{b}' 'cd'") == digest('x = f"a{ b }cd"')


def test_broken_python_counts_byte_by_byte_and_never_fails():
    for text in ("def f(:", "x = '\0'", "(" * 5000, "\ufeff\ufeff", "x = " + "-" * 20000 + "1"):
        summary = summarise("a.py", text.encode())
        assert len(summary.hash) == 64
    assert digest("def f(:") != digest("def f(:  # x")
    assert summarise("a.py", b"\xff\xfe\x00").imports == ()


def test_deep_but_valid_code_is_hashed():
    deep = "x = " + " + ".join(["1"] * 900)
    assert digest(deep) == digest(deep.replace(" + ", "+"))


def test_a_warning_about_the_users_code_stays_silent(recwarn):
    digest("x = '\\d'\nassert (1, 'x')\n")
    assert not list(recwarn)


def test_imports_are_found_everywhere():
    source = """
import os, pkg.sub as s
from . import a
from ..b import c, d
from e import *
def f():
    import g
    if x:
        from h import i
try:
    import j
except ImportError:
    __import__("k")
importlib.import_module("l.m")
import_module(".n", package="p")
importlib.import_module(name)
"""
    assert summarise("x.py", source.encode()).imports == (
        Import(0, "os"),
        Import(0, "pkg.sub"),
        Import(1, "", ("a",)),
        Import(2, "b", ("c", "d")),
        Import(0, "e", ("*",)),
        Import(0, "g"),
        Import(0, "h", ("i",)),
        Import(0, "j"),
        Import(0, "k"),
        Import(0, "l.m"),
        Import(1, "n"),
    )
    assert summarise("x.py", b'__all__ = ["a", "b"]').exports == ("a", "b")
    assert imports_of("import a; print(1)") == (Import(0, "a"),)
    assert imports_of("not python") == ()


def notebook(*cells: str, outputs: object = ()) -> bytes:
    found = [{"cell_type": "code", "source": cell.splitlines(True), "outputs": outputs} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "# prose"}, *found]}).encode()


def test_a_notebook_counts_by_its_code():
    first = summarise("n.ipynb", notebook("%matplotlib inline\nimport a\nx=1"))
    assert first.imports == (Import(0, "a"),)
    assert summarise("n.ipynb", notebook("%matplotlib inline\nimport a\n\nx = 1  # c", outputs=[1])) == first
    assert summarise("n.ipynb", notebook("%matplotlib inline\nimport a\nx=2")).hash != first.hash
    assert summarise("n.ipynb", notebook("%matplotlib qt\nimport a\nx=1")).hash != first.hash
    assert (
        summarise("n.ipynb", notebook("%%bash\nls", "x=1")).hash
        != summarise("n.ipynb", notebook("%%bash\nl", "x=1")).hash
    )
    assert len(summarise("n.ipynb", b"not json").hash) == 64
    assert len(summarise("n.ipynb", notebook("def (")).hash) == 64


def test_other_files_count_by_content():
    assert digest("a # b", "c.json") != digest("a", "c.json")
    assert summarise("run.sh", b"python x.py").commands == ("python x.py",)
    assert summarise("tool", b"#!/usr/bin/env python3\nimport a\n").imports == (Import(0, "a"),)
    assert summarise("pyproject.toml", b'[project.scripts]\nt = "p.c:main"').scripts == (("t", "p.c"),)
    assert summarise("pyproject.toml", b"broken [").scripts == ()


def test_hashes_are_the_same_for_ever_and_on_every_python():
    """The golden hashes: a change means that every cached result of every project is lost."""
    source = (GOLDEN / "everything.py.txt").read_bytes()
    assert digest(source.decode()) == (GOLDEN / "everything.hash").read_text().strip()

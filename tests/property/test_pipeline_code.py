"""Properties of normalised code: layout never counts, meaning always does."""

from __future__ import annotations

import ast
import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from axil.pipeline.normal import summarise

NAMES = st.sampled_from(["a", "b", "model", "x1", "ünï"])
NUMBERS = st.integers(0, 10**6) | st.floats(0, 1e300)
LITERALS = NUMBERS | st.text(max_size=8) | st.binary(max_size=4) | st.booleans() | st.none()


def constants(value):
    return ast.Constant(value=value)


EXPRESSIONS = st.recursive(
    st.builds(constants, LITERALS) | st.builds(lambda name: ast.Name(name, ast.Load()), NAMES),
    lambda inner: (
        st.builds(lambda a, b: ast.BinOp(a, ast.Add(), b), inner, inner)
        | st.builds(lambda items: ast.List(items, ast.Load()), st.lists(inner, max_size=3))
        | st.builds(lambda items: ast.Tuple(items, ast.Load()), st.lists(inner, max_size=3))
        | st.builds(
            lambda name, args: ast.Call(ast.Name(name, ast.Load()), args, []), NAMES, st.lists(inner, max_size=2)
        )
    ),
    max_leaves=6,
)
SIMPLE = st.builds(lambda name, value: ast.Assign([ast.Name(name, ast.Store())], value), NAMES, EXPRESSIONS)


def function(name, body):
    made = ast.parse(f"def {name}(): ...").body[0]
    assert isinstance(made, ast.FunctionDef)
    made.body = body
    return made


STATEMENTS = st.recursive(
    SIMPLE,
    lambda inner: (
        st.builds(function, NAMES, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda test, body: ast.If(test, body, []), EXPRESSIONS, st.lists(inner, min_size=1, max_size=2))
    ),
    max_leaves=6,
)
MODULES = st.lists(STATEMENTS, min_size=1, max_size=5)


def source(statements) -> str:
    return ast.unparse(ast.fix_missing_locations(ast.Module(copy.deepcopy(statements), [])))


def digest(text: str) -> str:
    return summarise("m.py", text.encode("utf-8", "surrogatepass")).hash


def layout(text: str, choice) -> str:
    """`text` with other blank lines, comments, indentation and docstrings."""
    lines = []
    for line in text.split("\n"):
        depth = (len(line) - len(line.lstrip())) // 4
        lines.append("\t" * depth + line.lstrip() + choice(["", "  # note", " "]))
        if line.lstrip().startswith("def ") and line.endswith(":"):
            lines.append("\t" * (depth + 1) + choice(['"""Doc."""', "'x'", "# none"]))
        lines.append(choice(["", "# comment", "\t\t# deep"]))
    return '"""Module."""\n' + "\n".join(lines)


@settings(deadline=None)
@given(MODULES, st.data())
def test_layout_never_counts(statements, data):
    text = source(statements)
    other = layout(text, lambda options: data.draw(st.sampled_from(options)))
    assert digest(other) == digest(text)


@settings(deadline=None)
@given(MODULES, MODULES)
def test_two_programs_have_one_hash_only_if_they_are_one_program(first, second):
    same = ast.dump(ast.parse(source(first))) == ast.dump(ast.parse(source(second)))
    assert (digest(source(first)) == digest(source(second))) == same


@settings(deadline=None)
@given(MODULES, st.data())
def test_a_changed_name_or_literal_always_counts(statements, data):
    tree = ast.parse(source(statements))
    leaves = [node for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.Name)]
    leaf = data.draw(st.sampled_from(leaves))
    before = digest(ast.unparse(tree))
    if isinstance(leaf, ast.Name):
        leaf.id += "_"
    else:
        leaf.value = (not leaf.value) if isinstance(leaf.value, bool) else f"{leaf.value!r} changed"
    assert digest(ast.unparse(tree)) != before


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["a.py", "n.ipynb", "r.sh", "pyproject.toml", "x"]))
def test_no_content_is_too_strange(data, path):
    assert summarise(path, data) == summarise(path, data)
    assert len(summarise(path, data).hash) == 64

"""The params file: values as YAML 1.2 sees them, and edits that change one line only."""

from __future__ import annotations

import difflib

import pytest

from axil.errors import BadInput
from axil.formats.params import assign, find, flatten, kind_of, load, parse_assignment, parse_value, select

YAML = """\
# top
seed: 1   # s

train:            # t
  lr: 1e-4        # rate
  name: 'adam'
  note: "x"
  steps:
    - 1
    - 2

  # about wd
  wd: 0
  empty:
other: {a: 1, b: [1, 2]}   # flow
a.b: 3
"""
TOML = """\
# c
seed = 1 # s

[train]
lr = 1e-4   # rate
steps = [1,
  2]
# x
[other]
a = {b = 1}
"""
JSON = """\
{
    "seed": 1,
    "train": {"lr": 0.1, "steps": [1,2]},
    "o": {
        "a": 1
    }
}
"""


def diff(before: str, after: str) -> list[str]:
    """Lines removed and added."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]


def changed(text: str, kind: str, *assignments: str) -> list[str]:
    return diff(text, assign(text, kind, [parse_assignment(one) for one in assignments]))


@pytest.mark.parametrize(
    ("assignment", "lines"),
    [
        ("train.lr=1e-5", ["-  lr: 1e-4        # rate", "+  lr: 1.0e-5        # rate"]),
        ("train.lr=0.1", ["-  lr: 1e-4        # rate", "+  lr: 0.1        # rate"]),
        ("train.name=sgd w", ["-  name: 'adam'", "+  name: 'sgd w'"]),
        ("train.name=it's", ["-  name: 'adam'", "+  name: 'it''s'"]),
        ("train.note=no", ['-  note: "x"', '+  note: "no"']),
        ("seed=true", ["-seed: 1   # s", "+seed: true   # s"]),
        ("seed=no", ["-seed: 1   # s", '+seed: "no"   # s']),
        ("seed=a: b # c", ["-seed: 1   # s", '+seed: "a: b # c"   # s']),
        ("train.steps=[1, 3]", ["-  steps:", "-    - 1", "-    - 2", "+  steps: [1, 3]"]),
        ("train.empty=5", ["-  empty:", "+  empty: 5"]),
        ("train.wd=null", ["-  wd: 0", "+  wd: null"]),
        ("+train.new=1", ["+  new: 1"]),
        ("+new.x.y=[a, no]", ["+new:", "+  x:", '+    "y": [a, "no"]']),
        ("other.a=2", ["-other: {a: 1, b: [1, 2]}   # flow", "+other: {a: 2, b: [1, 2]}   # flow"]),
        ("+other.c.d=2", ["-other: {a: 1, b: [1, 2]}   # flow", "+other: {a: 1, b: [1, 2], c: {d: 2}}   # flow"]),
        ("~other.a", ["-other: {a: 1, b: [1, 2]}   # flow", "+other: {b: [1, 2]}   # flow"]),
        ("~other.b", ["-other: {a: 1, b: [1, 2]}   # flow", "+other: {a: 1}   # flow"]),
        ("~train.steps", ["-  steps:", "-    - 1", "-    - 2"]),
        ("~seed", ["-seed: 1   # s"]),
        ("a.b=4", ["-a.b: 3", "+a.b: 4"]),
    ],
)
def test_a_yaml_edit_changes_only_its_line(assignment: str, lines: list[str]):
    assert changed(YAML, "yaml", assignment) == lines


@pytest.mark.parametrize(
    ("assignment", "lines"),
    [
        ("train.lr=0.1", ["-lr = 1e-4   # rate", "+lr = 0.1   # rate"]),
        ("seed=x", ["-seed = 1 # s", '+seed = "x" # s']),
        ("other.a.b=2", ["-a = {b = 1}", "+a = {b = 2}"]),
        ("+train.n=3", ["+n = 3"]),
        ("~train.lr", ["-lr = 1e-4   # rate"]),
        ("train.steps=[3]", ["-steps = [1,", "-  2]", "+steps = [3]"]),
    ],
)
def test_a_toml_edit_changes_only_its_line(assignment: str, lines: list[str]):
    assert changed(TOML, "toml", assignment) == lines


@pytest.mark.parametrize(
    ("assignment", "lines"),
    [
        ("seed=2", ['-    "seed": 1,', '+    "seed": 2,']),
        ("train.lr=0.2", ['-    "train": {"lr": 0.1, "steps": [1,2]},', '+    "train": {"lr": 0.2, "steps": [1,2]},']),
        ("+z=ä", ["-    }", "+    },", '+    "z": "ä"']),
        ("+o.b=null", ['-        "a": 1', '+        "a": 1,', '+        "b": null']),
        ("~seed", ['-    "seed": 1,']),
        ("~train.steps", ['-    "train": {"lr": 0.1, "steps": [1,2]},', '+    "train": {"lr": 0.1},']),
    ],
)
def test_a_json_edit_changes_only_its_line(assignment: str, lines: list[str]):
    assert changed(JSON, "json", assignment) == lines


@pytest.mark.parametrize(
    ("before", "assignment", "after"),
    [
        ("", "+b.c=2", "b:\n  c: 2\n"),
        ("# only a comment", "+b=2", "# only a comment\nb: 2\n"),
        ("a: 1", "+b=2", "a: 1\nb: 2\n"),
        ("a: 1\r\nc: 2\r\n", "+b=2", "a: 1\r\nc: 2\r\nb: 2\r\n"),
        ("\ufeffa: 1\n", "a=2", "\ufeffa: 2\n"),
        ("{}\n", "+b=2", "{b: 2}\n"),
        ("a:\n  b: 1 # c\nd: 1\n", "~a.b", "a: {} # c\nd: 1\n"),
        ("a: 1\n", "~a", ""),
        ("a: |\n  foo\n\n# c\nb: 1\n", "a=bar", "a: bar\n\n# c\nb: 1\n"),
        ("---\na: 1\n...\n", "+b=2", "---\na: 1\nb: 2\n...\n"),
        ("a: null\n", "+a.b=1", "a: {b: 1}\n"),
        ("x: &a\n  l: 1\ny:\n  <<: *a\n  m: 1\n", "y.l=2", "x: &a\n  l: 1\ny:\n  <<: *a\n  m: 1\n  l: 2\n"),
    ],
)
def test_yaml_edits_in_unusual_places(before: str, assignment: str, after: str):
    assert assign(before, "yaml", [parse_assignment(assignment)]) == after


@pytest.mark.parametrize(
    ("text", "kind"), [("x: &a {l: 1}\ny: *a\n", "yaml"), ("x: &a\n  l: 1\ny:\n  <<: *a\n", "yaml")]
)
def test_an_edit_that_would_change_something_else_is_refused(text: str, kind: str):
    with pytest.raises(BadInput, match="by hand"):
        assign(text, kind, [parse_assignment("x.l=2")])


def test_toml_has_no_null():
    with pytest.raises(BadInput, match="TOML has no null"):
        assign(TOML, "toml", [parse_assignment("seed=null")])


def test_several_changes_see_each_other():
    text = assign("a: 1\n", "yaml", [parse_assignment(one) for one in ("+b.c=1", "b.c=2", "~a")])
    assert load(text, "yaml") == {"b": {"c": 2}}


def test_an_unknown_key_is_an_error_with_a_suggestion_and_the_way_to_add_it():
    with pytest.raises(BadInput) as caught:
        assign(YAML, "yaml", [parse_assignment("train.rl=3")], "params.yaml")
    assert "`train.rl` in params.yaml" in caught.value.what
    assert "`train.lr`" in caught.value.why
    assert "--set +train.rl=" in caught.value.hint
    with pytest.raises(BadInput, match="no parameter `q`"):
        assign(YAML, "yaml", [parse_assignment("~q")])


def test_a_table_is_not_replaced_by_a_value():
    with pytest.raises(BadInput, match=r"`train\.lr` is a value, not a table"):
        assign(YAML, "yaml", [parse_assignment("+train.lr.x=3")])
    assert assign('{"a": null}', "json", [parse_assignment("+a.b=1")]) == '{"a": {"b": 1}}'
    with pytest.raises(BadInput, match="is a table"):
        assign(YAML, "yaml", [parse_assignment("train=3")])
    assert load(assign("a: {b: 1}\n", "yaml", [parse_assignment("a={c: 2}")]), "yaml") == {"a": {"c": 2}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1", 1),
        ("-1.5", -1.5),
        (".5", 0.5),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        (".inf", float("inf")),
        ("true", True),
        ("no", "no"),
        ("null", None),
        ("~", None),
        ("", ""),
        ("2020-01-01", "2020-01-01"),
        ("[1, 2e-3, x]", [1, 2e-3, "x"]),
        ("{a: 1}", {"a": 1}),
        ('"1"', "1"),
        ("'null'", "null"),
        ("1.2.3", "1.2.3"),
        ("a: b", "a: b"),
        ("a # b", "a # b"),
        ("0x", "0x"),
        (".", "."),
    ],
)
def test_values_are_typed_like_yaml(text: str, value: object):
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("text", ["lr", "=1", "a..b=1", ".a=1", "a b=1", "~a=1", "a=[1", 'a="x'])
def test_assignments_that_cannot_be_read(text: str):
    with pytest.raises(BadInput):
        parse_assignment(text)


def test_yaml_is_version_1_2_and_dates_stay_text():
    assert load("a: 1e-4\nb: no\nc: 2020-01-01\nd: on\n1: x\n", "yaml") == {
        "a": 1e-4,
        "b": "no",
        "c": "2020-01-01",
        "d": "on",
        "1": "x",
    }
    assert load("d = 2020-01-01\n", "toml") == {"d": "2020-01-01"}


def test_flatten_and_select():
    flat = flatten(load(YAML, "yaml"))
    assert list(flat)[:4] == ["seed", "train.lr", "train.name", "train.note"]
    assert flat["train.steps"] == [1, 2]
    assert select(flat, ["other", "seed", "train.lr"]) == (
        {"other.a": 1, "other.b": [1, 2], "seed": 1, "train.lr": 1e-4},
        [],
    )
    assert select(flat, ["tra", "train.l"]) == ({}, ["tra", "train.l"])
    assert flatten({"a": {}}) == {"a": {}}
    with pytest.raises(BadInput, match=r"`a\.b` is given twice"):
        flatten({"a.b": 1, "a": {"b": 2}})


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("a: 1\nb: [1,\n", "yaml", "params.x line 3"),
        ("a: 1\na: 2\n", "yaml", "params.x line 2"),
        ("a: 1\n b: 2\n", "yaml", "params.x line 2"),
        ("a: !!python/object:os.system x\n", "yaml", "params.x line 1"),
        ("- 1\n", "yaml", "pairs"),
        ("a: 1\n---\nb: 1\n", "yaml", "params.x"),
        ("a = \n", "toml", "line 1"),
        ('{"a": 1,\n "b": }', "json", "params.x line 2, column 7"),
        ('{"a": 1, "a": 2}', "json", "`a` is given twice"),
        ("3", "json", "pairs"),
        ("[" * 100_000, "json", "deep"),
    ],
)
def test_broken_files_name_file_and_line(text: str, kind: str, words: str):
    with pytest.raises(BadInput) as caught:
        load(text, kind, "params.x")
    assert words in str(caught.value)
    assert "params.x" in str(caught.value)


def test_a_bomb_of_aliases_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(BadInput, match="cannot be used"):
        load("\n".join(lines), "yaml")
    with pytest.raises(BadInput, match="cannot be used"):
        load("a: &x\n  b: *x\n", "yaml")


def test_the_params_file_is_found_and_two_are_an_error(tmp_path):
    assert find(str(tmp_path)) == ""
    (tmp_path / "params.toml").write_text("")
    assert find(str(tmp_path)) == "params.toml"
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(BadInput, match=r"(?s)two params files.*params\.yaml and params\.toml"):
        find(str(tmp_path))
    with pytest.raises(BadInput, match=r"\.yaml, \.yml, \.toml or \.json"):
        kind_of("params.ini")

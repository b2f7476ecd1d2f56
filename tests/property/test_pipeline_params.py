"""Properties of edits to params files: the value is there afterwards, and nothing else moved."""

from __future__ import annotations

import json

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from axil.errors import BadInput
from axil.formats import params, yaml_plain
from axil.formats.params import Assignment, assign, changed, flatten, load, parse_value, same
from axil.formats.yaml_scalar import scalar

KEYS = st.sampled_from(["lr", "train", "wd", "no", "x_1", "Ä", "a-b"])
STRINGS = st.text(max_size=12).filter(lambda text: not any(0xD800 <= ord(char) < 0xE000 for char in text))
TRICKY = st.sampled_from(
    [
        "no",
        "1e-4",
        "null",
        "~",
        "",
        " x ",
        "a: b",
        "# c",
        "- d",
        "[1",
        "it's",
        '"q"',
        "1_0",
        "0x1",
        "...",
        "---",
        "*a",
        "&a",
        "a\nb",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | STRINGS | TRICKY
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(KEYS, SCALARS, max_size=2)
NESTED = st.dictionaries(KEYS, SCALARS | st.dictionaries(KEYS, SCALARS, max_size=3), min_size=1, max_size=4)


def yaml(nested, indent: str = "") -> str:
    """`nested` in block style with a comment behind and above each entry, values in JSON's spelling."""
    lines = []
    for name, value in nested.items():
        lines.append(f"{indent}# about {json.dumps(name)}")
        if isinstance(value, dict) and value:
            lines += [f"{indent}{name}:  # table", yaml(value, indent + "  ").rstrip("\n")]
        else:
            lines.append(f"{indent}{json.dumps(name)}: {spelled(value)}  # {len(lines)}")
    return "\n".join(lines) + "\n"


def spelled(value) -> str:
    from axil.formats.yaml_scalar import render

    return render(value)


@settings(deadline=None)
@given(NESTED, VALUES, st.data())
def test_setting_a_yaml_value_changes_its_line_and_nothing_else(nested, value, data):
    text = yaml(nested)
    assert same(load(text, "yaml"), nested)
    flat = flatten(nested)
    key = data.draw(st.sampled_from(sorted(flat)))
    new = assign(text, "yaml", [Assignment(key, value)])
    assert same(load(new, "yaml"), changed(nested, [Assignment(key, value)]))
    before, after = text.split("\n"), new.split("\n")
    assert len(before) == len(after)
    touched = [number for number, lines in enumerate(zip(before, after, strict=True)) if lines[0] != lines[1]]
    assert len(touched) <= 1
    for number in touched:
        assert after[number].rpartition("#")[2] == before[number].rpartition("#")[2]


@settings(deadline=None)
@given(NESTED, KEYS, KEYS, VALUES, st.sampled_from(["yaml", "json"]))
def test_added_and_removed_keys_leave_every_other_line(nested, first, second, value, kind):
    text = yaml(nested) if kind == "yaml" else json.dumps(nested, indent=3, ensure_ascii=False)
    key = f"{first}.{second}"
    assume(key not in flatten(nested) and (nested.get(first) is None or isinstance(nested[first], dict)))
    new = assign(text, kind, [Assignment(key, value, "add")])
    assert same(load(new, kind), changed(nested, [Assignment(key, value, "add")]))
    back = assign(new, kind, [Assignment(key, None, "remove")])
    assert same(
        load(back, kind), changed(changed(nested, [Assignment(key, value, "add")]), [Assignment(key, None, "remove")])
    )
    if kind == "yaml" and isinstance(nested.get(first), dict) and nested[first]:
        assert back == text


@settings(deadline=None)
@given(NESTED, VALUES, st.data(), st.sampled_from([None, 2, "\t"]))
def test_setting_a_json_value_replaces_only_its_characters(nested, value, data, indent):
    text = json.dumps(nested, indent=indent, ensure_ascii=data.draw(st.booleans()))
    key = data.draw(st.sampled_from(sorted(flatten(nested))))
    new = assign(text, "json", [Assignment(key, value)])
    assert same(load(new, "json"), changed(nested, [Assignment(key, value)]))


@settings(deadline=None)
@given(st.text(max_size=60), STRINGS | TRICKY, KEYS)
def test_any_text_is_either_edited_rightly_or_refused(text, value, key):
    try:
        nested = load(text, "yaml")
        new = assign(text, "yaml", [Assignment(key, value, "add")])
    except BadInput:
        return
    assert same(load(new, "yaml"), changed(nested, [Assignment(key, value, "add")]))


@given(SCALARS)
def test_a_value_typed_on_the_command_line_is_what_yaml_would_read(value):
    text = spelled(value)
    parsed = parse_value(text)
    assert same(parsed, value)
    assert same(load(f"a: {text}", "yaml"), {"a": value})


WORDS = st.sampled_from(
    ["a", "b", "no", "y", "null", "Null", "~", "true", "FALSE", "1", "01", "-0", "+1", "1.5", "1.", "1e5", "1e-4",
     "1.5e3", "1_0", "0x1", "0o7", ".5", "12:30", "2001-01-01", "1e", "-", "--- a", "a b", "a:b", "a: b", "x/y.txt",
     "a#b", "a #b", "'q'", "[]", "*a", "&a 1", "!t 1", "|", "", " ", "=", "<<", "a.b", "é", "0.10", "-1.e5", "9" * 30]
)  # fmt: skip
LINES = st.builds(
    lambda indent, name, colon, value, end: " " * indent + name + colon + value + end,
    st.sampled_from([0, 0, 0, 1, 2, 2, 4]),
    st.sampled_from(["a", "b", "c", "lr", "no", "x_1", "a-b", "1", "<<", "#", "# c", "- a", "---", "...", "%Y"]),
    st.sampled_from([":", ":", ": ", ": ", ": ", ":  ", " : ", "", ":\t"]),
    WORDS,
    st.sampled_from(["", "", "", " ", " # c", "#c", "\t", "\r"]),
)


@settings(deadline=None, max_examples=500)
@given(st.lists(LINES, min_size=1, max_size=5), st.booleans(), WORDS)
def test_what_is_read_without_the_library_is_what_the_library_reads(lines, ended, value):
    text = "\n".join(lines) + "\n" * ended
    plain = yaml_plain.read(text)
    if plain is None:
        return
    assert same(plain.nested, params._load_any_yaml(text, "params.yaml"))
    for path in plain.places:
        new = yaml_plain.edit(text, path, scalar(value))
        assert new is not None
        wanted = changed(plain.nested, [Assignment(".".join(path), scalar(value))])
        assert same(params._load_any_yaml(new, "params.yaml"), wanted)


def test_plain_files_are_read_without_the_library():
    text = "# top\nseed: 1\n\ntrain:  # t\n    lr: 1e-4  # rate\n    opt:\n      name: adam\nout: a/b.txt\nwd: 0.10\n"
    plain = yaml_plain.read(text)
    assert plain is not None
    assert same(plain.nested, params._load_any_yaml(text, "params.yaml"))
    assert yaml_plain.edit(text, ["train", "lr"], 0.5) == text.replace("1e-4", "0.5")

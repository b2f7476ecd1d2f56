"""axil.toml: what is read from it, what is refused with which words, and how stages are added."""

from __future__ import annotations

import subprocess
import sys

import pytest

from axil.errors import BadInput
from axil.formats import toml_lines
from axil.formats.project import ProjectFile, Stage, check_path, dump, load, parse
from axil.formats.project_text import add_stage

FULL = """\
[project]
name = "digits"
metrics = { f1 = "max", loss = "min" }     # first one is the headline
params = "conf/params.yaml"

[experiments]
names = "[a-z_]+"

[stages.prepare]
cmd  = "python src/prepare.py"
deps = ["data/raw/"]
outs = [
  "data/prepared",   # a comment
]

# about training
[stages.train]
cmd    = "python src/train.py"
deps   = ["./data/prepared"]
params = ["train"]
outs   = ["models/digits.npz"]
metrics = ["metrics.json"]
plots  = ["plots/roc.csv"]
keep   = ["models/digits.npz"]
cwd    = "."
env    = ["CUDA_VISIBLE_DEVICES"]
always = true

[remotes.origin]
url = "s3://bucket/prefix"

[store]
link = "copy"

[env]
strict = true
"""


def test_everything_is_read():
    project = parse(FULL)
    assert project.name == "digits"
    assert list(project.metrics.items()) == [("f1", "max"), ("loss", "min")]
    assert project.headline == "f1"
    assert project.params_file == "conf/params.yaml"
    assert project.name_pattern == "[a-z_]+"
    assert project.remotes == {"origin": {"url": "s3://bucket/prefix"}}
    assert (project.link, project.strict_env) == ("copy", True)
    assert project.stages["prepare"] == Stage(
        "prepare", "python src/prepare.py", deps=("data/raw",), outs=("data/prepared",), line=9
    )
    train = project.stages["train"]
    assert train.line == 17
    assert train.deps == ("data/prepared",)
    assert train.cwd == ""
    assert train.made == ("models/digits.npz", "metrics.json", "plots/roc.csv")
    assert train.keep == ("models/digits.npz",)
    assert train.always


def test_an_empty_file_is_a_project_with_defaults():
    assert parse("") == ProjectFile()
    assert ProjectFile().headline == ""


def test_keep_true_means_every_output():
    stage = parse('[stages.a]\ncmd = "x"\nouts = ["o"]\nmetrics = ["m.json"]\nkeep = true').stages["a"]
    assert stage.keep == ("o", "m.json")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[stage.a]\ncmd = 'x'", "line 1: `stage`", "did you mean `stages`"),
        ('[stages.a]\ncmd = "x"\n\ndep = ["y"]', "line 4: `stages.a.dep`", "did you mean `deps`"),
        ('[project]\nnam = "x"', "line 2: `project.nam`", "did you mean `name`"),
        ('[project]\nqqq = "x"', "line 2: `project.qqq`", "may have: name, metrics, params"),
        ("project = 3", "line 1: `project`", "must be a table, not a number"),
        ("[project]\nname = 3", "line 2: `project.name`", "must be a string, not a number"),
        ('[project]\nmetrics = ["f1"]', "line 2: `project.metrics`", 'a table like { f1 = "max"'),
        ('[project]\nname = "x"\nmetrics = { f1 = "mx" }', "line 3: `project.metrics.f1`", 'must be "max" or "min"'),
        ("[stages.a]\ndeps = []", "line 1: `stages.a`", "no `cmd`"),
        ('[stages.a]\ncmd = "  "', "line 2: `stages.a.cmd`", "empty"),
        ("[stages.a]\ncmd = 1", "line 2: `stages.a.cmd`", "string"),
        ('[stages.a]\ncmd = "x"\ndeps = "y"', "line 3: `stages.a.deps`", "list of paths, not a string"),
        ('[stages.a]\ncmd = "x"\ndeps = [1]', "line 3: `stages.a.deps`", "other things than strings"),
        ('[stages.a]\ncmd = "x"\nouts = ["/etc/x"]', "line 3: `stages.a.outs`", "absolute"),
        ('[stages.a]\ncmd = "x"\nouts = ["a/../../b"]', "line 3: `stages.a.outs`", "`..`"),
        ('[stages.a]\ncmd = "x"\nouts = [".git/hooks/x"]', "line 3: `stages.a.outs`", "belongs to git"),
        ('[stages.a]\ncmd = "x"\nouts = ["."]', "line 3: `stages.a.outs`", "the project itself"),
        ('[stages.a]\ncmd = "x"\nouts = ["b", "./b/"]', "line 3: `stages.a.outs`", "b is there twice"),
        ('[stages.a]\ncmd = "x"\nouts = ["b"]\nplots = ["b"]', "line 4: `stages.a.plots`", "also in `outs`"),
        ('[stages.a]\ncmd = "x"\nouts = ["b"]\nkeep = ["c"]', "line 4: `stages.a.keep`", "not an output"),
        ('[stages.a]\ncmd = "x"\ncwd = "../x"', "line 3: `stages.a.cwd`", "`..`"),
        ('[stages.a]\ncmd = "x"\nalways = "yes"', "line 3: `stages.a.always`", "true or false"),
        ('[stages.a]\ncmd = "x"\nenv = ["KEY=v"]', "line 3: `stages.a.env`", "not the name of an environment variable"),
        ('[stages."a b"]\ncmd = "x"', "line 1: `stages.a b`", "letters, digits"),
        ('[stages."../a"]\ncmd = "x"', "line 1: `stages.../a`", "letters, digits"),
        ("[remotes.r]", "line 1: `remotes.r`", "no `url`"),
        ('[store]\nlink = "soft"', "line 2: `store.link`", '"reflink"'),
        ("[env]\nstrict = 1", "line 2: `env.strict`", "true or false"),
        ('[experiments]\nnames = "("', "line 2: `experiments.names`", "regular expression"),
    ],
)
def test_mistakes_name_file_line_and_key(text: str, place: str, words: str):
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert caught.value.what.startswith(f"axil.toml {place}")
    assert words in str(caught.value)
    assert caught.value.hint


def test_the_value_of_a_misplaced_secret_is_not_shown():
    with pytest.raises(BadInput) as caught:
        parse('[stages.a]\ncmd = "x"\nenv = ["TOKEN=hunter2"]')
    assert "hunter2" not in str(caught.value)


def test_broken_toml_names_line_and_column():
    with pytest.raises(BadInput, match=r"(?s)axil\.toml is not valid TOML.*line 2, column 3"):
        parse("a = 1\nb c\n")


def test_deep_nesting_is_refused_not_a_crash():
    with pytest.raises(BadInput):
        parse("a = " + "[" * 5000 + "]" * 5000)


def test_dump_and_load_are_inverse():
    project = parse(FULL)
    assert load(dump(project)) == project
    assert load(dump(ProjectFile())) == ProjectFile()


def test_loading_the_cached_form_needs_no_toml_parser():
    code = (
        "import sys; from axil.formats import project; project.load(project.dump(project.ProjectFile()));"
        "print([name for name in ('tomllib', 'tomlkit', 'ruamel') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_add_stage_keeps_comments_order_and_layout():
    stage = Stage("evaluate", "python src/evaluate.py --x 'y'", deps=("models/digits.npz",), metrics=("eval.json",))
    new = add_stage(FULL, stage)
    assert parse(new).stages["evaluate"]._replace(line=0) == stage
    added = new.replace(FULL, "")
    kept = [line for line in new.splitlines() if line in FULL.splitlines()]
    assert [line for line in kept if line] == [line for line in FULL.splitlines() if line]
    assert added != new or "[stages.evaluate]" in new


def test_add_stage_replaces_a_stage_and_works_on_an_empty_file():
    first = add_stage("", Stage("a", "one", outs=("x",)))
    assert first == '[stages.a]\ncmd = "one"\nouts = ["x"]\n'
    second = add_stage(first, Stage("a", "two", keep=("o",), outs=("o",), env=("HOME",), always=True, cwd="src"))
    assert parse(second).stages["a"].cmd == "two"
    assert parse(second).stages["a"].keep == ("o",)


def test_add_stage_refuses_what_could_not_be_read_back():
    with pytest.raises(BadInput):
        add_stage("", Stage("a", "x", outs=("../y",)))
    with pytest.raises(BadInput):
        add_stage("broken [", Stage("a", "x"))


@pytest.mark.parametrize(
    "path", ["C:\\x", "C:/x", "\\\\server\\x", "~/x", "/x", "..", "a/../b", "", "a\x1bb", "a/.Git/b"]
)
def test_paths_that_lead_out_are_refused(path: str):
    with pytest.raises(ValueError, match=r"."):
        check_path(path)


def test_paths_have_one_spelling():
    assert check_path("./a//b/./c/") == "a/b/c"
    assert check_path("dätä/ x") == "dätä/ x"


def test_lines_are_found_in_every_way_of_writing_a_key():
    text = (
        'a.b = 1 # [not.this]\n"quoted key" = """\n[no.header]\nx = 1\n"""\n[[t."u.v"]]\nlist = [\n  "]", # ]\n'
        "  2,\n]\nlast = { in = 1 }\n[ spaced . name ]\nk='''\n'''\nz = 1\n"
    )
    assert toml_lines.locate(text) == {
        ("a",): 1,
        ("a", "b"): 1,
        ("quoted key",): 2,
        ("t",): 6,
        ("t", "u.v"): 6,
        ("t", "u.v", "list"): 7,
        ("t", "u.v", "last"): 11,
        ("spaced",): 12,
        ("spaced", "name"): 12,
        ("spaced", "name", "k"): 13,
        ("spaced", "name", "z"): 15,
    }


def test_limits_of_a_stage():
    stage = parse('[stages.a]\ncmd = "x"\ntimeout = "1h 30m"\nretry = 2\nresources = { gpus = 3 }\n').stages["a"]
    assert (stage.timeout, stage.retry, stage.gpus) == (5400.0, 2, 3)
    assert load(dump(ProjectFile(stages={"a": stage}))).stages["a"] == stage
    assert parse(add_stage("", stage)).stages["a"]._replace(line=0) == stage._replace(line=0)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("timeout = 0", "more than 0"),
        ('timeout = "soon"', "no length of time"),
        ("timeout = true", "length of time"),
        ("retry = -1", "whole number"),
        ("retry = true", "whole number"),
        ("resources = 1", "a table like"),
        ("resources = { cpus = 1 }", "unknown key `cpus`"),
        ('resources = { gpus = "one" }', "whole number"),
    ],
)
def test_wrong_limits(line, why):
    with pytest.raises(BadInput, match=r"line 3") as caught:
        parse(f'[stages.a]\ncmd = "x"\n{line}\n')
    assert why in str(caught.value)

"""What differs between two trees, part by part, and trees made of both."""

from __future__ import annotations

import os

import pytest
from tests.conftest import Repo

from axil.actions.bisect_meter import Code
from axil.actions.bisect_parts import Difference
from axil.project import open_project

TOML = """\
[stages.train]
cmd = "bash train.sh data/words.txt"
deps = ["data", "train.sh", "helper.py"]
params = ["a"]
metrics = ["m.json"]
"""
START = {
    "axil.toml": TOML,
    "params.yaml": "a: 1  # one\nb:\n  c: 2\n  d: [1]\nsame: 1\n",
    "train.sh": "true\n",
    "helper.py": "x = 1\n",
    "data/words.txt": "one\n",
    "gone.py": "pass\n",
    "README.md": "words\n",
}


@pytest.fixture
def difference(repo: Repo):
    def made(change) -> Difference:
        old = repo.commit(dict(START))
        change()
        new = repo.commit()
        trees = [repo.run("rev-parse", f"{one}^{{tree}}") for one in (old, new)]
        return Difference(open_project(str(repo.path)), Code(trees[0], old), Code(trees[1], new))

    return made


def test_the_parts_and_mixtures_of_them(repo, difference):
    def change():
        repo.write(
            {
                "params.yaml": "a: 1.0  # now a float\nb:\n  d: [2]\nsame: 1\nnew: x\n",
                "data/words.txt": "two\n",
                "data/more.csv": "a,b\n",
                "train.sh": "false\n",
                "helper.py": "x = 2\n",
            }
        )
        os.chmod(repo.path / "train.sh", 0o755)
        os.unlink(repo.path / "gone.py")
        os.unlink(repo.path / "README.md")
        os.symlink("train.sh", repo.path / "README.md")

    found = difference(change)
    parts = {f"{part.kind} {part.name}": part for part in found.parts}
    assert {name: part.change for name, part in parts.items()} == {
        "params a": "changed",
        "params b.c": "removed",
        "params b.d": "changed",
        "params new": "added",
        "data data/more.csv": "added",
        "data data/words.txt": "changed",
        "code README.md": "changed",
        "code gone.py": "removed",
        "code helper.py": "changed",
        "code train.sh": "changed",
    }
    mixed = found.mixed([parts[name] for name in ("params b.d", "params new", "code train.sh", "code gone.py")]).tree
    assert repo.run("show", f"{mixed}:params.yaml") == "a: 1  # one\nb:\n  c: 2\n  d: [2]\nsame: 1\nnew: x"
    assert repo.run("ls-tree", mixed, "train.sh").startswith("100755")
    assert repo.run("show", f"{mixed}:train.sh") == "false"
    assert "gone.py" not in repo.run("ls-tree", "--name-only", mixed)
    assert repo.run("show", f"{mixed}:data/words.txt") == "one"
    assert found.mixed(found.parts).tree == repo.run("rev-parse", "HEAD^{tree}")
    assert found.mixed([]).tree == repo.run("rev-parse", "HEAD~1^{tree}")
    assert repo.run("status", "--porcelain") == ""


def test_parameters_in_another_file_are_one_part(repo, difference):
    def change():
        repo.run("rm", "-q", "params.yaml")
        repo.write({"params.toml": "a = 2\n"})

    found = difference(change)
    assert [(part.kind, part.name) for part in found.parts] == [("params", "params.toml")]
    assert found.mixed(found.parts).tree == repo.run("rev-parse", "HEAD^{tree}")


def test_comments_are_no_difference(repo, difference):
    assert difference(lambda: repo.write({"params.yaml": "# words\n" + START["params.yaml"]})).parts == ()

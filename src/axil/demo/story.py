"""The story that `axil demo` tells: one small project from its first commit to a comparison of four experiments."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping

from axil.demo import digits
from axil.demo.teller import Shown, Teller
from axil.errors import AxilError

PROJECT = os.path.join(os.path.dirname(__file__), "project")
CONSTANT = '    """The step size in this epoch."""\n    return params["lr"]\n'
COSINE = (
    '    """The step size in this epoch: half a cosine, from `lr` down to 0."""\n'
    '    return params["lr"] * (1 + np.cos(np.pi * epoch / params["epochs"])) / 2\n'
)


def tell(folder: str | None, shown: Shown, env: Mapping[str, str]) -> str:
    """Make the project in `folder` (None: a new temporary one) and tell its story; returns the folder.

    The folder is kept. Raises `AxilError` if it is not empty, if a package is missing, or if a command of the story
    does not end as it should.
    """
    digits.require_extra()
    teller = Teller(prepare_folder(folder), shown, env)
    teller.say(f"A new project, in {teller.folder}:")
    for chapter in (begin, baseline, change_code, change_parameter, fail, change_data, look, go_back):
        chapter(teller)
    return teller.folder


def prepare_folder(folder: str | None) -> str:
    """The absolute path of the new, empty folder."""
    if folder is None:
        return tempfile.mkdtemp(prefix="axil-demo-")
    try:
        os.makedirs(folder, exist_ok=True)
        taken = os.listdir(folder)
    except OSError as error:
        raise AxilError(f"cannot make {folder}", error.strerror or "", "give another folder") from None
    if taken:
        raise AxilError(f"{folder} is not empty", f"it has {taken[0]}", "give a new or an empty folder")
    return os.path.realpath(folder)


def begin(teller: Teller) -> None:
    teller.run("git init -q --initial-branch=digits_mlp")
    if not teller.quietly("git config user.email", check=False):
        teller.quietly("git config user.name 'Axil Demo'")
        teller.quietly("git config user.email demo@localhost")
    teller.quietly("git config commit.gpgsign false")
    teller.run("axil init")
    shutil.copytree(PROJECT, teller.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    with open(os.path.join(teller.folder, ".gitignore"), "w", encoding="utf-8") as file:
        file.write("__pycache__/\n")
    count = digits.write_raw(teller.path("data", "raw"))
    teller.say(f"""It gets three scripts, their parameters, the pipeline in axil.toml, and {count:,} handwritten digits:
        PNG files and labels.csv in data/raw. axil keeps the data, git a small pointer to it.""")
    teller.run("axil add data/raw")
    teller.run("axil graph")
    teller.run("git add .")
    teller.run("git commit -q -m 'Handwritten digits: data, scripts, pipeline'")


def baseline(teller: Teller) -> None:
    teller.say(
        """An experiment is a git branch. The first one, digits_mlp, is the baseline. -m commits what was run."""
    )
    teller.run("axil run -m 'Baseline: one hidden layer, constant learning rate'")
    teller.say("Nothing has changed since, so there is nothing to do:")
    teller.run("axil run")


def change_code(teller: Teller) -> None:
    teller.say("An idea becomes an experiment of its own, forked from this one, with the reason for it.")
    teller.run("axil fork +lr_scheduler -m 'A learning rate that falls to 0 settles in a better minimum'")
    edit(teller.path("src", "train.py"), CONSTANT, COSINE)
    teller.run("git diff -U0 src/train.py")
    teller.say("Only what depends on the changed code runs again:")
    teller.run("axil run -m 'Lower the learning rate along half a cosine'")


def change_parameter(teller: Teller) -> None:
    teller.say("A fork of the fork. This time a parameter changes, and axil says what that means before it runs.")
    teller.run(
        "axil fork +wd_1e-4 --set train.weight_decay=1e-4 -m 'Weight decay keeps the net from learning wrong labels'"
    )
    teller.run("axil status")
    teller.run("axil run")


def fail(teller: Teller) -> None:
    teller.say("A try that fails stays visible, with its log and the points it reached.")
    teller.run("axil run --set train.lr=50", expect=1)
    teller.run("axil runs --failed")
    teller.run("git restore params.yaml")


def change_data(teller: Teller) -> None:
    teller.say("Some labels are wrong. Data changes on a branch like code does: back to the baseline, and fork it.")
    teller.run("axil switch digits_mlp")
    teller.run("axil fork +relabel -m 'Wrong labels cost more than any setting of the optimiser'")
    count = digits.correct_labels(teller.path("data", "raw"))
    teller.say(f"A colleague looks at the images and corrects {count} rows of data/raw/labels.csv.")
    teller.run("axil status")
    teller.run("axil add data/raw")
    teller.run(f"axil run -m 'Correct {count} labels'")


def look(teller: Teller) -> None:
    teller.say("Four experiments as they descend from each other, each compared with its parent:")
    teller.run("axil tree")
    teller.say("Every run, the failed one included, best first:")
    teller.run("axil runs --sort f1")
    teller.say("And all that differs between two experiments.")
    teller.run("axil compare --only-changed digits_mlp digits_mlp_relabel")


def go_back(teller: Teller) -> None:
    files = "models/digits.npz data/raw/labels.csv src/train.py"
    teller.say("Switching brings back code, data and model together. Their hashes here:")
    relabelled = teller.run(f"git hash-object {files}")
    teller.run("axil switch digits_mlp_lr_scheduler")
    scheduled = teller.run(f"git hash-object {files}")
    if any(old == new for old, new in zip(relabelled.split(), scheduled.split(), strict=True)):
        raise AxilError("the demo stopped", "a file did not follow the switch", f"look into {teller.folder}")
    teller.run("axil status")


def edit(path: str, old: str, new: str) -> None:
    """Replace `old`, which the file at `path` has once, by `new`."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(old) != 1:
        raise AxilError(f"cannot edit {path}", "the text to replace is not there once", "")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))

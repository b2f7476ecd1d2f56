"""The demo: its data, its errors, and the whole story with the real program."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from axil.demo import digits, story
from axil.demo.teller import Shown, Teller
from axil.errors import AxilError


def silent() -> Shown:
    return Shown(lambda _: None, lambda _: None, lambda _: None)


def labels(folder: Path) -> list[int]:
    with (folder / "labels.csv").open(newline="") as file:
        return [int(row["label"]) for row in csv.DictReader(file)]


def test_raw_data_has_every_image_and_a_hundred_labels_to_correct(tmp_path: Path) -> None:
    assert digits.write_raw(str(tmp_path)) == 1797
    assert len(list((tmp_path / "images").glob("*.png"))) == 1797
    wrong = labels(tmp_path)
    assert digits.correct_labels(str(tmp_path)) == digits.MIXED_UP
    right = labels(tmp_path)
    assert sum(a != b for a, b in zip(wrong, right, strict=True)) == digits.MIXED_UP == 100
    assert digits.correct_labels(str(tmp_path)) == 0


def test_images_hold_the_digits(tmp_path: Path) -> None:
    import numpy
    from PIL import Image
    from sklearn.datasets import load_digits

    digits.write_raw(str(tmp_path))
    first = numpy.asarray(Image.open(tmp_path / "images" / "0000.png"))
    assert first.shape == (8, 8)
    assert (numpy.round(first * (16 / 255)) == load_digits().images[0]).all()


def test_mixed_up_labels_are_always_the_same() -> None:
    true = [number % 10 for number in range(1797)]
    assert digits.mixed_up(true) == digits.mixed_up(true)
    assert all(0 <= label <= 9 for label in digits.mixed_up(true))


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "sklearn" else object())
    with pytest.raises(AxilError) as error:
        digits.require_extra()
    assert "scikit-learn" in error.value.why
    assert "numpy" not in error.value.why
    assert "axil[demo]" in error.value.hint


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(AxilError, match="not empty"):
        story.prepare_folder(str(tmp_path))
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(AxilError, match="cannot make"):
        story.prepare_folder(str(tmp_path / "file"))


def test_a_command_that_fails_stops_the_story(tmp_path: Path) -> None:
    lines: list[str] = []
    teller = Teller(str(tmp_path), Shown(lines.append, lines.append, lines.append), os.environ)
    with pytest.raises(AxilError, match="the demo stopped at: git no-such-command"):
        teller.run("git no-such-command")
    assert lines[0] == "git no-such-command"
    assert "no-such-command" in lines[1]


def test_a_failure_that_does_not_come_stops_the_story(tmp_path: Path) -> None:
    with pytest.raises(AxilError, match="the demo stopped"):
        Teller(str(tmp_path), silent(), os.environ).run("git --version", expect=1)


def test_commands_are_not_led_to_another_repository(tmp_path: Path) -> None:
    teller = Teller(str(tmp_path), silent(), {**os.environ, "GIT_DIR": "/elsewhere", "GIT_INDEX_FILE": "/x"})
    teller.run("git init -q")
    assert (tmp_path / ".git").is_dir()


def test_edit_wants_its_text_once(tmp_path: Path) -> None:
    path = tmp_path / "code.py"
    path.write_text("a\na\n")
    with pytest.raises(AxilError, match="cannot edit"):
        story.edit(str(path), "a\n", "b\n")
    assert path.read_text() == "a\na\n"


def test_the_change_of_the_story_fits_the_project() -> None:
    assert Path(story.PROJECT, "src", "train.py").read_text().count(story.CONSTANT) == 1


def tell_whole_story(base: Path) -> tuple[Path, str]:
    """The folder and the words of a whole demo, without any git configuration of the user."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "AXIL_"))}
    env |= {"HOME": str(base / "home"), "GIT_CONFIG_NOSYSTEM": "1", "PYTHONUTF8": "1", "NO_COLOR": "1"}
    folder = base / "digits project"
    done = subprocess.run(
        [sys.executable, "-m", "axil", "demo", str(folder)], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return folder, done.stdout


def output(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_whole_story(tmp_path: Path) -> None:
    """One test for all that can be said of it: the story takes ten seconds."""
    axil = (sys.executable, "-m", "axil")
    folder, words = tell_whole_story(tmp_path)
    for line in ("$ axil add data/raw", "$ axil tree", "training diverges", "Told in"):
        assert line in words

    branches = output(folder, "git", "branch", "--format=%(refname:short)").split()
    lr_scheduler = "digits_mlp_lr_scheduler"
    assert branches == ["digits_mlp", lr_scheduler, f"{lr_scheduler}_wd_1e-4", "digits_mlp_relabel"]
    assert output(folder, "git", "status", "--porcelain") == ""
    output(folder, *axil, "verify")
    states = [run["state"] for run in json.loads(output(folder, *axil, "runs", "--json"))["runs"]]
    assert sorted(states) == ["failed", "succeeded", "succeeded", "succeeded", "succeeded"]

    mixed = labels(folder / "data" / "raw")
    output(folder, *axil, "switch", "digits_mlp_relabel")
    assert sum(a != b for a, b in zip(mixed, labels(folder / "data" / "raw"), strict=True)) == digits.MIXED_UP
    again = output(folder, *axil, "run")
    assert "nothing to do" in again
    assert "epoch" not in again

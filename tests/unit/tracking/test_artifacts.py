"""Figures, images, tables and files: whole or not there, inside their folder, and never an exception."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

import numpy
import pytest
from PIL import Image

import axil
from axil.tracking import artifacts, run


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("AXIL_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("AXIL_STAGE", "train")
    monkeypatch.setattr(run, "_warned", set())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run" / "artifacts" / "train"


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class Matplotlib:
    def savefig(self, path: str, format: str) -> None:
        Path(path).write_text(format)


class Plotly:
    def write_html(self, path: str, include_plotlyjs: str) -> None:
        Path(path).write_text(include_plotlyjs)


def test_figures(kept: Path) -> None:
    axil.log_figure("val/confusion", Matplotlib(), step=7)
    axil.log_figure("roc", Matplotlib())
    axil.log_figure("curve.html", Plotly())
    axil.log_figure("none", object())
    assert names(kept) == ["curve.html", "roc.png", "val/confusion/7.png"]
    assert not {"matplotlib", "plotly"} & set(sys.modules)


GREY = numpy.arange(12, dtype="uint8").reshape(3, 4)


@pytest.mark.parametrize(
    ("array", "mode", "first"),
    [
        (GREY, "L", 0),
        (GREY / 11, "L", 0),
        (GREY > 5, "L", 0),
        (GREY.astype("int64") * 100, "L", 0),
        (numpy.full((2, 3, 3), 0.5, dtype="float32"), "RGB", (128, 128, 128)),
        (numpy.full((3, 20, 30), 255, dtype="uint8"), "RGB", (255, 255, 255)),
        (numpy.full((2, 3, 4), 7, dtype="uint8"), "RGBA", (7, 7, 7, 7)),
        (numpy.zeros((2, 3, 2), dtype="uint8"), "LA", (0, 0)),
    ],
)
def test_arrays_are_images(kept: Path, array, mode: str, first: object) -> None:
    axil.log_image("i", array)
    with Image.open(kept / "i.png") as image:
        assert (image.mode, image.getpixel((0, 0))) == (mode, first)
        expected = array.shape[1:] if array.shape[0] == 3 and array.ndim == 3 and array.shape[2] == 30 else array.shape
        assert image.size == (expected[1], expected[0])


def test_images_of_pillow_and_files(kept: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (4, 5), (1, 2, 3))
    picture.save(tmp_path / "x.jpg")
    axil.log_image("a", picture, step=0)
    axil.log_image("b", tmp_path / "x.jpg")
    assert names(kept) == ["a/0.png", "b.jpg"]
    assert (kept / "b.jpg").read_bytes() == (tmp_path / "x.jpg").read_bytes()


@pytest.mark.parametrize("image", [numpy.zeros((2, 2, 2, 2)), numpy.zeros(3), numpy.array(["a"]), "gone.png", 7, None])
def test_what_is_no_image_is_one_warning(kept: Path, image, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        axil.log_image("i", image)
    assert names(kept) == []
    assert capsys.readouterr().err.count("could not keep 'i'") == 1


class Pandas:
    class index:
        pass

    def to_csv(self, path: str, index: bool) -> None:
        Path(path).write_text(f"index {index}")


@pytest.mark.parametrize(
    ("table", "columns", "text"),
    [
        ([{"a": 1, "b": "x,y"}, {"c": None, "a": 2}], None, 'a,b,c\n1,"x,y",\n2,,\n'),
        ([[1, 2], (3, 4)], ["x", "y"], "x,y\n1,2\n3,4\n"),
        ({"x": [1, 2], "y": numpy.array([3.5])}, None, "x,y\n1,3.5\n2,\n"),
        ((row for row in [[1], [2]]), None, "1\n2\n"),
        (numpy.array([[1, 2]]), None, "1,2\n"),
        (Pandas(), None, "index True"),
    ],
)
def test_tables(kept: Path, table, columns, text: str) -> None:
    axil.log_table("t", table, columns)
    assert (kept / "t.csv").read_text() == text


@pytest.mark.parametrize("table", [["ab", "cd"], [1, 2], 7, None])
def test_what_is_no_table_is_a_warning(kept: Path, table, capsys: pytest.CaptureFixture[str]) -> None:
    axil.log_table("t", table)
    assert names(kept) == [] and "could not keep 't'" in capsys.readouterr().err


def test_files_and_folders(kept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"1")
    (folder / "sub" / "run.sh").write_text("x")
    (folder / "sub" / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    axil.log_artifact(folder)
    axil.log_artifact("model/a.bin", "ckpt/best", step=3)
    axil.log_artifact("model/a.bin")
    axil.log_artifact("model/pipe")
    assert names(kept) == ["a.bin", "ckpt/best/3.bin", "model/a.bin", "model/sub/run.sh"]
    assert (kept / "model/sub/run.sh").stat().st_mode & 0o111
    (folder / "a.bin").unlink()
    axil.log_artifact(folder, "model")
    assert names(kept) == ["a.bin", "ckpt/best/3.bin", "model/sub/run.sh"]


@pytest.mark.parametrize(
    "name", ["../up", "/abs", "", "a//b", "a/../../b", ".", "a/.git/x", "a\\b", "a\nb", "a\0b", "x" * 250, "a/", None]
)
def test_hostile_names_are_refused(kept: Path, tmp_path: Path, name, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(tmp_path)
    axil.log_table(name, [[1]])
    if name is not None:
        assert names(tmp_path) == before
        assert "could not keep" in capsys.readouterr().err
    else:
        assert names(kept) == ["None.csv"]


def test_a_name_that_is_a_folder_already(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    axil.log_table("t", [[1]], step=1)
    axil.log_table("t/1.csv/x", [[1]])
    assert names(kept) == ["t/1.csv"]
    assert "could not keep 't/1.csv/x'" in capsys.readouterr().err


def test_a_full_disk_leaves_the_old_one_and_nothing_half(kept: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "m").write_text("old")
    axil.log_artifact("m")
    (tmp_path / "m").write_text("new")

    def full(source: str, target: str) -> None:
        Path(target).write_text("ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", full)
        axil.log_artifact("m")
    assert (kept / "m").read_text() == "old"
    assert list((tmp_path / "run" / artifacts.HALF).iterdir()) == []


def test_outside_a_run_nothing_is_written(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("AXIL_RUN_DIR", raising=False)
    monkeypatch.setattr(run, "_warned", set())
    monkeypatch.chdir(tmp_path)
    axil.log_table("t", [[1]])
    axil.log_figure("f", Matplotlib())
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err.count("not inside `axil run`") == 1

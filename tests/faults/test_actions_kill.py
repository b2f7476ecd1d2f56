"""axil killed at any change of the disk while it moves branches and data: nothing is lost, the next command goes on."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import Repo

from axil.base.hashing import hash_bytes
from axil.cli.main import main
from axil.store import Store

DIE = """
import os, signal, sys
from axil.cli.main import main
left = int(sys.argv[1])
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.posix_spawn", "subprocess.Popen")
def count(event, args):
    # Everything that changes the disk, and every git: of axil's own process, threads included.
    global left
    if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
code = main(sys.argv[2:])
sys.stdout.flush()
os._exit(code)
"""
TOML = '[stages.copy]\ncmd = "cat data/raw/*.txt > model.txt"\ndeps = ["data/raw"]\nouts = ["model.txt"]\n'


class World:
    """A project in which some command was killed."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.repo = Repo(path)
        self.path = path
        self._capsys = capsys

    def axil(self, *words: str, ok: bool = True) -> str:
        """Output of a command that must (if `ok`) go well."""
        self._capsys.readouterr()
        code = main(["-C", str(self.path), *words])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        assert code == 0 or not ok, f"axil {' '.join(words)}: {err}"
        return out

    def data(self) -> dict[str, str]:
        folder = self.path / "data/raw"
        return {path.name: path.read_text() for path in sorted(folder.iterdir())} if folder.exists() else {}

    def sound(self) -> bool:
        return bool(json.loads(self.axil("verify", "--json"))["sound"])

    def stored(self, text: str) -> bool:
        return Store(str(self.path / ".git/axil/store")).has(hash_bytes(text.encode()))

    def model(self) -> str:
        path = self.path / "model.txt"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def template(repo: Repo, capsys: pytest.CaptureFixture[str]) -> World:
    """On `main`, with an experiment `b` whose data and output differ; each has run."""
    world = World(repo.path, capsys)
    repo.write({"axil.toml": TOML, **{f"data/raw/{number}.txt": f"{number}" for number in range(4)}})
    world.axil("add", "data/raw")
    world.axil("run", "-m", "start")
    world.axil("fork", "b")
    repo.write({"data/raw/0.txt": "zero", "data/raw/new/x.txt": "x"})
    shutil.rmtree(repo.path / "data/raw/new")
    (repo.path / "data/raw/3.txt").unlink()
    world.axil("add")
    world.axil("run", "-m", "b")
    world.axil("switch", "main")
    return world


MAIN = {"0.txt": "0", "1.txt": "1", "2.txt": "2", "3.txt": "3"}
B = {"0.txt": "zero", "1.txt": "1", "2.txt": "2"}
Killed = Callable[..., Iterator[tuple[World, bool]]]


@pytest.fixture
def killed(template: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Killed:
    """For each moment: a copy of the project in which `words` was killed then, and at last one in which it was not."""

    def moments(*words: str, step: int = 1) -> Iterator[tuple[World, bool]]:
        for moment in range(0, 400, step):
            place = tmp_path / "copy"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(template.path, place, symlinks=True)
            command = [sys.executable, "-c", DIE, str(moment), "-C", str(place), *words]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            over = done.returncode >= 0
            assert over or done.returncode == -signal.SIGKILL
            assert not over or done.returncode == 0, done.stderr
            yield World(place, capsys), over
            if over:
                return
        raise AssertionError("more changes of the disk than expected")

    return moments


def test_a_killed_switch_is_finished_by_the_same_command(killed: Killed) -> None:
    for world, _ in killed("switch", "b"):
        world.axil("status")
        world.axil("switch", "b")
        assert (world.data(), world.model()) == (B, "zero12")
        assert world.repo.run("status", "--porcelain") == ""
        assert json.loads(world.axil("status", "--json"))["data"][0]["state"] == "clean"
        assert world.sound()


def test_a_killed_switch_is_taken_back_by_switching_back_or_undo(killed: Killed) -> None:
    for number, (world, over) in enumerate(killed("switch", "b", step=2)):
        if number % 2 or over:
            world.axil("switch", "main")
        else:
            listed = json.loads(world.axil("undo", "--list", "--json"))
            if listed[0]["command"] != "axil switch b":
                assert world.data() == MAIN  # it had not begun
                continue
            world.axil("undo")
        assert world.repo.run("branch", "--show-current") == "main"
        assert (world.data(), world.model()) == (MAIN, "0123")


def test_edits_that_force_overwrites_are_never_lost(template: World, killed: Killed) -> None:
    template.repo.write({"data/raw/0.txt": "precious", "model.txt": "by hand"})
    for world, over in killed("switch", "b", "--force"):
        assert world.data().get("0.txt") == "precious" or world.stored("precious")
        assert world.model() == "by hand" or world.stored("by hand")
        world.axil("switch", "b", "--force")
        assert (world.data(), world.model()) == (B, "zero12")
        if over:
            world.axil("undo")
            assert (world.data()["0.txt"], world.model()) == ("precious", "by hand")


def test_a_killed_add_leaves_the_files_and_is_done_by_the_same_command(template: World, killed: Killed) -> None:
    template.repo.write({"more/a": "a", "more/b/c": "c", "data/raw/0.txt": "edit"})
    for world, _ in killed("add", "more", "data/raw", step=2):
        world.axil("add", "more", "data/raw")
        assert (world.path / "more/b/c").read_text() == "c"
        assert world.data() == {**MAIN, "0.txt": "edit"}
        staged = world.repo.run("diff", "--cached", "--name-only").split()
        assert {"more.axil", "data/raw.axil"} <= set(staged)
        assert world.repo.run("status", "--porcelain", "--untracked-files=all").count("more/") == 0
        assert world.sound()


def test_a_killed_removal_loses_no_bytes(template: World, killed: Killed) -> None:
    template.repo.write({"data/raw/0.txt": "precious"})
    for world, over in killed("rm", "--force", "data/raw"):
        assert world.data().get("0.txt") == "precious" or world.stored("precious")
        if world.data() != {**MAIN, "0.txt": "precious"} or over:
            world.axil("undo")
            assert world.data() == {**MAIN, "0.txt": "precious"}
            assert world.repo.run("status", "--porcelain") == ""


def test_a_killed_fork_is_whole_or_undone(killed: Killed) -> None:
    for world, over in killed("fork", "c", "--from", "b", "-m", "why"):
        names = world.repo.run("branch", "--format=%(refname:short)").split()
        assert set(names) in ({"main", "b"}, {"main", "b", "c"})
        if over:
            assert json.loads(world.axil("show", "c", "--json"))["experiment"]["hypothesis"] == "why"
        if json.loads(world.axil("undo", "--list", "--json"))[0]["command"] == "axil fork c":
            world.axil("undo")
        assert world.repo.run("branch", "--show-current") == "main"
        assert world.repo.run("branch", "--list", "c") == ""
        assert (world.data(), world.model()) == (MAIN, "0123")
        world.axil("fork", "c", "--from", "b")
        assert (world.data(), world.model()) == (B, "zero12")


def test_a_killed_fork_with_parameters_is_whole_or_undone(template: World, killed: Killed) -> None:
    template.repo.write({"params.yaml": "train:\n  lr: 0.1\n"})
    template.repo.run("add", "params.yaml")
    template.repo.run("commit", "-q", "-m", "params")
    start = template.repo.run("rev-parse", "main")
    template.repo.write({"notes.txt": "not committed"})
    for world, over in killed("fork", "c", "--set", "train.lr=0.5"):
        params = world.path / "params.yaml"
        assert params.read_text() in ("train:\n  lr: 0.1\n", "train:\n  lr: 0.5\n")
        assert not over or world.repo.run("branch", "--show-current") == "c"
        if world.repo.run("branch", "--show-current") == "c":
            assert world.repo.run("show", "c:params.yaml") == "train:\n  lr: 0.5"
            assert world.repo.run("rev-parse", "c^") == start
        if json.loads(world.axil("undo", "--list", "--json"))[0]["command"] == "axil fork c":
            world.axil("undo")
        assert world.repo.run("branch", "--show-current") == "main"
        assert world.repo.run("branch", "--list", "c") == ""
        assert world.repo.run("rev-parse", "main") == start
        assert params.read_text() == "train:\n  lr: 0.1\n"
        assert world.repo.run("status", "--porcelain") == "?? notes.txt"
        world.axil("fork", "c", "--set", "train.lr=0.5")
        assert params.read_text() == "train:\n  lr: 0.5\n"
        assert world.repo.run("status", "--porcelain") == "?? notes.txt"


@pytest.mark.parametrize(
    "words",
    [("rename", "b", "c"), ("archive", "b"), ("delete", "b"), ("note", "b", "words")],
    ids=lambda words: words[0],
)
def test_a_killed_change_of_experiments_can_be_undone(killed: Killed, words: tuple[str, ...]) -> None:
    for world, _ in killed(*words):
        world.axil("tree", "--all")
        if json.loads(world.axil("undo", "--list", "--json"))[0]["command"].startswith(f"axil {words[0]}"):
            world.axil("undo")
        assert world.repo.run("branch", "--format=%(refname:short)").split() == ["b", "main"]
        assert json.loads(world.axil("show", "b", "--json"))["experiment"]["parent"] == "main"
        runs = json.loads(world.axil("runs", "b", "--json"))["runs"]
        assert [run["experiment"] for run in runs] == ["b"]


def test_a_killed_undo_is_finished_by_the_next_one(template: World, killed: Killed) -> None:
    template.axil("switch", "b")
    for world, over in killed("undo"):
        if not over:
            listed = json.loads(world.axil("undo", "--list", "--json"))
            if not listed[0]["undone"]:
                world.axil("undo")
        assert world.repo.run("branch", "--show-current") == "main"
        assert (world.data(), world.model()) == (MAIN, "0123")
        assert world.sound()


def test_a_killed_materialise_goes_on(template: World, killed: Killed) -> None:
    template.repo.run("checkout", "-q", "b")
    for world, over in killed("materialise"):
        if not over:
            assert json.loads(world.axil("status", "--json"))["data"][0]["state"] in ("outdated", "clean")
        world.axil("materialise")
        assert world.data() == B

"""Completion: the shell code, and the names offered while somebody types."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from axil.cli.completion import names
from axil.cli.table import COMMANDS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_code(axil, shell):
    out = axil("completion", shell).out
    assert "axil" in out
    assert "_ARGCOMPLETE" in out


def test_an_unknown_shell(axil):
    assert "'tcsh' is not a SHELL; there are: 'bash', 'zsh', 'fish'" in axil("completion", "tcsh", code=2).err


def offered(line, cwd):
    """What the program answers a shell that completes `line`."""
    env = {**os.environ, "_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    out = os.path.join(cwd, "offered")
    env["_ARGCOMPLETE_STDOUT_FILENAME"] = out
    env["COMP_TYPE"] = "9"
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from axil.cli.main import main; sys.argv[0] = 'axil'; sys.exit(main())"],
        env=env,
        cwd=cwd,
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    with open(out, encoding="utf-8") as file:
        return [word.strip().replace("\\", "") for word in file.read().split("\n") if word.strip()]


def test_commands(lab):
    assert set(offered("axil ", lab.root)) >= {command.name for command in COMMANDS}
    assert offered("axil comp", lab.root) == ["compare", "completion"]


def test_options(lab):
    assert "--sort" in offered("axil runs --so", lab.root)
    assert "--deps" in offered("axil stage add --de", lab.root)


def test_experiments_and_runs(lab):
    assert offered("axil compare digits_", lab.root) == ["digits_decay"]
    assert lab.first[-7:] in offered("axil show ", lab.root)


def test_stages_metrics_and_subcommands(lab):
    assert offered("axil graph pre", lab.root) == ["prepare"]
    assert set(offered("axil runs --sort ", lab.root)) >= {"f1", "loss", "accuracy"}
    assert set(offered("axil stage ", lab.root)) >= {"add", "list"}


def test_tracked_paths_are_named_from_here(lab, monkeypatch):
    assert names("tracked", "data") == ["data/raw"]
    monkeypatch.chdir(os.path.join(lab.root, "src"))
    assert names("tracked", "..") == ["../data/raw"]


@pytest.mark.parametrize("kind", ["experiments", "runs", "targets", "stages", "tracked", "metrics", "nonsense"])
def test_outside_a_project_nothing_is_offered_and_nothing_said(tmp_path, monkeypatch, capsys, kind):
    monkeypatch.chdir(tmp_path)
    assert names(kind, "") == []
    assert capsys.readouterr() == ("", "")

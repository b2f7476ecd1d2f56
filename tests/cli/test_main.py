"""The frame: finding commands, global options, errors in words, exit codes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from axil.cli import main as program
from axil.cli.main import main, parser_of
from axil.cli.table import COMMANDS, GROUPS, OTHER_TOOLS, find, load
from axil.errors import BadInput, Blocked
from axil.version import __version__


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_version(axil, words):
    assert axil(*words).out == f"axil {__version__}\n"


@pytest.mark.parametrize("words", [[], ["help"], ["--help"], ["-h"], ["--no-color", "--help"]])
def test_the_overview_names_every_command_under_its_subject(axil, words):
    out = axil(*words).out
    for title in GROUPS.values():
        assert f"\n{title}\n" in out
    for command in COMMANDS:
        assert f"\n  {command.name} " in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_every_entry_of_the_table_is_a_command():
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    for command in COMMANDS:
        assert command.group in GROUPS
        assert not command.help.endswith(".")
        if command.name != "help":
            module = load(command)
            assert callable(module.configure)
            assert callable(module.run)
            assert (module.__doc__ or "").strip(), f"{command.name} has no description"


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.name != "help"], ids=lambda c: c.name)
def test_every_command_has_help(axil, command):
    out = axil("help", command.name).out
    assert out.startswith(f"usage: axil {command.name}")
    assert axil(command.name, "--help").out == out
    for action in parser_of(command)._actions:
        assert action.help, f"{action.option_strings or action.dest} has no help"


def test_help_of_a_subcommand(axil):
    assert axil("help", "stage", "add").out.startswith("usage: axil stage add NAME")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["runz"], "did you mean `run` or `runs`?"),
        (["swich"], "did you mean `switch`?"),
        (["xyzzy"], "`axil help` lists all commands"),
        (["repro"], "you want: axil run"),
        (["exp", "run", "-S", "lr=1"], "you want: axil run"),
        (["metrics", "show"], "you want: axil runs"),
        (["checkout", "main"], "you want: axil switch EXP"),
        (["dag"], "you want: axil graph"),
        (["help", "chekout"], "axil help"),
        (["RUNS"], "axil help"),
    ],
)
def test_an_unknown_command_is_answered(axil, words, hint):
    answer = axil(*words, code=2)
    assert answer.out == ""
    assert answer.err.startswith("error: axil has no command ")
    assert hint in answer.err


def test_words_of_other_tools_lead_to_commands_that_exist():
    names = {command.name for command in COMMANDS} | {"--version"}
    for word, wanted in OTHER_TOOLS.items():
        assert find(word) is None, f"{word} is a command now"
        for piece in wanted.split("axil ")[1:]:
            assert piece.split()[0].strip(",") in names, f"{word}: {wanted}"


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (["runs", "--srot", "f1"], "axil runs: no option --srot", "did you mean `--sort`"),
        (["runs", "--srot=f1"], "axil runs: no option --srot", "did you mean `--sort`"),
        (["runs", "-n"], "axil runs: -n/--limit needs a value", "axil runs --help"),
        (["runs", "-n", "many"], "axil runs: -n/--limit: 'many' is not a whole number from 1 on", ""),
        (["runs", "-n", "0"], "axil runs: -n/--limit: '0' is not a whole number from 1 on", ""),
        (["runs", "a", "b"], "axil runs: one argument too many: 'b'", "axil runs --help"),
        (["runs", "--csv", "--md"], "axil runs: --md cannot go with --csv", ""),
        (["runs", "--lim", "3"], "axil runs: no option --lim", "`--limit`"),
        (["completion"], "axil completion: missing SHELL", ""),
        (["stage", "ad"], "axil stage: no command 'ad'; there are: 'list', 'add'", ""),
        (["stage", "add", "x", "--dpes", "y"], "axil stage add: no option --dpes", "did you mean `--deps`,"),
        (["--colour"], "axil: no option --colour", "`--color`"),
        (["runs", "--state", "done"], "'done' is not a --state; there are: ", ""),
    ],
)  # fmt: skip
def test_wrong_usage_is_explained(axil, words, what, hint):
    answer = axil(*words, code=2)
    assert what in answer.err.splitlines()[0]
    assert hint in answer.err
    assert "usage:" not in answer.err


def test_global_options_go_before_and_after_the_command(lab, axil, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    before = axil("-C", lab.root, "stage", "list")
    after = axil("stage", "list", "-C", lab.root)
    both = axil("-C", os.path.dirname(lab.root), "stage", "-C", os.path.basename(lab.root), "list")
    assert before.out == after.out == both.out
    assert "prepare" in before.out
    assert os.getcwd() == here


def test_a_folder_that_is_not_there(axil):
    answer = axil("-C", "/no/such/folder", "runs", code=2)
    assert answer.err.splitlines()[:2] == ["error: cannot go to /no/such/folder", "  No such file or directory"]


def test_a_current_folder_that_was_removed(axil, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "the current folder no longer exists" in axil("runs", code=2).err
    monkeypatch.chdir(tmp_path)


class Command:
    """Stands for a command's module."""

    __doc__ = "Does what a test wants."

    def __init__(self, action):
        self.action = action

    def configure(self, parser):
        parser.add_argument("--json", action="store_true")

    def run(self, args, face):
        return self.action(face)


@pytest.fixture
def acting(monkeypatch):
    """Lets the command `verify` do something else."""

    def act(action):
        monkeypatch.setattr("axil.cli.table.load", lambda command: Command(action))

    return act


def raising(error):
    def action(face):
        raise error

    return action


def test_an_error_has_three_lines(axil, acting):
    acting(
        raising(BadInput("axil.toml line 3: `stage` is wrong", "unknown key\nsecond line", "did you mean `stages`?"))
    )
    assert axil("verify", code=1).err == (
        "error: axil.toml line 3: `stage` is wrong\n  unknown key\n  second line\nhint: did you mean `stages`?\n"
    )


def test_an_error_says_only_what_it_has(axil, acting):
    acting(raising(BadInput("nothing to do")))
    assert axil("verify", code=1).err == "error: nothing to do\n"


def test_an_error_as_json(axil, acting):
    acting(raising(Blocked("no", "edits", "commit", paths=("a", "b\udcff"))))
    answer = axil("verify", "--json", code=1)
    assert answer.out == ""
    assert json.loads(answer.err) == {
        "error": {"kind": "Blocked", "what": "no", "why": "edits", "hint": "commit", "paths": ["a", "b\\xff"]}
    }


def test_wrong_usage_as_json(axil):
    answer = axil("runs", "--json", "--nope", code=2)
    assert json.loads(answer.err)["error"]["kind"] == "UsageError"


def test_an_error_cannot_steer_the_terminal(axil, acting):
    acting(raising(BadInput("no file \x1b]0;evil\x07")))
    assert "\x1b" not in axil("verify", code=1).err


def test_verbose_shows_where_an_error_came_from(axil, acting):
    acting(raising(BadInput("broken")))
    assert "Traceback" not in axil("verify", code=1).err
    assert "Traceback" in axil("verify", "-v", code=1).err


def test_a_bug_shows_its_traceback_and_asks_for_a_report(axil, acting):
    acting(raising(ZeroDivisionError("oh")))
    err = axil("verify", code=1).err
    assert "ZeroDivisionError: oh" in err
    assert err.splitlines()[-1].startswith("this is a bug in axil: please report it")
    assert __version__ in err.splitlines()[-1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_disk_that_refuses_is_no_bug(axil, acting, number):
    acting(raising(OSError(number, os.strerror(number), "/a/file")))
    err = axil("verify", code=1).err
    assert "Traceback" not in err and "bug" not in err
    assert "disk" in err and f"/a/file: {os.strerror(number)}" in err
    acting(raising(FileNotFoundError(errno.ENOENT, "oh")))
    assert "this is a bug" in axil("verify", code=1).err


def test_errors_have_no_colours_of_others(axil, acting):
    acting(raising(BadInput("no \x1b[31mfile", "\x1b[8mhidden\nlines", "\x1b[5mblink")))
    said = axil("verify", code=1).err
    assert "\x1b" not in said and "hidden\n  lines" in said


def test_ctrl_c_is_130(axil, acting):
    acting(raising(KeyboardInterrupt()))
    assert axil("verify", code=130).err == "\nstopped\n"


def test_the_exit_code_of_a_command_is_passed_on(axil, acting):
    acting(lambda face: 7)
    axil("verify", code=7)


def test_a_broken_pipe_of_something_else_is_a_bug_not_silence(axil, acting):
    acting(raising(BrokenPipeError("a child went away")))
    assert "BrokenPipeError" in axil("verify", code=1).err


@pytest.mark.parametrize("words", [["help"], ["help", "run"], ["runs", "--csv"], ["show", "--json"]])
def test_no_complaint_when_the_reader_leaves(lab, words):
    call = f"import sys; from axil.cli.main import main; sys.exit(main({words!r}))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", call], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == program.READER_GONE


def test_main_takes_the_words_of_the_process_by_default(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["axil", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("axil ")


@pytest.mark.parametrize("command", ["runs", "show", "compare", "logs", "diff", "graph"])
def test_outside_a_repository(axil, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    err = axil(command, code=1).err
    assert err.startswith("error: ")
    assert "git init" in err or "repository" in err
    assert "Traceback" not in err


def test_in_a_repository_that_is_no_project(axil, repo, monkeypatch):
    monkeypatch.chdir(repo.path)
    err = axil("runs", code=1).err
    assert "is not an axil project yet" in err
    assert "axil init" in err

"""Commands typed in the usual way are the same with and without argparse."""

from __future__ import annotations

from typing import Any

import pytest

from axil.cli.bare import parsed
from axil.cli.main import parser_of
from axil.cli.table import COMMANDS, find, load
from axil.errors import UsageError

OWN = [command for command in COMMANDS if command.name != "help"]
QUICK = ("status", "tree", "runs", "run", "diff", "undo", "graph")


@pytest.mark.parametrize("command", OWN, ids=lambda command: command.name)
def test_the_answer_is_that_of_argparse(command: Any) -> None:
    bare = parsed(load(command).configure)
    try:
        expected = vars(parser_of(command).parse_known_args([])[0])
    except UsageError:
        assert bare is None, "argparse refuses what was accepted without it"
        return
    assert bare is not None
    assert vars(bare) == expected


TYPED = [
    "", "-q", "-v -v", "--color", "--no-color -q", "-C a -C b", "a", "a b", "a b c", "-q a", "a -q", "a -q b", "-- a",
    "--json", "--json -q a", "-m words", "--message=words", "-m", "-m -q", "--message -x", "-mwords", "-qv", "-x",
    "--unknown", "-S p=1 --set q=2", "--set=p=1 a", "-S p=1 a -S q=2", "-S -1", "-j 4", "-j 0", "-j four", "--jobs=2",
    "--from b a", "a --from=", "--json=1", "--json --csv", "--csv", "-n 5", "-a", "-", "--mess words", "-h", "--help",
    "a -C b -m c", "-f a", "-r origin", "--git origin a", "--sort f1 --asc",
]  # fmt: skip


@pytest.mark.parametrize("command", OWN, ids=lambda command: command.name)
def test_typed_words_mean_what_they_mean_to_argparse(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for words in map(str.split, TYPED):
        bare = parsed(load(command).configure, words)
        if bare is None:
            continue
        found, extras = parser_of(command).parse_known_args(words)
        assert not extras, words
        assert vars(bare) == vars(found), words


@pytest.mark.parametrize(
    "words", ["fork -q +x --set p=1", "run -q", "run -j 2 a", "switch a", "fork a -m why --from b", "push -q"]
)
def test_usual_words_need_no_argparse(words: str) -> None:
    name, *rest = words.split()
    command = find(name)
    assert command
    assert parsed(load(command).configure, rest) is not None


@pytest.mark.parametrize("name", QUICK)
def test_quick_commands_need_no_argparse(name: str) -> None:
    command = find(name)
    assert command
    assert parsed(load(command).configure) is not None


@pytest.mark.parametrize(
    "option", [{"action": "version"}, {"default": "3", "type": int}, {"required": True}], ids=lambda option: str(option)
)
def test_what_only_argparse_understands_is_left_to_it(option: dict[str, Any]) -> None:
    assert parsed(lambda parser: parser.add_argument("--option", **option)) is None

"""Commands without further words are the same with and without argparse."""

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

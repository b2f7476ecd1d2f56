"""docs/cli.md, generated from the commands themselves: `python -m axil.cli.reference > docs/cli.md`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from axil.cli.main import parser_of
from axil.cli.parser import GLOBAL, Formatter, Parser, dedented, is_example
from axil.cli.table import COMMANDS, GROUPS

HEADER = """\
# The commands

Generated from the program (`python -m axil.cli.reference > docs/cli.md`); `axil help COMMAND` says the same.

Words: [concepts](concepts.md). Values for programs: every command that reads has `--json`, with the same keys in every
version 0.x unless the changelog says otherwise.

| exit code | meaning |
|--:|---|
| 0 | done |
| 1 | failed: three lines on stderr say what, why, and what to do |
| 2 | wrong usage |
| 130 | stopped by Ctrl-C |
| 141 | the reader of the output went away (`axil runs \\| head`) |

With `--json` an error is one object on stderr: `{"error": {"kind", "what", "why", "hint"}}`.

Colours are off in a pipe, with `NO_COLOR`, `TERM=dumb` or `--no-color`, and on with `FORCE_COLOR` or `--color`.
Experiments are named by their branch, runs by the beginning of their id or by the last six characters that axil shows.
"""


def reference() -> str:
    """The whole page as Markdown; the same on every machine."""
    Formatter.columns = 100
    try:
        return "\n".join(_lines()).rstrip() + "\n"
    finally:
        Formatter.columns = 0


def _lines() -> Iterator[str]:
    yield HEADER
    yield from _options(Parser(prog="axil"), only=GLOBAL, title="Options of every command")
    for group, title in GROUPS.items():
        yield f"## {title}\n"
        for command in COMMANDS:
            if command.group != group or command.name == "help":
                continue
            parser = parser_of(command)
            yield f"### axil {command.name}\n"
            yield from _command(parser)
            for action in parser._actions:
                if isinstance(action, argparse._SubParsersAction):
                    for name, child in action.choices.items():
                        yield f"#### axil {command.name} {name}\n"
                        yield from _command(child)


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    usage = parser.format_usage().removeprefix("usage: ").rstrip()
    yield f"```\n{usage}\n```\n"
    for paragraph in (parser.description or "").strip().split("\n\n"):
        yield f"```\n{dedented(paragraph)}\n```\n" if is_example(paragraph) else f"{paragraph.strip()}\n"
    yield from _options(parser)


def _options(parser: argparse.ArgumentParser, only: str = "", title: str = "") -> Iterator[str]:
    """A table of arguments and options; those of every command only if asked for."""
    groups = [group for group in parser._action_groups if (group.title == GLOBAL) == (only == GLOBAL)]
    actions = [action for group in groups for action in group._group_actions if action.help != argparse.SUPPRESS]
    rows = [
        f"| `{_name(parser, action)}` | {_escaped(action.help or '')} |"
        for action in actions
        if not isinstance(action, argparse._SubParsersAction)
    ]
    if rows:
        yield (f"{title}:\n\n" if title else "") + "| option | |\n|---|---|\n" + "\n".join(rows) + "\n"


def _name(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    name = formatter._format_action_invocation(action) if action.option_strings else str(action.metavar or action.dest)
    return _escaped(name)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("%%", "%")


if __name__ == "__main__":
    sys.stdout.write(reference())

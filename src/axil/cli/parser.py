"""The argument parser of every command: argparse with axil's words, errors and help."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Iterable, Sequence

from axil.base.light import Any, NoReturn
from axil.cli.options import add_everywhere
from axil.errors import UsageError

GLOBAL = "everywhere"


class Formatter(argparse.HelpFormatter):
    """Help as wide as the terminal, without the `shutil` (and its compressors) that argparse would load."""

    columns = 0
    """Fixed width, for documents; 0 is that of the terminal."""

    def __init__(self, prog: str, *_: object, **__: object) -> None:
        super().__init__(prog, max_help_position=28, width=min(self.columns or _terminal_columns(), 100) - 2)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """`-m, --message TEXT` instead of `-m TEXT, --message TEXT`."""
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"

    def add_usage(self, usage: str | None, actions: Iterable[Any], groups: Any, prefix: str | None = None) -> None:
        """The usage line names only the command's own options."""
        own = [action for action in actions if getattr(action.container, "title", "") != GLOBAL]
        super().add_usage(usage, own, groups, prefix)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Paragraphs are filled, examples stay as they are, indented."""
        from textwrap import fill
        from textwrap import indent as indented

        parts = [(part, is_example(part)) for part in text.strip().split("\n\n")]
        return "\n\n".join(indented(dedented(part), "  ") if code else fill(part, width) for part, code in parts)


def is_example(paragraph: str) -> bool:
    """Whether a paragraph of a description shows what to type: its lines are indented, or are axil commands."""
    lines = paragraph.strip("\n").split("\n")
    return all(line.startswith("  ") for line in lines) or all(line.startswith("axil ") for line in lines)


def dedented(paragraph: str) -> str:
    """An example without its indentation."""
    return "\n".join(line.removeprefix("  ") for line in paragraph.strip("\n").split("\n"))


def _terminal_columns() -> int:
    try:
        return int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        with contextlib.suppress(OSError):
            return os.get_terminal_size().columns or 80
        return 80


class Parser(argparse.ArgumentParser):
    """An argparse parser that takes the global options anywhere and raises `UsageError` instead of exiting."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options["formatter_class"] = Formatter
        options["allow_abbrev"] = False  # An abbreviation in a script breaks when an option is added.
        options["add_help"] = False
        options.setdefault("description", options.pop("help", None))
        super().__init__(*arguments, **options)
        self.color = False  # of argparse itself, from Python 3.14 on
        self._positionals.title = "arguments"
        self.command_after_dashes = ""
        add_everywhere(self.add_argument_group(GLOBAL), argparse.SUPPRESS)

    def error(self, message: str) -> NoReturn:
        """Wrong usage, in axil's three lines."""
        raise UsageError(f"{self.prog}: {_plain_words(message)}", "", f"`{self.prog} --help` explains it")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write the help; unlike argparse's own, this one notices that nobody reads any more."""
        from axil.cli.face import OutputClosed

        try:
            (file or sys.stdout).write(message)
        except BrokenPipeError:
            raise OutputClosed from None

    def parse_known_args(  # type: ignore[override]  # argparse has three overloads; axil needs one
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse does, but what follows `--` goes untouched to `command_after_dashes` where that is set."""
        words = list(args or ())
        rest: list[str] = []
        if self.command_after_dashes and "--" in words:
            position = words.index("--")
            words, rest = words[:position], words[position + 1 :]
        known = self._option_string_actions
        unknown = [word for word in words if word[:2] == "--" and word != "--" and word.partition("=")[0] not in known]
        if unknown and not self._subparsers:
            # Told before a missing argument is: the mistyped option is the likelier cause.
            from axil.cli.errors import unknown_options

            raise unknown_options(self.prog, unknown, self.option_names())
        parsed, extras = super().parse_known_args(words, namespace)
        if self.command_after_dashes:
            setattr(parsed, self.command_after_dashes, rest)
        return parsed, extras

    def option_names(self, words: Sequence[str] = ()) -> set[str]:
        """Every option of this parser and of the sub-command that `words` name."""
        names = set(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                for word in words:
                    if word in action.choices:
                        names |= action.choices[word].option_names(words)
        return names


def _plain_words(message: str) -> str:
    """argparse's messages in fewer words."""
    for pattern, words in (
        (r"the following arguments are required: (.*)", r"missing \1"),
        (r"argument (.*): expected one argument", r"\1 needs a value"),
        (r"argument (.*): expected at least one argument", r"\1 needs at least one value"),
        (r"argument (.*): not allowed with argument (.*)", r"\1 cannot go with \2"),
        (r"argument COMMAND: invalid choice: (.*) \(choose from (.*)\)", r"no command \1; there are: \2"),
        (r"argument (.*): invalid choice: (.*) \(choose from (.*)\)", r"\2 is not a \1; there are: \3"),
        (r"argument (.*): invalid int value: (.*)", r"\1: \2 is not a whole number"),
        (r"argument (.*): invalid float value: (.*)", r"\1: \2 is not a number"),
        (r"argument (.*?): (.*)", r"\1: \2"),
        (r"one of the arguments (.*) is required", r"one of these is needed: \1"),
    ):
        if match := re.fullmatch(pattern, message):
            return match.expand(words)
    return message

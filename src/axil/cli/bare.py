"""A command typed in the usual way: what its words mean, without argparse.

A quarter of what Python does for `axil fork` or `axil run` would be spent on loading that and what it brings. Whatever
is out of the ordinary, and whatever is wrong, is left to argparse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

from axil.base.light import Any, NamedTuple, cast
from axil.cli.options import add_everywhere

_UNSAID, _HIDE = object(), object()
_WHEN_NOT_GIVEN = {"store": None, "append": None, "count": None, "store_true": False, "store_false": True}


class NeedsParser(Exception):
    """The command wants other words, or has an option that only argparse understands."""


class _Argument(NamedTuple):
    """An option or a positional argument, as far as it can be understood here."""

    dest: str
    action: str = "store"
    nargs: str | None = None
    type: Callable[[str], Any] | None = None
    only_argparse: bool = False
    """May be left out, but not be typed."""

    def value(self, word: str) -> Any:
        """What `word` means for it."""
        try:
            return self.type(word) if self.type else word
        except Exception:
            raise NeedsParser from None


class Bare:
    """Stands in for the parser in a command's `configure`, and notes what each option is if it is not given."""

    command_after_dashes = ""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._options: dict[str, _Argument] = {}
        self._positionals: list[_Argument] = []
        self._exclusive = False
        add_everywhere(cast(Any, self), _HIDE)

    def add_argument(
        self,
        *names: str,
        action: str = "store",
        default: Any = _UNSAID,
        nargs: str | None = None,
        dest: str = "",
        required: bool = False,
        type: Callable[[str], Any] | None = None,
        choices: object = None,
        **shown: Any,
    ) -> Bare:
        """As argparse's; the words that only help shows do not matter here."""
        option = names[0].startswith("-")
        if required or (type and isinstance(default, str)):
            raise NeedsParser
        if action not in _WHEN_NOT_GIVEN and default is not _HIDE:
            raise NeedsParser
        longest_first = [name for name in names if name.startswith("--")] or names
        name = dest or (longest_first[0].lstrip("-").replace("-", "_") if option else names[0])
        hard = bool(choices) or action not in _WHEN_NOT_GIVEN or self._exclusive or (option and nargs is not None)
        argument = _Argument(name, action, nargs, type, hard)
        if option:
            self._options.update(dict.fromkeys(names, argument))
        else:
            self._positionals.append(argument)
        if default is not _HIDE:
            value = _WHEN_NOT_GIVEN[action] if default is _UNSAID else default
            self.values[name] = [] if nargs == "*" and not option and value is None else value
        return self

    def add_mutually_exclusive_group(self) -> Bare:
        """As argparse's; which of its options exclude each other is left to that."""
        group = Bare()
        group.values, group._options, group._exclusive = self.values, self._options, True
        return group

    def add_subparsers(self, **_: Any) -> Bare:
        """As argparse's, whose answer depends on the word that comes next."""
        raise NeedsParser

    def take(self, words: Sequence[str]) -> None:
        """Note the values that `words` give. Raises `NeedsParser` for all but exact options and words in one piece."""
        loose: list[str] = []
        ended = False
        rest = iter(words)
        for word in rest:
            if not word.startswith("-"):
                if ended:  # where arguments continue after an option, argparse has its own rules
                    raise NeedsParser
                loose.append(word)
                continue
            ended = bool(loose)
            name, given, value = word.partition("=") if word.startswith("--") else (word, "", "")
            argument = self._options.get(name)
            if argument is None or argument.only_argparse:
                raise NeedsParser
            self._take_option(argument, value if given else None, rest)
        self._take_loose(loose)

    def _take_option(self, argument: _Argument, value: str | None, rest: Any) -> None:
        if argument.action in ("store", "append"):
            if value is None:
                value = next(rest, "-")
                if value.startswith("-"):
                    raise NeedsParser
            found = argument.value(value)
            earlier = self.values.get(argument.dest) or []
            self.values[argument.dest] = [*earlier, found] if argument.action == "append" else found
        elif value is not None:
            raise NeedsParser
        elif argument.action == "count":
            self.values[argument.dest] = (self.values.get(argument.dest) or 0) + 1
        else:
            self.values[argument.dest] = argument.action == "store_true"

    def _take_loose(self, words: list[str]) -> None:
        """Share `words` out to the positional arguments; only the last one may take more or less than one."""
        for position, argument in enumerate(self._positionals):
            last = position == len(self._positionals) - 1
            if argument.nargs not in (None, "?", "*", "+") or (argument.nargs and not last):
                if words or argument.nargs not in ("?", "*"):
                    raise NeedsParser
                continue
            few = argument.nargs in (None, "?")
            taken, words = (words[:1], words[1:]) if few else (words, [])
            if not taken and argument.nargs in (None, "+"):
                raise NeedsParser
            if taken:
                if argument.only_argparse:
                    raise NeedsParser
                found = [argument.value(word) for word in taken]
                self.values[argument.dest] = found[0] if few else found
        if words:
            raise NeedsParser


def parsed(configure: Callable[[Any], None], words: Sequence[str] = ()) -> SimpleNamespace | None:
    """What argparse would make of `words` for the command of `configure`; None if that has to be asked."""
    bare = Bare()
    try:
        configure(bare)
        bare.take(words)
    except NeedsParser:
        return None
    if bare.command_after_dashes:
        bare.values[bare.command_after_dashes] = []
    return SimpleNamespace(**bare.values)

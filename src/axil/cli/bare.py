"""A command typed without further words: what its options are then, without argparse.

Half of `axil status` would be spent on loading that and what it brings.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

from axil.base.light import Any

_UNSAID = object()
_WHEN_NOT_GIVEN = {"store": None, "append": None, "count": None, "store_true": False, "store_false": True}


class NeedsParser(Exception):
    """The command wants words, or has an option that only argparse understands."""


class Bare:
    """Stands in for the parser in a command's `configure`, and notes the value of each option that is not given."""

    command_after_dashes = ""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def add_argument(
        self,
        *names: str,
        action: str = "store",
        default: Any = _UNSAID,
        nargs: str | None = None,
        dest: str = "",
        required: bool = False,
        type: Callable[[str], Any] | None = None,
        **shown: Any,
    ) -> Bare:
        """As argparse's; the words that only help shows do not matter here."""
        option = names[0].startswith("-")
        if required or (not option and nargs not in ("?", "*")) or (type and isinstance(default, str)):
            raise NeedsParser
        if action not in _WHEN_NOT_GIVEN:
            raise NeedsParser
        longest_first = [name for name in names if name.startswith("--")] or names
        name = dest or (longest_first[0].lstrip("-").replace("-", "_") if option else names[0])
        value = _WHEN_NOT_GIVEN[action] if default is _UNSAID else default
        self.values[name] = [] if nargs == "*" and not option and value is None else value
        return self

    def add_mutually_exclusive_group(self) -> Bare:
        """As argparse's."""
        return self

    def add_subparsers(self, **_: Any) -> Bare:
        """As argparse's, whose answer depends on the word that is missing."""
        raise NeedsParser


def parsed(configure: Callable[[Any], None]) -> SimpleNamespace | None:
    """What argparse would make of no words for the command of `configure`; None if that has to be asked."""
    bare = Bare()
    try:
        configure(bare)
    except NeedsParser:
        return None
    if bare.command_after_dashes:
        bare.values[bare.command_after_dashes] = []
    return SimpleNamespace(**bare.values)

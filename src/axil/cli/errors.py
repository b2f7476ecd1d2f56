"""Errors as the user sees them: what failed, why, what to do; and suggestions for what was mistyped."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from axil.cli.face import Face, to_json
from axil.errors import AxilError, UsageError

REPORT = "this is a bug in axil: please report it with the lines above"


_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EIO: "the disk does not work",
    errno.EROFS: "the disk can only be read",
}


def expected(error: Exception) -> AxilError | None:
    """`error` as one to tell: axil's own, and a disk that refuses, which may happen anywhere; None for a bug."""
    if isinstance(error, AxilError):
        return error
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        hint = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check the disk"
        return AxilError(
            _DISK[error.errno], f"{where}{error.strerror}", f"{hint}, then give the same command again: it goes on"
        )
    return None


def report(error: AxilError, face: Face) -> None:
    """Tell `error` on stderr: three lines, or one JSON object with `--json`."""
    paths = tuple(getattr(error, "paths", ()))
    if face.json:
        fields: dict[str, object] = {"kind": type(error).__name__, "what": error.what, "why": error.why}
        fields["hint"] = error.hint
        if paths:
            fields["paths"] = paths
        face.err.write(to_json({"error": fields}) + "\n")
        return
    from axil.cli.style import plain

    style = face.error_style
    face.err.write(style.red(style.bold("error: ")) + style.bold(plain(error.what)) + "\n")
    if error.why:
        face.err.write(_indented(plain(error.why), "  ") + "\n")
    if error.hint:
        face.err.write(style.cyan("hint: ") + _indented(plain(error.hint), "      ").lstrip() + "\n")


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line for line in text.splitlines())


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> list[str]:
    """Up to three of `known` that look like `word`, the likeliest first."""
    from difflib import get_close_matches

    names = list(known)
    found = get_close_matches(word, names, 3, cutoff)
    return found or [name for name in names if len(word) > 1 and name.startswith(word)][:3]


def unknown_command(words: list[str]) -> UsageError:
    """The error for a first word that is no command; `words` are the arguments from that word on."""
    from axil.cli.table import COMMANDS, OTHER_TOOLS

    word = words[0]
    for name in (" ".join(words[:2]), word):
        if name in OTHER_TOOLS:
            return UsageError(f"axil has no command {name!r}", "", f"you want: {OTHER_TOOLS[name]}")
    guesses = closest(word, (command.name for command in COMMANDS))
    hint = f"did you mean {_either(guesses)}? " if guesses else ""
    return UsageError(f"axil has no command {word!r}", "", f"{hint}`axil help` lists all commands")


def unknown_options(program: str, extras: list[str], known: Iterable[str]) -> UsageError:
    """The error for arguments that `program` (such as "axil runs") does not take."""
    first = extras[0]
    if not first.startswith("-") or first == "-":
        return UsageError(f"{program}: one argument too many: {first!r}", "", f"`{program} --help` shows what it takes")
    option = first.partition("=")[0]
    guesses = closest(option, (name for name in known if name.startswith("--") == option.startswith("--")))
    hint = f"did you mean {_either(guesses)}? " if guesses else ""
    return UsageError(f"{program}: no option {option}", "", f"{hint}`{program} --help` lists all options")


def _either(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"

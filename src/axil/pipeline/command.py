"""What a command line names: files, modules after `-m`, code after `-c`. Nothing is executed or expanded."""

from __future__ import annotations

from axil.base.light import NamedTuple

_OPERATORS = frozenset(";&|<>()`\n")
_QUOTED = frozenset("'\"\\")
# What follows an option with one of these in its name is written by the command: its content says nothing of the code.
_WRITES = frozenset(("out", "output", "save", "log", "logs", "dest", "dump", "write", "result", "results", "export"))


class Named(NamedTuple):
    """One thing a command names: `kind` is "path", "module", "code", "pythonpath" or "folder" (what `cd` enters)."""

    kind: str
    text: str


def words(command: str) -> list[str]:
    """The words of a POSIX shell command, quotes removed; operators are words of their own."""
    if _OPERATORS.isdisjoint(command) and _QUOTED.isdisjoint(command):
        return command.split()
    found = []
    at = 0
    while at < len(command):
        end = at
        if command[at] in _OPERATORS:
            while command[end : end + 1] in _OPERATORS:
                end += 1
            found.append(command[at:end])
        else:
            parts = []
            while (part := _part(command, end)) is not None:
                text, end = part
                parts.append(text)
            if end > at:
                found.append("".join(parts))
        at = max(end, at + 1)  # A space, or a quote that nothing closes, is passed over.
    return found


def _part(command: str, at: int) -> tuple[str, int] | None:
    """The piece of a word at `at` without its quotes, and where it ends; None where no word goes on."""
    char = command[at : at + 1]
    if not char or char.isspace() or char in _OPERATORS:
        return None
    if char == "\\":
        escaped = command[at + 1 : at + 2]
        return ("" if escaped == "\n" else escaped, at + 2) if escaped else None
    if char == "'":
        end = command.find("'", at + 1)
        return None if end < 0 else (command[at + 1 : end], end + 1)
    if char != '"':
        return char, at + 1
    text = ""
    at += 1
    while at < len(command) and command[at] != '"':
        if command[at] == "\\":
            at += 1
            text += command[at : at + 1] if command[at : at + 1] in '\\"$`' else "\\" + command[at]
        else:
            text += command[at]
        at += 1
    return (text, at + 1) if at < len(command) else None


def named(command: str) -> list[Named]:
    """Everything in `command` that could be a project file or module, in order.

    Left out: where output is redirected to, what `tee` writes, and values of options like `--out`, `-o` or `--log-dir`.
    """
    found: list[Named] = []
    before = ""
    program = ""
    for word in words(command):
        previous, before = before, word
        if word[:1] in _OPERATORS:
            program = ""
            continue
        name, equals, value = word.partition("=")
        if not program and equals and name.isidentifier():
            if name == "PYTHONPATH":
                found += [Named("pythonpath", part) for part in value.split(":") if part and "$" not in part]
            continue
        if program == "cd":
            found.append(Named("folder", word))
            continue
        program = program or word.rpartition("/")[2]
        if ">" in previous or program == "tee" or _writes(previous):
            continue
        found += _meaning(word, previous)
    return found


def _meaning(word: str, previous: str) -> list[Named]:
    if _is_flag(previous, "m") and _is_module(word):
        return [Named("module", word)]
    if _is_flag(previous, "c") and previous[:2] != "--":
        return [Named("code", word)]
    if word.startswith("-m") and _is_module(word[2:]):
        return [Named("module", word[2:])]
    option, equals, value = word.partition("=")
    if equals:
        return [] if _writes(option) or not value else [Named("path", value)]
    return [] if word.startswith("-") else [Named("path", word)]


def _writes(option: str) -> bool:
    """Whether `option` names what is written: `-o`, `--out`, `--log-dir`, `--model_output` …"""
    name = option[1:]
    if option[:1] != "-" or not name.replace("-", "").replace("_", "").isalnum():
        return False
    end = -1
    for part in name.replace("_", "-").split("-"):
        end += 1 + len(part)
        # Two dashes in a row are no name.
        if part in _WRITES and (end == len(name) or all(name[end + 1 :].split("-"))):
            return True
    return option == "-o"


def _is_module(word: str) -> bool:
    return all(part.isidentifier() for part in word.split("."))


def _is_flag(word: str, letter: str) -> bool:
    """Whether `word` is a group of short options that ends in `letter`, or torchrun's and accelerate's `--module`."""
    return (word[:1] == "-" and word[1:].isalpha() and word.endswith(letter)) or (letter == "m" and word == "--module")

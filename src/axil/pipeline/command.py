"""What a command line names: files, modules after `-m`, code after `-c`. Nothing is executed or expanded."""

from __future__ import annotations

import re

from axil.base.light import NamedTuple

# Patterns are compiled at their first use: most commands need none of them.
_WORD = r"""(?s)(?:[^\s'"\\;&|<>()`]|\\.|'[^']*'|"(?:\\.|[^"\\])*")+|[;&|<>()`\n]+"""
_PART = r"""(?s)\\\n|\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|([^'"\\]+)"""
_ESCAPE = r'\\([\\"$`])'
_OPERATORS = frozenset(";&|<>()`\n")
_SPECIAL = _OPERATORS | frozenset("'\"\\")
# What follows these is written by the command, so its content says nothing about the code.
_WRITES = r"-o|--?(?:[\w-]*[_-])?(?:out|output|save|log|logs|dest|dump|write|result|results|export)(?:[_-]\w+)*"


class Named(NamedTuple):
    """One thing a command names: `kind` is "path", "module", "code", "pythonpath" or "folder" (what `cd` enters)."""

    kind: str
    text: str


def words(command: str) -> list[str]:
    """The words of a POSIX shell command, quotes removed; operators are words of their own."""
    if _SPECIAL.isdisjoint(command):
        return command.split()
    return [word if word[0] in _OPERATORS else _unquoted(word) for word in re.findall(_WORD, command)]


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
    return option.startswith("-") and re.fullmatch(_WRITES, option) is not None


def _is_module(word: str) -> bool:
    return all(part.isidentifier() for part in word.split("."))


def _is_flag(word: str, letter: str) -> bool:
    """Whether `word` is a group of short options that ends in `letter`, or torchrun's and accelerate's `--module`."""
    return (word[:1] == "-" and word[1:].isalpha() and word.endswith(letter)) or (letter == "m" and word == "--module")


def _unquoted(word: str) -> str:
    if "'" not in word and '"' not in word and "\\" not in word:
        return word
    parts = []
    for escaped, single, double, plain in re.findall(_PART, word):
        parts.append(escaped or single or plain or re.sub(_ESCAPE, r"\1", double))
    return "".join(parts)

"""What a command line names: files, modules after `-m`, code after `-c`. Nothing is executed or expanded."""

from __future__ import annotations

import re
from typing import NamedTuple

_WORD = re.compile(r"""(?:[^\s'"\\;&|<>()`]|\\.|'[^']*'|"(?:\\.|[^"\\])*")+|[;&|<>()`\n]+""", re.S)
_PART = re.compile(r"""\\\n|\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|([^'"\\]+)""", re.S)
_ESCAPE = re.compile(r'\\([\\"$`])')
_OPERATORS = frozenset(";&|<>()`\n")
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# What follows these is written by the command, so its content says nothing about the code.
_WRITES = re.compile(
    r"-o|--?(?:[\w-]*[_-])?(?:out|output|save|log|logs|dest|dump|write|result|results|export)(?:[_-]\w+)*"
)


class Named(NamedTuple):
    """One thing a command names: `kind` is "path", "module", "code", "pythonpath" or "folder" (what `cd` enters)."""

    kind: str
    text: str


def words(command: str) -> list[str]:
    """The words of a POSIX shell command, quotes removed; operators are words of their own."""
    return [word if word[0] in _OPERATORS else _unquoted(word) for word in _WORD.findall(command)]


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
        if not program and _ASSIGNMENT.match(word):
            name, _, value = word.partition("=")
            if name == "PYTHONPATH":
                found += [Named("pythonpath", part) for part in value.split(":") if part and "$" not in part]
            continue
        if program == "cd":
            found.append(Named("folder", word))
            continue
        program = program or word.rpartition("/")[2]
        if ">" in previous or program == "tee" or _WRITES.fullmatch(previous):
            continue
        found += _meaning(word, previous)
    return found


def _meaning(word: str, previous: str) -> list[Named]:
    if _is_flag(previous, "m") and _MODULE.fullmatch(word):
        return [Named("module", word)]
    if _is_flag(previous, "c") and previous[:2] != "--":
        return [Named("code", word)]
    if word.startswith("-m") and _MODULE.fullmatch(word[2:]):
        return [Named("module", word[2:])]
    option, equals, value = word.partition("=")
    if equals:
        return [] if _WRITES.fullmatch(option) or not value else [Named("path", value)]
    return [] if word.startswith("-") else [Named("path", word)]


def _is_flag(word: str, letter: str) -> bool:
    """Whether `word` is a group of short options that ends in `letter`, or torchrun's and accelerate's `--module`."""
    return (word[:1] == "-" and word[1:].isalpha() and word.endswith(letter)) or (letter == "m" and word == "--module")


def _unquoted(word: str) -> str:
    if "'" not in word and '"' not in word and "\\" not in word:
        return word
    parts = []
    for escaped, single, double, plain in _PART.findall(word):
        parts.append(escaped or single or plain or _ESCAPE.sub(r"\1", double))
    return "".join(parts)

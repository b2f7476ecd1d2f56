"""Command lines are cut as regular expressions would cut them, which the module does without."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from axil.pipeline.command import Named, named, words

WORD = r"""(?s)(?:[^\s'"\\;&|<>()`]|\\.|'[^']*'|"(?:\\.|[^"\\])*")+|[;&|<>()`\n]+"""
PART = r"""(?s)\\\n|\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|([^'"\\]+)"""
ESCAPE = r'\\([\\"$`])'
WRITES = r"-o|--?(?:[\w-]*[_-])?(?:out|output|save|log|logs|dest|dump|write|result|results|export)(?:[_-]\w+)*"


def unquoted(word: str) -> str:
    if word[0] in ";&|<>()`\n":
        return word
    parts = [
        escaped or single or plain or re.sub(ESCAPE, r"\1", double)
        for escaped, single, double, plain in re.findall(PART, word)
    ]
    return "".join(parts)


@given(st.text(alphabet="ab-= \t\n'\"\\$`;&|<>(){}#ä"))
@example('python a.py > out.txt 2>&1 && echo "it\'s \\"so\\" \\$x\\\n" \'a\\b\' c\\ d\\')
@example('a"b')
@example("a'b\"c'd")
@example("a\\\nb")
@example('"\\')
def test_words(command: str) -> None:
    assert words(command) == [unquoted(word) for word in re.findall(WORD, command)]


OPTIONS = st.from_regex(r"-{0,3}([a-z]{0,3}|out|log|ä|1)([_-]{0,2}(out|log|x|\.|[0-9])?){0,4}", fullmatch=True)


@given(st.from_regex(WRITES, fullmatch=True) | OPTIONS)
@example("-o")
@example("--out-")
@example("--log--dir")
def test_options_that_name_what_is_written(option: str) -> None:
    if option.startswith("-") and option not in ("-c", "-m", "--module"):
        taken = Named("path", "some/file") in named(f"tool {option} some/file")
        assert taken is (re.fullmatch(WRITES, option) is None)

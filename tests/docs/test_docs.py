"""The documents: links lead somewhere, and every axil command in them is one that the program understands."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from axil.cli.main import parser_of
from axil.cli.table import COMMANDS, find
from axil.formats import project

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
GENERATED = "docs/cli.md"
"""Has usage lines with placeholders instead of commands; a test of its own compares it with the parsers."""


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """(language, content) of every fenced block."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        yield match[1], match[2]


def commands(page: str) -> Iterator[str]:
    """Every line that is typed: those after "$ " in a fenced block, and whole lines of shell blocks."""
    for language, content in blocks(page):
        for line in content.splitlines():
            if line.startswith("$ "):
                yield line[2:]
            elif language in ("sh", "bash"):
                yield line


def anchors(page: str) -> set[str]:
    """The names GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(name)):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / name).parent / path if path else ROOT / name
        assert linked.exists(), f"{name} links to {target}"
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked.read_text(encoding="utf-8")), f"{name} links to {target}"


@pytest.mark.parametrize("name", [name for name in NAMES if name != GENERATED])
def test_commands_are_understood(name: str) -> None:
    for line in commands(text(name)):
        words = shlex.split(line, comments=True)
        if words[:1] != ["axil"] or len(words) == 1 or words[1].startswith("-"):
            continue
        command = find(words[1])
        assert command is not None, f"{name}: no such command: {line}"
        if command.name == "help":
            continue
        _, extras = parser_of(command).parse_known_args(words[2:])
        assert not extras, f"{name}: {extras} in: {line}"


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("docs/formats/")])
def test_commands_in_the_prose_exist(name: str) -> None:
    known = {command.name for command in COMMANDS}
    for word in re.findall(r"`axil ([a-z]+)\b", text(name)):
        assert word in known, f"{name} speaks of `axil {word}`"


@pytest.mark.parametrize("name", NAMES)
def test_pipelines_in_the_documents_are_valid(name: str) -> None:
    for language, content in blocks(text(name)):
        if language == "toml" and ("[stages." in content or "[project]" in content):
            tomllib.loads(content)
            whole = content if "[project]" in content else f'[project]\nname = "x"\n{content}'
            project.parse(whole, name)


def test_every_command_is_in_a_document_for_people() -> None:
    written = "".join(text(name) for name in NAMES if name != GENERATED)
    missing = [command.name for command in COMMANDS if f"axil {command.name}" not in written and command.name != "help"]
    assert not missing or set(missing) <= {"completion"}

"""docs/cli.md is what the commands say of themselves."""

from __future__ import annotations

from pathlib import Path

from axil.cli.reference import reference
from axil.cli.table import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m axil.cli.reference > docs/cli.md"


def test_it_is_the_same_at_any_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    narrow = reference()
    monkeypatch.setenv("COLUMNS", "200")
    assert narrow == reference()


def test_every_command_is_there():
    page = reference()
    for command in COMMANDS:
        assert command.name == "help" or f"### axil {command.name}\n" in page
    assert "#### axil stage add\n" in page

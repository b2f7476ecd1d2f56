"""Exit codes in words."""

from __future__ import annotations

import pytest

from axil.base.exits import ending


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (3, "exit code 3"),
        (128, "exit code 128"),
        (137, "exit code 137 (SIGKILL)"),
        (255, "exit code 255"),
        (-9, "ended by SIGKILL"),
        (-99, "ended by signal 99"),
    ],
)
def test_ending(code: int, words: str) -> None:
    assert ending(code) == words

"""Runs the commands of a story in its folder and hands every line to whoever shows it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping

from axil.base.light import NamedTuple
from axil.errors import AxilError

GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")


class Shown(NamedTuple):
    """What receives the story: a sentence, a command before it runs, a line that the command printed."""

    say: Callable[[str], None]
    command: Callable[[str], None]
    line: Callable[[str], None]


class Teller:
    """Commands run in `folder`, with `env` as their environment."""

    def __init__(self, folder: str, shown: Shown, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.shown = shown
        self.env = {name: value for name, value in env.items() if name not in GIT_PLACES}
        # `python` in the project's stages must be the one that has the demo's packages.
        self.env["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), env.get("PATH", os.defpath)])
        self.env["GIT_PAGER"] = "cat"

    def say(self, text: str) -> None:
        """A sentence or two before what follows."""
        self.shown.say(" ".join(text.split()))

    def run(self, line: str, *, expect: int = 0) -> str:
        """Show `line`, run it (no shell), show what it prints; returns that.

        Raises `AxilError` if the exit code is not `expect`: a story whose commands fail is not told to its end.
        """
        self.shown.command(line)
        printed: list[str] = []
        with self._start(shlex.split(line), subprocess.STDOUT) as process:
            assert process.stdout is not None
            for text in process.stdout:
                printed.append(text)
                self.shown.line(text.rstrip("\n"))
        self._check(line, process.returncode, expect, printed)
        return "".join(printed)

    def quietly(self, line: str, *, check: bool = True) -> str:
        """Run `line` without showing it; returns what it prints on stdout."""
        with self._start(shlex.split(line), subprocess.DEVNULL) as process:
            printed, _ = process.communicate()
        if check:
            self._check(line, process.returncode, 0, printed.splitlines(keepends=True))
        return printed

    def path(self, *parts: str) -> str:
        """The absolute path of a file of the project."""
        return os.path.join(self.folder, *parts)

    def _start(self, words: list[str], errors: int) -> subprocess.Popen[str]:
        if words[0] == "axil":
            words = [sys.executable, "-m", *words]
        try:
            return subprocess.Popen(
                words,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                errors="surrogateescape",
            )
        except FileNotFoundError:
            raise AxilError(f"{words[0]} was not found", "the demo runs it", f"install {words[0]}") from None

    def _check(self, line: str, code: int, expected: int, printed: list[str]) -> None:
        if code != expected:
            raise AxilError(
                f"the demo stopped at: {line}",
                f"exit code {code} instead of {expected}; it ended with: {''.join(printed[-3:]).strip() or 'nothing'}",
                f"look into {self.folder}, or run the command there with -v",
            )

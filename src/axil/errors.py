"""The one error tree: what failed, why, and what to do next.

Every expected failure is an `AxilError`; anything else that reaches the top is a bug and shows its traceback.
"""

from __future__ import annotations


class AxilError(Exception):
    """An expected failure, told to the user in at most three lines.

    `what` names the failed thing, `why` the cause (with file, line or key where there is one),
    `hint` the next command to try.
    """

    exit_code = 1

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.why, self.hint) if line)


class UsageError(AxilError):
    """The command line is wrong: an unknown option, a missing or contradicting argument."""

    exit_code = 2


class BadInput(AxilError):
    """A file the user (or a clone) brought is not valid; nothing was changed."""


class NotFound(AxilError):
    """A named experiment, run, stage, object or path does not exist."""


class Blocked(AxilError):
    """Going on would lose bytes that exist nowhere else; `paths` lists them (project-relative)."""

    def __init__(self, what: str, why: str = "", hint: str = "", paths: tuple[str, ...] = ()) -> None:
        super().__init__(what, why, hint)
        self.paths = paths


class Damaged(AxilError):
    """Stored bytes do not match their name, or a format is truncated or inconsistent."""


class Busy(AxilError):
    """Another process holds what is needed and did not let go in time."""


class GitFailed(AxilError):
    """git returned an error; `why` carries its own words."""

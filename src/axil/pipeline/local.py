"""The remotes of a work tree: axil.toml and axil.local.toml together. Read when a remote is used, never cached."""

from __future__ import annotations

import os

from axil.base.light import Any
from axil.errors import BadInput
from axil.formats import machine, project, remotes
from axil.formats.machine import Machine
from axil.formats.project import ProjectFile
from axil.git.catfile import read_blobs
from axil.git.process import GLOBS, Git

_BRANCHES = 50
"""So many branches, those changed last, are looked at for remotes."""


def load_remotes(root: str, file: ProjectFile, git: Git) -> dict[str, dict[str, Any]]:
    """Name -> settings of every remote, secrets included: for `open_remote`, not for showing.

    Where `file`, of the current branch, names none, those of the branch changed last that does: an experiment that is
    older than the remote is shared like the others. Raises `BadInput` for an axil.local.toml that is broken or in git.
    """
    return remotes.united(file.remotes or _of_branches(git), _local(root, git))


def _of_branches(git: Git) -> dict[str, dict[str, Any]]:
    """Remotes that another commit than the current one names."""
    lines = git.lines(
        "for-each-ref", f"--count={_BRANCHES}", "--sort=-committerdate", "--format=%(objectname)%(HEAD)",
        "refs/heads/", "refs/remotes/",
    )  # fmt: skip
    # What the current branch has named before was taken out on purpose.
    here = {line[:-1] for line in lines if line.endswith("*")}
    tips = [tip for tip in dict.fromkeys(line.rstrip(" *") for line in lines) if tip not in here]
    for data in read_blobs(git, [f"{tip}:{project.FILE}" for tip in tips]):
        try:
            if data and (found := project.parse(data.decode("utf-8")).remotes):
                return found
        except (BadInput, UnicodeDecodeError):
            continue
    return {}


def load_machine(root: str, git: Git) -> Machine:
    """`[machine]` of axil.local.toml, defaults where it says nothing. Raises `BadInput`."""
    text = _text(root, git)
    return machine.parse_machine(text, remotes.LOCAL_FILE) if text else machine.Machine()


def _local(root: str, git: Git) -> dict[str, dict[str, Any]]:
    """The remotes of axil.local.toml; nothing if it is missing."""
    text = _text(root, git)
    return remotes.parse_local(text) if text else {}


def _text(root: str, git: Git) -> str:
    """axil.local.toml, "" if it is missing.

    One that is in git is refused: who made the repository could lead this machine's credentials elsewhere with it, or
    have it run a command.
    """
    path = os.path.join(root, remotes.LOCAL_FILE)
    try:
        with open(path, "rb") as opened:
            data = opened.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BadInput(f"{remotes.LOCAL_FILE} cannot be read", error.strerror or str(error)) from None
    if git.fields("ls-files", "-z", "--", f":(icase){remotes.LOCAL_FILE}", env=GLOBS):
        raise BadInput(
            f"{remotes.LOCAL_FILE} is in git, so it is not read",
            "it is for this machine alone: one that came with a clone could send credentials elsewhere or run commands",
            f"if you wrote it, take it out of git, the file stays: git rm --cached {remotes.LOCAL_FILE}; "
            f"if not: git rm {remotes.LOCAL_FILE}",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{remotes.LOCAL_FILE} line {line}: not UTF-8", error.reason) from None

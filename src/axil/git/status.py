"""What differs between HEAD, the index and the work tree: `git status --porcelain=v2 -z`, parsed."""

from __future__ import annotations

from collections.abc import Callable

from axil.base.light import NamedTuple
from axil.errors import GitFailed
from axil.git.process import Git, split_nul
from axil.git.refs import Head


class StatusEntry(NamedTuple):
    """A tracked path that differs. `code` is git's XY (index, work tree; "." is unchanged), modes are octal text."""

    path: str
    code: str
    original: str = ""
    """Where it was renamed or copied from."""
    submodule: str = "N..."
    head_mode: str = ""
    index_mode: str = ""
    worktree_mode: str = ""
    head_oid: str = ""
    index_oid: str = ""
    conflict: bool = False

    @property
    def staged(self) -> bool:
        """Whether the index differs from HEAD here."""
        return not self.conflict and self.code[0] != "."

    @property
    def unstaged(self) -> bool:
        """Whether the work tree differs from the index here."""
        return not self.conflict and self.code[1] != "."


class Status(NamedTuple):
    """A work tree's state; paths are relative to its root, untracked nested repositories end with "/"."""

    head: Head
    upstream: str
    ahead: int
    behind: int
    entries: tuple[StatusEntry, ...]
    untracked: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Paths of a merge that is not resolved yet."""
        return tuple(entry.path for entry in self.entries if entry.conflict)

    @property
    def clean(self) -> bool:
        """Whether nothing differs and nothing is untracked."""
        return not self.entries and not self.untracked


def status(git: Git, *, untracked: str = "all", ignored: bool = False, renames: bool = False) -> Status:
    """State of the work tree, read without a lock. `untracked`: "all" files, "normal" (folders as one) or "no"."""
    return begin_status(git, untracked=untracked, ignored=ignored, renames=renames)()


def begin_status(
    git: Git, *, untracked: str = "all", ignored: bool = False, renames: bool = False
) -> Callable[[], Status]:
    """`status`, started now and waited for when the answer is called."""
    finish = git.begin(
        "--no-optional-locks",
        "status",
        "--porcelain=v2",
        "-z",
        "--branch",
        f"--untracked-files={untracked}",
        f"--ignored={'traditional' if ignored else 'no'}",
        "--renames" if renames else "--no-renames",
        "--ignore-submodules=none",
    )
    return lambda: parse_status(finish())


def parse_status(data: bytes) -> Status:
    """The state written by `git status --porcelain=v2 -z --branch`. Raises `GitFailed` if it is not that."""
    commit: str | None = None
    branch: str | None = None
    upstream, ahead, behind = "", 0, 0
    entries: list[StatusEntry] = []
    untracked: list[str] = []
    ignored: list[str] = []
    items = iter(split_nul(data))
    try:
        for item in items:
            kind = item[:2]
            if kind == "? ":
                untracked.append(item[2:])
            elif kind == "! ":
                ignored.append(item[2:])
            elif kind in ("1 ", "2 ", "u "):
                entries.append(_entry(item, next(items) if kind == "2 " else ""))
            elif kind == "# ":
                _, key, value = item.split(" ", 2)
                if key == "branch.oid":
                    commit = None if value == "(initial)" else value
                elif key == "branch.head":
                    branch = None if value == "(detached)" else value
                elif key == "branch.upstream":
                    upstream = value
                elif key == "branch.ab":
                    ahead, behind = (abs(int(number)) for number in value.split(" "))
            else:
                raise ValueError(item)
    except (ValueError, StopIteration) as error:
        raise GitFailed("git status said something unexpected", repr(str(error)), "please report it") from None
    return Status(Head(branch, commit), upstream, ahead, behind, tuple(entries), tuple(untracked), tuple(ignored))


def _entry(item: str, original: str) -> StatusEntry:
    if item[0] == "u":
        _, code, submodule, *_, path = item.split(" ", 10)
        return StatusEntry(path, code, submodule=submodule, conflict=True)
    _, code, submodule, head_mode, index_mode, worktree_mode, head_oid, index_oid, path = item.split(" ", 8)
    if item[0] == "2":
        _, _, path = path.partition(" ")
    return StatusEntry(path, code, original, submodule, head_mode, index_mode, worktree_mode, head_oid, index_oid)

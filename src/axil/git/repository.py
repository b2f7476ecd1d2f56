"""Which repository a folder belongs to, found with one git process."""

from __future__ import annotations

import os
from collections.abc import Callable

from axil.base.light import NamedTuple
from axil.errors import AxilError, BadInput, NotFound
from axil.git.process import Git, Result, failure, require_version, text
from axil.git.refs import Head, is_object_id, unborn_head


class Repository(NamedTuple):
    """A repository as seen from one of its work trees; paths are absolute, links in them resolved by git."""

    top: str
    """The work tree's root."""
    git_dir: str
    """This work tree's own git folder."""
    common_dir: str
    """The git folder all work trees share."""
    bare: bool
    shallow: bool
    object_format: str = "sha1"

    @property
    def worktree_id(self) -> str:
        """What tells this work tree from the others, wherever the repository is moved: "." is the main one."""
        return os.path.relpath(self.git_dir, self.common_dir)

    def git(self) -> Git:
        """git at the root of the work tree."""
        return Git(self.top, git_dir=self.git_dir)


_QUESTIONS = (
    "--is-bare-repository",
    "--is-inside-git-dir",
    "--is-shallow-repository",
    "--show-object-format",
    "--absolute-git-dir",
    "--git-common-dir",
    "--show-toplevel",
)


def discover(start: str) -> Repository:
    """The repository that holds the folder `start`.

    Raises `NotFound` (no git, no such folder, no repository) and `BadInput` (git too old, bare, inside `.git`,
    owned by somebody else).
    """
    git = Git(start)
    ask = ("rev-parse", *_QUESTIONS)
    return _repository(git, start, ask, git.call(*ask))[0]


def discover_with_head(start: str) -> tuple[Repository, Head]:
    """`discover` and `refs.head` with a single process (two on an unborn branch)."""
    return begin_discover(start, "HEAD")()[:2]


def begin_discover(start: str, ref: str) -> Callable[[], tuple[Repository, Head, str | None]]:
    """`discover_with_head` and the commit that `ref` is at, or None if there seems to be none.

    One process, started now and waited for when the answer is called.
    """
    git = Git(start)
    # After HEAD's name, git would give the name of `ref` too. Of this range, which is empty, it gives both ends by name
    # and then, by its id, the commit where they meet.
    ask = ("rev-parse", *_QUESTIONS, "HEAD", "--symbolic-full-name", "HEAD", f"{ref}...{ref}")
    finish = git.begin_call(*ask)

    def found() -> tuple[Repository, Head, str | None]:
        repository, answers = _repository(git, start, ask, finish())
        if len(answers) < 2:
            return repository, unborn_head(repository.git()), None
        met = answers[4] if len(answers) == 5 else ""
        return repository, Head.parse(answers[0], answers[1]), met[1:] if met.startswith("^") else None

    return found


def _repository(git: Git, start: str, ask: tuple[str, ...], result: Result) -> tuple[Repository, list[str]]:
    """The repository, and the answers that follow those about it; none if they cannot be told apart."""
    answers = text(result.out).split("\n")[:-1]
    if len(answers) < 6:
        raise _no_repository(git, start, ask, result.err, result.code)
    bare, inside, shallow, object_format, git_dir, common_dir = answers[:6]
    if "true" in (bare, inside):
        raise _no_work_tree(start, bare == "true")
    top, rest = "".join(answers[6:7]), answers[7:]
    if not os.path.isabs(top) or not os.path.isdir(top) or (rest and rest[0] != "HEAD" and not is_object_id(rest[0])):
        # A line end in a path makes the answers run together: ask for each path alone.
        git_dir, common_dir, top = (_path(git, question) for question in _QUESTIONS[4:])
        rest = []
    common_dir = os.path.normpath(os.path.join(start, common_dir))
    repository = Repository(top, git_dir, os.path.abspath(common_dir), False, shallow == "true", object_format)
    return repository, rest


def git_dirs(repository: Repository) -> list[str]:
    """The git folders of all work trees of the repository, the main one first (also of work trees that are gone)."""
    linked = os.path.join(repository.common_dir, "worktrees")
    try:
        names = sorted(os.listdir(linked))
    except FileNotFoundError:
        names = []
    folders = [os.path.join(linked, name) for name in names]
    return [repository.common_dir, *(folder for folder in folders if os.path.isdir(folder))]


def _path(git: Git, question: str) -> str:
    return text(git.run("rev-parse", question).removesuffix(b"\n"))


def _no_repository(git: Git, start: str, ask: tuple[str, ...], err: str, code: int) -> AxilError:
    if "not a git repository" in err:
        return NotFound(
            f"{os.path.abspath(start)} is not in a git repository",
            err.splitlines()[0],
            "go to your project's folder, or make it a repository: git init",
        )
    require_version(git)
    return failure(git, ask, Result(code, b"", err))


def _no_work_tree(start: str, bare: bool) -> AxilError:
    where = os.path.abspath(start)
    if bare:
        return BadInput(
            f"{where} is a bare repository",
            "it has no work tree, and experiments need one",
            "make a work tree: git clone, or git worktree add",
        )
    return BadInput(f"{where} is inside a .git folder", "axil works in the work tree", "go to the project's folder")

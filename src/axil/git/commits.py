"""Commits of the user's work tree: staging, committing with the user's hooks, and who the user is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from axil.errors import AxilError, BadInput, GitFailed
from axil.git.process import DURABLE, Git, failure, join_nul, text

_FROM_INPUT = ("--pathspec-from-file=-", "--pathspec-file-nul")


def identity(git: Git) -> str:
    """Who commits here, as "Name <mail>". Raises `BadInput` with the two lines to type if git does not know."""
    return name_in(begin_stamp(git)())


def begin_stamp(git: Git, who: str = "AUTHOR") -> Callable[[], str]:
    """The line about the user in a commit made now, "Name <mail> TIME ZONE"; `who` is "AUTHOR" or "COMMITTER".

    Asked now and waited for when the answer is called, which raises as `identity` does.
    """
    finish = git.begin_call("var", f"GIT_{who}_IDENT")

    def stamp() -> str:
        import re

        result = finish()
        line = text(result.out).strip()
        if result.code or not re.fullmatch(r".*<[^<>]*> \d+ [+-]\d+", line):
            raise _nobody(result.err)
        return line

    return stamp


def name_in(stamp: str) -> str:
    """ "Name <mail>" out of such a line."""
    return stamp[: stamp.rindex(">") + 1]


def stage(git: Git, paths: Sequence[str], *, force: bool = False) -> None:
    """Put the files (or removals) at `paths` in the index; with `force` also ignored ones."""
    if paths:
        args = ["add", "--all", *(["--force"] if force else []), *_FROM_INPUT]
        git.writing(*args, input=join_nul(list(paths)))


def unstage(git: Git, paths: Sequence[str]) -> None:
    """Make the index at `paths` what HEAD has there (nothing, before the first commit); files stay as they are."""
    if paths:
        git.writing("reset", "--quiet", *_FROM_INPUT, input=join_nul(list(paths)))


def commit(git: Git, message: str, *, paths: Sequence[str] | None = None, all: bool = False) -> str | None:
    """Commit what is staged, or `all` changes of tracked files, or `paths` only (untracked ones included).

    Hooks and signing are the user's. Returns the new commit, or None if there was nothing to commit. Raises
    `GitFailed` with the words of a hook that refused.
    """
    args = ["commit", "--quiet", f"--message={message}"]
    if paths is not None:
        stage(git, paths)
        args += ["--only", *_FROM_INPUT]
    elif all:
        args.append("--all")
    before = git.call("rev-parse", "--verify", "--quiet", "HEAD").out
    result = git.writing_call(*args, input=join_nul(list(paths)) if paths is not None else None)
    after = git.call("rev-parse", "--verify", "--quiet", "HEAD").out
    if not result.code:
        return text(after).strip()
    said = text(result.out)
    if after != before:
        return text(after).strip()  # made; only a hook that runs afterwards failed
    if any(words in said for words in ("nothing to commit", "nothing added to commit", "no changes added to commit")):
        return None
    if "identity unknown" in result.err or "Please tell me who you are" in result.err:
        raise _nobody(result.err)
    error = failure(git, tuple(args), result)
    if isinstance(error, GitFailed):
        words = "\n".join(part for part in (result.err, said.strip()) if part)
        raise GitFailed("git did not commit", words, "mend what git or your hook says above, and try again")
    raise error


def commit_tree(
    git: Git, tree: str, parents: Sequence[str], message: str, *, author: str = "", time: float | None = None
) -> str:
    """A commit of `tree` that no ref points at yet; author ("Name <mail>") and time default to the user and now."""
    env: dict[str, str] = {}
    if author:
        name, _, mail = author.rstrip(">").partition(" <")
        env |= {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail}
    if time is not None:
        env |= {"GIT_AUTHOR_DATE": f"@{int(time)} +0000", "GIT_COMMITTER_DATE": f"@{int(time)} +0000"}
    return _commit_tree(git, tree, parents, message, env)


def _commit_tree(git: Git, tree: str, parents: Sequence[str], message: str, env: Mapping[str, str]) -> str:
    args = [*DURABLE, "commit-tree", tree]
    for parent in parents:
        args += ["-p", parent]
    result = git.call(*args, "-F", "-", input=message.encode("utf-8", "surrogateescape"), env=env)
    if result.code:
        raise _nobody(result.err) if "identity" in result.err else failure(git, tuple(args), result)
    return text(result.out).strip()


def _nobody(words: str) -> AxilError:
    return BadInput(
        "git does not know who you are",
        words.splitlines()[-1] if words else "no user.name and user.email are set",
        'tell it once:\n  git config --global user.name "Your Name"\n  git config --global user.email you@example.com',
    )

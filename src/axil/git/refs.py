"""HEAD and refs: read with one process, changed all or nothing with compare-and-swap."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from axil.base.light import NamedTuple
from axil.errors import AxilError, BadInput, Busy, GitFailed
from axil.git.process import DURABLE, Git, failure, text

BRANCHES = "refs/heads/"


class LostRace(GitFailed):
    """A ref was not at the value expected: somebody else moved it first. Read again and retry."""


class Head(NamedTuple):
    """Where HEAD is: no `branch` when detached, no `commit` when unborn."""

    branch: str | None
    commit: str | None

    @staticmethod
    def parse(commit: str, name: str) -> Head:
        """From `git rev-parse HEAD --symbolic-full-name HEAD`."""
        return Head(name.removeprefix(BRANCHES) if name.startswith(BRANCHES) else None, commit)


Update = tuple[str, str | None, str | None]
"""(ref, new, old): new None deletes; old None demands that the ref does not exist yet."""


def head(git: Git) -> Head:
    """Current branch and commit, with one process (two on an unborn branch)."""
    result = git.call("rev-parse", "HEAD", "--symbolic-full-name", "HEAD")
    lines = text(result.out).splitlines()
    if result.code == 0 and len(lines) == 2:
        return Head.parse(lines[0], lines[1])
    return unborn_head(git)


def unborn_head(git: Git) -> Head:
    """HEAD of a repository whose current branch has no commit; raises `GitFailed` if HEAD is broken instead."""
    name = text(git.run("symbolic-ref", "HEAD")).strip()
    if git.call("show-ref", "--verify", "--quiet", name).code == 0:
        # Born between two questions, or pointing at an object that is gone: git says which.
        commit = text(git.run("rev-parse", "--verify", "HEAD^{commit}")).strip()
        return Head.parse(commit, name)
    return Head(name.removeprefix(BRANCHES), None)


def list_refs(git: Git, *prefixes: str) -> dict[str, str]:
    """Full ref name -> object id, for refs that are one of `prefixes` or lie under it (all without any)."""
    return begin_list_refs(git, *prefixes)()


def begin_list_refs(git: Git, *prefixes: str) -> Callable[[], dict[str, str]]:
    """`list_refs`, started now and waited for when the answer is called."""
    finish = git.begin("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)

    def refs() -> dict[str, str]:
        lines = text(finish()).splitlines()
        return {line[line.index(" ") + 1 :]: line[: line.index(" ")] for line in lines}

    return refs


def read_commit(git: Git, ref: str) -> str:
    """The commit that `ref` is at, "" if there is none."""
    result = git.call("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    return text(result.out).strip() if result.code == 0 else ""


def update_refs(git: Git, updates: Iterable[Update], *, message: str = "axil", durable: bool = False) -> None:
    """Move all refs of `updates` or none; `message` goes to the reflog, with `durable` they are on the disk on return.

    `(ref, None, None)` only demands that the ref does not exist; `(ref, x, x)` that it is at x.
    Raises `LostRace` if a ref is not at its old value, `BadInput` if a name is not possible beside an existing one.
    """
    wanted = list(updates)
    if not wanted:
        return
    stream = ["start"]
    for ref, new, old in wanted:
        if new is None:
            stream.append(f"delete {ref}\0{old}" if old else f"verify {ref}\0")
        else:
            stream.append(f"update {ref}\0{new}\0{old}" if old else f"create {ref}\0{new}")
    stream += ["prepare", "commit"]
    data = "".join(f"{command}\0" for command in stream).encode("utf-8", "surrogateescape")
    result = git.call(*(DURABLE if durable else ()), "update-ref", "-m", message, "--stdin", "-z", input=data)
    if result.code:
        raise _refused(git, result.err) or failure(git, ("update-ref",), result)


_CONFLICT = r"'(refs/[^']+)' exists; cannot create '(refs/[^']+)'"
_BOTH = r"cannot process '(refs/[^']+)' and '(refs/[^']+)' at the same time"


def _refused(git: Git, words: str) -> AxilError | None:
    import re

    if clash := re.search(_CONFLICT, words) or re.search(_BOTH, words):
        return conflict(clash.group(1), clash.group(2))
    if "File exists" in words and ".lock'" in words:
        return Busy("another git process is changing the same ref", words, "try again")
    if re.search(
        r"but expected|reference already exists|unable to resolve reference|reference (?:is missing|does not exist)"
        r"|incorrect old value|unresolvable",
        words,
    ):
        return LostRace("a ref was moved by another process meanwhile", words, "try again")
    return None


def conflict(existing: str, wanted: str) -> BadInput:
    """The error for two names of which one would be a folder and a file at once in git's ref store."""
    have, want = existing.removeprefix(BRANCHES), wanted.removeprefix(BRANCHES)
    return BadInput(
        f"there cannot be a branch “{want}” beside “{have}”",
        "git keeps branches like files: a name cannot be both a branch and the folder of another",
        f"choose a name that does not begin with “{have}/”"
        if want.startswith(have + "/")
        else f"choose another name than “{want}”, or rename “{have}”",
    )


FORBIDDEN = frozenset(map(chr, range(0x21))) | frozenset("\x7f~^:?*[\\")
_LONGEST = 244  # a file name may have 255 bytes, and git appends ".lock"


def check_name(name: str) -> None:
    """Raise `BadInput` saying what is wrong unless `name` can be a branch.

    The rules of `git check-ref-format --branch`, without its expansion of `@{-1}`, and a length that fits a file name.
    """
    if why := name_problem(name):
        raise BadInput(f"“{name}” cannot be an experiment's name", why, "use letters, digits, “_”, “-”, “.” or “/”")


def split_tracked(tracked: str, known: Collection[str]) -> tuple[str, str]:
    """(git remote, name there) of what follows `refs/remotes/` in a ref; remotes that are not `known` have no slash."""
    parts = tracked.split("/")
    for count in range(len(parts) - 1, 1, -1):
        remote = "/".join(parts[:count])
        if remote in known:
            return remote, "/".join(parts[count:])
    return parts[0], "/".join(parts[1:])


def is_object_id(text: str) -> bool:
    """Whether `text` is a whole git object id, of SHA-1 or SHA-256."""
    return len(text) in (40, 64) and not text.strip("0123456789abcdef")


def name_problem(name: str) -> str:
    """What keeps `name` from being a branch; empty if nothing does."""
    if not name:
        return "it is empty"
    if name.startswith("-"):
        return "it begins with “-”"
    if name in ("HEAD", "@"):
        return f"“{name}” has a meaning of its own in git"
    for char in name:
        if char in FORBIDDEN:
            return f"it contains {'a space' if char == ' ' else f'the character {char!r}'}"
    for part in ("..", "@{", "//"):
        if part in name:
            return f"it contains “{part}”"
    if name.endswith("."):
        return "it ends with “.”"
    return next(filter(None, map(_part_problem, name.split("/"))), "")


def _part_problem(part: str) -> str:
    if not part:
        return "it begins or ends with “/”"
    if part.startswith("."):
        return f"“{part}” begins with “.”"
    if part.endswith(".lock"):
        return f"“{part}” ends with “.lock”"
    if len(part.encode("utf-8", "surrogateescape")) > _LONGEST:
        return f"a part of it is longer than {_LONGEST} bytes"
    return ""

"""Commits and how they descend from each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from axil.base.light import NamedTuple
from axil.errors import BadInput
from axil.git.diff import parse_raw
from axil.git.process import GLOBS, Git, failure, no_option, split_nul, text


class Commit(NamedTuple):
    """A commit; `author` is "Name <mail>", `time` the author's, in seconds since the epoch."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    author: str
    time: int
    message: str

    @property
    def subject(self) -> str:
        """The message's first line."""
        return self.message.partition("\n")[0]


_FIELDS = "%H%x00%T%x00%P%x00%an <%ae>%x00%at%x00%B%x00"


def log_commits(
    git: Git,
    revisions: Iterable[str],
    *,
    exclude: Iterable[str] = (),
    limit: int | None = None,
    paths: Sequence[str] = (),
    between: bool = False,
) -> list[Commit]:
    """Commits reachable from `revisions` but not from `exclude`, newest first (that touch `paths`, if given).

    `between`: only those that descend from `exclude`.
    """
    args = [f"--max-count={limit}"] if limit is not None else []
    args += ["--ancestry-path"] if between else []
    stdin = _lines(revisions) + _lines(exclude, "^")
    out = git.run("rev-list", f"--format={_FIELDS}", *args, "--stdin", "--", *paths, input=stdin)
    fields = text(out).split("\0")[:-1]
    commits = []
    for at in range(0, len(fields), 6):
        oid, tree, parents, author, time, message = fields[at : at + 6]
        oid = oid.rpartition("\n")[2]  # rev-list puts a line "commit …" before each
        commits.append(Commit(oid, tree, tuple(parents.split()), author, int(time), message.rstrip("\n")))
    return commits


def added_by(git: Git, tips: Sequence[str], path: str, remote: str) -> str:
    """A commit below `tips` that adds or changes the file `path` and that `remote` was not seen to have; "" if none."""
    if not tips:
        return ""
    shown = ("--max-count=1", "--no-show-signature", "--no-notes", "--format=%H", "--diff-filter=AM")
    below = (*tips, "--not", f"--remotes={remote}", "--", path)
    return text(git.run("-c", "log.showRoot=true", "log", *shown, *below)).strip()


def line(git: Git, old: str, new: str) -> list[Commit]:
    """The way from the commit `old` to its descendant `new`, without `old`; at merges the first parent that is on it.

    [] if they are the same or `new` is no descendant.
    """
    known = {commit.oid: commit for commit in log_commits(git, [new], exclude=[old], between=True)}
    found: list[Commit] = []
    at = known.get(new)
    while at is not None:
        found.append(at)
        at = next((known[parent] for parent in at.parents if parent in known), None)
    return found[::-1]


def resolve(git: Git, name: str, kind: str = "commit") -> str | None:
    """Id of the object `name` (branch, tag, id, `HEAD~2` …) as a `kind`; None if there is none."""
    if not name or "\0" in name:
        return None
    result = git.call("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{{kind}}}")
    return text(result.out).strip() or None


def merge_base(git: Git, a: str, b: str) -> str | None:
    """The best common ancestor of two commits; None if they have none (or a shallow clone cut it off)."""
    args = ("merge-base", no_option(a), no_option(b))
    result = git.call(*args)
    if result.code not in (0, 1):
        raise failure(git, args, result)
    return text(result.out).strip() or None


def is_ancestor(git: Git, a: str, b: str) -> bool:
    """Whether commit `a` is `b` or one of its ancestors."""
    return git.ok("merge-base", "--is-ancestor", no_option(a), no_option(b))


def ahead_behind(git: Git, a: str, b: str) -> tuple[int, int]:
    """How many commits `a` has that `b` has not, and the reverse."""
    out = git.run("rev-list", "--left-right", "--count", f"{no_option(a)}...{no_option(b)}", "--")
    ahead, behind = text(out).split()
    return int(ahead), int(behind)


def blobs_at(git: Git, pattern: str, revisions: Iterable[str]) -> dict[str, set[str]]:
    """Every blob that ever was at a path matching `pattern` ("*.axil") in the history of `revisions`: id -> paths.

    All branches of all merges are followed, so that nothing a past commit needs is left out.
    """
    stdin = _lines(revisions)
    if not stdin:
        return {}
    out = git.run(
        "-c",
        "log.showRoot=true",
        "-c",
        "log.diffMerges=separate",
        "log",
        "--no-show-signature",
        "--no-notes",
        "--format=",
        "--raw",
        "-z",
        "-m",
        "--no-abbrev",
        "--no-renames",
        "--full-history",
        "--ignore-submodules=none",
        "--stdin",
        "--",
        f":(top){pattern}",
        input=stdin,
        env=GLOBS,
    )
    found: dict[str, set[str]] = {}
    for change in parse_raw(split_nul(out)):
        for oid, mode in ((change.old, change.old_mode), (change.new, change.new_mode)):
            if oid and mode != "160000":
                found.setdefault(oid, set()).add(change.path)
    return found


def _lines(revisions: Iterable[str], mark: str = "") -> bytes:
    """Revisions for git's `--stdin`, where one that holds a line end would be two."""
    lines = [f"{mark}{no_option(rev)}\n" for rev in revisions]
    if any("\n" in line[:-1] for line in lines):
        raise BadInput("a branch, tag or commit never holds a line end")
    return "".join(lines).encode("utf-8", "surrogateescape")

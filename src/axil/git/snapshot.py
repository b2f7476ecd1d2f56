"""The exact work tree as a git tree, made through an index of its own: the user's index is only read.

Source of the method: gitglossary "index", git-write-tree(1); the copied index keeps its modification time, because
git's racy-entry rule compares every entry against it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from axil.base.clutter import is_clutter
from axil.base.light import NamedTuple
from axil.errors import Blocked
from axil.git.process import BATCH, DURABLE, GLOBS, Git, join_nul, text
from axil.git.refs import Head
from axil.git.status import Status, begin_status

MAX_UNTRACKED = 10 << 20
_MANY = 16
_LEFTOVER_AFTER = 24 * 3600 * 10**9


class Snapshot(NamedTuple):
    """`tree` holds every tracked and every untracked, not ignored file, but the `skipped` ones (path, bytes)."""

    tree: str
    skipped: tuple[tuple[str, int], ...] = ()
    nested: tuple[str, ...] = ()
    """Untracked folders that are repositories of their own; left out too."""
    clean: bool = False
    """Whether `tree` is the tree of HEAD."""


def snapshot_tree(
    git: Git, head: Head, *, max_untracked: int = MAX_UNTRACKED, status: Status | None = None
) -> Snapshot:
    """The tree of what is in the work tree now, its objects on the disk; the user's index and HEAD stay as they are.

    Untracked files of more than `max_untracked` bytes are left out and named; untracked clutter (`base/clutter.py`)
    is left out. `status` spares asking git again; it must list all untracked files. Raises `Blocked` while a merge
    is not resolved.
    """
    return begin_snapshot(git, head, max_untracked=max_untracked, status=status)()


def begin_snapshot(
    git: Git, head: Head, *, max_untracked: int = MAX_UNTRACKED, status: Status | None = None
) -> Callable[[], Snapshot]:
    """`snapshot_tree`; git begins to look now, and the answer, when called, waits for it and does the rest."""
    state = None if status else begin_status(git)
    head_tree = git.begin("rev-parse", "--verify", f"{head.commit}^{{tree}}") if head.commit else None

    def taken() -> Snapshot:
        try:
            found = status or (state and state())
        finally:
            tree = text(head_tree()).strip() if head_tree else ""
        assert found
        return _snapshot(git, found, tree, max_untracked)

    return taken


def _snapshot(git: Git, state: Status, tree: str, max_untracked: int) -> Snapshot:
    """The snapshot of a work tree in that `state`; `tree` is HEAD's, "" before the first commit."""
    if conflicts := state.conflicts:
        raise Blocked(
            "a merge in this work tree is not resolved",
            "a snapshot cannot hold both sides of: " + ", ".join(conflicts),
            "resolve the conflicts and `git add` the files, or give up with `git merge --abort`",
            conflicts,
        )
    clutter = [path for path in state.untracked if is_clutter(path)]
    nested = tuple(path.rstrip("/") for path in state.untracked if path.endswith("/"))
    skipped = tuple(_large(git.cwd, state.untracked, max_untracked))
    left_out = {*(path for path, _ in skipped), *(path + "/" for path in nested), *clutter}
    if not state.entries and left_out.issuperset(state.untracked):
        born = bool(tree)
        if not born:
            tree = text(git.run(*DURABLE, "mktree", input=b"")).strip()
        return Snapshot(tree, skipped, nested, born)
    many = len(state.entries) + len(state.untracked) > _MANY
    made = _write(git, [*(path for path, _ in skipped), *nested, *clutter], BATCH if many else ())
    return Snapshot(made, skipped, nested, made == tree)


def _large(top: str, paths: tuple[str, ...], limit: int) -> Iterator[tuple[str, int]]:
    for path in paths:
        with contextlib.suppress(OSError):
            size = os.lstat(os.path.join(top, path)).st_size
            if size > limit and not path.endswith("/"):
                yield path, size


def _write(git: Git, left_out: list[str], how: tuple[str, ...]) -> str:
    """Add everything but `left_out` to a copy of the index and write that as a tree."""
    excluded = [f":(top,exclude,literal){path}" for path in left_out]
    with _copied_index(git.git_dir) as index:
        env = {**GLOBS, "GIT_INDEX_FILE": index}
        # A line end the user asked to be warned of must not keep a run from being recorded.
        lenient = ("-c", "core.safecrlf=false", "-c", "core.splitIndex=false")
        git.run(
            *DURABLE,
            *how,
            *lenient,
            "add",
            "--all",
            "--pathspec-from-file=-",
            "--pathspec-file-nul",
            input=join_nul([":(top)", *excluded]),
            env=env,
        )
        return text(git.run(*DURABLE, "write-tree", env=env)).strip()


@contextlib.contextmanager
def _copied_index(git_dir: str) -> Iterator[str]:
    """A copy of the index beside axil's files, gone afterwards."""
    folder = os.path.join(git_dir, "axil")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"snapshot.{os.getpid()}.{os.urandom(4).hex()}.index")
    try:
        _copy(os.path.join(git_dir, "index"), path)
        yield path
    finally:
        for leftover in (path, path + ".lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)


def _copy(index: str, path: str) -> None:
    """Copy `index` with its modification time; without an index, git starts from an empty one."""
    try:
        source = os.open(index, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with open(source, "rb") as reader, open(path, "xb") as writer:
        seen = os.fstat(source)
        while block := reader.read(1 << 20):
            writer.write(block)
    now = os.lstat(path).st_ctime_ns
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    _sweep(os.path.dirname(path), now)


def _sweep(folder: str, now: int) -> None:
    """Remove what killed processes left a day ago or earlier."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("snapshot."):
                with contextlib.suppress(FileNotFoundError):
                    if now - entry.stat(follow_symlinks=False).st_ctime_ns > _LEFTOVER_AFTER:
                        os.unlink(entry.path)

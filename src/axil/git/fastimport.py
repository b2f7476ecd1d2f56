"""Commits made without a work tree: one `git fast-import` process writes objects and moves the ref."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from axil.base.light import NamedTuple
from axil.errors import BadInput
from axil.git.process import BATCH, DURABLE, Git, failure, text
from axil.git.refs import LostRace

_UNPACKED = 100
"""Packs are left whole from so many objects on; below that objects are loose, or each append would leave a pack."""
_WRITE = (*DURABLE, *BATCH, "-c", f"fastimport.unpackLimit={_UNPACKED}")
_IMPORT = ("fast-import", "--quiet", "--done", "--date-format=raw")

Entry = tuple[str, str]
"""(mode, object id) of something git already has: ("040000", tree) or ("100644", blob)."""


def fast_import(
    git: Git,
    ref: str,
    old: str | None,
    files: Mapping[str, bytes],
    *,
    entries: Mapping[str, Entry] | None = None,
    deletes: Iterable[str] = (),
    message: str,
    author: str,
    time: float,
    merge: Iterable[str] = (),
) -> str:
    """Commit `files`, `entries` and `deletes` on top of `old` (None: a first commit) and move `ref` to it.

    Returns the new commit. `author` is "Name <mail>", `merge` are further parents. Raises `LostRace`, leaving the
    ref alone, if it is no longer at `old` or an ancestor of it; objects and ref are on the disk on return.
    """
    who = os.fsencode(stamp(author, time))
    parts: list[bytes] = [b"feature done\n", b"commit %s\nmark :1\n" % _ref(ref)]
    parts += [b"author %s\n" % who, b"committer %s\n" % who]
    parts.append(_data(message.encode("utf-8", "surrogateescape")))
    if old:
        parts.append(b"from %s\n" % _oid(old))
    parts += [b"merge %s\n" % _oid(parent) for parent in merge]
    deletes = list(deletes)
    parts += [b"D %s\n" % _path(path) for path in deletes]
    for path, (mode, oid) in (entries or {}).items():
        parts.append(b"M %s %s %s\n" % (_mode(mode), _oid(oid), _path(path)))
    for path, data in files.items():
        parts += [b"M 100644 inline %s\n" % _path(path), _data(data)]
    parts.append(b"get-mark :1\ndone\n")
    command = _command([*deletes, *(entries or ()), *files])
    result = git.call(*command, input=b"".join(parts))
    if result.code == 0:
        return text(result.out).strip()
    if re.search(r"[Nn]ot updating|cannot lock ref|[Uu]nable to create '[^']*\.lock'|but expected", result.err):
        raise LostRace(f"{ref} was moved by another process meanwhile", result.err, "try again")
    raise failure(git, command, result)


class Commit(NamedTuple):
    """A commit to be made on top of `base` ("": a first commit), in which each of `files` holds (mode, content).

    Author and committer are written as git writes them in commits (`commits.begin_stamp`).
    """

    base: str
    files: Mapping[str, tuple[str, bytes]]
    message: str
    author: str
    committer: str


def begin_commits(git: Git, commits: Sequence[Commit]) -> Callable[[], list[str]]:
    """Make `commits`, of which one at least has a base; no ref points at them yet, git's index is not touched.

    git writes while the caller goes on; calling the answer waits for their ids, which are on the disk then.
    """
    # Commits are made on a ref; with no commit to be at, git deletes it before it has ever been there.
    ref = b"refs/axil/unnamed"
    nowhere = b"reset %s\nfrom %s\n\n" % (ref, b"0" * max(len(one.base) for one in commits))
    parts = [b"feature done\n"]
    for mark, one in enumerate(commits, 1):
        author, committer = os.fsencode(one.author), os.fsencode(one.committer)
        parts.append(b"commit %s\nmark :%d\nauthor %s\ncommitter %s\n" % (ref, mark, author, committer))
        parts.append(_data(one.message.encode("utf-8", "surrogateescape")))
        parts += [b"from %s\n" % _oid(one.base)] if one.base else []
        for path, (mode, data) in one.files.items():
            parts += [b"M %s inline %s\n" % (_mode(mode), _path(path)), _data(data)]
        parts.append(nowhere)
    parts += [b"get-mark :%d\n" % mark for mark in range(1, len(commits) + 1)]
    command = _command([path for one in commits for path in one.files], commits=len(commits))
    finish = git.begin(*command, input=b"".join([*parts, b"done\n"]))
    return lambda: text(finish()).split()


def stamp(author: str, time: float) -> str:
    """`author`, "Name <mail>", at `time` as git writes it in commits. Raises `BadInput` for what git would not read."""
    return f"{_identity(author)} {int(time)} +0000"


def write_blobs(git: Git, contents: Sequence[bytes]) -> list[str]:
    """Ids of `contents` as blobs, durable but unreachable: git drops them after weeks unless something names them."""
    if not contents:
        return []
    parts = [b"feature done\n"]
    for mark, data in enumerate(contents, 1):
        parts += [b"blob\nmark :%d\n" % mark, _data(data)]
    parts += [b"get-mark :%d\n" % mark for mark in range(1, len(contents) + 1)]
    out = git.run(*_command([""] * len(contents)), input=b"".join([*parts, b"done\n"]))
    return text(out).split()


def _command(paths: Sequence[str], *, commits: int = 1) -> tuple[str, ...]:
    """The command for a stream that changes what is at `paths`."""
    # The commits, their trees, and for each path at most the content and the folders above it.
    most = 2 * commits + sum(2 + path.count("/") for path in paths)
    # A pack that is unpacked and removed at once need not reach the disk, only its objects.
    return (*_WRITE, *(("-c", "core.fsync=loose-object,reference,-pack") if most < _UNPACKED else ()), *_IMPORT)


def _data(data: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(data), data)


def _ref(ref: str) -> bytes:
    if not ref.startswith("refs/") or re.search(r"[\x00-\x20\x7f]", ref):
        raise BadInput(f"{ref!r} is not the full name of a ref")
    return os.fsencode(ref)


def _oid(oid: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", oid):
        raise BadInput(f"{oid!r} is not the id of a git object")
    return oid.encode("ascii")


def _mode(mode: str) -> bytes:
    if mode not in ("100644", "100755", "120000", "160000", "040000"):
        raise BadInput(f"{mode!r} is not the mode of a tree entry")
    return mode.encode("ascii")


def _path(path: str) -> bytes:
    """`path` quoted as in C, so that line ends and quotes in names are safe."""
    if not path or path.startswith("/") or "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise BadInput(f"{path!r} is not a path inside a git tree")
    raw = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % raw


def _identity(author: str) -> str:
    """`author` if it is "Name <mail>" and cannot break the stream."""
    if not re.fullmatch(r"[^<>\n\0]*<[^<>\n\0]*>", author):
        raise BadInput(f"{author!r} is not an author", "it must be written: Name <mail>")
    name, _, mail = author.partition("<")
    return f"{name.strip()} <{mail}" if name.strip() else f"<{mail}"

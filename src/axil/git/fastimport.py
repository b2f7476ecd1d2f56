"""Commits made without a work tree: one `git fast-import` process writes objects and moves the ref."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

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
    stamp = f"{_identity(author)} {int(time)} +0000"
    parts: list[bytes] = [b"feature done\n", b"commit %s\nmark :1\n" % _ref(ref)]
    parts += [b"author %s\n" % os.fsencode(stamp), b"committer %s\n" % os.fsencode(stamp)]
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


def begin_commit_file(
    git: Git, base: str, path: str, mode: str, data: bytes, message: str, stamps: tuple[str, str]
) -> Callable[[], str]:
    """A commit on top of `base` in which `path` holds `data`; no ref points at it yet, git's index is not touched.

    `stamps` are author and committer, each as git writes them in commits (`commits.begin_stamp`). git writes while the
    caller goes on; calling the answer waits for the commit's id.
    """
    # Commits are made on a ref; with no commit to be at, git deletes it before it has ever been there.
    ref = b"refs/axil/unnamed"
    author, committer = (os.fsencode(stamp) for stamp in stamps)
    parts = [b"feature done\ncommit %s\nmark :1\nauthor %s\ncommitter %s\n" % (ref, author, committer)]
    parts += [_data(message.encode("utf-8", "surrogateescape")), b"from %s\n" % _oid(base)]
    parts += [b"M %s inline %s\n" % (_mode(mode), _path(path)), _data(data)]
    parts.append(b"reset %s\nfrom %s\n\nget-mark :1\ndone\n" % (ref, b"0" * len(base)))
    finish = git.begin(*_command([path]), input=b"".join(parts))
    return lambda: text(finish()).strip()


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


def _command(paths: Sequence[str]) -> tuple[str, ...]:
    """The command for a stream that changes what is at `paths`."""
    # A commit, its tree, and for each path at most the content and the folders above it.
    most = 2 + sum(2 + path.count("/") for path in paths)
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

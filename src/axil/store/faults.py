"""Errors of the disk in words a user can act on."""

from __future__ import annotations

import errno
import os

from axil.errors import AxilError, Damaged, NotFound

_MIB = 1 << 20


class DiskFull(AxilError):
    """No space (or quota) is left where the store or the work tree is."""


class ReadOnly(AxilError):
    """The store may be read but not written."""


def refusal(error: OSError, path: str, needed: int = 0) -> AxilError:
    """The error to raise when writing `path` failed; `needed` bytes were still to be written, if known."""
    path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            "the disk is full, nothing was changed",
            f"{path}: {error.strerror}; {_free(path)}",
            f"free {max(needed // _MIB + 1, 1)} MB and try again" if needed else "free some space and try again",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ReadOnly(
            "the store cannot be written",
            f"{path}: {error.strerror}",
            "check the permissions of this folder and whether its disk is mounted read-only",
        )
    return AxilError("writing failed, nothing was changed", f"{path}: {error.strerror}", "check the disk and try again")


def _free(path: str) -> str:
    while path and not os.path.isdir(path):
        path = os.path.dirname(path)
    try:
        stat = os.statvfs(path or ".")
    except OSError:
        return "free space is unknown"
    return f"{stat.f_bavail * stat.f_frsize // _MIB} MB are free"


def missing(oid: bytes) -> NotFound:
    """The error for an object that is not in the store."""
    return NotFound(
        f"object {oid.hex()[:12]} is not in the store",
        f"full id {oid.hex()}",
        "fetch it from a remote, or run `axil verify` to see what else is missing",
    )


def damaged(oid: bytes, path: str, why: str) -> Damaged:
    """The error for an object whose stored bytes are wrong."""
    return Damaged(
        f"object {oid.hex()[:12]} is damaged",
        f"{path}: {why}",
        "run `axil verify` to see all damage; add the original file again or fetch it to heal the store",
    )

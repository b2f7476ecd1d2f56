"""Errors of the operating system, of this machine or another one, as errors of a remote with advice."""

from __future__ import annotations

import errno
import os

from axil.errors import AxilError
from axil.remotes.base import Absent, Denied, Unreachable

_PASSING = frozenset(
    (
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ESTALE,
        errno.ETIMEDOUT,
    )
)
_ADVICE = {
    errno.EACCES: "check who owns the remote's folder, and its permissions",
    errno.EPERM: "check who owns the remote's folder, and its permissions",
    errno.EROFS: "the remote's file system is read-only: mount it for writing, or use another remote",
    errno.ENOSPC: "free some space there, or use another remote",
    errno.EDQUOT: "free some space there, or ask for a larger quota",
    errno.ENOTDIR: "make the folder (mkdir -p), mount its disk, or correct `url`",
    errno.ELOOP: "replace the link by a real folder",
}


def of_system(url: str, key: str, error: OSError) -> AxilError:
    """What to raise for `error`, which came from the remote `url` about `key` ("" for the whole remote)."""
    number = error.errno or 0
    about = f"{url}/{key}" if key else url
    why = error.strerror or str(error)
    if error.filename is not None:
        why = f"{why}: {os.fsdecode(error.filename)}"
    if number == errno.ENOENT:
        return Absent(f"{url} has no object {key}") if key else Denied(f"cannot use {about}", why)
    if number in _PASSING:
        return Unreachable(f"cannot reach {about}", why, "try again later")
    return Denied(f"{about} refuses", why, _ADVICE.get(number, ""))

"""Folders that a command may read and not change, enforced by the kernel (Landlock, Linux 5.13 and newer).

A thread restricts itself for good and starts the command, which inherits that; so does everything it starts. Source:
linux/Documentation/userspace-api/landlock.rst, include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same numbers on every architecture."""
_VERSION = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVS = 38

_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE = 1 << 1, 1 << 4, 1 << 5
_MAKE = 0b1111111 << 6
"""char, dir, reg, sock, fifo, block, sym: seven kinds from bit 6 on."""
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_CHANGES = _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE
_OF_FILES = _WRITE_FILE | _TRUNCATE


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


@cache
def version() -> int:
    """Landlock's version here, 0 where there is none (an older kernel, another system, switched off)."""
    with suppress(OSError, AttributeError):
        return max(0, int(_system().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))))
    return 0


def protect(folders: Iterable[str]) -> bool:
    """Keep this thread, and what it starts from now on, from changing anything in `folders`; whether that worked.

    Landlock only knows what is allowed, so everything beside the way to each folder is: what lies there now. New
    entries cannot be made directly in the folders above a protected one. Gives up the right to gain privileges.
    """
    known = version()
    if not known:
        return False
    handled = _CHANGES | (_REFER if known >= 2 else 0) | (_TRUNCATE if known >= 3 else 0)
    ruleset = _Ruleset(handled)
    libc = _system()
    fd = libc.syscall(
        _CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), ctypes.c_uint32(0)
    )
    if fd < 0:
        return False
    try:
        for path, folder in _beside({os.path.realpath(one) for one in folders}):
            _allow(libc, fd, path, handled if folder else handled & _OF_FILES)
        if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
            return False
        return bool(libc.syscall(_RESTRICT_SELF, ctypes.c_int(fd), ctypes.c_uint32(0)) == 0)
    finally:
        os.close(fd)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    """Allow `access` at and below `path`, unless it is gone or cannot be opened."""
    with suppress(OSError):
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            rule = _Beneath(access, fd)
            libc.syscall(
                _ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0)
            )
        finally:
            os.close(fd)


def _beside(protected: set[str]) -> list[tuple[str, bool]]:
    """All that lies beside the ways from the root to the `protected` folders, and whether it is a folder."""
    above: set[str] = set()
    for path in protected:
        while (parent := os.path.dirname(path)) != path:
            above.add(parent)
            path = parent
    found: list[tuple[str, bool]] = []
    for folder in above:
        if any(folder == one or folder.startswith(one.rstrip("/") + "/") for one in protected):
            continue
        with suppress(OSError), os.scandir(folder) as entries:
            found += [
                (entry.path, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if entry.path not in above and entry.path not in protected and not entry.is_symlink()
            ]
    return found


@cache
def _system() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)

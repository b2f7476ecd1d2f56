"""Which parameters the script reads: a line of the run's `read.jsonl` for each key, when it is first read.

The line is there before the value is used, so a process that is killed leaves all it had read.
"""

from __future__ import annotations

import os

from axil.tracking import run

_noted: set[str] = set()
_torn = False


def note(key: str) -> None:
    """The script reads `key`, or with all that is below it if it is a table ("": everything). Never raises."""
    if key in _noted:
        return
    try:
        if folder := run.folder():
            _append(
                os.path.join(folder, "read.jsonl"), f'{{"stage":{run.quoted(run.stage())},"key":{run.quoted(key)}}}\n'
            )
            _noted.add(key)
    except Exception as error:
        # Not noted, so the next read of the key tries again.
        run.warn(f"could not note that {key} was read: {error}", about="read.jsonl")


def _append(path: str, line: str) -> None:
    """One line in one write, so that many processes may do it at once; one cut short by a full disk is closed first."""
    global _torn
    data = (b"\n" if _torn else b"") + line.encode("ascii")
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        written = os.write(fd, data)
        _torn = written < len(data)
        if _torn:
            raise OSError("the disk is full")
    finally:
        os.close(fd)

"""Which symbolic links may stand in tracked data: those that cannot lead out of it, whatever else is in there."""

from __future__ import annotations

MAX_TARGET = 4096


def fault(folder: bytes, target: bytes) -> str:
    """Why a link to `target` in `folder` (relative to the top of the data, b"" for the top) is refused, or "".

    Allowed is a relative target whose `..` steps all come first and are no more than the folder is deep. The folders
    above a link are real folders, so these steps stay inside; every later step follows names inside, or other links
    that obey the same rule. By induction no chain of such links leaves the data, so nothing has to be resolved.
    """
    if not target or b"\0" in target or len(target) > MAX_TARGET:
        return "its target is empty or too long"
    if target.startswith(b"/"):
        return "its target is absolute"
    depth = folder.count(b"/") + 1 if folder else 0
    down = False
    for step in target.split(b"/"):
        if step in (b"", b"."):
            continue
        if step != b"..":
            down = True
        elif down:
            return "its target has '..' after a name"
        else:
            depth -= 1
            if depth < 0:
                return "it leads out of the tracked folder"
    return ""

"""Names of files that tools leave behind and nobody means to keep: caches of Python, of notebooks, of file browsers."""

from __future__ import annotations

FOLDERS = frozenset(("__pycache__", ".ipynb_checkpoints"))
FILES = frozenset((".DS_Store",))
ENDING = ".pyc"


def is_clutter(path: str) -> bool:
    """Whether `path` (with `/`) is such a file or folder, or lies in one."""
    *folders, name = path.rstrip("/").split("/")
    return name in FILES or name in FOLDERS or name.endswith(ENDING) or not FOLDERS.isdisjoint(folders)

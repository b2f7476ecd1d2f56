"""Names of files that nobody means to keep or share: caches of Python, of notebooks, of file browsers, half-written
files of a killed axil, and this machine's own settings, which may hold secrets.
"""

from __future__ import annotations

FOLDERS = frozenset(("__pycache__", ".ipynb_checkpoints"))
FILES = frozenset((".DS_Store", "axil.local.toml"))
ENDING = ".pyc"
TEMPORARY_PREFIX = ".axil-part-"
"""How the names of half-written files and folders start, the writer's process id follows; a killed process may leave
some."""

_INSIDE = "/" + TEMPORARY_PREFIX


def is_clutter(path: str) -> bool:
    """Whether `path` (with `/`) is such a file or folder, or lies in one."""
    *folders, name = path.rstrip("/").split("/")
    known = name in FILES or name in FOLDERS or name.endswith(ENDING)
    return known or not FOLDERS.isdisjoint(folders) or path.startswith(TEMPORARY_PREFIX) or _INSIDE in path

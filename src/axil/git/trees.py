"""New git trees made from old ones, without touching a work tree or the user's index."""

from __future__ import annotations

import contextlib
import os

from axil.errors import NotFound
from axil.git.process import DURABLE, Git, text


def replace_file(git: Git, base: str, path: str, data: bytes) -> str:
    """The tree of the commit or tree `base` with `data` as the content of the file `path`, which keeps its mode."""
    entry = git.fields("ls-tree", "-z", "--full-tree", base, "--", path)
    if len(entry) != 1:
        raise NotFound(f"{path} is not in {base[:9]}")
    mode = entry[0].split(" ", 1)[0]
    blob = text(git.run(*DURABLE, "hash-object", "-w", "--stdin", input=data)).strip()
    folder = os.path.join(git.git_dir, "axil")
    os.makedirs(folder, exist_ok=True)
    index = os.path.join(folder, f"snapshot.{os.getpid()}.{os.urandom(4).hex()}.index")
    env = {"GIT_INDEX_FILE": index}
    try:
        git.run("read-tree", base, env=env)
        git.run("update-index", "--cacheinfo", f"{mode},{blob},{path}", env=env)
        return text(git.run(*DURABLE, "write-tree", env=env)).strip()
    finally:
        for leftover in (index, index + ".lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)

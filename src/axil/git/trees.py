"""New git trees made from old ones, without touching a work tree or the user's index."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping

from axil.git.fastimport import Entry, write_blobs
from axil.git.process import DURABLE, Git, join_nul, text


def changed_tree(
    git: Git,
    base: str,
    files: Mapping[str, bytes],
    deletes: Iterable[str],
    entries: Mapping[str, Entry] = {},
) -> str:
    """The tree of the commit or tree `base` with `files` (path -> content) in it and without the files `deletes`.

    `entries` are files whose content git has already.
    """
    blobs = write_blobs(git, list(files.values()))
    lines = [f"0 {'0' * len(base)}\t{path}" for path in deletes]
    lines += [f"100644 {blob}\t{path}" for path, blob in zip(files, blobs, strict=True)]
    lines += [f"{mode} {oid}\t{path}" for path, (mode, oid) in entries.items()]
    with _index(git) as env:
        git.run("read-tree", base, env=env)
        git.run("update-index", "-z", "--index-info", input=join_nul(lines), env=env)
        return text(git.run(*DURABLE, "write-tree", env=env)).strip()


@contextlib.contextmanager
def _index(git: Git) -> Iterator[dict[str, str]]:
    """The environment in which git has an index of its own, gone afterwards."""
    folder = os.path.join(git.git_dir, "axil")
    os.makedirs(folder, exist_ok=True)
    index = os.path.join(folder, f"snapshot.{os.getpid()}.{os.urandom(4).hex()}.index")
    try:
        yield {"GIT_INDEX_FILE": index}
    finally:
        for leftover in (index, index + ".lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)

"""Folders that come as a whole: filled under a temporary name, then renamed, so that nobody sees them half-filled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from axil.data import scan


@contextlib.contextmanager
def coming(top: bytes, folders: Sequence[bytes]) -> Iterator[dict[bytes, bytes]]:
    """Folder -> where it can be filled until the end of the context, for those of `folders` that are not there yet.

    `folders` are project paths below `top`, each after the one it is in. At the end they are all in their places; after
    an error nothing is left of them. A killed process leaves temporary folders, which `scan.sweep` knows.
    """
    private: dict[bytes, bytes] = {}
    outermost: list[tuple[bytes, bytes]] = []
    try:
        for folder in folders:
            above, _, name = folder.rpartition(b"/")
            full = os.path.join(top, folder)
            if above in private:
                private[folder] = os.path.join(private[above], name)
            elif os.path.isdir(full) and not os.path.islink(full):
                continue  # Somebody made it since this was planned.
            else:
                private[folder] = os.path.join(os.path.dirname(full), scan.temporary_name())
                outermost.append((private[folder], full))
            try:
                os.mkdir(private[folder])
            except FileExistsError:
                pass  # The file system holds two names to be the same.
            except OSError as error:
                error.filename = full
                raise
        yield private
        # Never over anything: renaming a folder fails unless the place is free or an empty folder.
        for temporary, full in outermost:
            os.rename(temporary, full)
    except BaseException:
        for temporary, _ in outermost:
            with contextlib.suppress(OSError):
                scan.remove(temporary)
        raise

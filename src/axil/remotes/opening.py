"""From the settings of a remote to the remote: the url's scheme chooses the kind, whose module is loaded only then."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from axil.errors import BadInput
from axil.remotes.base import Remote
from axil.remotes.world import Settings as Settings
from axil.remotes.world import World as World

SCHEMES = ("file", "s3", "gs", "az", "ssh", "http", "https")


def open_remote(name: str, settings: Settings, world: World) -> Remote:
    """The remote `name`; nothing is connected yet. Requests that cannot get through are tried again for a while.

    Raises `BadInput` for a url of an unknown kind or without what its kind needs, `Denied` if a package is missing.
    """
    from axil.remotes.wrap.limit import Limit
    from axil.remotes.wrap.retry import Retry

    remote = open_bare(name, settings, world)
    return Retry(Limit(remote), world.clock, world.sleep, world.random, tell=world.tell)


def open_bare(name: str, settings: Settings, world: World) -> Remote:
    """Like `open_remote`, without trying again and without a limit."""
    url = str(settings.get("url", ""))
    scheme, separator, _ = url.partition("://")
    if not separator:
        scheme = "file"
    scheme = scheme.lower()
    if scheme == "file":
        from axil.remotes.folder import Folder

        return Folder(folder_path(name, url, world), jobs=settings.get("jobs") or 4)
    if scheme in ("s3", "gs", "az"):
        from axil.remotes.objects import open_objects

        return open_objects(name, settings, world)
    raise BadInput(f"remote {name}: cannot use the url {url}", f"unknown kind {scheme}://", _suggestion(scheme))


def folder_path(name: str, url: str, world: World) -> str:
    """The absolute path that a folder's url means. Raises `BadInput`."""
    path = url
    if url[:7].lower() == "file://":
        split = urlsplit(url)
        if split.netloc not in ("", "localhost"):
            why = f"file:// names the machine {split.netloc}"
            raise BadInput(f"remote {name}: cannot use the url {url}", why, "write three slashes: file:///a/folder")
        path = unquote(split.path)
    elif path == "~" or path.startswith("~/"):
        path = world.home + path[1:]
    elif path.startswith("~"):
        raise BadInput(f"remote {name}: cannot use the path {url}", "only ~/ is understood", "write the whole path")
    if not path.strip() or "\0" in path:
        raise BadInput(f"remote {name}: cannot use the path {url!r}", "it is empty or has a NUL character")
    return os.path.normpath(os.path.join(world.root, path))


def _suggestion(scheme: str) -> str:
    import difflib

    close = difflib.get_close_matches(scheme, SCHEMES, n=1, cutoff=0.5)
    return f"did you mean {close[0]}://?" if close else "use a path, " + ", ".join(f"{known}://" for known in SCHEMES)

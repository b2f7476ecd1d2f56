"""DVC's remotes as remotes of axil: where, never with what credentials."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable

from axil.base.light import NamedTuple
from axil.imports.dvc.files import Config, without_password
from axil.imports.dvc.stages import free_name

SCHEMES = ("s3", "gs", "azure", "ssh", "http", "https")
OWN = "axil"
"""The folder for axil's objects inside a remote of DVC's: each tool keeps its own tree."""


class RemoteMade(NamedTuple):
    """A remote of DVC's: the name and url it has in axil.toml ("" if it has none), and what is to be said about it."""

    source: str
    name: str = ""
    url: str = ""
    remarks: tuple[str, ...] = ()


def remotes(config: Config) -> Iterable[RemoteMade]:
    """Every remote, the default one first."""
    taken: list[str] = []
    names = sorted(config.remotes, key=lambda name: name != config.default)
    for source in names:
        options = config.remotes[source]
        url, why = _url(config, source, set())
        left = sorted(key for key in options if key != "url")
        remarks = [f"not carried over: {', '.join(left)}"] if left else []
        if why:
            yield RemoteMade(source, remarks=(why, *remarks))
            continue
        safe = without_password(url)
        if safe != url:
            remarks.append("the password or the query in its url is not carried over")
        name = free_name(source, taken)
        taken.append(name)
        yield RemoteMade(source, name, f"{safe.rstrip('/')}/{OWN}", tuple(remarks))


def local_folder(config: Config, name: str, root: str) -> str:
    """The folder that the remote `name` is, "" if it is elsewhere. Relative urls start at DVC's configuration."""
    url, why = _url(config, name, set())
    if why or "://" in url:
        return ""
    return os.path.normpath(os.path.join(root, url))


def _url(config: Config, name: str, seen: set[str]) -> tuple[str, str]:
    """(url, "") or ("", why there is none). A relative folder is given from the project's root."""
    url = config.remotes.get(name, {}).get("url", "")
    if not url:
        return "", "it has no url in .dvc/config"
    scheme, mark, rest = url.partition("://")
    if not mark:
        return (url if url.startswith(("/", "~")) else posixpath.normpath(posixpath.join(config.folder, url))), ""
    if scheme == "remote" and name not in seen:
        base, _, below = rest.partition("/")
        above, why = _url(config, base, {*seen, name})
        return (f"{above.rstrip('/')}/{below}", "") if not why else ("", why)
    if scheme not in SCHEMES:
        return "", f"axil has no remote of the kind {scheme}"
    return url, ""

"""The remotes of a work tree: axil.toml and axil.local.toml together. Read when a remote is used, never cached."""

from __future__ import annotations

import os

from axil.base.light import Any
from axil.errors import BadInput, NotFound
from axil.formats import remotes
from axil.formats.project import ProjectFile, suggest


def load_remotes(root: str, file: ProjectFile) -> dict[str, dict[str, Any]]:
    """Name -> settings of every remote, secrets included: for `open_remote`, not for showing.

    Raises `BadInput` for a broken axil.local.toml; a missing one changes nothing.
    """
    path = os.path.join(root, remotes.LOCAL_FILE)
    try:
        with open(path, "rb") as opened:
            data = opened.read()
    except FileNotFoundError:
        return remotes.united(file.remotes, {})
    except OSError as error:
        raise BadInput(f"{remotes.LOCAL_FILE} cannot be read", error.strerror or str(error)) from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{remotes.LOCAL_FILE} line {line}: not UTF-8", error.reason) from None
    return remotes.united(file.remotes, remotes.parse_local(text))


def choose(found: dict[str, dict[str, Any]], name: str = "") -> str:
    """The remote that is meant: `name`, else the only one there is, else `origin`. Raises `NotFound`."""
    if name in found:
        return name
    if name:
        hint = suggest(name, found) or (
            "there are: " + ", ".join(found) if found else "add [remotes.NAME] to axil.toml"
        )
        raise NotFound(f"there is no remote {name}", "neither axil.toml nor axil.local.toml has it", hint)
    if len(found) == 1:
        return next(iter(found))
    if "origin" in found:
        return "origin"
    if not found:
        hint = 'add [remotes.origin] with url = "s3://bucket/prefix", or a path, to axil.toml'
        raise NotFound("this project has no remote", "axil.toml has no [remotes.NAME]", hint)
    raise NotFound("which remote?", "there are several, and none is called origin", "there are: " + ", ".join(found))

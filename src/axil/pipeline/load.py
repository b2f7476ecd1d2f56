"""The project file and the parameters of a work tree, parsed once per content."""

from __future__ import annotations

import os

from axil.base.hashing import hash_bytes
from axil.base.light import NamedTuple
from axil.base.quickjson import loads
from axil.errors import BadInput
from axil.formats import params, project
from axil.formats.params import Flat
from axil.formats.project import ProjectFile
from axil.pipeline.sources import Cache


class Params(NamedTuple):
    """The parameters of a work tree."""

    path: str
    """Project path of the params file, "" if there is none."""
    flat: Flat


def load_project(root: str, cache: Cache, path: str = project.FILE) -> ProjectFile:
    """The project file below `root`, through `cache`. A missing file is an empty project; raises `BadInput`."""
    try:
        data = _read(root, path)
    except FileNotFoundError:
        return ProjectFile()
    key = hash_bytes(data)
    known = cache.cached(project.CACHE_KIND, key)
    if known is not None:
        return project.load(known)
    parsed = project.parse(_text(data, path), path)
    cache.remember(project.CACHE_KIND, {key: project.dump(parsed)})
    return parsed


def load_params(root: str, file: ProjectFile, cache: Cache) -> Params:
    """The parameters below `root`, through `cache`.

    Raises `BadInput` for a broken file, for two params files, and if the one that axil.toml names is missing.
    """
    path = file.params_file or params.find(root)
    if not path:
        return Params("", {})
    try:
        data = _read(root, path)
    except FileNotFoundError:
        import json

        why = f"axil.toml names it: [project] params = {json.dumps(path)}"
        raise BadInput(f"{path} does not exist", why, "make it, or correct axil.toml") from None
    return Params(path, parse_params(path, data, cache))


def parse_params(path: str, data: bytes, cache: Cache) -> Flat:
    """The parameters in the bytes of a params file, through `cache`. Raises `BadInput` with file and line."""
    kind = params.kind_of(path)
    key = hash_bytes(data) + kind.encode()
    known = cache.cached(params.CACHE_KIND, key)
    if known is not None:
        found: Flat = loads(known)
        return found
    import json

    flat = params.flatten(params.load(_text(data, path), kind, path), path)
    cache.remember(params.CACHE_KIND, {key: json.dumps(flat).encode()})
    return flat


def _read(root: str, path: str) -> bytes:
    try:
        with open(os.path.join(root, path), "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadInput(f"{path} cannot be read", error.strerror or str(error)) from None


def _text(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path} line {line}: not UTF-8", error.reason, f"save {path} as UTF-8") from None

"""The environment a run happened in: interpreter, platform, versions of the packages it imported, lock files.

Never a value of an environment variable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

from axil.base.hashing import hash_bytes
from axil.base.light import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from axil.formats.record import Environment
    from axil.formats.runfiles import Trace

LOCK_FILES = (
    "uv.lock",
    "pylock.toml",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pixi.lock",
    "conda-lock.yml",
    "environment.yml",
    "environment.yaml",
    "requirements.txt",
)
_CACHE = "site-1"
_MAX_LOCK_BYTES = 64 << 20
_NOISE = {"_distutils_hack", "sitecustomize", "usercustomize"}


class Cache(Protocol):
    """The key-value table of the work-tree index."""

    def cached(self, kind: str, key: bytes) -> bytes | None: ...

    def remember(self, kind: str, values: Mapping[bytes, bytes]) -> None: ...


def record(root: str, traces: Iterable[Trace], cache: Cache) -> Environment:
    """The environment of a run in the work tree `root`, as far as its processes' `traces` tell.

    Without a traced Python process the interpreter and packages stay empty.
    """
    from axil.formats.record import Environment
    from axil.version import __version__

    system = os.uname()
    traced = list(traces)
    last = traced[-1] if traced else None
    return Environment(
        python=last.version if last else "",
        implementation=last.implementation if last else "",
        platform=f"{system.sysname} {system.release}",
        machine=system.machine,
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        packages=packages(traced, cache),
        locks=lock_files(root),
        axil=__version__,
    )


def lock_files(root: str) -> dict[str, str]:
    """The lock files at the project's root: name -> oid of the content in hex."""
    found = {}
    for name in LOCK_FILES:
        try:
            with open(os.path.join(root, name), "rb") as file:
                data = file.read(_MAX_LOCK_BYTES)
        except OSError:
            continue
        found[name] = hash_bytes(data).hex()
    return found


def packages(traces: Iterable[Trace], cache: Cache) -> dict[str, str]:
    """Distribution -> version of everything the traced processes imported, sorted by name."""
    imported: dict[str, str] = {}
    for trace in traces:
        imported.update(trace.packages)
    sites = {site: distributions(site, cache) for site in set(imported.values()) if site}
    found: dict[str, str] = {}
    for module, site in imported.items():
        if module in _NOISE:
            continue
        # A module outside any site folder may be an editable install: its metadata is in a site folder all the same.
        for known in [sites[site]] if site else sites.values():
            if owner := _owner(module, known):
                found[owner[0]] = owner[1]
                break
    return dict(sorted(found.items()))


def _owner(module: str, known: Mapping[str, list[str]]) -> list[str] | None:
    parts = module.split("/")
    for count in range(len(parts), 0, -1):
        if owner := known.get("/".join(parts[:count])):
            return owner
    return None


def distributions(site: str, cache: Cache) -> dict[str, list[str]]:
    """Importable name (or namespace path like `google/cloud`) -> [distribution, version] in the folder `site`.

    Read from the metadata once per change of the folder.
    """
    try:
        key = os.fsencode(f"{site}\0{os.stat(site).st_mtime_ns}")
    except OSError:
        return {}
    if (known := cache.cached(_CACHE, key)) is not None:
        try:
            loaded: dict[str, list[str]] = json.loads(known)
            return loaded
        except ValueError:
            pass
    found = _scan(site)
    cache.remember(_CACHE, {key: json.dumps(found).encode()})
    return found


def _scan(site: str) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    shared: set[str] = set()
    for folder in sorted(os.listdir(site)):
        stem, ending = os.path.splitext(folder)
        if ending not in (".dist-info", ".egg-info"):
            continue
        name, _, version = stem.partition("-")
        owner = [name.replace("_", "-").lower(), version.split("-py", 1)[0]]
        for path in _installed(os.path.join(site, folder)) or [name]:
            if owners.setdefault(path, owner) != owner:
                shared.add(path)
    for path in shared:
        del owners[path]
    # Below a name with one owner nothing more needs to be known.
    return {path: owner for path, owner in owners.items() if path.rpartition("/")[0] not in owners}


def _installed(metadata: str) -> set[str]:
    """What a distribution installed: its top names, and two levels below them for shared namespaces."""
    found: set[str] = set()
    try:
        with open(os.path.join(metadata, "RECORD"), encoding="utf-8", errors="replace") as file:
            for line in file:
                path = line.split(",", 1)[0].strip('"')
                parts = path.split("/")
                if parts[0].endswith((".dist-info", ".data")) or parts[0] in ("..", "__pycache__", ""):
                    continue
                if len(parts) == 1:
                    found.add(_editable(path) or path.split(".", 1)[0])
                    continue
                found.update("/".join(parts[:count]) for count in range(1, min(len(parts) - 1, 3) + 1))
    except OSError:
        pass
    if not found:
        try:
            with open(os.path.join(metadata, "top_level.txt"), encoding="utf-8", errors="replace") as file:
                found.update(line.strip() for line in file if line.strip())
        except OSError:
            pass
    return found


def _editable(path: str) -> str:
    """The package that the helper file of an editable install stands for."""
    for prefix in ("__editable__.", "__editable___", "_editable_impl_"):
        if path.startswith(prefix) and path.endswith((".pth", ".py")):
            return path[len(prefix) :].split("-", 1)[0].split(".", 1)[0]
    return ""

"""DVC's files as plain values: `.dvc` files, dvc.lock, directory manifests, `.dvc/config`. All of it is untrusted."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping

from axil.base.light import Any, NamedTuple
from axil.errors import BadInput
from axil.formats import params
from axil.formats.project import check_path

MAX_BYTES = 16 << 20
"""A file of DVC's that is larger than this is refused; manifests may be as large as `MAX_MANIFEST`."""
MAX_MANIFEST = 512 << 20
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_SECTION = re.compile(r"\[\s*(['\"]?)(.*)\1\s*\]")
_REMOTE = re.compile(r"remote\s+[\"'](.+)[\"']")


class Out(NamedTuple):
    """One path that a `.dvc` file or dvc.lock names, with the content it had."""

    path: str
    """Project path."""
    md5: str
    """32 hex digits, for a folder those of its manifest; "" if DVC noted no md5."""
    folder: bool = False
    size: int = -1
    """In bytes, -1 if not noted."""
    executable: bool = False
    old_hash: bool = True
    """The md5 may be that of the text with Unix line ends, as DVC computed it before version 3."""
    remarks: tuple[str, ...] = ()


class DvcFile(NamedTuple):
    """What a `.dvc` file says."""

    source: str
    """Its own project path."""
    outs: tuple[Out, ...] = ()
    origin: str = ""
    """Where the data came from, in words, for what `dvc import` and `dvc import-url` made."""
    stage: Mapping[str, Any] | None = None
    """The stage, if the file has a command, as old versions of DVC wrote it."""
    refused: tuple[tuple[str, str], ...] = ()
    """(path, why) of what cannot be taken."""


class Config(NamedTuple):
    """What matters of `.dvc/config` and `.dvc/config.local`. Paths are as written there."""

    remotes: Mapping[str, Mapping[str, str]] = {}
    cache: str = ""
    default: str = ""
    parsing: Mapping[str, str] = {}
    secret: tuple[str, ...] = ()
    """Names (never values) of options that are credentials, or stand in config.local."""
    folder: str = ".dvc"
    """Where the files lie; paths in them start there."""
    others: tuple[str, ...] = ()
    """Sections and settings that mean something to DVC only."""


def table(data: bytes, source: str, kind: str = "yaml") -> dict[str, Any]:
    """The table in a YAML, TOML or JSON file. Raises `BadInput`: too big, too deep, objects, aliases without end."""
    import json

    if len(data) > MAX_BYTES:
        raise BadInput(f"{source} cannot be read", f"it has {len(data)} bytes; over {MAX_BYTES} is refused")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{source} is not UTF-8", error.reason) from None
    found = params.load(text, kind, source)
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # Escapes in YAML and JSON can name halves of characters.
        raise BadInput(f"{source} cannot be used", "it has characters that cannot be written") from None
    return found


def project_path(folder: str, path: Any, *, root_ok: bool = False) -> str:
    """The project path of `path`, which is written from `folder`. Raises `ValueError` saying why it may not be used."""
    if not isinstance(path, str) or not path:
        raise ValueError("it is no path")
    if re.match(r"[a-z][a-z0-9+.-]+://", path):
        raise ValueError("it is outside the project")
    if path.startswith(("/", "~", "\\\\")) or path[1:3] in (":\\", ":/"):
        raise ValueError("it is absolute, and a path must lie inside the project")
    whole = posixpath.normpath(posixpath.join("/", folder, path))
    depth = 0
    for step in posixpath.join(folder, path).split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(step, 1)
        if depth < 0:
            raise ValueError("it leads out of the project")
    if root_ok and whole == "/":
        return ""
    return check_path(whole.lstrip("/"))


def dvc_file(data: bytes, source: str) -> DvcFile:
    """The `.dvc` file `source`. Raises `BadInput`."""
    content = table(data, source)
    above = posixpath.dirname(source)
    if content.get("cmd"):
        return DvcFile(source, stage=content)
    try:
        folder = project_path(above, content.get("wdir") or ".", root_ok=True)
    except ValueError as error:
        return DvcFile(source, refused=((str(content.get("wdir")), f"wdir: {error}"),))
    outs, refused = [], []
    for item in _tables(content.get("outs")):
        try:
            outs.append(_out(item, folder))
        except ValueError as error:
            refused.append((str(item.get("path")), str(error)))
    return DvcFile(source, tuple(outs), _origin(content), None, tuple(refused))


def locked(data: bytes, source: str) -> dict[str, tuple[Out, ...]]:
    """Stage -> its outputs as dvc.lock has them. Raises `BadInput`."""
    content = table(data, source)
    stages = content.get("stages") if "schema" in content else content  # Version 1 had the stages at the top.
    found: dict[str, tuple[Out, ...]] = {}
    for name, stage in (stages if isinstance(stages, dict) else {}).items():
        if not isinstance(stage, dict):
            continue
        outs = []
        for item in _tables(stage.get("outs")):
            try:
                outs.append(_out(item, posixpath.dirname(source)))
            except ValueError:
                continue  # A path outside: the stage itself is told about.
        found[name] = tuple(outs)
    return found


def manifest(data: bytes, source: str) -> dict[str, tuple[str, bool]]:
    """File (path inside the folder) -> (md5, whether executable). Raises `BadInput` for what must not be followed."""
    import json

    try:
        items = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{source} is no list of files", str(error)) from None
    found: dict[str, tuple[str, bool]] = {}
    for item in items if isinstance(items, list) else [None]:
        entry = item if isinstance(item, dict) else {}
        path, md5 = entry.get("relpath"), entry.get("md5")
        if not isinstance(path, str) or not isinstance(md5, str) or not re.fullmatch(r"[0-9a-f]{32}", md5):
            raise BadInput(f"{source} is no list of files", "an entry has no path or no md5")
        steps = path.split("/")
        if {"", ".", ".."} & set(steps) or ".git" in (step.lower() for step in steps) or not _is_name(path):
            raise BadInput(f"{source} names {path!a}", "it leads out of the folder, or into git's")
        found[path] = (md5, entry.get("isexec") is True)
    for path in found:
        while path := posixpath.dirname(path):
            if path in found:
                raise BadInput(f"{source} names {path!a} twice", "once as a file, once as a folder")
    return found


def config(texts: Collection[tuple[str, bool]], folder: str = ".dvc") -> Config:
    """The settings in `texts`: (content, whether it is config.local), later ones first in rank."""
    remotes: dict[str, dict[str, str]] = {}
    sections: dict[str, dict[str, str]] = {"core": {}, "cache": {}, "parsing": {}}
    secret: list[str] = []
    for text, local in texts:
        for section, key, value in _settings(text):
            remote = _REMOTE.fullmatch(section)
            if not remote:
                sections.setdefault(section, {})[key] = value
            elif key == "url" and not local:
                remotes.setdefault(remote[1], {})["url"] = value
            elif local or is_secret(key):
                secret.append(f"{remote[1]}.{key}")
            else:
                remotes.setdefault(remote[1], {})[key] = value
    core, cache = sections["core"], sections["cache"]
    known = {"core": {"remote", "analytics", "autostage", "check_update", "site_cache_dir"}, "cache": {"dir", "type"}}
    others = [
        f"{section}.{key}"
        for section, values in sections.items()
        for key in values
        if section != "parsing" and key not in known.get(section, ())
    ]
    parsing = sections["parsing"]
    return Config(remotes, cache.get("dir", ""), core.get("remote", ""), parsing, tuple(secret), folder, tuple(others))


def is_secret(key: str) -> bool:
    """Whether an option of a remote is (or leads to) a credential."""
    words = ("password", "secret", "token", "key", "credential", "sas", "connection_string", "passphrase", "user")
    return any(word in key for word in words)


def _is_name(path: str) -> bool:
    """Whether a file can be called so: names need not be UTF-8, as DVC writes them, but must be bytes."""
    try:
        return b"\0" not in path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _settings(text: str) -> list[tuple[str, str, str]]:
    """(section, key, value) of every line `key = value`."""
    found, section = [], ""
    for line in text.splitlines():
        line = line.strip()
        if header := _SECTION.fullmatch(line):
            section = header[2].strip()
        elif line and line[0] not in "#;" and "=" in line:
            key, _, value = line.partition("=")
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            found.append((section, key.strip().lower(), value))
    return found


def _tables(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _out(item: Mapping[str, Any], folder: str) -> Out:
    path = project_path(folder, item.get("path"))
    md5 = item.get("md5") or item.get("checksum") or ""
    if not isinstance(md5, str) or (md5 and not _MD5.fullmatch(md5)):
        raise ValueError("its md5 is not valid")
    size = item.get("size")
    remarks = [f"{key}: {item[key]}" for key in ("desc", "type", "remote") if item.get(key)]
    return Out(
        path,
        md5.removesuffix(".dir"),
        md5.endswith(".dir"),
        size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else -1,
        item.get("isexec") is True,
        item.get("hash") != "md5",
        tuple(remarks),
    )


def _origin(content: Mapping[str, Any]) -> str:
    """Where `dvc import` or `dvc import-url` had the data from, without credentials."""
    for dep in _tables(content.get("deps")):
        repo = dep.get("repo")
        if isinstance(repo, dict):
            at = f" at {repo['rev_lock']}" if repo.get("rev_lock") else ""
            return f"{dep.get('path')} of {without_password(str(repo.get('url')))}{at}"
        if dep.get("path"):
            etag = f" (etag {dep['etag']})" if dep.get("etag") else ""
            return without_password(str(dep["path"])) + etag
    return ""


def without_password(url: str) -> str:
    """`url` without what stands before an `@` in its host part, if a password is in it, and without a query."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    host, slash, path = rest.partition("/")
    user, at, host_only = host.rpartition("@")
    if ":" in user:
        host = user.partition(":")[0] + at + host_only
    return f"{scheme}://{host}{slash}{path}".partition("?")[0]

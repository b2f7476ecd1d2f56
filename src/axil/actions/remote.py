"""The storage remotes of a project: adding one, listing them, taking one out."""

from __future__ import annotations

import os
import shutil

from axil.actions.sharing import DEFAULT, folder, storage_name, storage_settings, world
from axil.base.atomic import write_atomic
from axil.base.light import TYPE_CHECKING, Any, NamedTuple
from axil.errors import BadInput, Blocked
from axil.formats.project import FILE
from axil.formats.remotes import LOCAL_FILE, SECRETS

if TYPE_CHECKING:
    from axil.project import Project


class RemoteRow(NamedTuple):
    """A storage remote. `settings` has no secrets; `secrets` says which ones are set, never what they are."""

    name: str
    url: str
    files: tuple[str, ...]
    """Where it is written: axil.toml, axil.local.toml."""
    default: bool
    """Whether it is the one used without -r."""
    settings: dict[str, Any]
    secrets: tuple[str, ...]


class Added(NamedTuple):
    """A remote that was written to `file`; `ignored` says that axil.local.toml was put into git's info/exclude now."""

    name: str
    url: str
    file: str
    checked: bool
    ignored: bool


class Removed(NamedTuple):
    """A remote that was taken out of `files`; what is stored there stays."""

    name: str
    url: str
    files: tuple[str, ...]


def rows(project: Project) -> tuple[RemoteRow, ...]:
    """All storage remotes, in the order of the files."""
    known = storage_settings(project)
    local = _local_names(project)
    try:
        default = storage_name(project) if known else ""
    except BadInput:
        default = ""
    found = []
    for name, settings in known.items():
        files = (FILE,) * (name in project.file.remotes) + (LOCAL_FILE,) * (name in local)
        shown = {key: value for key, value in settings.items() if key not in SECRETS and key != "url"}
        secrets = tuple(key for key in settings if key in SECRETS)
        found.append(RemoteRow(name, without_password(str(settings["url"])), files, name == default, shown, secrets))
    return tuple(found)


def add(project: Project, name: str, url: str, *, local: bool = False, check: bool = True) -> Added:
    """Write the remote `name` at `url` into axil.toml, or with `local` into axil.local.toml, which git then ignores.

    Raises `Blocked` if there is one of that name, `BadInput` for a name or url that cannot be, and what the place says
    if it cannot be used and `check`; then nothing was written.
    """
    known = _local_names(project) if local else project.file.remotes
    if name in known:
        file = LOCAL_FILE if local else FILE
        raise Blocked(
            f"there is a remote {name} already",
            f"{file} says {without_password(str(storage_settings(project)[name]['url']))}",
            f"take it out first: axil remote rm {name}"
            + ("" if local else f"; or, for this machine alone: axil remote add {name} URL --local"),
        )
    text = _edited(project, name, url, local)
    if check:
        _check(project, name, url)
    return _write(project, name, url, text, local, check)


def place(project: Project, url: str) -> Added:
    """For this machine, the remote to use is at `url`."""
    name = storage_name(project) if storage_settings(project) else DEFAULT
    return _write(project, name, url, _edited(project, name, url, True), True, False)


def remove(project: Project, name: str) -> Removed:
    """Take the remote `name` out of axil.toml and axil.local.toml. Raises `NotFound`."""
    from axil.formats import project as project_file
    from axil.formats import remotes_edit
    from axil.formats.remotes import parse_local

    name = storage_name(project, name)
    settings = storage_settings(project)[name]
    files = []
    if name in project.file.remotes:
        text = remotes_edit.remove(_read(project, FILE), name, FILE)
        project_file.parse(text)
        write_atomic(project.path(FILE), text.encode())
        files.append(FILE)
    if name in _local_names(project):
        text = remotes_edit.remove(_read(project, LOCAL_FILE), name, LOCAL_FILE)
        parse_local(text)
        write_atomic(project.path(LOCAL_FILE), text.encode(), mode=0o600)
        files.append(LOCAL_FILE)
    shutil.rmtree(folder(project, settings), ignore_errors=True)
    project.forget()
    return Removed(name, without_password(str(settings["url"])), tuple(files))


def without_password(url: str) -> str:
    """`url` as it may be shown."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    user, at, machine = host.rpartition("@")
    if not separator or not at:
        return url
    return f"{scheme}://{user.partition(':')[0]}@{machine}{slash}{path}"


def _edited(project: Project, name: str, url: str, local: bool) -> str:
    """The file with the remote in it. Raises `BadInput` if that would be wrong."""
    from axil.formats import project as project_file
    from axil.formats import remotes_edit
    from axil.formats.remotes import is_name, parse_local, united

    source = LOCAL_FILE if local else FILE
    if not is_name(name):
        raise BadInput(f"{name!r} cannot be a remote's name", "it has letters, digits, `_`, `-`, `.` and `@`")
    text = remotes_edit.add(_read(project, source), name, {"url": url}, source)
    if local:
        united(project.file.remotes, parse_local(text))
    else:
        project_file.parse(text)
    return text


def _check(project: Project, name: str, url: str) -> None:
    from axil.remotes.opening import open_remote

    remote = open_remote(name, {**storage_settings(project).get(name, {}), "url": url}, world(project))
    try:
        remote.usable()
    finally:
        remote.close()


def _write(project: Project, name: str, url: str, text: str, local: bool, checked: bool) -> Added:
    file = LOCAL_FILE if local else FILE
    ignored = _ignore(project) if local else False
    write_atomic(project.path(file), text.encode(), mode=0o600 if local else 0o644)
    project.forget()
    return Added(name, without_password(url), file, checked, ignored)


def _ignore(project: Project) -> bool:
    """Keep axil.local.toml out of git, through .git/info/exclude if nothing else does; whether that was needed."""
    from axil.git.worktree import ignored, tracked

    if tracked(project.git, [LOCAL_FILE]):
        raise BadInput(
            f"{LOCAL_FILE} is in git",
            "secrets may stand in it, and everybody who clones would have them",
            f"take it out, the file stays: git rm --cached {LOCAL_FILE}; secrets that were pushed must be replaced",
        )
    if ignored(project.git, [LOCAL_FILE]):
        return False
    exclude = os.path.join(project.repository.common_dir, "info", "exclude")
    os.makedirs(os.path.dirname(exclude), exist_ok=True)
    try:
        with open(exclude, "rb") as file:
            before = file.read()
    except FileNotFoundError:
        before = b""
    newline = b"" if not before or before.endswith(b"\n") else b"\n"
    write_atomic(exclude, before + newline + f"/{LOCAL_FILE}\n".encode())
    return True


def _read(project: Project, name: str) -> str:
    try:
        with open(project.path(name), encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8", "it cannot be edited", f"correct {name} and try again") from None


def _local_names(project: Project) -> set[str]:
    """The remotes that axil.local.toml names."""
    from axil.formats.remotes import parse_local

    text = _read(project, LOCAL_FILE)
    return set(parse_local(text)) if text else set()

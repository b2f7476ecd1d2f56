"""The settings of remotes: `[remotes.NAME]` of axil.toml, which all share, and of axil.local.toml, with secrets.

docs/formats/axil-toml.md and docs/formats/axil-local-toml.md say what each key means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from axil.base.light import TYPE_CHECKING, Any
from axil.errors import BadInput

if TYPE_CHECKING:
    from axil.formats.project import Reader

LOCAL_FILE = "axil.local.toml"
TEXTS = ("url", "endpoint", "region", "profile", "account_name")
SHARED = (*TEXTS, "anonymous", "jobs")
SECRETS = ("access_key_id", "secret_access_key", "session_token", "account_key", "sas_token", "token")
MOST_JOBS = 256
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,99}"
_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@]*:[^/@]*@")
_BEARERS = ("gs", "az")
"""Kinds whose credentials are sent as they are: who names the endpoint gets them."""


def shared(reader: Reader, name: str, value: Any) -> dict[str, Any]:
    """`[remotes.NAME]` of axil.toml. Raises `BadInput`, also for whatever is a secret."""
    where = ("remotes", name)
    reader.table(where, value)
    for key in value:
        if key in SECRETS:
            raise _secret(reader, (*where, key), f"`{key}` is a secret, and axil.toml is shared with others", name)
    settings = _settings(reader, name, value, SHARED)
    url = settings.get("url", "")
    if not url:
        raise reader.bad(where, "the remote has no `url`", 'add url = "s3://bucket/prefix", or a path')
    if _PASSWORD.match(url):
        raise _secret(reader, (*where, "url"), "it has a password, and axil.toml is shared with others", name)
    if "endpoint" in settings and url.partition("://")[0].lower() in _BEARERS and not settings.get("anonymous"):
        why = "the endpoint receives this user's credentials, so it cannot come from a file that others write"
        raise reader.bad((*where, "endpoint"), why, f"write it into {LOCAL_FILE}, under [remotes.{name}]")
    return settings


def parse_local(text: str, source: str = LOCAL_FILE) -> dict[str, dict[str, Any]]:
    """The settings of each remote in axil.local.toml. Raises `BadInput` naming `source`, line and key."""
    import tomllib

    from axil.formats import toml_lines
    from axil.formats.project import Reader

    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # The parser's words name a position, not the text there, which may be a secret.
        raise BadInput(f"{source} is not valid TOML", _position(error), f"correct {source} and try again") from None
    reader = Reader(source, toml_lines.locate(text))
    reader.known((), data, ("machine", "remotes"))
    remotes = data.get("remotes", {})
    reader.table(("remotes",), remotes)
    found = {}
    for name, value in remotes.items():
        reader.table(("remotes", name), value)
        found[name] = _settings(reader, name, value, (*SHARED, *SECRETS))
    return found


def united(
    project: Mapping[str, Mapping[str, Any]], local: Mapping[str, Mapping[str, Any]], source: str = LOCAL_FILE
) -> dict[str, dict[str, Any]]:
    """The remotes of axil.toml with what axil.local.toml says instead or besides, and those it has alone.

    Raises `BadInput` for a remote that has no url in either.
    """
    made = {name: dict(settings) for name, settings in project.items()}
    for name, settings in local.items():
        made[name] = {**made.get(name, {}), **settings}
        if not made[name].get("url"):
            why = f"axil.toml has no remote {name}, and {source} does not say where it is"
            hint = f'add url = "s3://bucket/prefix" to [remotes.{name}], or correct its name'
            raise BadInput(f"{source}: remote {name} has no `url`", why, hint)
    return made


def is_name(name: str) -> bool:
    """Whether a remote can be called `name`."""
    return re.fullmatch(_NAME, name) is not None


def _settings(reader: Reader, name: str, value: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    where = ("remotes", name)
    if not is_name(name):
        raise reader.bad(where, "a remote's name has letters, digits, `_`, `-`, `.` and `@`")
    reader.known(where, value, keys)
    found: dict[str, Any] = {}
    for key, item in value.items():
        if key == "anonymous":
            found[key] = reader.flag((*where, key), item)
        elif key == "jobs":
            if not isinstance(item, int) or isinstance(item, bool) or not 1 <= item <= MOST_JOBS:
                raise reader.bad((*where, key), f"it must be a whole number from 1 to {MOST_JOBS}")
            found[key] = item
        else:
            found[key] = reader.text((*where, key), item)
            if not item.strip() or any(ord(char) < 32 for char in item):
                raise reader.bad((*where, key), "it is empty or has control characters")
    return found


def _secret(reader: Reader, where: tuple[str, ...], why: str, name: str) -> BadInput:
    hint = f"move it to {LOCAL_FILE}, under [remotes.{name}]; if it was committed, make a new one"
    return reader.bad(where, why, hint)


def _position(error: Exception) -> str:
    found = re.search(r"\(at [^)]*\)", str(error))
    return f"a mistake {found[0][1:-1]}" if found else "it is nested too deeply"

"""A folder on another machine, through the system's own ssh: the user's configuration, keys and jump hosts hold."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from urllib.parse import unquote, urlsplit

from axil.base.light import TypeVar
from axil.errors import BadInput
from axil.remotes.base import Stat, check_key, check_prefix, check_range, is_key
from axil.remotes.failures import of_system
from axil.remotes.ssh_connection import Connection, Target
from axil.remotes.world import Settings, World

T = TypeVar("T")

JOBS = 4


def open_ssh(name: str, settings: Settings, world: World) -> Ssh:
    """The remote `name`, whose url begins with ssh://. Connects at the first request."""
    return Ssh(target_of(name, str(settings["url"]), world), int(settings.get("jobs") or JOBS))


def target_of(name: str, url: str, world: World) -> Target:
    """What `url` means. Raises `BadInput`, also for a password and for a host that ssh would take for an option."""
    try:
        split = urlsplit(url)
        port = split.port or 0
    except ValueError as error:
        raise BadInput(f"remote {name}: cannot use the url", str(error), "write ssh://user@host:port/folder") from None
    user, host = split.username, split.hostname or ""
    path = unquote(split.path)
    shown = f"ssh://{f'{user}@' if user else ''}{host}{f':{port}' if port else ''}{split.path}"
    problem = ""
    if split.password is not None:
        problem = "ssh asks for passwords itself; better, use a key"
    elif not re.fullmatch(r"[A-Za-z0-9_\[][A-Za-z0-9_.:\]-]*", host):
        problem = "it names no host"
    elif user is not None and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+@\\-]*", user):
        problem = "the user's name is strange"
    elif not path.strip("/") or "\0" in path or (path.startswith("/~") and not path.startswith("/~/")):
        problem = "it names no folder (/~/folder is in the home folder over there)"
    if problem:
        raise BadInput(f"remote {name}: cannot use the url {shown}", problem, "write ssh://user@host:port/folder")
    # ssh begins in the home folder, so a relative path counts from there.
    root = path[3:] if path.startswith("/~/") else path
    login = f"{user}@{host}" if user else host
    return Target(shown.rstrip("/"), login, port, root, world.interactive, world.environ)


class Ssh:
    """Objects as files below a folder over there; requests share one connection, which is made anew if it breaks."""

    def __init__(self, target: Target, jobs: int = JOBS) -> None:
        self.url = target.url
        self.jobs = jobs
        self._target = target
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """See `Remote.put`."""
        check_key(key)
        self._asking(key, lambda to: to.ask({"do": "put", "key": key}, data))

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """See `Remote.create`; exact where the file system over there has hard links."""
        check_key(key)
        return bool(self._asking(key, lambda to: to.ask({"do": "create", "key": key}, data)).header["made"])

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Remote.get`."""
        check_key(key)
        check_range(start, length)
        size = -1 if length is None else length
        return self._asking(key, lambda to: to.ask({"do": "get", "key": key, "start": start, "length": size})).body

    def stat(self, key: str) -> Stat | None:
        """See `Remote.stat`."""
        check_key(key)
        found = self._asking(key, lambda to: to.ask({"do": "stat", "key": key})).header["found"]
        return None if found is None else Stat(key, int(found[0]), float(found[1]))

    def list(self, prefix: str) -> Iterator[Stat]:
        """See `Remote.list`."""
        check_prefix(prefix)
        return self._list(prefix)

    def _list(self, prefix: str) -> Iterator[Stat]:
        about = prefix.rstrip("/")
        pages = self._asking(about, lambda to: to.converse({"do": "list", "key": prefix}))
        while (page := self._asking(about, lambda to: next(pages, None))) is not None:
            for line in page.body.decode().splitlines():
                size, written, key = line.split(" ", 2)
                if is_key(key):
                    yield Stat(key, int(size), float(written))

    def delete(self, key: str) -> None:
        """See `Remote.delete`."""
        check_key(key)
        self._asking(key, lambda to: to.ask({"do": "delete", "key": key}))

    def usable(self) -> None:
        """See `Remote.usable`: connects, and looks at the folder."""
        self._asking("", lambda to: to.ask({"do": "check"}))

    def close(self) -> None:
        """See `Remote.close`: ends the server over there."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _asking(self, key: str, act: Callable[[Connection], T]) -> T:
        try:
            return act(self._connected())
        except OSError as error:
            raise of_system(self.url, key, error) from None

    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is not None and self._connection.broken is not None:
                self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection = Connection(self._target)
            return self._connection

"""A folder that a web server shows: read-only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

from axil.base.light import NoReturn
from axil.errors import AxilError, BadInput
from axil.remotes.base import Absent, Denied, Stat, Unreachable, check_key, check_prefix, check_range
from axil.remotes.http_client import Client, Response
from axil.remotes.http_index import Entry, entries, http_time
from axil.remotes.wholes import Wholes
from axil.remotes.world import Settings, World

JOBS = 8
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_MOVED = (301, 302, 303, 307, 308)


def open_http(name: str, settings: Settings, world: World) -> Http:
    """The remote `name`, whose url begins with http:// or https://. Connects at the first request."""
    url = str(settings["url"])
    try:
        split = urlsplit(url)
        host, _ = split.hostname, split.port
    except ValueError as error:
        raise BadInput(f"remote {name}: cannot use the url", str(error), "write https://host/folder") from None
    plain = f"{split.scheme.lower()}://{split.netloc.rpartition('@')[2]}{split.path.rstrip('/')}"
    if not host or split.query or split.fragment or not re.fullmatch(r"[!-~]*", url):
        why = "it has to be a host and a folder, without ? and #, quoted where needed"
        raise BadInput(f"remote {name}: cannot use the url {plain}", why, "write https://host/folder")
    return Http(plain, Client(url, plain, world.environ), int(settings.get("jobs") or JOBS))


class Http:
    """Objects below `url`. Nothing outside it is ever asked for, whatever pages and redirects say."""

    def __init__(self, url: str, client: Client, jobs: int = JOBS) -> None:
        self.url = url
        self.jobs = jobs
        self._client = client
        self._path = urlsplit(url).path
        self._ranges = True
        self._wholes = Wholes(self.get)

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Raises `Denied`."""
        self._read_only(key)

    def create(self, key: str, data: bytes | bytearray | memoryview) -> bool:
        """Raises `Denied`."""
        self._read_only(key)

    def delete(self, key: str) -> None:
        """Raises `Denied`."""
        self._read_only(key)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """See `Remote.get`. A server that knows no ranges sends all, and is asked once for the parts of an object."""
        check_key(key)
        check_range(start, length)
        if length == 0:
            if self.stat(key) is None:
                raise self._absent(key)
            return b""
        headers = {}
        if start or length is not None:
            if not self._ranges:
                return self._wholes.part(key, start, length)
            headers["Range"] = f"bytes={start}-" if length is None else f"bytes={start}-{start + length - 1}"
        answer = self._client.request("GET", self._quoted(key), headers)
        if answer.status == 416:
            return b""
        if answer.status == 206:
            found = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
            if headers and found and int(found[1]) == start:
                return answer.body if length is None else answer.body[:length]
            raise Unreachable(f"cannot read {self.url}/{key}", "the server sent another range than it was asked for")
        if answer.status != 200:
            raise self._failed(key, answer)
        if headers:
            self._ranges = False
        return answer.body[start:] if length is None else answer.body[start : start + length]

    def stat(self, key: str) -> Stat | None:
        """See `Remote.stat`."""
        check_key(key)
        answer = self._client.request("HEAD", self._quoted(key))
        if answer.status == 200:
            size = answer.headers.get("content-length", "")
            if not size.isdecimal():
                raise Denied(f"cannot use {self.url}/{key}", "the server does not tell its size")
            return Stat(key, int(size), http_time(answer.headers.get("last-modified", "")))
        error = self._failed(key, answer)
        if isinstance(error, Absent):
            return None
        raise error

    def list(self, prefix: str) -> Iterator[Stat]:
        """See `Remote.list`: a request for every folder, and one for every object whose size its page does not tell."""
        check_prefix(prefix)
        return self._list(prefix)

    def _list(self, prefix: str) -> Iterator[Stat]:
        waiting = [prefix]
        with ThreadPoolExecutor(self.jobs) as pool:
            while waiting:
                here = waiting.pop()
                vague = []
                for entry in self._entries(here):
                    if entry.is_folder:
                        waiting.append(f"{here}{entry.name}/")
                    elif entry.size is None or entry.written is None:
                        vague.append(here + entry.name)
                    else:
                        yield Stat(here + entry.name, entry.size, entry.written)
                for found in pool.map(self.stat, vague):
                    if found is not None:
                        yield found

    def usable(self) -> None:
        """See `Remote.usable`: asks for the page of the folder."""
        answer = self._client.request("GET", f"{self._path}/")
        if answer.status not in (200, 403, 404):
            raise self._failed("", answer)

    def close(self) -> None:
        """See `Remote.close`."""
        self._client.close()

    def _entries(self, prefix: str) -> tuple[Entry, ...]:
        answer = self._client.request("GET", self._quoted(prefix))
        hint = "let the server list folders (nginx: autoindex on; Apache: Options +Indexes)"
        if answer.status == 403:
            raise Denied(f"cannot list {self.url}/{prefix}", "the server answered 403", hint)
        if answer.status != 200:
            error = self._failed(prefix.rstrip("/"), answer)
            if isinstance(error, Absent):
                return ()
            raise error
        found = entries(answer.body.decode("utf-8", "replace"), f"{self.url}/{prefix}")
        if found is None:
            raise Denied(f"cannot list {self.url}/{prefix}", "its page is no listing of a folder", hint)
        return tuple(found)

    def _failed(self, key: str, answer: Response) -> AxilError:
        """The error for an answer that is not what was asked for."""
        about = f"{self.url}/{key}"
        if answer.status in (404, 410):
            return self._absent(key)
        if answer.status in _MOVED:
            place = urljoin(about, answer.headers.get("location", ""))
            if urlsplit(place).path == f"{urlsplit(about).path}/":
                return self._absent(key)  # a folder, whose page has a slash
            why = f"the server leads to {place.split('?')[0]}"
            return Denied(f"cannot use {about}", why, "use the url it leads to, if you trust it")
        why = f"the server answered {answer.status}"
        if answer.status in _PASSING:
            return Unreachable(f"cannot reach {about}", why, "try again later")
        hint = "write the url with user:password@ into axil.local.toml" if answer.status == 401 else ""
        return Denied(f"{about} refuses", why, hint)

    def _absent(self, key: str) -> Absent:
        return Absent(f"{self.url} has no object {key}")

    def _quoted(self, key: str) -> str:
        return f"{self._path}/{key}"  # keys need no quoting

    def _read_only(self, key: str) -> NoReturn:
        check_key(key)
        why = "a remote over http is read-only"
        raise Denied(f"cannot write {self.url}/{key}", why, "push to another remote: a folder, ssh:// or s3://")

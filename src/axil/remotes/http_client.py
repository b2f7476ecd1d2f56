"""Plain requests over kept connections: standard library, proxies as the given environment says."""

from __future__ import annotations

import base64
import contextlib
import http.client
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from axil.base.light import NamedTuple
from axil.remotes.base import Denied, Unreachable

_TIMEOUT = 60.0
_AGENT = "axil"


class Response(NamedTuple):
    """What the server answered; `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Requests to one server, for several threads. `origin` is `scheme://user:password@host:port`."""

    def __init__(self, origin: str, shown: str, environ: Mapping[str, str]) -> None:
        split = urlsplit(origin)
        self._shown = shown
        self._tls = split.scheme.lower() == "https"
        self._host = split.hostname or ""
        self._port = split.port or (443 if self._tls else 80)
        self._headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
        if split.username is not None:
            self._headers["Authorization"] = _basic(split.username, split.password)
        self._proxy = _proxy("https" if self._tls else "http", self._host, environ)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a request for `path` (quoted). Raises `Unreachable`, or `Denied` for bad TLS."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                break
            # The server may have closed a kept connection meanwhile; that says nothing.
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._on(connection, method, path, headers)
            connection.close()
        connection = self._connect()
        try:
            return self._on(connection, method, path, headers)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            why = f"the server's certificate is not trusted: {error.verify_message}"
            raise Denied(f"cannot use {self._shown}", why, "check the url, and this machine's certificates") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(f"cannot reach {self._shown}", why, "check the network and the url") from None

    def close(self) -> None:
        """Close all kept connections."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _on(
        self, connection: http.client.HTTPConnection, method: str, path: str, headers: Mapping[str, str] | None
    ) -> Response:
        through_proxy = self._proxy is not None and not self._tls
        target = f"http://{_bracketed(self._host)}:{self._port}{path}" if through_proxy else path
        extra = (
            {"Proxy-Authorization": self._proxy.login} if through_proxy and self._proxy and self._proxy.login else {}
        )
        connection.request(method, target, headers={**self._headers, **extra, **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        if self._proxy is None:
            return kind(self._host, self._port, timeout=_TIMEOUT)
        connection = kind(self._proxy.host, self._proxy.port, timeout=_TIMEOUT)
        if self._tls:
            login = {"Proxy-Authorization": self._proxy.login} if self._proxy.login else {}
            connection.set_tunnel(self._host, self._port, login)
        return connection


class _Proxy(NamedTuple):
    host: str
    port: int
    login: str


def _proxy(scheme: str, host: str, environ: Mapping[str, str]) -> _Proxy | None:
    """The proxy for `host`, from the variables that curl knows, too."""
    lower = {name.lower(): value for name, value in sorted(environ.items()) if value}
    url = lower.get(f"{scheme}_proxy") or lower.get("all_proxy")
    if not url or proxy_bypass_environment(host, {"no": lower.get("no_proxy", "")}):
        return None
    split = urlsplit(url if "://" in url else f"http://{url}")
    if not split.hostname:
        return None
    login = _basic(split.username, split.password) if split.username is not None else ""
    return _Proxy(split.hostname, split.port or 8080, login)


def _basic(user: str, password: str | None) -> str:
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

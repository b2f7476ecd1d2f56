"""The pages on which web servers list a folder: http.server of Python, nginx, Apache, lighttpd."""

from __future__ import annotations

import calendar
import re
import time
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from axil.base.light import NamedTuple
from axil.remotes.base import is_part

_KNOWN_TITLES = ("index of", "directory listing")
# nginx writes UTC and the exact size; what others write is rounded, or in the server's own time.
_NGINX = re.compile(r"\s+(\d\d)-([A-Z][a-z]{2})-(\d{4}) (\d\d):(\d\d)\s+(\d+)\s*$")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Entry(NamedTuple):
    """A name on the page; size and time are None if the page does not tell them exactly."""

    name: str
    is_folder: bool
    size: int | None = None
    written: float | None = None


def entries(page: str, url: str) -> list[Entry] | None:
    """What the page at `url` (ending with a slash) lists directly below it; None if it is no listing."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    folder = urlsplit(url)
    found: dict[str, Entry] = {}
    for target, after in reader.links:
        try:
            link = urlsplit(urljoin(url, target))
        except ValueError:
            continue
        if (link.scheme, link.netloc) != (folder.scheme, folder.netloc) or link.query or link.fragment:
            continue
        if not link.path.startswith(folder.path):
            continue
        name = unquote(link.path[len(folder.path) :])
        plain = name.removesuffix("/")
        if is_part(plain):
            size, written = (None, None) if name.endswith("/") else _facts(after)
            found.setdefault(plain, Entry(plain, name.endswith("/"), size, written))
    if not found and not reader.title.strip().lower().startswith(_KNOWN_TITLES):
        return None
    return list(found.values())


def _facts(after: str) -> tuple[int | None, float | None]:
    """Size and time in the text behind a link."""
    match = _NGINX.match(after)
    if match is None or match[2] not in _MONTHS:
        return None, None
    day, year, hour, minute = (int(match[group]) for group in (1, 3, 4, 5))
    return int(match[6]), float(calendar.timegm((year, _MONTHS.index(match[2]) + 1, day, hour, minute, 0)))


def http_time(text: str) -> float:
    """The time in a `Last-Modified` header, 0 if there is none that can be read."""
    try:
        return float(calendar.timegm(time.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")))
    except ValueError:
        return 0.0


class _Reader(HTMLParser):
    """Collects the links of a page, each with the text that follows it, and the title."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.title = ""
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link begins, or the title."""
        if tag == "a" and (target := dict(attrs).get("href")):
            self.links.append((target, ""))
        self._in = tag if tag in ("a", "title") else self._in

    def handle_endtag(self, tag: str) -> None:
        """A link ends, or the title."""
        if tag == self._in:
            self._in = ""

    def handle_data(self, data: str) -> None:
        """Text: of the title, of a link, or behind one."""
        if self._in == "title":
            self.title += data
        elif not self._in and self.links:
            target, after = self.links[-1]
            self.links[-1] = (target, after + data)

"""Pages of web servers, and what a hostile or a strange server may answer."""

from __future__ import annotations

import pytest

from axil.errors import BadInput
from axil.remotes.base import Denied, Unreachable
from axil.remotes.http import Http, open_http
from axil.remotes.http_client import Client, Response, _proxy
from axil.remotes.http_index import Entry, entries, http_time
from axil.remotes.world import World

BASE = "http://host/data/"


def page(*links: str) -> str:
    return "<html><title>Index of /data</title><body>" + "".join(links) + "</body></html>"


def test_nginx():
    text = page(
        '<a href="../">../</a>\n',
        '<a href="packs/">packs/</a>          26-Nov-2026 03:51       -\n',
        '<a href="format">format</a>          26-Nov-2026 03:51     123\n',
    )
    assert entries(text, BASE) == [Entry("packs", True), Entry("format", False, 123, 1795665060.0)]


def test_apache_rounds_so_it_is_not_believed():
    text = page(
        '<a href="?C=N;O=D">Name</a> <a href="/">Parent Directory</a>',
        '<img src="x"> <a href="format">format</a>   2026-11-26 03:51  1.2K  \n',
    )
    assert entries(text, BASE) == [Entry("format", False)]


def test_nothing_leads_out_of_the_folder():
    wanted = (
        "/etc/passwd",
        "//evil/data/x",
        "http://evil/data/x",
        "../x",
        "a/b",
        "%2e%2e/x",
        ".hid",
        "a%2fb",
        "",
        "x?y",
    )
    assert entries(page(*(f'<a href="{target}">x</a>' for target in wanted)), BASE) == []
    assert entries(page('<a href="http://host/data/ok">x</a>', '<a href="/data/too">x</a>'), BASE) == [
        Entry("ok", False),
        Entry("too", False),
    ]


def test_a_page_that_is_no_listing():
    assert entries("<title>Welcome</title>", BASE) is None
    assert entries("<title>Directory listing for /data/</title>", BASE) == []


def test_times():
    assert http_time("Thu, 26 Nov 2026 03:51:00 GMT") == 1795665060.0
    assert http_time("yesterday") == 0.0


class Scripted(Client):
    """Answers what the test says."""

    def __init__(self, *answers: Response) -> None:
        super().__init__(BASE, BASE, {})
        self.answers = list(answers)

    def request(self, method, path, headers=None):
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Response(302, {"location": "http://evil/x"}, b""), Denied),
        (Response(401, {}, b""), Denied),
        (Response(403, {}, b""), Denied),
        (Response(503, {}, b""), Unreachable),
        (Response(206, {"content-range": "bytes 5-6/9"}, b"xx"), Unreachable),
    ],
)
def test_answers_that_are_no_object(answer, kind):
    with pytest.raises(kind, match="http://host/data"):
        Http("http://host/data", Scripted(answer)).get("a", 1, 2)


def test_a_server_without_listings():
    for answer in (Response(403, {}, b""), Response(200, {}, b"<title>Hello</title>")):
        with pytest.raises(Denied, match="cannot list"):
            list(Http("http://host/data", Scripted(answer)).list(""))


def test_it_is_read_only():
    remote = Http("http://host/data", Scripted())
    for call in (lambda: remote.put("a", b""), lambda: remote.create("a", b""), lambda: remote.delete("a")):
        with pytest.raises(Denied, match="read-only"):
            call()


def test_the_password_is_not_shown(tmp_path):
    remote = open_http("o", {"url": "https://ada:hush@host/x/"}, World("/", "/", {}))
    assert remote.url == "https://host/x"
    for url in ("https://ada:hush@host:no/x", "https://ada:hush@host/x?y", "http:///x", "https://host/a b"):
        with pytest.raises(BadInput) as caught:
            open_http("o", {"url": url}, World("/", "/", {}))
        assert "hush" not in str(caught.value)


def test_proxies_come_from_the_given_environment():
    environ = {"https_proxy": "http://ada:pw@proxy:3128", "NO_PROXY": "inside.org,127.0.0.1"}
    found = _proxy("https", "far.org", environ)
    assert found is not None
    assert (found.host, found.port, found.login) == ("proxy", 3128, "Basic YWRhOnB3")
    assert _proxy("https", "a.inside.org", environ) is None
    assert _proxy("http", "far.org", environ) is None

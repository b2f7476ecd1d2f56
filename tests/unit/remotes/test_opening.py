"""What urls mean, and that a kind's module is loaded only when a url asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from axil.errors import BadInput
from axil.remotes.opening import World, open_bare, open_remote
from axil.remotes.wrap.retry import Retry


def world(tmp_path) -> World:
    return World(str(tmp_path / "root"), str(tmp_path / "home"), {})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("../shared", "shared"),
        ("here/", "root/here"),
        ("~/data", "home/data"),
        ("file://{}/a%20b", "a b"),
        ("file://localhost{}/c", "c"),
        ("FILE://{}/c", "c"),
        ("{}/absolute/../x", "x"),
        ("with:colon", "root/with:colon"),
    ],
)
def test_folders(tmp_path, url, place):
    for name in ("root", "home"):
        (tmp_path / name).mkdir()
    remote = open_remote("origin", {"url": url.format(tmp_path)}, world(tmp_path))
    assert isinstance(remote, Retry)
    assert remote.url == str(tmp_path / place)
    remote.put("a", b"1")
    assert (tmp_path / place / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s4://bucket", "did you mean s3://"),
        ("sssh://host/path", "did you mean ssh://"),
        ("qqqqqq://x", "use a path, file://, s3://"),
        ("~ada/x", "write the whole path"),
        ("file://host/x", "three slashes"),
        ("", "empty"),
        ("a\0b", "NUL"),
    ],
)
def test_what_is_refused(tmp_path, url, words):
    with pytest.raises(BadInput) as caught:
        open_bare("origin", {"url": url}, world(tmp_path))
    assert words in str(caught.value)
    assert "remote origin" in str(caught.value)


def test_jobs_may_be_set(tmp_path):
    assert open_remote("origin", {"url": "x", "jobs": 9}, world(tmp_path)).jobs == 9


def test_a_folder_loads_no_other_kind():
    code = (
        "import sys\nfrom axil.remotes.opening import World, open_remote\n"
        "open_remote('o', {'url': 'x'}, World('/', '/', {}))\n"
        "sys.stdout.write(' '.join(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    kinds = {"axil.remotes.objects", "axil.remotes.ssh", "axil.remotes.http"}
    assert not {"obstore", "http.client", "subprocess", *kinds}.intersection(loaded)

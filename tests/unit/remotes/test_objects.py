"""Buckets: what settings, environment and the clouds' files come to, and how failures are told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from axil.errors import AxilError, BadInput
from axil.remotes.base import Absent, Denied, Unreachable
from axil.remotes.objects import open_objects
from axil.remotes.objects_errors import refused
from axil.remotes.objects_settings import Bucket, bucket_of
from axil.remotes.world import World


def bucket(tmp_path, url: str, environ: dict[str, str] | None = None, **settings) -> Bucket:
    return bucket_of("origin", {"url": url, **settings}, World("/", str(tmp_path), environ or {}))


def test_keys_from_settings_come_first(tmp_path):
    environ = {"AWS_ACCESS_KEY_ID": "e", "AWS_SECRET_ACCESS_KEY": "f", "AWS_SESSION_TOKEN": "g", "AWS_REGION": "r"}
    config = bucket(tmp_path, "s3://b/p/q/", environ, access_key_id="a", secret_access_key="s").config
    assert (config["access_key_id"], config["secret_access_key"], config["region"]) == ("a", "s", "r")
    assert "session_token" not in config  # of another pair
    config = bucket(tmp_path, "s3://b", environ, region="mine").config
    assert (config["access_key_id"], config["session_token"], config["region"]) == ("e", "g", "mine")
    assert bucket(tmp_path, "s3://b", environ, anonymous=True).config["skip_signature"]


def test_profiles(tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = d\naws_secret_access_key = x\n"
        "[team]\naws_access_key_id = t\naws_secret_access_key = 100%\n"
    )
    (tmp_path / ".aws/config").write_text("[profile team]\nregion = eu-north-1\n[profile sso]\nsso_session = x\n")
    assert bucket(tmp_path, "s3://b").config["access_key_id"] == "d"
    team = bucket(tmp_path, "s3://b", {"AWS_PROFILE": "team"}).config
    assert (team["access_key_id"], team["secret_access_key"], team["region"]) == ("t", "100%", "eu-north-1")
    chosen = bucket(tmp_path, "s3://b", {"AWS_ACCESS_KEY_ID": "e"}, profile="team").config
    assert chosen["access_key_id"] == "t"
    with pytest.raises(BadInput, match="no profile nobody"):
        bucket(tmp_path, "s3://b", {"AWS_PROFILE": "nobody"})


def test_the_setting_endpoint_comes_before_the_environment(tmp_path):
    environ = {"AWS_ENDPOINT_URL_S3": "https://one.example.com", "AWS_ENDPOINT_URL": "https://two.example.com"}
    assert bucket(tmp_path, "s3://b", environ).config["endpoint"] == "https://one.example.com"
    mine = bucket(tmp_path, "s3://b", environ, endpoint="http://127.0.0.1:9000")
    assert mine.config["endpoint"] == mine.config["aws_endpoint_url_s3"] == "http://127.0.0.1:9000"
    assert (mine.plain, mine.conditional) == (True, False)
    assert bucket(tmp_path, "s3://b").conditional
    with pytest.raises(BadInput, match="https://"):
        bucket(tmp_path, "s3://b", endpoint="127.0.0.1:9000")


@pytest.mark.parametrize("url", ["s3://", "s3:///p", "s3://k:hush@b/p", "s3://b/a//b", "s3://b/p?x=1", "s3://b/../c"])
def test_urls_that_are_refused(tmp_path, url):
    with pytest.raises(BadInput) as caught:
        bucket(tmp_path, url)
    assert "hush" not in str(caught.value)


def test_google_and_azure(tmp_path):
    key = tmp_path / "key.json"
    key.write_text("{}")
    google = bucket(tmp_path, "gs://b/p", {"GOOGLE_APPLICATION_CREDENTIALS": str(key)})
    assert google.config == {"application_credentials": str(key)}
    assert (google.url, google.prefix) == ("gs://b/p", "p")
    with pytest.raises(BadInput, match="does not exist"):
        bucket(tmp_path, "gs://b", {"GOOGLE_APPLICATION_CREDENTIALS": "/no/file"})
    words = "AccountName=acc;AccountKey=abc=;BlobEndpoint=https://acc.example.com"
    azure = bucket(tmp_path, "az://c", {"AZURE_STORAGE_CONNECTION_STRING": words}).config
    assert azure == {"account_name": "acc", "account_key": "abc=", "endpoint": "https://acc.example.com"}
    assert bucket(tmp_path, "az://c", account_name="a", sas_token="s").config == {"account_name": "a", "sas_key": "s"}


def test_azure_without_an_account_is_told(tmp_path):
    pytest.importorskip("obstore")
    with pytest.raises(Denied, match="account") as caught:
        open_objects("origin", {"url": "az://c"}, World("/", str(tmp_path), {}))
    assert "AZURE_STORAGE_ACCOUNT_NAME" in caught.value.hint


class Said(Exception):
    """What obstore raises, by its text."""


def answer(status: int, code: str = "", message: str = "m") -> Said:
    xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>" if code else ""
    return Said(f"Generic S3 error: Error performing GET http://h/b in 1ms - status code: {status} Words: {xml}")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (answer(404, "NoSuchKey"), Absent, "no object a"),
        (answer(404, "NoSuchBucket"), Denied, "make the bucket"),
        (answer(403, "AccessDenied"), Denied, "AWS_ACCESS_KEY_ID"),
        (answer(403, "RequestTimeTooSkewed"), Denied, "clock is wrong"),
        (answer(400, "AuthorizationHeaderMalformed"), Denied, "region"),
        (answer(301), Denied, "another region"),
        (answer(503, "SlowDown"), Unreachable, "SlowDown: m"),
        (answer(500), Unreachable, "500"),
        (answer(429), Unreachable, "429"),
        (Said("HTTP error: error sending request\n\nDebug source:\nkind: ConnectionRefused"), Unreachable, "refused"),
        (Said("HTTP error\n\nDebug source:\nInvalidCertificate(x)"), Denied, "not trusted"),
        (Said("HTTP error: builder error\n\nDebug source:\nBadScheme"), Denied, "not an http:// or https://"),
        (Said("Error performing GET http://169.254.169.254/latest"), Denied, "no credentials were found"),
    ],
)
def test_failures_are_told_apart(error, kind, words):
    place = Bucket("s3", "b", "", "s3://b", {}, False, True, False)
    found = refused(place, "a", error)
    assert type(found) is kind
    assert words in str(found)


def test_a_server_that_is_not_there_is_unreachable(tmp_path):
    pytest.importorskip("obstore")
    settings = {"url": "s3://b", "endpoint": "http://127.0.0.1:9", "access_key_id": "a", "secret_access_key": "hush"}
    remote = open_objects("origin", settings, World("/", str(tmp_path), {}))
    for call in (remote.usable, lambda: remote.get("a"), lambda: remote.put("a", b""), lambda: list(remote.list(""))):
        with pytest.raises(Unreachable, match="s3://b") as caught:
            call()
        assert "refused" in str(caught.value)
        assert "hush" not in str(caught.value)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(AxilError, match="obstore") as caught:
        open_objects("origin", {"url": "gs://b", "anonymous": True}, World("/", str(tmp_path), {}))
    assert caught.value.hint == "pip install 'axil[gs]'"


def test_the_modules_load_without_the_package():
    code = "import sys, axil.remotes.objects; sys.exit('obstore' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": os.environ["PATH"]})

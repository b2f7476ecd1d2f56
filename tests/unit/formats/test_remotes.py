"""Settings of remotes: what each of the two files may say, and what is refused with which words."""

from __future__ import annotations

import pytest

from axil.errors import BadInput
from axil.formats.project import dump, load, parse
from axil.formats.remotes import SECRETS, parse_local, united

SHARED = """\
[remotes.origin]
url = "s3://bucket/prefix"
endpoint = "https://storage.example.com"
region = "eu-west-1"
profile = "team"
jobs = 8

[remotes.public]
url = "gs://data"
anonymous = true

[remotes.team]
url = "az://container"
account_name = "ourdata"
"""


def test_all_keys_are_read_and_survive_the_cache():
    project = parse(SHARED)
    assert project.remotes == {
        "origin": {
            "url": "s3://bucket/prefix",
            "endpoint": "https://storage.example.com",
            "region": "eu-west-1",
            "profile": "team",
            "jobs": 8,
        },
        "public": {"url": "gs://data", "anonymous": True},
        "team": {"url": "az://container", "account_name": "ourdata"},
    }
    assert load(dump(project)).remotes == project.remotes


@pytest.mark.parametrize("key", SECRETS)
def test_secrets_are_refused_in_the_shared_file_and_not_repeated(key):
    with pytest.raises(BadInput) as caught:
        parse(f'[remotes.origin]\nurl = "s3://b"\n{key} = "hush"\n')
    assert f"axil.toml line 3: `remotes.origin.{key}`" in caught.value.what
    assert "axil.local.toml, under [remotes.origin]" in caught.value.hint
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[remotes]\nr = 3", "line 2: `remotes.r`", "must be a table"),
        ("[remotes.r]", "line 1: `remotes.r`", "no `url`"),
        ('[remotes.r]\nurl = ""', "line 2: `remotes.r.url`", "empty"),
        ("[remotes.r]\nurl = 3", "line 2: `remotes.r.url`", "must be a string"),
        ('[remotes.r]\nurl = "x"\nregoin = "y"', "line 3: `remotes.r.regoin`", "did you mean `region`"),
        ('[remotes.r]\nurl = "x"\njobs = 0', "line 3: `remotes.r.jobs`", "from 1 to 256"),
        ('[remotes.r]\nurl = "x"\njobs = true', "line 3: `remotes.r.jobs`", "from 1 to 256"),
        ('[remotes.r]\nurl = "x"\nanonymous = "yes"', "line 3: `remotes.r.anonymous`", "true or false"),
        ('[remotes.r]\nurl = "x\\n"', "line 2: `remotes.r.url`", "control characters"),
        ('[remotes."a b"]\nurl = "x"', "line 1: `remotes.a b`", "letters, digits"),
        ('[remotes.r]\nurl = "https://ada:hush@host/x"', "line 2: `remotes.r.url`", "password"),
        ('[remotes.r]\nurl = "gs://b"\nendpoint = "https://e.org"', "line 3: `remotes.r.endpoint`", "credentials"),
    ],
)
def test_mistakes_name_file_line_and_key(text, place, words):
    with pytest.raises(BadInput) as caught:
        parse(text)
    assert place in caught.value.what
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_local_file_may_hold_secrets_and_need_not_say_where():
    text = '[remotes.origin]\naccess_key_id = "id"\nsecret_access_key = "hush"\n\n[remotes.mine]\nurl = "/mnt/disk"\n'
    local = parse_local(text)
    assert local == {
        "origin": {"access_key_id": "id", "secret_access_key": "hush"},
        "mine": {"url": "/mnt/disk"},
    }
    made = united(parse(SHARED).remotes, local)
    assert list(made) == ["origin", "public", "team", "mine"]
    assert made["origin"]["region"] == "eu-west-1"
    assert made["origin"]["secret_access_key"] == "hush"
    assert united({"o": {"url": "a", "jobs": 2}}, {"o": {"url": "b"}}) == {"o": {"url": "b", "jobs": 2}}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('[project]\nname = "x"', "axil.local.toml line 1: `project`", "may have: machine, remotes"),
        ('[remote.origin]\nurl = "x"', "line 1: `remote`", "did you mean `remotes`"),
        ('[remotes.o]\nsecret_key = "hush"', "line 2: `remotes.o.secret_key`", "did you mean"),
        ("[remotes.o]\ntoken = 77", "line 2: `remotes.o.token`", "must be a string"),
        ("[remotes.o]\ntoken = hush", "axil.local.toml is not valid TOML", "line 2"),
        ('remotes = "hush"', "line 1: `remotes`", "must be a table"),
    ],
)
def test_mistakes_in_the_local_file(text, place, words):
    with pytest.raises(BadInput) as caught:
        parse_local(text)
    assert place in caught.value.what
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "77" not in str(caught.value)


def test_a_remote_without_a_url_anywhere_is_refused():
    with pytest.raises(BadInput, match="orgin") as caught:
        united(parse(SHARED).remotes, {"orgin": {"token": "hush"}})
    assert "axil.local.toml" in str(caught.value)
    assert "hush" not in str(caught.value)

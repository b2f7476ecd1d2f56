"""The remotes of a work tree, from both files."""

from __future__ import annotations

import pytest

from axil.errors import BadInput, NotFound
from axil.formats.project import ProjectFile
from axil.pipeline.local import choose, load_remotes

FILE = ProjectFile(remotes={"origin": {"url": "s3://bucket"}})


def test_both_files_are_read(tmp_path):
    assert load_remotes(str(tmp_path), FILE) == {"origin": {"url": "s3://bucket"}}
    (tmp_path / "axil.local.toml").write_text('[remotes.origin]\ntoken = "x"\n[remotes.b]\nurl = "b"\n')
    made = load_remotes(str(tmp_path), FILE)
    assert made == {"origin": {"url": "s3://bucket", "token": "x"}, "b": {"url": "b"}}
    assert FILE.remotes == {"origin": {"url": "s3://bucket"}}


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "axil.local.toml").write_bytes(b"\n\xff")
    with pytest.raises(BadInput, match="line 2"):
        load_remotes(str(tmp_path), FILE)
    (tmp_path / "axil.local.toml").unlink()
    (tmp_path / "axil.local.toml").mkdir()
    with pytest.raises(BadInput, match="cannot be read"):
        load_remotes(str(tmp_path), FILE)


def test_the_remote_that_is_meant():
    assert choose({"b": {}}) == "b"
    assert choose({"b": {}, "origin": {}}) == "origin"
    assert choose({"b": {}, "origin": {}}, "b") == "b"


@pytest.mark.parametrize(
    ("names", "name", "words"),
    [
        ("", "", "no remote"),
        ("ab", "", "there are: a, b"),
        ("ab", "x", "there are: a, b"),
        (["origin"], "orign", "did you mean `origin`"),
    ],
)
def test_a_remote_that_is_not_there(names, name, words):
    with pytest.raises(NotFound) as caught:
        choose({each: {} for each in names}, name)
    assert words in str(caught.value)

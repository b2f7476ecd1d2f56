"""Remotes keep their place and lose their credentials."""

from __future__ import annotations

from axil.imports.dvc.files import config
from axil.imports.dvc.remotes import local_folder, remotes

TEXT = """
[core]
    remote = up
['remote "near"']
    url = ../store
['remote "up"']
    url = s3://bucket/dvc/
    profile = me
['remote "docs/x"']
    url = https://ann:hush@example.org/files?token=1
['remote "part"']
    url = remote://up/sub
['remote "drive"']
    url = gdrive://folder
['remote "loop"']
    url = remote://loop/x
['remote "empty"']
    region = eu
"""


def test_each_kind():
    made = {one.source: one for one in remotes(config([(TEXT, False)]))}
    assert next(iter(made)) == "up"
    assert (made["up"].name, made["up"].url) == ("up", "s3://bucket/dvc/axil")
    assert made["up"].remarks == ("not carried over: profile",)
    assert made["near"].url == "store/axil"
    assert (made["docs/x"].name, made["docs/x"].url) == ("docs_x", "https://ann@example.org/files/axil")
    assert "hush" not in repr(made) and "token" not in repr(made)
    assert made["part"].url == "s3://bucket/dvc/sub/axil"
    for name in ("drive", "loop", "empty"):
        assert not made[name].url and made[name].remarks


def test_folders_of_this_machine():
    found = config([(TEXT, False)])
    assert local_folder(found, "near", "/p") == "/p/store"
    assert local_folder(found, "up", "/p") == ""

"""DVC's files are read as plain values, and nothing in them leads out of the project."""

from __future__ import annotations

import json

import pytest

from axil.errors import BadInput
from axil.imports.dvc import files

MD5 = "d8e8fca2dc0f896fd7cb4cb0031ba249"


def test_a_dvc_file():
    text = f"outs:\n- md5: {MD5}.dir\n  size: 12\n  nfiles: 3\n  hash: md5\n  path: raw\n  desc: pictures\n"
    found = files.dvc_file(text.encode(), "data/raw.dvc")
    assert found.outs == (files.Out("data/raw", MD5, True, 12, False, False, ("desc: pictures",)),)
    assert not found.origin and not found.refused and found.stage is None


def test_an_old_dvc_file_has_another_hash():
    (out,) = files.dvc_file(
        f"wdir: ..\nouts:\n- md5: {MD5}\n  path: a.csv\n  isexec: true\n".encode(), "dvc/a.dvc"
    ).outs
    assert out == files.Out("a.csv", MD5, executable=True, old_hash=True)


@pytest.mark.parametrize(
    ("dep", "origin"),
    [
        ("{path: 'https://user:secret@x.org/a?sig=1', etag: abc}", "https://user@x.org/a (etag abc)"),
        ("{path: d, repo: {url: 'https://x.org/r.git', rev_lock: f00}}", "d of https://x.org/r.git at f00"),
    ],
)
def test_where_imported_data_came_from_without_credentials(dep: str, origin: str):
    assert files.dvc_file(f"deps: [{dep}]\nouts: [{{path: a, md5: {MD5}}}]\n".encode(), "a.dvc").origin == origin


@pytest.mark.parametrize(
    "path", ["../a", "/etc/passwd", "a/../../b", "~/x", "s3://b/k", ".git/config", "", "C:/x", "a\nb"]
)
def test_paths_that_lead_out_are_refused(path: str):
    found = files.dvc_file(f"outs: [{{path: {json.dumps(path)}, md5: {MD5}}}]\n".encode(), "sub.dvc")
    assert not found.outs and found.refused


def test_a_path_may_go_up_inside_the_project():
    assert files.project_path("a/b", "../c") == "a/c"
    assert files.project_path("a", "..", root_ok=True) == ""
    with pytest.raises(ValueError, match="leads out"):
        files.project_path("a", "../../a/c")


@pytest.mark.parametrize(
    "text", ["outs: [", "- a", "a: !!python/object/apply:os.system [x]", "\xff\xfe", 'a: "\\uD800"']
)
def test_broken_files_are_refused(text: str):
    with pytest.raises(BadInput):
        files.dvc_file(text.encode("latin-1"), "a.dvc")


def test_aliases_of_aliases_do_not_fill_the_memory():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(BadInput, match="values"):
        files.table("\n".join(lines).encode(), "dvc.yaml")


def test_large_files_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    with pytest.raises(BadInput, match="over 10"):
        files.table(b"a: 1234567890", "dvc.yaml")


def test_dvc_lock_of_both_versions():
    stage = f"train: {{cmd: x, outs: [{{path: m, md5: {MD5}.dir}}, {{path: ../out, md5: {MD5}}}]}}"
    for text in (f"schema: '2.0'\nstages:\n  {stage}\n", f"{stage}\n"):
        assert files.locked(text.encode(), "sub/dvc.lock")["train"][0] == files.Out("sub/m", MD5, True)


def test_a_manifest():
    data = json.dumps([{"md5": MD5, "relpath": "a/b"}, {"md5": MD5, "relpath": "c", "isexec": True}]).encode()
    assert files.manifest(data, "it") == {"a/b": (MD5, False), "c": (MD5, True)}


@pytest.mark.parametrize(
    "entries",
    [
        [{"md5": MD5, "relpath": "../x"}],
        [{"md5": MD5, "relpath": "/x"}],
        [{"md5": MD5, "relpath": "a//b"}],
        [{"md5": MD5, "relpath": ".GIT/hooks/x"}],
        [{"md5": MD5, "relpath": "a\0"}],
        [{"md5": "../../etc", "relpath": "a"}],
        [{"md5": MD5}],
        [{"md5": MD5, "relpath": "a\ud800"}],
        [1],
        {"a": 1},
        [{"md5": MD5, "relpath": "a"}, {"md5": MD5, "relpath": "a/b"}],
    ],
)
def test_a_manifest_that_must_not_be_followed(entries: object):
    with pytest.raises(BadInput):
        files.manifest(json.dumps(entries).encode(), "it")


def test_config_and_its_secrets():
    shared = (
        "[core]\n    remote = up\n['remote \"up\"']\n    url = s3://b/p\n    region = eu\n"
        "    access_key_id = AKIA\n[hydra]\n    enabled = true\n"
    )
    local = "[cache]\n    dir = /big/cache\n['remote \"up\"']\n    secret_access_key = hush\n    url = s3://other\n"
    found = files.config([(shared, False), (local, True)])
    assert found.remotes == {"up": {"url": "s3://b/p", "region": "eu"}}
    assert (found.default, found.cache, found.others) == ("up", "/big/cache", ("hydra.enabled",))
    assert found.secret == ("up.access_key_id", "up.secret_access_key", "up.url")
    assert "hush" not in repr(found) and "AKIA" not in repr(found)

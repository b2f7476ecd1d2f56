"""Content is found by its md5 and taken only if it has it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from axil.imports.dvc.cache import checked, files_of, find, listed, places
from axil.imports.dvc.files import Out


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def put(cache: Path, data: bytes, *, old: bool = False, directory: bool = False) -> str:
    name = md5(data)
    path = Path(list(places(str(cache), name, directory=directory))[1 if old else 0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return name


@pytest.mark.parametrize("old", [False, True])
def test_both_layouts(tmp_path: Path, old: bool):
    name = put(tmp_path, b"content", old=old)
    found = find(name, [str(tmp_path / "none"), str(tmp_path)])
    assert found is not None and Path(found.path).read_bytes() == b"content"
    assert not found.executable
    assert find(md5(b"other"), [str(tmp_path)]) is None


def test_the_work_tree_comes_first_if_it_is_right(tmp_path: Path):
    name = put(tmp_path / "cache", b"content")
    beside = tmp_path / "a"
    beside.write_bytes(b"content")
    beside.chmod(0o755)
    found = find(name, [str(tmp_path / "cache")], beside=str(beside))
    assert found is not None and found.path == str(beside) and found.executable
    beside.write_bytes(b"edited")
    found = find(name, [str(tmp_path / "cache")], beside=str(beside))
    assert found is not None and found.path != str(beside)


def test_damaged_objects_and_links_are_not_taken(tmp_path: Path):
    name = put(tmp_path, b"content")
    path = Path(next(places(str(tmp_path), name)))
    path.write_bytes(b"damaged")
    assert find(name, [str(tmp_path)]) is None
    path.unlink()
    (tmp_path / "real").write_bytes(b"content")
    path.symlink_to(tmp_path / "real")
    assert find(name, [str(tmp_path)]) is None
    path.unlink()
    os.mkfifo(path)
    assert find(name, [str(tmp_path)]) is None


def test_the_old_hash_of_a_text(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\r\nb\r\n")
    assert checked(str(path), md5(b"a\nb\n"))
    assert checked(str(path), md5(b"a\r\nb\r\n"))
    assert not checked(str(path), md5(b"a\nb\n"), old_hash=False)
    path.write_bytes(b"a\0\r\nb\r\n")
    assert not checked(str(path), md5(b"a\0\nb\n"))


def test_a_folder_by_its_manifest(tmp_path: Path):
    name = put(tmp_path, b"content")
    entries = json.dumps([{"md5": name, "relpath": "a/b"}], sort_keys=True).encode()
    folder = put(tmp_path, entries, directory=True)
    assert files_of(Out("raw", folder, True), [str(tmp_path)]) == {"a/b": (name, False)}
    Path(next(places(str(tmp_path), folder, directory=True))).write_bytes(b"[]")
    assert files_of(Out("raw", folder, True), [str(tmp_path)]) is None


def test_a_folder_of_the_work_tree_without_its_manifest(tmp_path: Path):
    raw = tmp_path / "raw"
    (raw / "sub").mkdir(parents=True)
    (raw / "b").write_bytes(b"2")
    (raw / "sub" / "a").write_bytes(b"1\r\n")
    new = [{"md5": md5(b"2"), "relpath": "b"}, {"md5": md5(b"1\r\n"), "relpath": "sub/a"}]
    old = [{"md5": md5(b"2"), "relpath": "b"}, {"md5": md5(b"1\n"), "relpath": "sub/a"}]
    for entries in (new, old):
        written = md5(json.dumps(entries, sort_keys=True).encode())
        assert listed(str(raw), written) == {one["relpath"]: (one["md5"], False) for one in entries}
    assert listed(str(raw), md5(b"else")) is None
    (raw / "link").symlink_to("b")
    assert listed(str(raw), md5(json.dumps(new, sort_keys=True).encode())) is None

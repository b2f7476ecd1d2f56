"""The folder remote: what it writes, what it never follows, what a crash leaves, how it fails."""

from __future__ import annotations

import errno
import os

import pytest

from axil.base.clutter import TEMPORARY_PREFIX
from axil.remotes import files
from axil.remotes.base import Absent, Denied, Unreachable
from axil.remotes.folder import Folder


@pytest.fixture
def remote(tmp_path):
    return Folder(str(tmp_path / "remote"))


def test_objects_are_plain_files(remote, tmp_path):
    remote.put("packs/ab/cd", b"123")
    assert (tmp_path / "remote/packs/ab/cd").read_bytes() == b"123"
    assert [path.name for path in (tmp_path / "remote/packs/ab").iterdir()] == ["cd"]


def test_a_writer_that_fails_leaves_nothing(remote, tmp_path, monkeypatch):
    remote.put("a", b"old")
    for name in ("fsync", "rename", "link"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing(errno.ENOSPC))
            with pytest.raises(Denied, match="No space left"):
                remote.create("b", b"new") if name == "link" else remote.put("a", b"new")
    assert os.listdir(tmp_path / "remote") == ["a"]
    assert remote.get("a") == b"old"


def failing(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def noted(name, act, calls):
    def do(*args, **kwargs):
        calls.append(name)
        return act(*args, **kwargs)

    return do


def test_leftovers_of_killed_writers_go_a_day_later(remote, tmp_path):
    remote.put("p/a", b"1")
    old, young = (tmp_path / "remote/p" / f"{files.TEMPORARY}{number}-00" for number in (1, 2))
    for path in (old, young, tmp_path / "remote/p/other"):
        path.write_bytes(b"half")
    now = old.stat().st_mtime
    os.utime(old, (now, now - files.LEFT - 60))
    os.utime(tmp_path / "remote/p/other", (now, now - files.LEFT - 60))
    (tmp_path / "remote/p" / f"{files.TEMPORARY}folder").mkdir()
    Folder(str(tmp_path / "remote")).put("p/b", b"2")
    assert not old.exists()
    assert young.exists()
    assert sorted(found.key for found in remote.list("")) == ["p/a", "p/b", "p/other"]


def test_leftovers_of_killed_writers_are_not_listed(remote, tmp_path):
    assert files.TEMPORARY == TEMPORARY_PREFIX
    remote.put("p/a", b"1")
    (tmp_path / "remote/p" / f"{files.TEMPORARY}123-00").write_bytes(b"half")
    (tmp_path / "remote/p/a file of somebody").write_bytes(b"x")
    (tmp_path / "remote/p/.hidden").mkdir()
    (tmp_path / "remote/p/.hidden/b").write_bytes(b"x")
    assert [found.key for found in remote.list("")] == ["p/a"]


def test_everything_is_synced_before_it_is_visible(remote, monkeypatch):
    remote.put("p/first", b"")
    calls: list[str] = []
    for name in ("fsync", "rename", "link"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name), calls))
    remote.put("p/a", b"1")
    assert calls == ["fsync", "rename", "fsync"]
    calls.clear()
    remote.create("p/b", b"1")
    assert calls == ["fsync", "link", "fsync"]
    calls.clear()
    remote.put("q/b", b"1")
    assert calls == ["fsync", "fsync", "rename", "fsync"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_without_hard_links_create_still_keeps_what_is_there(remote, monkeypatch, tmp_path, number):
    monkeypatch.setattr(os, "link", failing(number))
    assert remote.create("a", b"1")
    assert not remote.create("a", b"2")
    answers = iter((False, True))  # it comes between the first look and the rename
    monkeypatch.setattr(files, "_exists", lambda folder, name: next(answers))
    assert not remote.create("a", b"2")
    assert remote.get("a") == b"1"
    assert os.listdir(tmp_path / "remote") == ["a"]


def test_links_lead_nowhere(remote, tmp_path):
    remote.put("p/a", b"1")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"s")
    (tmp_path / "remote/link").symlink_to(outside)
    (tmp_path / "remote/p/file").symlink_to(outside / "secret")
    for call in (
        lambda: remote.get("link/secret"),
        lambda: remote.put("link/new", b""),
        lambda: remote.create("link/new", b""),
        lambda: remote.delete("link/secret"),
        lambda: remote.stat("link/secret"),
        lambda: list(remote.list("link/")),
        lambda: remote.get("p/file"),
    ):
        with pytest.raises(Denied, match="link"):
            call()
    assert remote.stat("p/file") is None
    assert [found.key for found in remote.list("")] == ["p/a"]
    remote.put("p/file", b"2")  # replaces the link, not what it leads to
    remote.delete("p/file")
    assert os.listdir(outside) == ["secret"]
    assert (outside / "secret").read_bytes() == b"s"


def test_the_root_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "remote").symlink_to("disk")
    Folder(str(tmp_path / "remote")).put("a", b"1")
    assert os.listdir(tmp_path / "disk") == ["a"]


def test_only_the_last_folder_of_the_root_is_made(tmp_path):
    remote = Folder(str(tmp_path / "disk/remote"))
    for call in (remote.usable, lambda: remote.put("a", b""), lambda: remote.get("a"), lambda: list(remote.list(""))):
        with pytest.raises(Denied, match="no such folder") as caught:
            call()
        assert "mount" in caught.value.hint
    (tmp_path / "disk").mkdir()
    remote.usable()
    assert list(remote.list("")) == []
    with pytest.raises(Absent):
        remote.get("a")
    assert not (tmp_path / "disk/remote").exists()
    remote.put("a", b"")
    assert (tmp_path / "disk/remote/a").exists()


def test_a_file_in_the_place_of_the_root_is_refused(tmp_path):
    (tmp_path / "remote").write_bytes(b"")
    remote = Folder(str(tmp_path / "remote"))
    with pytest.raises(Denied):
        remote.usable()
    with pytest.raises(Denied):
        remote.put("a", b"")


def test_a_file_in_the_way_of_a_folder_is_refused(remote):
    remote.put("a", b"1")
    remote.put("b/c", b"1")
    with pytest.raises(Denied, match="a/b"):
        remote.put("a/b", b"2")
    with pytest.raises(Denied, match="directory"):
        remote.put("b", b"2")


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EIO, Unreachable), (errno.ESTALE, Unreachable), (errno.EACCES, Denied)]
)
def test_errors_of_the_system_are_told_apart(remote, monkeypatch, number, kind):
    remote.put("a", b"1")
    monkeypatch.setattr(os, "pread", failing(number))
    with pytest.raises(kind, match="remote/a"):
        remote.get("a")


def test_short_reads_are_continued(remote, monkeypatch):
    remote.put("a", b"123456789")
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, length, at: pread(fd, min(length, 2), at))
    assert remote.get("a") == b"123456789"
    assert remote.get("a", 1, 5) == b"23456"

"""`axil remote`: adding, listing, taking out; checking and repairing."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from tests.cli.sharing import Person, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def ann(place: Place) -> Person:
    return place.found()


def test_add_keeps_the_rest_of_the_file(ann, place):
    text = "# mine\n" + ann.read("axil.toml") + "\n# the end\n"
    ann.write({"axil.toml": text})
    said = ann.axil("remote", "add", "nas", str(place.folder / "nas"), "--json").json
    assert said == {
        "name": "nas",
        "url": str(place.folder / "nas"),
        "file": "axil.toml",
        "checked": True,
        "ignored": False,
    }
    after = ann.read("axil.toml")
    assert after.startswith("# mine\n")
    assert "# the end" in after
    assert "[remotes.nas]" in after
    assert "there is a remote nas already" in ann.axil("remote", "add", "nas", "x", code=1).err
    ann.axil("remote", "rm", "nas")
    assert "nas" not in ann.read("axil.toml")
    assert "[remotes.origin]" in ann.read("axil.toml")


def test_add_for_this_machine_alone(ann, place):
    said = ann.axil("remote", "add", "origin", str(place.folder / "other"), "--local", "--json").json
    assert (said["file"], said["ignored"]) == ("axil.local.toml", True)
    assert ann.run("status", "--porcelain") == ""
    assert stat.S_IMODE(os.stat(ann.path / "axil.local.toml").st_mode) == 0o600
    row = ann.axil("remote", "list", "--json").json[0]
    assert row["url"] == str(place.folder / "other")
    assert row["files"] == ["axil.toml", "axil.local.toml"]
    ann.axil("push")
    assert list((place.folder / "other/packs").iterdir())


def test_a_relative_path_counts_from_where_it_is_typed(ann, place):
    (ann.path / "deep").mkdir()
    ann.axil("-C", "deep", "remote", "add", "near", "../../near")
    assert 'url = "../near"' in ann.read("axil.toml")
    ann.axil("push", "-r", "near")
    assert (place.folder / "near/format").exists()


def test_list_never_shows_secrets(ann):
    ann.write({"axil.local.toml": '[remotes.origin]\nsecret_access_key = "hidden1"\naccess_key_id = "hidden2"\n'})
    for words in (("list",), ("list", "--json")):
        said = ann.axil("remote", *words)
        assert "hidden" not in said.out + said.err
        assert "secret_access_key" in said.out
    refused = ann.axil("remote", "add", "bad", "s3://key:hidden3@host/bucket", code=1)
    assert "axil.local.toml" in refused.err
    assert "hidden3" not in refused.err
    assert "[remotes.bad]" not in ann.read("axil.toml")


def test_what_cannot_be_a_remote(ann):
    assert "ftp://" in ann.axil("remote", "add", "x", "ftp://host/x", code=1).err
    assert "cannot be a remote's name" in ann.axil("remote", "add", "a b", "/tmp/x", code=1).err
    ann.write({"axil.local.toml": ""})
    ann.run("add", "-f", "axil.local.toml")
    assert "is in git" in ann.axil("remote", "add", "x", "/tmp/x", "--local", "--no-check", code=1).err


def test_secrets_that_were_committed_are_not_pushed(ann, place):
    ann.axil("push")
    ann.write({"axil.local.toml": '[remotes.origin]\ntoken = "SECRET"\n'})
    ann.run("add", "-f", "axil.local.toml")
    ann.run("commit", "-qm", "oops")
    ann.run("rm", "-q", "--cached", "axil.local.toml")
    ann.run("commit", "-qm", "the commit before still has them")
    for words in (("push",), ("push", "-n"), ("push", "--force")):
        said = ann.axil(*words, code=1).err
        assert said.startswith("error: axil.local.toml is in commit ") and "git rm --cached" in said
    ann.run("reset", "-q", "--soft", "HEAD~2")
    ann.axil("push")


def test_which_remote_is_used(ann, place):
    ann.axil("remote", "add", "nas", str(place.folder / "nas"))
    assert [row["default"] for row in ann.axil("remote", "list", "--json").json] == [True, False]
    ann.axil("remote", "rm", "origin")
    ann.axil("remote", "add", "disk", str(place.folder / "disk"))
    said = ann.axil("push", code=1)
    assert "which storage remote?" in said.err
    assert "disk, nas" in said.err
    assert "nothing was pushed there yet" in ann.axil("remote", "check", "nas").out


def test_check_finds_what_is_wrong_and_repair_mends_indexes(ann, place):
    assert ann.axil("remote", "check", "--json").json["sound"] is True
    said = ann.axil("remote", "check", "--data", "--sample", "100%", "--max-time", "10m", "--json").json
    assert said["report"]["checked"] == len(place.packs())
    assert "say how much to read" in ann.axil("remote", "check", "--sample", "5%", code=2).err
    for index in (place.store / "index").iterdir():
        index.unlink()
    for index in (ann.path / ".git/axil/remotes").rglob("index/*"):
        index.unlink()
    assert ann.axil("remote", "check", code=1).out.startswith("missing")
    assert ann.axil("remote", "repair", "-n", "--json").json["report"]["indexes"] == []
    ann.axil("remote", "repair")
    ann.axil("remote", "check", "--restore")
    pack = next(path for path in (place.store / "packs").rglob("*") if path.is_file())
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[40] ^= 1
    pack.write_bytes(bytes(data))
    assert "damaged" in ann.axil("remote", "check", "--data", code=1).out


def test_packs_that_are_gone_are_sent_again_after_a_repair(ann, place):
    bob = place.join("Bob")
    shutil.rmtree(place.store / "packs")
    ann.axil("remote", "check", code=1)
    said = ann.axil("remote", "repair", code=1)
    assert "went with them" in said.err
    bob.axil("push")
    assert ann.axil("remote", "check", "--restore", "--json").json["sound"] is True


@pytest.mark.parametrize("harm", ["flip", "truncate", "cut"])
def test_damaged_packs_are_healed_by_whoever_has_the_data(ann, place, harm):
    """The note of a push that all is there no longer holds, nor does what an index says."""
    for pack in [path for path in (place.store / "packs").rglob("*") if path.is_file()]:
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        if harm == "flip":
            data[40] ^= 1
        pack.write_bytes(bytes(data[: {"flip": None, "truncate": len(data) // 2, "cut": -1}[harm]]))
    assert "damaged" in ann.axil("remote", "check", "--data", code=1).out
    for path in (place.store / "leases").iterdir():
        path.unlink()
    (place.store / "leases").rmdir()
    said = ann.axil("remote", "repair", "--data", "-n", "--json", code=None).json["salvaged"]
    assert said["damaged"] and said["condemned"] == ""
    assert not (place.store / "leases").exists()
    said = ann.axil("remote", "repair", "--data", code=None)
    assert "damaged" in said.out and "listed as" in said.out
    ann.axil("push")
    assert ann.axil("remote", "check", "--restore", "--json").json["sound"] is True
    ben = place.join("Ben")
    ben.axil("verify")
    assert (ben.path / "model/weights.txt").read_bytes() == (ann.path / "model/weights.txt").read_bytes()


def test_check_goes_on_past_a_damaged_index(ann, place):
    for index in (ann.path / ".git/axil/remotes").rglob("index/*"):
        index.unlink()
    (index,) = (place.store / "index").iterdir()
    index.write_bytes(index.read_bytes()[:-1])
    said = ann.axil("remote", "check", "--json", code=1).json
    assert [fault["key"] for fault in said["report"]["faults"]] == [f"index/{index.name}"]
    assert said["report"]["missing"]
    ann.axil("remote", "repair")
    ann.axil("remote", "check", "--restore")


def test_a_remote_that_can_only_be_read(ann, place):
    ann.axil("run", "-q", "--set", "lr=0.3")
    before = place.branch("main")
    # The superuser may write into any folder, but not into a file.
    for name in ("leases", "roots"):
        shutil.rmtree(place.store / name, ignore_errors=True)
        (place.store / name).write_text("")
    said = ann.axil("push", code=1)
    assert said.err.startswith("error:")
    assert str(place.store) in said.err
    assert place.branch("main") == before
    bob = place.join("Bob")
    assert (bob.path / "data/raw/1 ä.txt").read_text() == "1"


# Pruning


def age(place: Place, days: float) -> None:
    """Make everything in the store older."""
    for path in (path for path in place.store.rglob("*") if path.is_file()):
        found = path.stat()
        os.utime(path, (found.st_atime, found.st_mtime - days * 86400))


def test_prune_frees_what_nobody_needs_a_week_later(ann, place):
    others = Place(place.folder / "others")
    others.store = place.store
    stranger = others.found("Stranger")
    stranger.write({"data/raw/x.bin": os.urandom(50_000)})
    stranger.axil("add", "data/raw")
    stranger.axil("run", "-q", "-m", "more")
    stranger.axil("push")
    for root in (place.store / "roots").iterdir():
        if b"Stranger" in root.read_bytes():
            root.unlink()
    assert "younger than a week" in ann.axil("remote", "prune", "-n").out
    age(place, 10)
    before = place.packs()
    planned = ann.axil("remote", "prune", "-n", "--json").json
    assert planned["done"] is None
    assert planned["plan"]["mark"]["packs"]
    assert place.packs() == before
    ann.axil("remote", "prune")
    age(place, 10)
    assert "to be deleted now" in ann.axil("remote", "prune", "-n").out
    assert "deleted" in ann.axil("remote", "prune", "-f").out
    assert sum(place.packs().values()) < sum(before.values()) - 40_000
    assert ann.axil("remote", "check", "--restore").code == 0
    bob = place.join("Bob")
    assert (bob.path / "data/raw/1 ä.txt").read_text() == "1"
    assert ann.run("for-each-ref", "refs/axil/mirror") == ""


def test_prune_keeps_what_any_ref_of_git_names(ann, place):
    ann.write({"data/raw/4.txt": "4"})
    ann.axil("add", "data/raw")
    ann.axil("run", "-q", "-m", "more")
    ann.run("tag", "v1")
    ann.axil("push")
    ann.run("push", "-q", "origin", "v1", "HEAD:refs/heads/other")
    for root in (place.store / "roots").iterdir():
        root.unlink()
    age(place, 10)
    assert "everything is needed" in ann.axil("remote", "prune", "--drop-roots").out
    assert ann.axil("remote", "check").code == 0


def test_prune_refuses_where_it_cannot_know(ann, place):
    where = ann.run("remote", "get-url", "origin")
    ann.run("remote", "set-url", "origin", str(place.folder / "nowhere"))
    assert "there is no git repository" in ann.axil("remote", "prune", code=1).err
    ann.run("remote", "set-url", "origin", where)
    ann.commit({"a": "a"})
    ann.axil("push")
    ann.run("clone", "-q", "--depth", "1", f"file://{place.hub}", str(place.folder / "shallow"))
    shallow = Person(place.folder / "shallow", "Sam")
    assert "git fetch --unshallow" in shallow.axil("remote", "prune", code=1).err


def test_prune_goes_on_beside_runs_that_were_never_pushed(ann, place):
    """The journal of the git remote may name objects that only another clone has."""
    ann.axil("fork", "+x", "--set", "lr=0.9")
    ann.axil("run", "-q")
    ann.axil("switch", "main")
    ann.axil("push")
    ann.axil("remote", "prune")

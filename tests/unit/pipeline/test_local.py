"""The remotes of a work tree, from both files, and from other branches."""

from __future__ import annotations

import pytest
from tests.conftest import Repo

from axil.errors import BadInput
from axil.formats.project import ProjectFile
from axil.pipeline.local import load_machine, load_remotes

FILE = ProjectFile(remotes={"origin": {"url": "s3://bucket"}})


def test_both_files_are_read(repo: Repo):
    assert load_remotes(str(repo.path), FILE, repo.git) == {"origin": {"url": "s3://bucket"}}
    repo.write({"axil.local.toml": '[remotes.origin]\ntoken = "x"\n[remotes.b]\nurl = "b"\n'})
    made = load_remotes(str(repo.path), FILE, repo.git)
    assert made == {"origin": {"url": "s3://bucket", "token": "x"}, "b": {"url": "b"}}
    assert FILE.remotes == {"origin": {"url": "s3://bucket"}}


def test_a_file_that_is_not_text_is_refused(repo: Repo):
    local = repo.path / "axil.local.toml"
    local.write_bytes(b"\n\xff")
    with pytest.raises(BadInput, match="line 2"):
        load_remotes(str(repo.path), FILE, repo.git)
    local.unlink()
    local.mkdir()
    with pytest.raises(BadInput, match="cannot be read"):
        load_remotes(str(repo.path), FILE, repo.git)


@pytest.mark.parametrize("name", ["axil.local.toml", "Axil.Local.TOML"])
def test_a_file_that_came_with_the_repository_is_refused(repo: Repo, name: str):
    """Whoever made it could lead credentials elsewhere, or have a command run."""
    repo.write({"axil.local.toml": '[remotes.origin]\nendpoint = "http://evil"\n[machine]\nnotify = "evil"\n'})
    assert load_machine(str(repo.path), repo.git).notify == "evil"
    blob = repo.run("hash-object", "-w", "axil.local.toml").strip()
    repo.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    for read in (lambda: load_machine(str(repo.path), repo.git), lambda: load_remotes(str(repo.path), FILE, repo.git)):
        with pytest.raises(BadInput, match="is in git, so it is not read"):
            read()


def test_a_branch_that_names_none_uses_those_of_another(repo: Repo):
    none = ProjectFile()
    assert load_remotes(str(repo.path), none, repo.git) == {}
    repo.commit({"axil.toml": "[project]\n"})
    assert load_remotes(str(repo.path), none, repo.git) == {}
    repo.run("checkout", "-q", "-b", "broken")
    repo.commit({"axil.toml": "not toml ["})
    repo.run("checkout", "-q", "-b", "newer")
    repo.commit({"axil.toml": '[remotes.store]\nurl = "/mnt/store"\n'})
    repo.run("checkout", "-q", "broken")
    assert load_remotes(str(repo.path), none, repo.git) == {"store": {"url": "/mnt/store"}}
    repo.write({"axil.local.toml": '[remotes.store]\ntoken = "x"\n'})
    assert load_remotes(str(repo.path), none, repo.git)["store"]["token"] == "x"

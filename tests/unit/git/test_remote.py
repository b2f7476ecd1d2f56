"""Talking to other repositories: what is fetched and pushed, and what failures say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conftest import Repo

from axil.errors import AxilError, GitFailed, NotFound
from axil.git import remote
from axil.git.process import Result
from axil.git.refs import split_tracked
from axil.git.remote import RefAnswer, Refused, Unreached


@pytest.fixture
def hub(make_repo: Callable[..., Repo]) -> Repo:
    return make_repo("hub é.git", "--bare")


@pytest.fixture
def pair(repo: Repo, hub: Repo) -> tuple[Repo, Repo]:
    """A repository with one commit on main, and its bare remote `origin`, which is empty."""
    repo.commit({"a": "a"})
    repo.run("remote", "add", "origin", str(hub.path))
    return repo, hub


def test_remotes_are_listed_without_passwords(repo):
    assert remote.remotes(repo.git) == {}
    repo.run("remote", "add", "origin", "https://ann:secret@example.org/a.git")
    repo.run("remote", "add", "b.c", "git@example.org:a.git")
    assert remote.remotes(repo.git) == {"origin": "https://example.org/a.git", "b.c": "git@example.org:a.git"}


def test_push_and_ls_remote(pair):
    repo, hub = pair
    tip = repo.run("rev-parse", "HEAD")
    assert remote.ls_remote(repo.git, "origin", ["refs/heads/main"]) == {}
    done = remote.push(repo.git, "origin", [f"{tip}:refs/heads/main", f"{tip}:refs/axil/journal"])
    assert {answer.ref: answer.flag for answer in done.refs} == {"refs/heads/main": "*", "refs/axil/journal": "*"}
    assert done.atomic
    there = remote.ls_remote(repo.git, "origin", ["refs/heads/main", "refs/axil/journal"])
    assert there == {"refs/heads/main": tip, "refs/axil/journal": tip}
    assert hub.run("rev-parse", "refs/axil/journal") == tip


def test_an_atomic_push_moves_all_or_nothing(pair, make_repo):
    repo, hub = pair
    first = repo.run("rev-parse", "HEAD")
    remote.push(repo.git, "origin", [f"{first}:refs/heads/main"])
    other = make_repo("other")
    other.run("fetch", "-q", str(hub.path), "main")
    other.run("reset", "-q", "--hard", "FETCH_HEAD")
    theirs = other.commit({"b": "b"})
    other.run("push", "-q", str(hub.path), "HEAD:main")
    mine = repo.commit({"c": "c"})
    specs = [f"{mine}:refs/heads/main", f"{mine}:refs/heads/free"]
    done = {answer.ref: answer for answer in remote.push(repo.git, "origin", specs).refs}
    assert done["refs/heads/main"].moved
    assert done["refs/heads/free"].victim
    assert hub.run("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    stale = remote.push(repo.git, "origin", specs[:1], leases=[f"refs/heads/main:{first}"]).refs[0]
    assert stale.moved
    forced = remote.push(repo.git, "origin", specs[:1], leases=[f"refs/heads/main:{theirs}"]).refs[0]
    assert forced.flag == "+"


def test_a_server_without_atomic_pushes_gets_a_plain_one(pair):
    repo, hub = pair
    hub.run("config", "receive.advertiseAtomic", "false")
    tip = repo.run("rev-parse", "HEAD")
    assert not remote.push(repo.git, "origin", [f"{tip}:refs/heads/main"]).atomic
    assert hub.run("rev-parse", "main") == tip


def test_what_a_server_says_is_passed_on(pair):
    repo, hub = pair
    hook = hub.path / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'see https://example.org/merge' >&2\n")
    hook.chmod(0o755)
    tip = repo.run("rev-parse", "HEAD")
    assert remote.push(repo.git, "origin", [f"{tip}:refs/heads/main"]).words == ("see https://example.org/merge",)
    hook.write_text("#!/bin/sh\nexit 1\n")
    answer = remote.push(repo.git, "origin", [f"{tip}:refs/heads/x"]).refs[0]
    assert (answer.flag, answer.moved) == ("!", False)
    assert "hook declined" in answer.reason


def test_fetch_of_refspecs_and_as_configured(pair, make_repo):
    repo, _ = pair
    tip = repo.run("rev-parse", "HEAD")
    remote.push(repo.git, "origin", [f"{tip}:refs/heads/main", f"{tip}:refs/axil/journal"])
    there = make_repo("there")
    there.run("remote", "add", "origin", str(repo.path.parent / "hub é.git"))
    remote.fetch(there.git, "origin", ["+refs/axil/journal:refs/axil/remotes/origin/journal"])
    assert there.run("for-each-ref", "--format=%(refname)") == "refs/axil/remotes/origin/journal"
    patterns = ("+refs/axil/none*:refs/axil/remotes/origin/none*",)
    remote.fetch_configured(there.git, "origin", patterns)
    assert there.run("rev-parse", "origin/main") == tip


def test_a_fetch_that_met_another_one_is_made_again(pair, monkeypatch):
    repo, _ = pair
    tip = repo.run("rev-parse", "HEAD")
    remote.push(repo.git, "origin", [f"{tip}:refs/heads/main"])
    lost = "error: cannot lock ref 'refs/x': is at 1 but expected 2"
    answers = [lost, lost]
    talk = remote._talk

    def meets_another(*args):
        return (Result(1, b"", answers.pop()), "") if answers else talk(*args)

    monkeypatch.setattr(remote, "_talk", meets_another)
    remote.fetch(repo.git, "origin", ["+refs/heads/main:refs/x"])
    assert repo.run("rev-parse", "refs/x") == tip
    answers += [lost] * 20
    with pytest.raises(GitFailed, match="fetch"):
        remote.fetch(repo.git, "origin", ["+refs/heads/main:refs/x"])


def test_clone_brings_more_refs_and_goes_on_doing_so(pair, tmp_path):
    repo, hub = pair
    tip = repo.run("rev-parse", "HEAD")
    remote.push(repo.git, "origin", [f"{tip}:refs/heads/main", f"{tip}:refs/axil/journal"])
    spec = "+refs/axil/journal*:refs/axil/remotes/origin/journal*"
    remote.clone(repo.git, str(hub.path), str(tmp_path / "new one"), [spec])
    made = Repo(tmp_path / "new one")
    assert made.run("rev-parse", "refs/axil/remotes/origin/journal") == tip
    assert spec in made.run("config", "--get-all", "remote.origin.fetch").splitlines()
    assert made.read("a") == "a"


def test_upstream(pair):
    repo, _ = pair
    assert remote.upstream(repo.git, "main") == ("", "")
    remote.push(repo.git, "origin", [f"{repo.run('rev-parse', 'HEAD')}:refs/heads/main"])
    remote.set_upstream(repo.git, "main", "origin")
    assert remote.upstream(repo.git, "main") == ("origin", "main")
    remote.set_upstream(repo.git, "main", "nowhere")
    assert remote.upstream(repo.git, "main") == ("origin", "main")


@pytest.mark.parametrize(
    ("words", "kind", "part"),
    [
        ("unable to access 'https://x/': Could not resolve host: x", Unreached, "cannot be reached"),
        ("ssh: connect to host x port 22: Connection refused\nfatal: Could not read from remote", Unreached, "reached"),
        ("unable to access 'x': The requested URL returned error: 503", Unreached, "cannot be reached"),
        ("the remote end hung up unexpectedly", Unreached, "broke off"),
        ("could not read Username for 'https://x': terminal prompts disabled", Refused, "does not let you in"),
        ("Authentication failed for 'https://x/'", Refused, "does not let you in"),
        ("git@x: Permission denied (publickey).\nCould not read from remote repository.", Refused, "let you in"),
        ("'x' does not appear to be a git repository\nCould not read from remote repository.", Refused, "no git repo"),
        ("repository 'https://x/' not found", Refused, "no git repository"),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", Refused, "not known to ssh"),
        ("something else", GitFailed, "git fetch failed"),
    ],
)
def test_failures_in_words(repo, words, kind, part):
    error = remote.trouble(repo.git, "origin", ("fetch",), Result(128, b"", words))
    assert type(error) is kind
    assert part in error.what
    assert words.splitlines()[0] in error.why


def test_failures_of_real_places(repo, tmp_path):
    with pytest.raises(Unreached):
        remote.ls_remote(repo.git, "https://127.0.0.1:9/x.git", ["refs/heads/main"])
    with pytest.raises(Refused):
        remote.ls_remote(repo.git, str(tmp_path / "nothing"), ["refs/heads/main"])
    with pytest.raises(AxilError):
        remote.ls_remote(repo.git, "--upload-pack=touch /tmp/x", [])


def test_progress_is_passed_on(pair):
    repo, _ = pair
    repo.commit({str(number): str(number) for number in range(300)})
    told: list[tuple[str, int]] = []

    class Listening:
        def begin(self, label: str, total: int | None = None, unit: str = "") -> None:
            told.append((label, 0))

        def advance(self, count: int = 1) -> None:
            told[-1] = (told[-1][0], told[-1][1] + count)

        def end(self) -> None: ...

    remote.push(repo.git, "origin", [f"{repo.run('rev-parse', 'HEAD')}:refs/heads/main"], progress=Listening())
    assert ("git: writing objects", 305) in told or any(label == "git: writing objects" for label, _ in told)


def test_reasons_for_trying_again():
    for reason in ("fetch first", "non-fast-forward", "stale info", "failed to update ref", "cannot lock ref 'x'"):
        assert RefAnswer("r", "!", reason).moved
    for reason in ("pre-receive hook declined", "branch is currently checked out", "deny updating a hidden ref"):
        assert not RefAnswer("r", "!", reason).moved
    assert not RefAnswer("r", "*").moved
    assert issubclass(NotFound, AxilError)


@pytest.mark.parametrize(
    ("tracked", "found"),
    [
        ("origin/main", ("origin", "main")),
        ("origin/team/x", ("origin", "team/x")),
        ("team/origin/main", ("team/origin", "main")),
        ("team/origin/a/b", ("team/origin", "a/b")),
        ("team/other", ("team", "other")),
        ("gone/a/b", ("gone", "a/b")),
        ("origin", ("origin", "")),
    ],
)
def test_names_of_remotes_may_have_slashes(tracked, found):
    assert split_tracked(tracked, {"origin", "team/origin"}) == found

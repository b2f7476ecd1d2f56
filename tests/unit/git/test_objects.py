"""Tests of reading, writing and comparing git's objects."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Repo

from axil.errors import BadInput, Damaged, GitFailed
from axil.git import objects
from axil.git.catfile import CatFile, TreeEntry, begin_read_file, parse_tree, read_blobs
from axil.git.refs import LostRace, list_refs

AUTHOR = "Ada Test <ada@example.com>"
REF = "refs/axil/journal"
WEIRD = [
    "plain",
    "with space",
    "new\nline",
    'quo"te',
    "back\\slash",
    "tab\t",
    "ü/日本",
    "-dash",
    " lead",
    os.fsdecode(b"\xff"),
]


def append(repo: Repo, old: str | None, files: dict[str, bytes], **more: object) -> str:
    options = {"message": "append", "author": AUTHOR, "time": 1.5e9, **more}
    return objects.fast_import(repo.git, REF, old, files, **options)  # type: ignore[arg-type]


@pytest.fixture(params=["sha1", "sha256"])
def any_repo(request: pytest.FixtureRequest, make_repo: Callable[..., Repo]) -> Repo:
    return make_repo("any", f"--object-format={request.param}")


# Reading


def test_cat_file_reads_all_kinds(any_repo: Repo) -> None:
    commit = any_repo.commit({"a": "hello", "empty": "", "d/b": b"\0\n\xff\n"})
    with CatFile(any_repo.git) as reader:
        assert reader.get("HEAD:a") == (b"blob", b"hello")
        assert reader.get("HEAD:empty") == (b"blob", b"")
        assert reader.blob("HEAD:d/b") == b"\0\n\xff\n"
        assert reader.blob("HEAD:d") is None
        assert reader.get("HEAD:nothing") is None
        assert reader.get("0" * len(commit)) is None
        found = reader.find("HEAD")
        assert found and (found.oid, found.type) == (commit, b"commit")
        assert [(entry.name, entry.mode, entry.is_tree) for entry in reader.entries("HEAD")] == [
            ("a", "100644", False),
            ("d", "40000", True),
            ("empty", "100644", False),
        ]
        assert reader.entries("HEAD:d") == [TreeEntry("b", "100644", any_repo.run("rev-parse", "HEAD:d/b"))]


def test_cat_file_weird_names(repo: Repo) -> None:
    repo.commit({name: f"content of {name!r}" for name in WEIRD})
    with CatFile(repo.git) as reader:
        for name in WEIRD:
            assert reader.blob(f"HEAD:{name}") == f"content of {name!r}".encode()
        assert reader.get("HEAD:no\nsuch") is None
        assert reader.get("HEAD:plain blob 3 missing") is None


def test_cat_file_sees_objects_made_later(repo: Repo) -> None:
    repo.commit({"a": "1"})
    with CatFile(repo.git) as reader:
        assert reader.blob("HEAD:b") is None
        repo.commit({"b": "2"})
        assert reader.blob("HEAD:b") == b"2"


def test_read_blobs_of_a_few_names_or_many(repo: Repo) -> None:
    repo.commit({"a": "text\n", "b": "", "new\nline": "odd"})
    specs = ["HEAD:a", "HEAD:none", "HEAD:b", "HEAD", "HEAD:a"]
    found = [b"text\n", None, b"", None, b"text\n"]
    assert read_blobs(repo.git, specs) == found
    assert read_blobs(repo.git, specs * 200) == found * 200
    assert read_blobs(repo.git, ["HEAD:new\nline"]) == [b"odd"]
    assert read_blobs(repo.git, []) == []


def test_read_many_does_not_block_on_full_pipes(repo: Repo) -> None:
    """Questions and answers both exceed what a pipe holds."""
    files: dict[str, str | bytes] = {f"folder/{'n' * 60}{i}": bytes([i % 256]) * 5000 for i in range(600)}
    repo.commit(files)
    specs = [f"HEAD:{name}" for name in files]
    specs.insert(300, "HEAD:missing")
    found = objects.read_many(repo.git, specs)
    assert found.pop(300) is None
    assert [item.data for item in found if item] == list(files.values())


def test_cat_file_can_be_used_after_an_interrupted_read(repo: Repo) -> None:
    repo.commit({"a": "1", "b": "2"})
    with CatFile(repo.git) as reader:
        stream = reader.read_many(["HEAD:a", "HEAD:b"])
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert reader.blob("HEAD:b") == b"2"


def test_damaged_object_is_told(repo: Repo) -> None:
    repo.commit({"a": "hello"})
    oid = repo.run("rev-parse", "HEAD:a")
    path = repo.path / ".git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(b"garbage that is no zlib stream")
    with CatFile(repo.git) as reader:
        with pytest.raises(GitFailed) as caught:
            reader.blob(oid)
        assert oid in caught.value.what
        assert "git fsck" in caught.value.hint
        assert reader.get("HEAD") is not None


@pytest.mark.parametrize("data", [b"100644 a", b"100644 a\0123", b"nonsense", b"100644\0" + b"x" * 20])
def test_cut_tree_is_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        parse_tree(data, 20)


def test_entries_of_no_tree(repo: Repo) -> None:
    repo.commit({"a": "1"})
    with pytest.raises(GitFailed, match="git has no tree"):
        objects.tree_entries(repo.git, "HEAD:a")


# Writing


def test_fast_import_appends(any_repo: Repo) -> None:
    first = append(any_repo, None, {name: name.encode("utf-8", "surrogateescape") for name in WEIRD})
    second = append(any_repo, first, {"x/y": b"2", "plain": b"new"}, deletes=["tab\t"], message="why\n\nmore")
    assert list_refs(any_repo.git, REF) == {REF: second}
    assert any_repo.run("rev-parse", f"{REF}~1") == first
    names = {entry.name for entry in objects.ls_tree(any_repo.git, second)}
    assert names == {*WEIRD, "x/y"} - {"tab\t"}
    [commit] = objects.log_commits(any_repo.git, [second], exclude=[first])
    assert (commit.author, commit.time, commit.message) == (AUTHOR, 1500000000, "why\n\nmore")
    any_repo.run("fsck", "--strict")


def test_fast_import_takes_what_git_has(repo: Repo) -> None:
    commit = repo.commit({"code/a": "1"})
    tree, blob = repo.run("rev-parse", "HEAD^{tree}"), repo.run("rev-parse", "HEAD:code/a")
    first = append(repo, None, {"r": b"{}"}, entries={"run/snapshot": ("040000", tree), "b": ("100644", blob)})
    assert [entry.name for entry in objects.ls_tree(repo.git, first)] == ["b", "r", "run/snapshot/code/a"]
    other = objects.fast_import(repo.git, "refs/axil/o", None, {"o": b""}, message="", author=AUTHOR, time=0)
    merged = append(repo, first, {"m": b""}, merge=[other])
    assert repo.run("log", "-1", "--format=%P", merged).split() == [first, other]
    assert repo.run("rev-parse", "HEAD") == commit
    assert repo.run("status", "--porcelain") == ""


def test_fast_import_loses_the_race(repo: Repo) -> None:
    first = append(repo, None, {"a": b"1"})
    second = append(repo, first, {"b": b"2"})
    for old in (None, first):
        with pytest.raises(LostRace):
            append(repo, old, {"c": b"3"})
        assert list_refs(repo.git, REF) == {REF: second}


def test_concurrent_appends_lose_nothing(repo: Repo) -> None:
    def work(worker: int) -> None:
        for number in range(6):
            while True:
                try:
                    append(repo, list_refs(repo.git, REF).get(REF), {f"{worker}/{number}": b"x"})
                    break
                except LostRace:
                    continue

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {entry.name for entry in objects.ls_tree(repo.git, REF)}
    assert names == {f"{worker}/{number}" for worker in range(4) for number in range(6)}
    assert len(objects.log_commits(repo.git, [REF])) == 24


@pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/../b", "a/.", "a\0b"])
def test_fast_import_refuses_paths_that_leave_the_tree(repo: Repo, path: str) -> None:
    with pytest.raises(BadInput):
        append(repo, None, {path: b""})
    assert list_refs(repo.git) == {}


@pytest.mark.parametrize("author", ["nobody", "a <b\n>", "x <a> y <b>", "a\nfrom x <b>"])
def test_fast_import_refuses_authors_that_break_the_stream(repo: Repo, author: str) -> None:
    with pytest.raises(BadInput):
        append(repo, None, {"a": b""}, author=author)


@pytest.mark.parametrize("oid", ["HEAD", "", "1" * 39, "A" * 40, "1" * 40 + "\nD x"])
def test_fast_import_takes_only_object_ids(repo: Repo, oid: str) -> None:
    commit = append(repo, None, {"a": b""})
    refused: list[dict[str, object]] = [
        {"entries": {"t": ("100644", oid)}},
        {"entries": {"t": ("644", commit)}},
        {"merge": [oid]},
    ]
    for more in refused:
        with pytest.raises(BadInput):
            append(repo, commit, {}, **more)


def test_fast_import_reports_what_git_says(repo: Repo) -> None:
    with pytest.raises(GitFailed) as caught:
        append(repo, None, {}, entries={"t": ("040000", "1" * 40)})
    assert "1" * 40 in caught.value.why
    assert list_refs(repo.git) == {}


def test_fast_import_leaves_no_pack_per_append(repo: Repo) -> None:
    old = None
    for number in range(3):
        old = append(repo, old, {f"f{number}": b"x"})
    assert not list((repo.path / ".git" / "objects" / "pack").glob("*.pack"))


def test_a_pack_that_need_not_reach_the_disk_is_never_kept(repo: Repo) -> None:
    # As many objects as a stream can make whose pack is not flushed: its objects must be loose, for those are.
    for number, depth in enumerate((0, 1, 5, 20)):
        count = 97 // (2 + depth)
        folders = "".join(f"%d.{level}/" for level in range(depth))
        files = {folders.replace("%d", str(one)) + f"f{one}": b"%d %d" % (number, one) for one in range(count)}
        ref = f"refs/axil/n{number}"
        objects.fast_import(repo.git, ref, None, files, message="many", author=AUTHOR, time=1.5e9)
    assert not list((repo.path / ".git" / "objects" / "pack").glob("*.pack"))


def test_a_file_of_a_commit_with_its_mode(any_repo: Repo) -> None:
    any_repo.write({"a": "A\n", "deep/er/b c": "B"})
    (any_repo.path / "deep/er/b c").chmod(0o755)
    commit = any_repo.commit()
    assert begin_read_file(any_repo.git, commit, "a")() == ("100644", b"A\n")
    assert begin_read_file(any_repo.git, f"{commit}^{{tree}}", "deep/er/b c")() == ("100755", b"B")
    assert begin_read_file(any_repo.git, commit, "deep/er")() is None
    assert begin_read_file(any_repo.git, commit, "deep/no")() is None
    assert begin_read_file(any_repo.git, commit, "no/no")() is None
    with pytest.raises(BadInput):
        begin_read_file(any_repo.git, commit, "a\nb")


def test_write_blobs(any_repo: Repo) -> None:
    contents = [b"", b"data 3\nx", b"\0\xff\n", b"done\n", b"y" * 100_000]
    oids = objects.write_blobs(any_repo.git, contents)
    assert [found.data for found in objects.read_many(any_repo.git, oids) if found] == contents
    assert objects.write_blobs(any_repo.git, []) == []


def test_commit_tree(repo: Repo) -> None:
    base = repo.commit({"a": "1"})
    tree = repo.run("rev-parse", "HEAD^{tree}")
    made = objects.commit_tree(repo.git, tree, [base], "from a run", author="Bob <b@x>", time=1e9)
    [commit] = objects.log_commits(repo.git, [made], limit=1)
    assert (commit.parents, commit.author, commit.time, commit.subject) == ((base,), "Bob <b@x>", 10**9, "from a run")
    assert repo.run("rev-parse", "HEAD") == base


# Comparing


def test_diff_trees(any_repo: Repo) -> None:
    one = any_repo.commit({"same": "1", "edit": "1", "gone": "1", "new\nline": "1", "type": "x"})
    (any_repo.path / "gone").unlink()
    (any_repo.path / "type").unlink()
    os.symlink("same", any_repo.path / "type")
    (any_repo.path / "new\nline").chmod(0o755)
    two = any_repo.commit({"edit": "2", "sub/add": "1"})
    changes = {change.path: change for change in objects.diff_trees(any_repo.git, one, two)}
    assert {path: change.status for path, change in changes.items()} == {
        "edit": "M",
        "gone": "D",
        "new\nline": "M",
        "sub/add": "A",
        "type": "T",
    }
    assert (changes["gone"].new, changes["gone"].new_mode) == ("", "")
    assert (changes["sub/add"].old, changes["sub/add"].old_mode) == ("", "")
    assert changes["new\nline"].new_mode == "100755"
    assert changes["edit"].new == any_repo.run("rev-parse", "HEAD:edit")
    assert [c.path for c in objects.diff_trees(any_repo.git, one, two, ["sub"])] == ["sub/add"]
    assert {c.status for c in objects.diff_trees(any_repo.git, None, two)} == {"A"}
    assert {c.status for c in objects.diff_trees(any_repo.git, two, None)} == {"D"}
    assert objects.diff_trees(any_repo.git, two, two) == []


def test_empty_tree_without_a_hint(any_repo: Repo) -> None:
    any_repo.commit({"a": "1"})
    assert [change.status for change in objects.diff_trees(any_repo.git, None, "HEAD")] == ["A"]
    assert objects.empty_tree(any_repo.git) == objects.empty_tree(any_repo.git, any_repo.run("rev-parse", "HEAD"))


def test_line_stats_find_renames(repo: Repo) -> None:
    repo.run("config", "diff.external", "false")
    body = "".join(f"line {number}\n" for number in range(50))
    one = repo.commit({"old name": body, "edit": "a\nb\n", "binary": b"\0\1"})
    (repo.path / "old name").rename(repo.path / "new\nname")
    two = repo.commit({"edit": "a\nc\nd\n", "binary": b"\0\2"})
    assert objects.line_stats(repo.git, one, two) == [
        objects.FileStat("binary", None, None),
        objects.FileStat("edit", 2, 1),
        objects.FileStat("new\nname", 0, 0, "old name"),
    ]


def test_options_are_refused_as_revisions(repo: Repo, tmp_path: Path) -> None:
    repo.commit()
    target = tmp_path / "written"
    for call in (
        lambda: objects.diff_trees(repo.git, f"--output={target}", "HEAD"),
        lambda: objects.merge_base(repo.git, "--all", "HEAD"),
        lambda: objects.log_commits(repo.git, [f"--output={target}"]),
        lambda: objects.log_commits(repo.git, [f"HEAD\n--output={target}"]),
        lambda: objects.blobs_at(repo.git, "*", [f"HEAD\n--output={target}"]),
        lambda: objects.ls_tree(repo.git, "--help"),
    ):
        with pytest.raises(BadInput):
            call()
    assert not target.exists()
    assert objects.resolve(repo.git, "--help") is None


# History


def test_descent(repo: Repo) -> None:
    base = repo.commit({"a": "1"})
    repo.run("switch", "-q", "-c", "side")
    side = repo.commit({"b": "1"})
    repo.run("switch", "-q", "main")
    tip = [repo.commit({"c": str(number)}) for number in range(2)][-1]
    assert objects.merge_base(repo.git, side, tip) == base
    assert objects.is_ancestor(repo.git, base, tip)
    assert not objects.is_ancestor(repo.git, side, tip)
    assert objects.ahead_behind(repo.git, "main", "side") == (2, 1)
    assert objects.resolve(repo.git, "side") == side
    assert objects.resolve(repo.git, "main", "tree") == repo.run("rev-parse", "main^{tree}")
    assert objects.resolve(repo.git, "nothing") is None
    with pytest.raises(GitFailed):
        objects.is_ancestor(repo.git, "nothing", tip)


def test_unrelated_histories_have_no_base(repo: Repo) -> None:
    one = repo.commit({"a": "1"})
    repo.run("switch", "-q", "--orphan", "alone")
    assert objects.merge_base(repo.git, one, repo.commit({"b": "1"})) is None


def test_log_commits(repo: Repo) -> None:
    repo.run("config", "log.showSignature", "true")
    repo.run("config", "i18n.logOutputEncoding", "UTF-8")
    messages = ["first", "sübject\n\nbody\n\ncommit abc\n", "third"]
    made = [repo.commit({"a": message}, message) for message in messages]
    commits = objects.log_commits(repo.git, ["HEAD"])
    assert [commit.oid for commit in commits] == made[::-1]
    assert commits[1].message == messages[1].rstrip()
    assert commits[1].subject == "sübject"
    assert commits[0].parents == (made[1],)
    assert len(objects.log_commits(repo.git, ["HEAD"], limit=2)) == 2
    assert objects.log_commits(repo.git, ["HEAD"], paths=["nothing"]) == []


def test_blobs_at_finds_every_pointer_there_ever_was(any_repo: Repo) -> None:
    any_repo.run("config", "log.showRoot", "false")
    any_repo.run("config", "log.diffMerges", "off")
    wanted: set[str] = set()

    def commit(name: str, content: str) -> None:
        any_repo.commit({name: content})
        wanted.add(any_repo.run("rev-parse", f"HEAD:./{name}"))

    commit("root.axil", "1")
    commit("d/x.axil", "2")
    commit("d/new\nline.axil", "same")
    any_repo.commit({"other.txt": "same", "y.axil.txt": "no"})
    any_repo.run("switch", "-q", "-c", "side")
    commit("d/x.axil", "3")
    any_repo.run("switch", "-q", "main")
    commit("d/x.axil", "4")
    any_repo.run("merge", "-q", "side", check=False)
    commit("d/x.axil", "made in the merge")
    (any_repo.path / "root.axil").unlink()
    any_repo.commit()
    any_repo.run("branch", "-D", "side")
    found = objects.blobs_at(any_repo.git, "*.axil", ["main"])
    assert set(found) == wanted
    assert found[any_repo.run("rev-parse", "HEAD:other.txt")] == {"d/new\nline.axil"}
    assert objects.blobs_at(any_repo.git, "*.axil", []) == {}


def test_shallow_clone_reads_what_it_has(repo: Repo, tmp_path: Path) -> None:
    one = repo.commit({"a.axil": "1"})
    two = repo.commit({"a.axil": "2"})
    repo.run("clone", "-q", "--depth=1", f"file://{repo.path}", str(tmp_path / "shallow"))
    shallow = Repo(tmp_path / "shallow")
    assert set(objects.blobs_at(shallow.git, "*.axil", ["HEAD"])) == {repo.run("rev-parse", "HEAD:a.axil")}
    assert [commit.oid for commit in objects.log_commits(shallow.git, ["HEAD"])] == [two]
    with pytest.raises(GitFailed) as caught:
        objects.diff_trees(shallow.git, one, two)
    assert "--unshallow" in caught.value.hint

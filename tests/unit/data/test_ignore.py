"""The `.gitignore` beside a pointer: git ignores exactly the data, and the user's lines stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Repo

from axil.data.ignore import ensure_ignored, ensure_not_ignored, taken_over
from axil.errors import BadInput

HEADER = "# data kept by axil\n"


@pytest.mark.parametrize(
    "name", ["raw", "with space ", "star*", "[x]", "what?", "!bang", "#hash", "back\\slash", "-x", "é", "\udcff"]
)
def test_git_ignores_exactly_the_data(repo: Repo, name: str) -> None:
    folder = repo.path / "in"
    folder.mkdir()
    for other in (name, name + ".axil", "starfish", "x", "whatx", "in"):
        (folder / other).write_bytes(b"1")
    (folder / "deeper").mkdir()
    (folder / "deeper" / name).write_bytes(b"1")
    assert ensure_ignored(str(repo.path), f"in/{name}") == "in/.gitignore"
    ignored = repo.git.run("ls-files", "-z", "--others", "--ignored", "--exclude-standard").split(b"\0")[:-1]
    assert [item.decode("utf-8", "surrogateescape") for item in ignored] == [f"in/{name}"]
    assert ensure_ignored(str(repo.path), f"in/{name}") is None


def test_own_lines_are_sorted_and_the_users_stay(tmp_path: Path) -> None:
    path = tmp_path / ".gitignore"
    path.write_text("*.tmp\n/zeta\n\n# mine\n/yes")
    root = str(tmp_path)
    for name in ("b", "c", "a", "zeta"):
        ensure_ignored(root, name)
    assert path.read_text() == "*.tmp\n/zeta\n\n# mine\n/yes\n\n" + HEADER + "/a\n/b\n/c\n"
    path.write_text(path.read_text() + "\n/later\n")
    ensure_ignored(root, "bb")
    assert path.read_text().endswith(HEADER + "/a\n/b\n/bb\n/c\n\n/later\n")
    assert ensure_not_ignored(root, "zeta") is None
    assert ensure_not_ignored(root, "never") is None
    for name in ("a", "b", "bb", "c"):
        assert ensure_not_ignored(root, name) == ".gitignore"
    assert path.read_text() == "*.tmp\n/zeta\n\n# mine\n/yes\n\n\n/later\n"


def test_a_file_of_which_nothing_is_left_goes(tmp_path: Path) -> None:
    ensure_ignored(str(tmp_path), "a")
    assert (tmp_path / ".gitignore").read_text() == HEADER + "/a\n"
    ensure_not_ignored(str(tmp_path), "a")
    assert not (tmp_path / ".gitignore").exists()


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x\n")
    (tmp_path / ".gitignore").symlink_to("real")
    with pytest.raises(BadInput, match=r"\.gitignore is a symbolic link"):
        ensure_ignored(str(tmp_path), "a")
    assert (tmp_path / "real").read_text() == "x\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{HEADER}/own\n"),
        ("/own\n/moved\n*.pyc\n", f"*.pyc\n\n{HEADER}/moved\n/own\n"),
        (f"*.pyc\n\n{HEADER}/a\n", f"*.pyc\n\n{HEADER}/a\n/own\n"),
        (f"{HEADER}/own\n", f"{HEADER}/own\n"),
    ],
)
def test_lines_of_another_tool_are_taken_over(before: str, after: str) -> None:
    assert taken_over(before.encode(), {b"/own"}, {b"/moved"}) == after.encode()


def test_nothing_to_take_over() -> None:
    assert taken_over(b"*.pyc\n", set(), {b"/moved"}) == b"*.pyc\n"

"""What keeps git from a checkout only by its form is carried along; everything else stays as it was."""

from __future__ import annotations

import pytest

from axil.actions.checkout import check_out
from axil.base.clock import system_clock
from axil.errors import Blocked
from axil.git.refs import Head
from axil.project import open_project

OWN = "# data kept by axil\n/model\n"


@pytest.fixture
def project(repo):
    """`main` has no .gitignore, `other` has one with a line of axil's and one of the user's."""
    repo.commit({"axil.toml": "", "code.py": "1\n"})
    repo.run("switch", "-qc", "other")
    repo.commit({".gitignore": "*.log\n\n# data kept by axil\n/out\n", "code.py": "2\n"})
    repo.run("switch", "-q", "main")
    return open_project(str(repo.path), clock=system_clock)


def other(project):
    return Head("other", project.git.run("rev-parse", "other").decode().strip())


@pytest.mark.parametrize("staged", [False, True])
def test_lines_of_its_own_are_carried_along(repo, project, staged):
    repo.write({".gitignore": OWN})
    if staged:
        repo.run("add", ".gitignore")
    check_out(project, other(project))
    assert repo.read(".gitignore") == "*.log\n\n# data kept by axil\n/model\n/out\n"
    assert repo.run("status", "--porcelain") == ("M  .gitignore" if staged else " M .gitignore")
    assert repo.run("branch", "--show-current") == "other"


def test_lines_of_the_user_block(repo, project):
    repo.write({".gitignore": "mine\n" + OWN})
    with pytest.raises(Blocked) as error:
        check_out(project, other(project))
    assert error.value.paths == (".gitignore",)
    assert repo.read(".gitignore") == "mine\n" + OWN


@pytest.mark.parametrize("staged", [False, True])
def test_another_obstacle_leaves_everything_as_it_was(repo, project, staged):
    repo.write({".gitignore": OWN, "code.py": "mine\n"})
    if staged:
        repo.run("add", ".gitignore", "code.py")
    before = repo.run("status", "--porcelain"), repo.run("ls-files", "--stage")
    with pytest.raises(Blocked):
        check_out(project, other(project))
    assert (repo.read(".gitignore"), repo.read("code.py")) == (OWN, "mine\n")
    assert (repo.run("status", "--porcelain"), repo.run("ls-files", "--stage")) == before


def test_files_that_are_as_over_there_are_no_obstacle(repo, project):
    repo.write({"code.py": "2\n", ".gitignore": OWN})
    check_out(project, other(project))
    assert repo.run("status", "--porcelain") == " M .gitignore"
    assert repo.read(".gitignore").endswith("/model\n/out\n")


def test_the_index_is_as_before_if_git_refuses_after_all(repo, project):
    repo.run("worktree", "add", "-q", str(repo.path.parent / "linked"), "other")
    repo.write({"code.py": "2\n", "new": "n\n"})
    repo.run("add", "new")
    before = repo.run("ls-files", "--stage")
    with pytest.raises(Exception, match="other"):
        check_out(project, other(project))
    assert repo.run("ls-files", "--stage") == before
    assert repo.read("code.py") == "2\n"

"""`axil gc` removes only what nothing needs, `axil verify` finds what is wrong and for whom."""

from __future__ import annotations

import contextlib
import json
import os
import time

import pytest

from axil.actions.roots import roots
from axil.base.clock import system_clock
from axil.formats import pointer
from axil.project import open_project
from axil.runs import rundir
from axil.store import Store


def gc(small, *options, code=0):
    return small.axil("gc", "--now", "--json", *options, code=code).json


def oid(small, path="data/raw.axil"):
    return pointer.parse((small.path / path).read_bytes(), path).oid


def store(small):
    return Store(str(small.path / ".git/axil/store"))


def forget_operations(small):
    for path in (small.path / ".git/axil/operations").iterdir():
        path.unlink()


def orphan(small, text="nobody needs me" * 10):
    """Content that is in the store and that nothing refers to."""
    with store(small).batch() as batch:
        made = batch.put_bytes(text.encode())
        batch.commit()
    return made


def test_a_plan_changes_nothing(small):
    made = orphan(small)
    plan = gc(small, "-n")
    assert (plan["objects"], plan["bytes"], plan["trash"]) == (1, 150, "")
    assert store(small).has(made)
    assert small.axil("gc", "-n", "--now").out == "1 object, 150 B would go to the trash\n"
    assert small.axil("gc", "-n").out == "everything in the store is needed\n"
    assert small.axil("gc", "-n").err == "1 unneeded object younger than an hour kept\n"


def test_a_run_that_ends_while_what_is_needed_is_looked_for(small, monkeypatch):
    project = open_project(str(small.path), dict(os.environ), system_clock)
    before = {root.oid for root in roots(project)[0]}
    real = rundir.ids

    def ids(runs):
        monkeypatch.setattr(rundir, "ids", real)
        small.axil("run", "--set", "lr=0.77")
        return ["01ARZ3NDEKTSV4RRFFQ69G5FAV"]

    monkeypatch.setattr(rundir, "ids", ids)
    found, problems = roots(project)
    assert problems == []
    assert [root for root in found if root.oid not in before and root.needed_by.startswith("run ")]


def test_a_run_without_its_spec_is_told(small):
    folder = small.path / ".git/axil/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV"
    folder.mkdir(parents=True)
    _, problems = roots(open_project(str(small.path), dict(os.environ), system_clock))
    assert [problem for problem in problems if "01ARZ3NDEKTSV4RRFFQ69G5FAV" in problem]


def test_trash_and_restore(small):
    made = orphan(small)
    done = gc(small)
    assert done["objects"] == 1 and not store(small).has(made)
    (listed,) = small.axil("gc", "--trash", "--json").json
    assert listed["name"] == done["trash"]
    assert small.axil("gc", "--restore", done["trash"]).out == f"{done['trash']} is back\n"
    assert store(small).read(made).startswith(b"nobody")
    assert small.axil("gc", "--trash").out == "the trash is empty\n"
    assert small.axil("gc", "--restore", "nothing", code=1).err.startswith("error: ")
    assert small.axil("verify", "--json").json["sound"]


def version(small, text):
    """Save an edit of data/raw and take the edit back in the work tree; the oid of the saved version."""
    old = small.repo.read("data/raw/1.txt")
    small.repo.write({"data/raw/1.txt": text})
    small.axil("add")
    made = oid(small)
    return old, made


def back(small, old):
    small.repo.write({"data/raw/1.txt": old})
    small.axil("add")


def needed_by_a_branch(small):
    small.axil("fork", "b")
    _, made = version(small, "branch")
    small.commit("data")
    small.axil("switch", "main")
    return made


def needed_by_an_older_commit(small):
    old, made = version(small, "history")
    small.commit("data")
    back(small, old)
    small.commit("back")
    return made


def needed_by_a_tag(small):
    small.repo.run("switch", "-q", "--detach")
    old, made = version(small, "tag")
    small.commit("data")
    small.repo.run("tag", "kept")
    small.repo.run("reset", "-q", "--soft", "HEAD~1")
    small.repo.run("switch", "-q", "main")
    back(small, old)
    small.repo.run("reflog", "expire", "--expire=now", "--all")
    return made


def needed_by_a_stash(small):
    _, made = version(small, "stash")
    small.repo.run("stash", "-q")
    small.axil("materialise")
    return made


def needed_by_a_remote_branch(small):
    old, made = version(small, "remote")
    small.commit("data")
    small.repo.run("update-ref", "refs/remotes/origin/x", "HEAD")
    small.repo.run("reset", "-q", "--soft", "HEAD~1")
    back(small, old)
    small.repo.run("reflog", "expire", "--expire=now", "--all")
    return made


def needed_by_the_reflog(small):
    old, made = version(small, "reflog")
    small.commit("data")
    small.repo.run("reset", "-q", "--soft", "HEAD~1")
    back(small, old)
    return made


def needed_by_an_uncommitted_pointer(small):
    _, made = version(small, "work tree")
    return made


def needed_by_a_staged_pointer(small):
    old, made = version(small, "staged")
    # The pointer in git's index stays; the one on the disk says something else again.
    staged = small.repo.run("ls-files", "--stage", "data/raw.axil")
    back(small, old)
    small.repo.run("update-index", "--cacheinfo", f"100644,{staged.split()[1]},data/raw.axil")
    return made


def needed_by_another_work_tree(small):
    place = small.path.parent / "linked"
    small.repo.run("worktree", "add", "-q", "-b", "side", str(place))
    small.axil("-C", str(place), "materialise")
    (place / "data/raw/1.txt").write_text("linked")
    small.axil("-C", str(place), "add")
    return pointer.parse((place / "data/raw.axil").read_bytes(), "data/raw.axil").oid


def needed_by_a_run(small):
    old, _ = version(small, "run")
    small.axil("run")
    made = small.axil("runs", "--json").json["runs"][0]["id"]
    run = small.axil("show", made, "--json").json["run"]
    back(small, old)
    small.axil("run")
    return bytes.fromhex(run["stages"][0]["outs"]["model.txt"]["oid"])


def needed_by_the_snapshot_of_a_run(small):
    old, made = version(small, "snapshot")
    small.axil("run")
    back(small, old)
    small.axil("run")
    return made


def needed_by_an_archived_experiment(small):
    made = needed_by_a_branch(small)
    small.axil("archive", "b")
    return made


def needed_by_a_deleted_experiment(small):
    made = needed_by_a_branch(small)
    small.axil("delete", "b")
    return made


@pytest.mark.parametrize(
    "need",
    [value for name, value in sorted(globals().items()) if name.startswith("needed_by_")],
    ids=lambda f: f.__name__,
)
def test_what_is_needed_stays(small, need):
    made = need(small)
    forget_operations(small)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(small.path / ".git/axil/worktree.db")  # neither may the index be what keeps it
    extra = orphan(small)
    gc(small)
    assert store(small).has(made)
    assert not store(small).has(extra)
    assert small.axil("verify", "--json").json["missing"] == []


def test_what_undo_needs_stays(small):
    small.axil("fork", "b")
    small.axil("switch", "main")
    small.repo.write({"data/raw/1.txt": "by force"})
    small.axil("materialise", "-f")
    gc(small)
    small.axil("undo")
    assert small.data()["1.txt"] == "by force"


def later(days):
    """What `Face.project` gives in `days` days."""

    def project(face):
        from axil.project import open_project

        return open_project(face.cwd, face.env, clock=lambda: time.time() + days * 86400)

    return project


def test_deleted_experiments_leave_after_thirty_days(small, monkeypatch):
    made = needed_by_a_branch(small)
    small.axil("delete", "b")
    small.repo.run("reflog", "expire", "--expire=now", "--all")
    forget_operations(small)
    (ref,) = small.repo.run("for-each-ref", "--format=%(refname)", "refs/axil/deleted").split()
    assert gc(small)["expired"] == []
    monkeypatch.setattr("axil.cli.face.Face.project", later(31))
    assert gc(small, "-n")["expired"] == [ref]
    assert gc(small)["expired"] == [ref]
    assert not store(small).has(made)


def test_tips_names_what_is_lost_and_takes_force(small):
    made = needed_by_an_older_commit(small)
    forget_operations(small)
    plan = gc(small, "--tips", "-n")
    assert [(one["name"], one["files"]) for one in plan["lost"]] == [("data/raw in an older commit or a run", 3)]
    answer = small.axil("gc", "--now", "--tips", code=1)
    assert answer.err.startswith(
        "error: 1 older version of tracked data would be lost\n  data/raw in an older commit or a run\n"
    )
    assert store(small).has(made)
    done = gc(small, "--tips", "--force")
    assert not store(small).has(made)
    small.axil("gc", "--restore", done["trash"])
    assert store(small).has(made)


def test_doubt_stops_it(small):
    made = orphan(small)
    small.repo.write({"data/raw.axil": "<<<<<<< HEAD\n" + small.repo.read("data/raw.axil")})
    answer = small.axil("gc", "--now", code=1)
    assert answer.err.startswith("error: it is not certain what is still needed, so nothing is removed\n")
    assert "data/raw.axil" in answer.err
    assert store(small).has(made)


def test_verify_says_all_is_well(small):
    answer = small.axil("verify")
    assert answer.out.startswith("all is well: ")
    value = small.axil("verify", "--json").json
    assert value["sound"] and value["objects"] and value["references"]


def flip(small, wanted):
    """Turn one bit of the object in its pack."""
    for path in (small.path / ".git/axil/store/packs").rglob("*.pack"):
        data = bytearray(path.read_bytes())
        at = data.find(wanted)
        if at >= 0:
            data[at] ^= 1
            path.chmod(0o644)
            path.write_bytes(data)
            return
    raise AssertionError("not found in a pack")


def test_verify_finds_a_flipped_bit_and_who_needs_it(small):
    small.repo.write({"data/raw/deep/long.txt": "0123456789" * 10})
    small.axil("add")
    flip(small, b"0123456789" * 10)
    value = small.axil("verify", "--json", code=1).json
    assert not value["sound"]
    (damaged,) = [one for one in value["damaged"] if one["oid"]]
    assert any("data/raw" in name for name in damaged["needed_by"])
    assert "damaged" in small.axil("verify", code=1).out
    # Put aside and added again, all is well.
    assert "in the trash as " in small.axil("verify", "--quarantine", code=1).out
    small.axil("add", "data/raw")
    assert small.axil("verify").out.startswith("all is well")


def test_verify_finds_what_is_missing_and_who_needs_it(small):
    big = os.urandom(300_000)
    small.repo.write({"data/raw/deep/big.bin": big})
    small.axil("add")
    small.commit("big")
    (file,) = [path for path in (small.path / ".git/axil/store/files").rglob("*") if path.is_file()]
    file.unlink()
    answer = small.axil("verify", code=1)
    assert answer.out.startswith(f"missing  {file.name[:12]}\n         needed by ")
    (missing,) = small.axil("verify", "--json", code=1).json["missing"]
    assert missing["oid"] == file.name
    assert any(name.startswith("data/raw on main") for name in missing["needed_by"])
    # What is lost in the store still lies in the work tree: adding it again heals.
    small.axil("add", "data/raw")
    assert small.axil("verify", "--json").json["sound"]


def test_verify_changes_nothing(small):
    flip_target = b"0123456789" * 10
    small.repo.write({"data/raw/long.txt": flip_target})
    small.axil("add")
    flip(small, flip_target)
    before = small.state()
    files = sorted(str(path) for path in (small.path / ".git/axil/store").rglob("*"))
    small.axil("verify", code=1)
    assert small.state() == before
    assert sorted(str(path) for path in (small.path / ".git/axil/store").rglob("*")) == files


def test_a_damaged_operation_log_is_a_problem_not_a_crash(small):
    newest = max((small.path / ".git/axil/operations").glob("*.json"))
    newest.write_text(json.dumps({"version": 1}))
    value = small.axil("verify", "--json", code=1).json
    assert any("is damaged" in problem for problem in value["problems"])
    assert "is damaged" in small.axil("gc", code=1).err

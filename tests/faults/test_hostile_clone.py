"""Git repositories made to do harm to whoever clones them: pointers at paths of evil, records of evil."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.sharing import Person
from tests.conftest import Repo
from tests.faults.trap import Trap

from axil.base.clock import system_clock
from axil.base.ids import new_id


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path)


EVIL_TREES: dict[str, Callable[[Repo, str], str]] = {
    "up": lambda hub, blob: mktree(hub, [("40000", "..", mktree(hub, [("100644", "outside.axil", blob)]))]),
    "git": lambda hub, blob: mktree(hub, [("40000", ".git", mktree(hub, [("100644", "config.axil", blob)]))]),
    "axil": lambda hub, blob: mktree(hub, [("40000", ".axil", mktree(hub, [("100644", "x.axil", blob)]))]),
    "slash": lambda hub, blob: mktree(hub, [("100644", "../outside.axil", blob)]),
    "link": lambda hub, blob: mktree(hub, [("120000", "raw.axil", blob)]),
    "escape": lambda hub, blob: mktree(hub, [("100644", "a\x1b[31mb\x07.axil", blob)]),
}


def mktree(hub: Repo, rows: list[tuple[str, str, str]]) -> str:
    """A tree that git itself would not make."""
    data = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in rows)
    command = ["git", "hash-object", "-t", "tree", "--literally", "-w", "--stdin"]
    return subprocess.run(command, cwd=hub.path, input=data, capture_output=True, check=True).stdout.decode().strip()


@pytest.mark.parametrize("kind", sorted(EVIL_TREES))
def test_pointers_at_paths_of_evil(trap: Trap, kind: str) -> None:
    hub = Repo(trap.place.hub)
    text = (trap.ann.path / "data/raw.axil").read_text()
    (trap.place.folder / "pointer").write_text(text)
    blob_id = hub.run("hash-object", "-w", str(trap.place.folder / "pointer"))
    evil = EVIL_TREES[kind](hub, blob_id)
    entries = subprocess.run(["git", "cat-file", "tree", evil], cwd=hub.path, capture_output=True, check=True).stdout
    whole = subprocess.run(
        ["git", "cat-file", "tree", "main^{tree}"], cwd=hub.path, capture_output=True, check=True
    ).stdout
    command = ["git", "hash-object", "-t", "tree", "--literally", "-w", "--stdin"]
    made = subprocess.run(command, cwd=hub.path, input=entries + whole, capture_output=True, check=True).stdout
    commit = (
        subprocess.run(
            ["git", "commit-tree", "-p", "main", "-m", "evil", made.decode().strip()],
            cwd=hub.path,
            env=trap.ann.env,
            capture_output=True,
            check=True,
        )
        .stdout.decode()
        .strip()
    )
    hub.run("update-ref", "refs/heads/evil", commit)
    trap.meet(
        ["diff", "main", "origin/evil"],
        ["fork", "mine", "--from", "evil"],
        ["switch", "evil"],
        ["fetch", "evil"],
        ["get", "evil:"],
        ["verify"],
        ["gc"],
        ["switch", "main"],
        ["tree", "--all"],
    )


def test_a_journal_of_evil(trap: Trap) -> None:
    """Records with paths that lead out, names with escapes, ids that are none, and bytes that are no records."""
    hub = Repo(trap.place.hub)
    tip = hub.run("rev-parse", "refs/axil/journal")
    work = trap.place.folder / "journal"
    hub.run("worktree", "add", "-q", "--detach", str(work), tip)
    (record,) = (path for path in (work / "run").rglob("record.json") if path.is_file())
    text = record.read_text()
    assert '"model"' in text
    variants = [
        text.replace('"model"', '"../outside"'),
        text.replace('"model"', '".git/hooks"'),
        text.replace('"experiment":"main"', '"experiment":"\\u001b[31mx"'),
        text.replace('"message":"baseline"', '"message":"\\u001b]0;owned\\u0007\\u001b[2J"'),
        text.replace('"train"', '"../../x"'),
        text.replace('"lr":0.1', '"\\u001b[8m":0.1'),
        "{",
        "[" * 100_000,
        "",
        "\0" * 1000,
        '{"kind": "run"}',
        "9" * 5000,
    ]
    for variant in variants:
        made = new_id(system_clock)
        place = work / "run" / made[-2:] / made
        place.mkdir(parents=True)
        (place / "record.json").write_text(variant.replace(record.parent.name, made))
    evil = work / "run/zz/not an id \x1b[31m"
    evil.mkdir(parents=True)
    (evil / "record.json").write_text(text)
    journal = Person(work, "Eve")
    journal.run("add", "-A")
    journal.run("commit", "-qm", "evil")
    hub.run("update-ref", "refs/axil/journal", journal.head())
    hub.run("worktree", "remove", "--force", str(work))
    trap.meet(
        ["runs", "--all"],
        ["runs", "--all", "--json"],
        ["tree", "--all"],
        ["show", "main"],
        ["compare", "main", "main"],
        ["logs"],
        ["verify"],
        ["gc"],
        ["fetch", "--all"],
        ["runs", "--csv"],
        ["remote", "prune", "-n"],
    )
    assert not list(trap.place.folder.glob("x"))
    assert not list((trap.bob.path / ".git").glob("hooks/*.txt"))
